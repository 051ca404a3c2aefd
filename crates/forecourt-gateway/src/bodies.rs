//! Bodies on their way through, never collected: the request's towards the upstream, the answer's back.
//!
//! Request trailers lose identity headers, or one could pose as such. An answer that breaks off ends in an error,
//! which makes hyper cut the caller's connection (or reset its stream) instead of padding. An upload ends with the
//! answer to it.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    connections::InFlight,
    identity,
    rejects::Reject,
    uploads::{self, CallerBody},
    upstreams::{Arriving, Connection},
};

/// Why a body broke off.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

const STOPPED: &str = "the answer is over";

/// The request's body as the upstream gets it.
pub(crate) enum RequestBody {
    /// None.
    Empty,
    /// As the caller sends it.
    Streaming(Arc<Source>, Arc<Upload>),
}

/// The caller's body, where it can be taken back as long as nothing of it was read.
pub(crate) struct Source(Mutex<(Option<CallerBody>, bool)>);

impl Source {
    fn new(body: CallerBody) -> Self {
        Self(Mutex::new((Some(body), false)))
    }

    /// The body, to be sent elsewhere; `None` once some of it was read. Whoever had it gets nothing more of it.
    pub(crate) fn take_back(&self) -> Option<CallerBody> {
        let (body, has_begun) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.take_if(|_| !*has_begun)
    }

    /// What `look` finds at the body; `None`: it was taken back.
    fn look<T>(&self, look: impl FnOnce(&CallerBody) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.as_ref().map(look)
    }

    /// The next piece, and whether it is the last; `None`: the body was taken back.
    fn poll(&self, cx: &mut Context<'_>) -> Option<Poll<(Option<Piece>, bool)>> {
        let (body, has_begun) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let body = body.as_mut()?;
        let polled = Pin::new(&mut *body).poll_frame(cx);
        *has_begun |= polled.is_ready();
        Some(polled.map(|piece| (piece, body.is_end_stream())))
    }
}

type Piece = Result<Frame<Bytes>, BodyError>;

impl RequestBody {
    /// What the caller sends, from its beginning.
    pub(crate) fn streaming(body: CallerBody, upload: Arc<Upload>) -> Self {
        Self::Streaming(Arc::new(Source::new(body)), upload)
    }
}

/// How far a request's body is; shared between the body and whoever waits for the answer.
#[derive(Default)]
pub(crate) struct Upload {
    progress: AtomicU32,
    refusal: OnceLock<Reject>,
    is_stopped: AtomicBool,
    bytes: AtomicU64,
    waiting: Mutex<Option<Waker>>,
}

/// What an unfinished upload waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadPhase {
    /// The upstream, which must take what was handed over.
    Upstream,
    /// The caller, who must send more.
    Caller,
    /// Nothing: all of it was handed over.
    Done,
}

impl Upload {
    /// What it waits for now, and a number that changes with each piece handed over.
    pub(crate) fn phase(&self) -> (UploadPhase, u32) {
        let value = self.progress.load(Ordering::Acquire);
        let phase = match value & 3 {
            0 => UploadPhase::Upstream,
            1 => UploadPhase::Caller,
            _ => UploadPhase::Done,
        };
        (phase, value >> 2)
    }

    fn enter(&self, phase: UploadPhase) {
        let (_, pieces) = self.phase();
        self.progress.store(pieces.wrapping_add(1) << 2 | phase as u32, Ordering::Release);
    }

    /// How many bytes were handed over.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// What to answer because the caller's body could not be read to its end.
    pub(crate) fn refusal(&self) -> Option<Reject> {
        self.refusal.get().cloned()
    }

    /// Ends it where it is: the answer is over, so nobody reads the rest.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        if let Some(waker) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waker.wake();
        }
    }

    /// Has the body polled again when it is stopped; true: it is.
    fn wait(&self, cx: &Context<'_>) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *waiting {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        self.is_stopped.load(Ordering::Acquire)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self::Streaming(body, upload) = self.get_mut() else { return Poll::Ready(None) };
        if upload.is_stopped.load(Ordering::Acquire) {
            return Poll::Ready(Some(Err(STOPPED.into())));
        }
        let Some(polled) = body.poll(cx) else { return Poll::Ready(Some(Err(STOPPED.into()))) };
        let (frame, is_last) = match polled {
            Poll::Pending => {
                upload.enter(UploadPhase::Caller);
                let is_stopped = upload.wait(cx);
                return if is_stopped { Poll::Ready(Some(Err(STOPPED.into()))) } else { Poll::Pending };
            }
            Poll::Ready(frame) => frame,
        };
        Poll::Ready(match frame {
            Some(Ok(mut frame)) => {
                if let Some(trailers) = frame.trailers_mut() {
                    identity::clean(trailers);
                }
                if let Some(data) = frame.data_ref() {
                    upload.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
                }
                upload.enter(if is_last || frame.is_trailers() {
                    UploadPhase::Done
                } else {
                    UploadPhase::Upstream
                });
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                let _ = upload.refusal.set(uploads::refusal(error.as_ref()));
                Some(Err(error))
            }
            None => {
                upload.enter(UploadPhase::Done);
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streaming(body, _) => body.look(CallerBody::is_end_stream).unwrap_or(false),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streaming(body, _) => body.look(CallerBody::size_hint).unwrap_or_default(),
        }
    }
}

/// The body of an answer, and the mark that its request is still being served.
pub(crate) struct AnswerBody {
    source: AnswerSource,
    in_flight: InFlight,
}

enum AnswerSource {
    Own(Option<Bytes>),
    Upstream(Box<UpstreamBody>),
}

struct UpstreamBody {
    body: Arriving,
    connection: Option<Connection>,
    upload: Option<Arc<Upload>>,
    read_timeout: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
    ended: bool,
    /// Why it broke off, until that is told.
    broken: Option<BodyError>,
}

impl AnswerBody {
    /// A body of our own.
    pub(crate) fn own(body: Bytes, in_flight: InFlight) -> Self {
        Self { source: AnswerSource::Own(Some(body).filter(|body| !body.is_empty())), in_flight }
    }

    /// The body that comes from this connection, which is kept for reuse once the body has ended.
    pub(crate) fn upstream(
        body: Arriving,
        connection: Connection,
        upload: Option<Arc<Upload>>,
        read_timeout: Duration,
        in_flight: InFlight,
    ) -> Self {
        let connection = Some(connection);
        let body = UpstreamBody {
            body,
            connection,
            upload,
            read_timeout,
            waiting: None,
            is_waiting: false,
            ended: false,
            broken: None,
        };
        Self { source: AnswerSource::Upstream(Box::new(body)), in_flight }
    }

    /// Whether the gateway answers by itself.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self.source, AnswerSource::Own(_))
    }

    /// Its answer has this status; the request's count is told.
    pub(crate) fn answers(&mut self, status: StatusCode) {
        if let Some(call) = &mut self.in_flight.call {
            call.answered(status);
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { source, in_flight } = self.get_mut();
        in_flight.make_room();
        let frame = match source {
            AnswerSource::Own(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            AnswerSource::Upstream(body) => body.poll(cx),
        };
        if frame.is_ready() {
            in_flight.hand_over();
        }
        if let (Poll::Ready(Some(Ok(frame))), Some(call)) = (&frame, &mut in_flight.call)
            && let Some(data) = frame.data_ref()
        {
            call.sent(data.len() as u64);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            AnswerSource::Own(body) => body.is_none(),
            AnswerSource::Upstream(body) => body.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            AnswerSource::Own(body) => {
                SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64))
            }
            AnswerSource::Upstream(body) => body.body.size_hint(),
        }
    }
}

impl UpstreamBody {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        // It is taken only when the body is dropped.
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        match connection.poll_piece(cx, &mut self.body) {
            Poll::Ready(Some(Err(error))) => {
                // It may have come together with the head. hyper throws away what it has not written yet when it hears
                // of an error, so it is first given time to write.
                self.broken = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(frame) => {
                self.is_waiting = false;
                let is_last = |frame: &Result<Frame<Bytes>, _>| frame.as_ref().is_ok_and(Frame::is_trailers);
                self.ended = frame.as_ref().is_none_or(is_last);
                Poll::Ready(frame)
            }
            Poll::Pending => {
                let limit = self.read_timeout;
                let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
                if !self.is_waiting {
                    waiting.as_mut().reset(Instant::now() + limit);
                    self.is_waiting = true;
                }
                ready!(waiting.as_mut().poll(cx));
                let name = self.connection.as_ref().map(|connection| connection.node().name());
                let (upstream_host, upstream_port) = name.unwrap_or_default();
                tracing::warn!(
                    upstream_host,
                    upstream_port,
                    "the upstream stopped sending in the middle of an answer"
                );
                Poll::Ready(Some(Err("the upstream stopped sending".into())))
            }
        }
    }
}

impl Drop for UpstreamBody {
    /// A connection is used again only if both bodies were read to their ends.
    fn drop(&mut self) {
        let uploading = self.upload.as_ref().filter(|upload| upload.phase().0 != UploadPhase::Done);
        if let Some(upload) = uploading {
            upload.stop();
        } else if (self.ended || self.body.is_end_stream())
            && let Some(mut connection) = self.connection.take()
        {
            if self.upload.is_some() {
                // An answer may come before the end of the upload is on the wire; nobody else would bring it there.
                connection.detach();
            }
            connection.recycle();
        }
    }
}
