//! An HTTP/1.1 connection that carries requests without a body: one head is written, one answer is read.
//!
//! hyper's client would do the same for three times the work. Invariants: no second request is written before the
//! answer to the first was read to its end; and a connection that said anything beyond that answer is not used again.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::{Method, Response};
use http_body::Frame;
use tokio::io::{AsyncReadExt, AsyncWrite};

use super::{
    answer_bodies::{Arriving, Framing},
    answer_heads::{self, Begins},
    request_heads::RequestHead,
    wire::Wire,
};
use crate::bodies::BodyError;

/// Room for a read.
const USUAL_ROOM: usize = 8 * 1_024;
/// With less than this left, new room is made.
const LEAST_ROOM: usize = 2 * 1_024;
/// Room for a read while much comes.
const MOST_ROOM: usize = 128 * 1_024;
/// A buffer that is larger does not stay with an idle connection.
const LARGEST_KEPT: usize = 2 * USUAL_ROOM;
/// Interim answers to one request.
const MOST_INTERIM: usize = 100;

/// The connection.
pub(super) struct Exchange {
    wire: Wire,
    incoming: BytesMut,
    /// The head of the request, of which so much was written.
    outgoing: Vec<u8>,
    written: usize,
    is_flushed: bool,
    room: usize,
    /// How much of an unfinished head was looked at.
    seen: usize,
    /// Interim answers so far.
    interim: usize,
    /// Whether it may carry another request, as far as the last answer says.
    stays: bool,
}

impl Exchange {
    /// A connection on which nothing was said yet.
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire,
            incoming: BytesMut::new(),
            outgoing: Vec::new(),
            written: 0,
            is_flushed: true,
            room: USUAL_ROOM,
            seen: 0,
            interim: 0,
            stays: true,
        }
    }

    /// The way of its bytes, for somebody else to use; nothing is under way on it.
    pub(super) fn into_wire(self) -> Wire {
        self.wire
    }

    /// Whether it can carry no further request, as far as is known without looking.
    pub(super) fn has_ended(&self) -> bool {
        !self.stays || !self.is_written() || !self.incoming.is_empty()
    }

    /// Whether nothing comes from its other end, neither its end nor something unasked.
    pub(super) fn is_fit(&mut self) -> bool {
        self.wire.is_quiet()
    }

    /// Gives back what an idle connection does not need. What came and was not read stays: it ends the connection.
    pub(super) fn rest(&mut self) {
        // What is left of a buffer says nothing of its whole size; the room that was given to it does.
        if self.incoming.is_empty() && (self.room > USUAL_ROOM || self.incoming.capacity() > LARGEST_KEPT) {
            self.incoming = BytesMut::new();
        }
        if self.outgoing.capacity() > LARGEST_KEPT {
            self.outgoing = Vec::new();
            self.written = 0;
        }
    }

    /// Whether no byte of the last request has left.
    pub(super) const fn has_said_nothing(&self) -> bool {
        self.written == 0
    }

    /// Begins to send a request.
    pub(super) fn begin(&mut self, head: &RequestHead<'_>) {
        head.write(&mut self.outgoing);
        self.written = 0;
        self.is_flushed = false;
        self.room = USUAL_ROOM;
        self.seen = 0;
        self.interim = 0;
        // Until the answer has said that it does.
        self.stays = false;
    }

    /// Waits for the head of the answer to a request of this method.
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
    ) -> Poll<Result<Response<Arriving>, BodyError>> {
        // One that takes no more may have said why.
        let refused = self.poll_write(cx).err();
        if let Some(refused) = refused.as_ref().filter(|_| self.written == 0) {
            // Whatever came is no answer to a request of which nothing was sent.
            return Poll::Ready(Err(copy(refused).into()));
        }
        loop {
            while let Some(head) = self.next_head(method)? {
                if let Begins::Answer(head) = head {
                    self.stays = head.stays && refused.is_none();
                    return Poll::Ready(Ok(head.response.map(Arriving::Direct)));
                }
                self.interim += 1;
                if self.interim > MOST_INTERIM {
                    return Poll::Ready(Err("more than 100 interim answers to a request".into()));
                }
            }
            match (self.poll_read(cx), refused.as_ref()) {
                (Poll::Ready(Ok(1..)), _) => {}
                (_, Some(refused)) => return Poll::Ready(Err(copy(refused).into())),
                (Poll::Ready(Ok(0)), None) => {
                    return Poll::Ready(Err("the connection ended before the head of an answer".into()));
                }
                (Poll::Ready(Err(error)), None) => return Poll::Ready(Err(error.into())),
                (Poll::Pending, None) => return Poll::Pending,
            }
        }
    }

    /// The next piece of the answer's body; `None`: it has ended.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
        framing: &mut Framing,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.is_written() && self.poll_write(cx).is_err() {
            // The answer may be whole all the same; the connection carries no other.
            self.stays = false;
        }
        loop {
            match framing.take(&mut self.incoming) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if framing.is_ended() => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) => {
                    if let Err(error) = framing.close() {
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.into()))),
            }
        }
    }

    /// The head that the buffer begins with; `None`: more must come.
    fn next_head(&mut self, method: &Method) -> Result<Option<Begins>, BodyError> {
        if self.incoming.is_empty() {
            return Ok(None);
        }
        // A head that comes byte by byte is read whole only twice.
        let is_worth_a_look = self.seen == 0
            || self.incoming.len() > super::dial::LONGEST_HEAD
            || may_end_a_head(self.incoming.get(self.seen.saturating_sub(3)..).unwrap_or_default());
        self.seen = self.incoming.len();
        if !is_worth_a_look {
            return Ok(None);
        }
        let begins = answer_heads::take(&mut self.incoming, method)?;
        if matches!(begins, Begins::Part) {
            return Ok(None);
        }
        self.seen = 0;
        Ok(Some(begins))
    }

    fn is_written(&self) -> bool {
        self.is_flushed && self.written == self.outgoing.len()
    }

    /// Writes as much as the connection takes now.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut self.wire).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.written += count,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        if !self.is_flushed
            && let Poll::Ready(flushed) = Pin::new(&mut self.wire).poll_flush(cx)
        {
            flushed?;
            self.is_flushed = true;
        }
        Ok(())
    }

    /// Reads what has come; 0: the other end has closed.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.incoming.capacity() - self.incoming.len() < LEAST_ROOM.max(self.room / 2) {
            self.incoming.reserve(self.room);
        }
        let space = self.incoming.capacity() - self.incoming.len();
        let count = ready!(pin!(self.wire.read_buf(&mut self.incoming)).poll(cx))?;
        if count == space {
            self.room = (2 * self.room).min(MOST_ROOM);
        }
        Poll::Ready(Ok(count))
    }
}

/// Whether an empty line stands in it.
fn may_end_a_head(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes)
        .any(|end| matches!(bytes.get(end + 1..), Some([b'\n', ..] | [b'\r', b'\n', ..])))
}

/// The same error once more: an error of the system is a number and no more.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}
