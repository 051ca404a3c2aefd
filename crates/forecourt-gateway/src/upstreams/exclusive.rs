//! An HTTP/1.1 connection under hyper, and who drives it: the task of whoever uses it, or one of its own.
//!
//! A task of its own for each connection would cost every request two hand-overs between tasks. So the connection is
//! polled where its answer is waited for. Invariants: it is polled by one task at a time; and where that is the user's,
//! what comes out of it is asked for with a waker that wakes nobody, since the connection's own waker does.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1},
};
use hyper_util::rt::TokioIo;
use tokio::{task::coop::unconstrained, time::timeout};

use super::{dial::LONGEST_HEAD, wire::Wire};
use crate::bodies::RequestBody;

/// How long a connection may take to become ready after its last answer was read.
const SETTLING: Duration = Duration::from_millis(100);

/// A connection that carries one request at a time.
pub(super) struct Exclusive {
    sender: http1::SendRequest<RequestBody>,
    driver: Driver,
}

type Http1 = http1::Connection<TokioIo<Wire>, RequestBody>;

enum Driver {
    /// Whoever uses the connection.
    User(Box<Http1>),
    /// A task of its own.
    Task,
    /// Nobody: it has ended.
    Nobody,
}

impl Exclusive {
    /// A connection that its user drives, over these bytes; nothing is under way on them.
    pub(super) async fn over(wire: Wire) -> hyper::Result<Self> {
        let mut builder = http1::Builder::new();
        let handshake = builder.max_header_size(LONGEST_HEAD).handshake(TokioIo::new(wire));
        let (sender, connection) = handshake.await?;
        Ok(Self { sender, driver: Driver::User(Box::new(connection)) })
    }

    /// Gives it a task of its own, for the rest of its life.
    pub(super) fn detach(&mut self) {
        // While a process ends, what is dropped may lie in no runtime any more.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if let Driver::User(connection) = std::mem::replace(&mut self.driver, Driver::Task) {
            runtime.spawn(async move {
                if let Err(error) = connection.with_upgrades().await {
                    tracing::debug!(%error, "an upstream connection ended");
                }
            });
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, TrySendError<Request<RequestBody>>> {
        let Self { sender, driver } = self;
        // A task that has used up its budget would be put off with a waker that wakes nobody.
        let mut answer = pin!(unconstrained(sender.try_send_request(request)));
        poll_fn(|cx| driver.drive(cx, |cx| answer.as_mut().poll(cx))).await
    }

    /// Goes on until `ask` has got what it wants out of the connection.
    pub(super) fn drive<T>(
        &mut self,
        cx: &mut Context<'_>,
        ask: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.driver.drive(cx, ask)
    }

    /// Whether it has ended, as far as is known without looking.
    pub(super) fn has_ended(&self) -> bool {
        self.sender.is_closed()
    }

    /// Looks at a connection that nobody drove for a while; true: it can take a request. One that its other end
    /// closed cannot, nor one that says something unasked, nor one that stays busy.
    pub(super) async fn is_fit(&mut self) -> bool {
        let Self { sender, driver } = self;
        // It also forgets whom to wake: the task that used it last has nothing to do with it any more.
        driver.poll(&mut Context::from_waker(Waker::noop()));
        if sender.is_closed() || sender.is_ready() {
            return !sender.is_closed();
        }
        let ready = poll_fn(|cx| driver.drive(cx, |cx| sender.poll_ready(cx)));
        matches!(timeout(SETTLING, ready).await, Ok(Ok(())))
    }
}

impl Driver {
    fn drive<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut ask: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if let Self::User(_) = self {
            let mut nobody = Context::from_waker(Waker::noop());
            // What came with an earlier look costs no further one.
            if let Poll::Ready(done) = ask(&mut nobody) {
                return Poll::Ready(done);
            }
            self.poll(cx);
            if let Self::User(_) = self {
                return ask(&mut nobody);
            }
        }
        ask(cx)
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        let Self::User(connection) = self else { return };
        if let Poll::Ready(ended) = Pin::new(connection).poll(cx) {
            if let Err(error) = ended {
                tracing::debug!(%error, "an upstream connection ended");
            }
            *self = Self::Nobody;
        }
    }
}
