//! A connection to a node while it carries a request, and how requests go over it.
//!
//! An HTTP/1.1 connection begins as one of ours (`exchange.rs`), which carries requests without a body. The first that
//! has one, or wants another protocol, hands it to hyper (`exclusive.rs`), whose it stays. Invariant: what goes back
//! to the node has no answer under way.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::client::conn::{TrySendError, http2};

use super::{
    alarm::Alarm,
    answer_bodies::Arriving,
    balance::Lease,
    exchange::Exchange,
    exclusive::Exclusive,
    node::{Idle, Node, Stream},
    request_heads::RequestHead,
    wire::Heard,
};
use crate::{
    bodies::{BodyError, RequestBody},
    rejects::Reject,
};

/// A connection ready for one request, and where it goes back to.
pub(crate) struct Connection {
    pub(super) sender: Sender,
    pub(super) heard: Arc<Heard>,
    pub(super) alarm: Alarm,
    /// Whether it has served a request before.
    pub(crate) reused: bool,
    pub(super) served: u32,
    pub(super) node: Arc<Node>,
    /// The mark that its node serves a request, where balancing counts them.
    pub(crate) lease: Option<Lease>,
}

/// What a connection is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A request without a body.
    Head,
    /// A request with a body, which any version of HTTP can carry.
    Body,
    /// One that asks for another protocol, which HTTP/1.1 alone can do.
    Upgrade,
}

/// Why there is no answer to a request that hyper sent.
pub(crate) struct Unanswered {
    /// What went wrong.
    pub(crate) error: BodyError,
    /// The request, if nothing of it has left.
    pub(crate) unsent: Option<Request<RequestBody>>,
    /// Whether an HTTP/2 peer says that it has done nothing with it (RFC 9113 §8.7): its stream was refused, or is
    /// beyond the last one that the peer's GOAWAY admits.
    pub(crate) is_refused: bool,
}

impl From<TrySendError<Request<RequestBody>>> for Unanswered {
    fn from(mut failed: TrySendError<Request<RequestBody>>) -> Self {
        let unsent = failed.take_message();
        let error = failed.into_error();
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<h2::Error>());
        let is_refused = cause.is_some_and(|error| {
            error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
        });
        Self { error: error.into(), unsent, is_refused }
    }
}

pub(super) enum Sender {
    /// HTTP/1.1, spoken by us.
    Direct(Box<Exchange>),
    /// HTTP/1.1, spoken by hyper.
    Http1(Exclusive),
    Http2(http2::SendRequest<RequestBody>, Stream),
}

impl Sender {
    /// Whether hyper speaks on it.
    pub(super) const fn is_driven(&self) -> bool {
        !matches!(self, Self::Direct(_))
    }

    /// Looks whether a connection that nobody used for a while can take a request.
    pub(super) async fn is_fit(&mut self) -> bool {
        match self {
            Self::Direct(exchange) => exchange.is_fit(),
            Self::Http1(exclusive) => exclusive.is_fit().await,
            Self::Http2(sender, _) => !sender.is_closed(),
        }
    }
}

impl Connection {
    /// The node at its other end.
    pub(crate) const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Whether it speaks HTTP/2.
    pub(crate) const fn is_http2(&self) -> bool {
        matches!(self.sender, Sender::Http2(..))
    }

    /// Makes an HTTP/1.1 connection one that can serve this.
    pub(super) async fn suit(mut self, purpose: Purpose) -> Result<Self, Reject> {
        if purpose == Purpose::Head {
            return Ok(self);
        }
        if let Sender::Direct(exchange) = self.sender {
            let driven = Exclusive::over(exchange.into_wire()).await.map_err(|_| Reject::Unreachable)?;
            self.sender = Sender::Http1(driven);
        }
        if purpose == Purpose::Upgrade {
            // What it changes to is no answer that anybody waits for.
            self.detach();
        }
        Ok(self)
    }

    /// Sends a request without a body, if it is a connection of ours; `None`: hyper speaks on it, see [`Self::send`].
    /// The alarm is for whoever waits for the answer.
    pub(crate) fn ask(
        &mut self,
        head: &RequestHead<'_>,
    ) -> Option<(impl Future<Output = Result<Response<Arriving>, BodyError>>, &mut Alarm)> {
        let Sender::Direct(exchange) = &mut self.sender else { return None };
        self.heard.begin();
        exchange.begin(head);
        let method = head.method;
        Some((poll_fn(move |cx| exchange.poll_answer(cx, method)), &mut self.alarm))
    }

    /// Sends a request in the form that its version of HTTP asks for, over a connection on which hyper speaks.
    /// The alarm is for whoever waits for the answer.
    pub(crate) fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> (impl Future<Output = Result<Response<Arriving>, Unanswered>>, &mut Alarm) {
        self.heard.begin();
        let Self { sender, alarm, .. } = self;
        let sending = async move {
            let answered = match sender {
                Sender::Http1(exclusive) => exclusive.send(request).await,
                Sender::Http2(sender, _) => sender.try_send_request(request).await,
                Sender::Direct(_) => {
                    let error = "the connection carries no bodies".into();
                    return Err(Unanswered { error, unsent: Some(request), is_refused: false });
                }
            };
            Ok(answered?.map(Arriving::Driven))
        };
        (sending, alarm)
    }

    /// The next piece of the answer's body.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Arriving,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match (&mut self.sender, body) {
            (Sender::Direct(exchange), Arriving::Direct(framing)) => exchange.poll_piece(cx, framing),
            (Sender::Http1(exclusive), Arriving::Driven(body)) => {
                let polled = exclusive.drive(cx, |cx| Pin::new(&mut *body).poll_frame(cx));
                polled.map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
            }
            (_, Arriving::Driven(body)) => {
                let polled = Pin::new(body).poll_frame(cx);
                polled.map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
            }
            (_, Arriving::Direct(_)) => Poll::Ready(Some(Err("an answer without its connection".into()))),
        }
    }

    /// Lets it go on by itself, whether anybody reads its answer or not.
    pub(crate) fn detach(&mut self) {
        if let Sender::Http1(exclusive) = &mut self.sender {
            exclusive.detach();
        }
    }

    /// Whether we speak on it ourselves, and so without bodies of requests.
    pub(crate) const fn is_direct(&self) -> bool {
        matches!(self.sender, Sender::Direct(_))
    }

    /// Whether no byte of the last request has left, as far as we write it ourselves.
    pub(crate) fn has_said_nothing(&self) -> bool {
        matches!(&self.sender, Sender::Direct(exchange) if exchange.has_said_nothing())
    }

    /// Whether something came since the request was sent; on a shared connection that says nothing.
    pub(crate) fn was_answered(&self) -> bool {
        !self.is_http2() && self.heard.anything()
    }

    /// Whether nothing at all came since a request was last sent, so that the other end may be gone.
    pub(crate) fn is_silent(&self) -> bool {
        !self.heard.anything()
    }

    /// Gives the connection back after an answer was read to its end.
    pub(crate) fn recycle(self) {
        let Self { mut sender, heard, alarm, served, node, .. } = self;
        let is_kept = match &mut sender {
            Sender::Direct(exchange) => {
                let is_kept = !exchange.has_ended();
                exchange.rest();
                is_kept
            }
            Sender::Http1(exclusive) => !exclusive.has_ended(),
            Sender::Http2(..) => false,
        };
        let served = served.saturating_add(1);
        if is_kept && !node.is_worn(served) {
            node.keep(Idle { sender, heard, alarm, served, since: Instant::now() });
        }
    }

    /// Sees to it that nobody is given this connection again.
    pub(crate) fn retire(self) {
        if let Sender::Http2(_, stream) = &self.sender {
            self.node.forget(&stream.0);
        }
    }
}
