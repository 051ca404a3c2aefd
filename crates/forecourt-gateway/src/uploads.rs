//! A caller's body with its limits: no more bytes than may be, and over HTTP/2 no waiting without end.
//!
//! HTTP/1.1 sees silence at the socket (`sockets.rs`); a connection with many streams must look at each of them.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::{bodies::BodyError, rejects::Reject};

const NEVER: u64 = u64::MAX;

/// How long a stream has waited for its caller, in either direction. Times are milliseconds since `opened`.
pub(crate) struct Stream {
    opened: Instant,
    upload_waits_since: AtomicU64,
    answer_waits_since: AtomicU64,
}

impl Stream {
    /// A stream that waits for nothing, of a connection that was opened then.
    pub(crate) const fn new(opened: Instant) -> Self {
        Self { opened, upload_waits_since: AtomicU64::new(NEVER), answer_waits_since: AtomicU64::new(NEVER) }
    }

    /// Since when it has waited for its caller; `u64::MAX`: it does not.
    pub(crate) fn waits_since(&self) -> u64 {
        self.upload_waits_since.load(Relaxed).min(self.answer_waits_since.load(Relaxed))
    }

    /// A piece of the answer was handed over, which the caller must make room for.
    pub(crate) fn hand_over(&self) {
        self.answer_waits_since.store(self.now(), Relaxed);
    }

    /// There is room for the next piece.
    pub(crate) fn make_room(&self) {
        self.answer_waits_since.store(NEVER, Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(0)
    }
}

/// The body of a request as it arrives.
pub(crate) struct CallerBody {
    body: Incoming,
    left: u64,
    stream: Option<Arc<Stream>>,
}

/// The body is longer than may be.
#[derive(Debug)]
struct TooLarge;

impl std::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the request's body is larger than this gateway takes")
    }
}

impl std::error::Error for TooLarge {}

impl CallerBody {
    /// A body of at most `most` bytes, 0 for any number; `stream` where the connection has several.
    ///
    /// # Errors
    /// When its announced length is beyond that.
    pub(crate) fn new(body: Incoming, most: u64, stream: Option<Arc<Stream>>) -> Result<Self, Reject> {
        let left = if most == 0 { u64::MAX } else { most };
        if body.size_hint().lower() > left {
            return Err(Reject::BodyTooLarge);
        }
        Ok(Self { body, left, stream })
    }

    fn note(&self, is_waiting: bool) {
        let Some(stream) = &self.stream else { return };
        let since = stream.upload_waits_since.load(Relaxed);
        if is_waiting && since == NEVER {
            stream.upload_waits_since.store(stream.now(), Relaxed);
        } else if !is_waiting && since != NEVER {
            stream.upload_waits_since.store(NEVER, Relaxed);
        }
    }
}

/// What to answer when sending on a body failed with `error`: its framing is broken, the caller went away, or it is
/// larger than may be.
pub(crate) fn refusal(error: &(dyn std::error::Error + 'static)) -> Reject {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<TooLarge>() {
            return Reject::BodyTooLarge;
        }
        cause = error.source();
    }
    Reject::BadRequest("the body cannot be read")
}

impl Body for CallerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.note(frame.is_pending());
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(TooLarge.into()))),
            }
        }
        frame.map(|frame| frame.map(|frame| frame.map_err(BodyError::from)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for CallerBody {
    fn drop(&mut self) {
        self.note(false);
    }
}
