//! A caller's socket under hyper, watched: what its bytes frame, how long it has been silent, how it is closed.
//!
//! Time limits are measured from marks that reads and writes leave here and are checked by an alarm that goes off
//! rarely (`connections.rs`), so a request costs no timer. Closing is in two steps with a short wait for the
//! caller's end, since a reset would take a last answer away from a caller who is still sending.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use http::HeaderValue;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::{
    Config,
    framing::{Framing, Place},
};

const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// What a caller may still send after our last answer before it is cut off.
const MOST_LINGERING: usize = 256 * 1_024;
const LONGEST_LINGERING: Duration = Duration::from_secs(2);
const NEVER: u64 = u64::MAX;

/// What a connection's socket, its requests and its alarm know together. Times are milliseconds since `opened`.
pub(crate) struct Watch {
    /// The caller's address.
    pub(crate) peer: IpAddr,
    /// The caller's address as it goes into `X-Forwarded-For`.
    pub(crate) peer_text: Option<HeaderValue>,
    opened: Instant,
    place: AtomicU8,
    head_since: AtomicU64,
    read_waits_since: AtomicU64,
    write_waits_since: AtomicU64,
    closing_since: AtomicU64,
    in_flight: AtomicU32,
    requests: AtomicU64,
    answered_at: AtomicU64,
    ambiguous: AtomicU64,
    is_tunnel: AtomicBool,
    is_too_slow: AtomicBool,
}

/// What the alarm is to do.
pub(crate) enum Alarm {
    /// Nothing; look again after this time.
    LookAgain(Duration),
    /// Answer 408 and close: [`Watch::give_up_head`].
    HeadTooSlow,
    /// Close.
    Cut,
}

const BETWEEN: u8 = 0;
const HEAD: u8 = 1;
const HEAD_WITH_LINE: u8 = 2;
const BODY: u8 = 3;
const LOST: u8 = 4;

impl Watch {
    /// The watch over a connection that was just accepted.
    pub(crate) fn new(peer: IpAddr) -> Self {
        let peer = peer.to_canonical();
        Self {
            peer,
            peer_text: HeaderValue::try_from(peer.to_string()).ok(),
            opened: Instant::now(),
            place: AtomicU8::new(BETWEEN),
            head_since: AtomicU64::new(0),
            read_waits_since: AtomicU64::new(NEVER),
            write_waits_since: AtomicU64::new(NEVER),
            closing_since: AtomicU64::new(NEVER),
            in_flight: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
            ambiguous: AtomicU64::new(NEVER),
            is_tunnel: AtomicBool::new(false),
            is_too_slow: AtomicBool::new(false),
        }
    }

    /// Marks a request as begun. True: its head had both `Content-Length` and `Transfer-Encoding`.
    pub(crate) fn begin_request(&self) -> bool {
        self.in_flight.fetch_add(1, Relaxed);
        self.requests.fetch_add(1, Relaxed) == self.ambiguous.load(Relaxed)
    }

    /// Marks a request as answered to its end.
    pub(crate) fn end_request(&self) {
        self.answered_at.store(self.now(), Relaxed);
        self.in_flight.fetch_sub(1, Relaxed);
    }

    /// From here on the connection carries something else than HTTP.
    pub(crate) fn become_tunnel(&self) {
        self.is_tunnel.store(true, Relaxed);
    }

    /// The next read answers 408 and fails.
    pub(crate) fn give_up_head(&self) {
        self.is_too_slow.store(true, Relaxed);
    }

    /// Whether only the caller's end is waited for.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing_since.load(Relaxed) != NEVER
    }

    /// Whether a limit has passed, else when to look again.
    pub(crate) fn look(&self, config: &Config) -> Alarm {
        let now = self.now();
        let is_past = |since: u64, limit: Duration| {
            since != NEVER && now.saturating_sub(since) >= u64::try_from(limit.as_millis()).unwrap_or(NEVER)
        };
        let shortest = config.header_timeout.min(config.body_idle_timeout).min(config.keep_alive_timeout);
        let next = |since: u64, limit: Duration| {
            let left = limit.saturating_sub(Duration::from_millis(now.saturating_sub(since)));
            Alarm::LookAgain(left.clamp(Duration::from_millis(1), shortest))
        };
        let place = self.place.load(Relaxed);
        let idle = self.in_flight.load(Relaxed) == 0;
        let answered_at = self.answered_at.load(Relaxed);
        if is_past(self.closing_since.load(Relaxed), LONGEST_LINGERING)
            || is_past(self.write_waits_since.load(Relaxed), config.body_idle_timeout)
            || (place == BODY && is_past(self.read_waits_since.load(Relaxed), config.body_idle_timeout))
        {
            return Alarm::Cut;
        }
        match place {
            HEAD | HEAD_WITH_LINE if idle => {
                let since = self.head_since.load(Relaxed).max(answered_at);
                if !is_past(since, config.header_timeout) {
                    return next(since, config.header_timeout);
                }
                if place == HEAD_WITH_LINE { Alarm::HeadTooSlow } else { Alarm::Cut }
            }
            BETWEEN if idle => {
                let is_first = self.requests.load(Relaxed) == 0;
                let limit = if is_first { config.header_timeout } else { config.keep_alive_timeout };
                if is_past(answered_at, limit) { Alarm::Cut } else { next(answered_at, limit) }
            }
            _ => Alarm::LookAgain(shortest),
        }
    }

    fn note_write(&self, is_waiting: bool) {
        let since = self.write_waits_since.load(Relaxed);
        if is_waiting && since == NEVER {
            self.write_waits_since.store(self.now(), Relaxed);
        } else if !is_waiting && since != NEVER {
            self.write_waits_since.store(NEVER, Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(0)
    }
}

/// The socket itself.
pub(crate) struct Socket {
    stream: TcpStream,
    watch: Arc<Watch>,
    framing: Framing,
    has_ended: bool,
    lingered: usize,
}

impl Socket {
    /// Watches `stream`.
    pub(crate) const fn new(stream: TcpStream, watch: Arc<Watch>, longest_line: usize) -> Self {
        Self { stream, watch, framing: Framing::new(longest_line), has_ended: false, lingered: 0 }
    }

    fn on_bytes(&mut self, bytes: &[u8]) {
        if self.watch.is_tunnel.load(Relaxed) {
            self.framing.stop();
        }
        let before = self.framing.place();
        self.framing.feed(bytes);
        let place = match self.framing.place() {
            Place::Between => BETWEEN,
            Place::Head(false) => HEAD,
            Place::Head(true) => HEAD_WITH_LINE,
            Place::Body => BODY,
            Place::Lost => LOST,
        };
        if matches!(place, HEAD | HEAD_WITH_LINE) && !matches!(before, Place::Head(_)) {
            self.watch.head_since.store(self.watch.now(), Relaxed);
        }
        if let Some(request) = self.framing.ambiguous() {
            self.watch.ambiguous.store(request, Relaxed);
        }
        self.watch.place.store(place, Relaxed);
    }

    /// Waits, within limits, for the caller to end its side.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0u8; 4_096];
        while !self.has_ended && self.lingered < MOST_LINGERING {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            self.lingered += buffer.filled().len();
            self.has_ended = read.is_err() || buffer.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.is_too_slow.load(Relaxed) {
            // Nothing else is being written: no request is in flight. If it does not fit, it is not sent.
            let _ = self.stream.try_write(TOO_SLOW);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                self.watch.read_waits_since.store(NEVER, Relaxed);
                result?;
                let read = buffer.filled().get(before..).unwrap_or_default();
                self.has_ended = read.is_empty();
                self.on_bytes(read);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                if self.watch.place.load(Relaxed) == BODY
                    && self.watch.read_waits_since.load(Relaxed) == NEVER
                {
                    self.watch.read_waits_since.store(self.watch.now(), Relaxed);
                }
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch.note_write(written.is_pending());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.watch.note_write(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.watch.is_closing() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.watch.closing_since.store(self.watch.now(), Relaxed);
        }
        self.poll_linger(cx)
    }
}
