//! A connection's bytes, plain or TLS, with two marks: whether the other end has said anything since
//! the last request, and that the connection is open.
//!
//! The first decides whether a request may be sent again; the second counts towards the cap of a node.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::coop::unconstrained,
};
use tokio_rustls::client::TlsStream;

/// Whether bytes came since the last request was begun.
#[derive(Default)]
pub(super) struct Heard(AtomicBool);

impl Heard {
    /// Forgets what came before.
    pub(super) fn begin(&self) {
        self.0.store(false, Relaxed);
    }

    /// Whether anything came since.
    pub(super) fn anything(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// One of a node's open connections; ends when dropped.
pub(super) struct Open(Arc<AtomicUsize>);

impl Open {
    /// One more, unless there are `most` already.
    pub(super) fn one_of(count: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let before = count.fetch_add(1, Relaxed);
        let one = Self(Arc::clone(count));
        (before < most).then_some(one)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The bytes' way.
pub(super) enum Stream {
    /// As they are.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection's bytes.
pub(super) struct Wire {
    stream: Stream,
    heard: Arc<Heard>,
    _open: Open,
}

impl Wire {
    /// Marks what comes over `stream`.
    pub(super) const fn new(stream: Stream, heard: Arc<Heard>, open: Open) -> Self {
        Self { stream, heard, _open: open }
    }

    /// Whether nothing came that was not read, neither bytes nor the other end's end, as far as the runtime has heard
    /// of it: what the kernel got a moment ago may not be seen yet.
    ///
    /// Asking the kernel (`MSG_PEEK`) would cost a system call for each request, one in five of all that a call makes,
    /// and would not spare what is done about an end that nobody saw: the other end may close right after the look as
    /// well as before it, so a request that a kept connection swallowed is sent again in any case (`sending.rs`).
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        match &mut self.stream {
            Stream::Plain(stream) => {
                matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            Stream::Tls(stream) => {
                let mut byte = ReadBuf::new(&mut byte);
                let look = poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut byte));
                // A task that has used up its budget would find everything quiet.
                pin!(unconstrained(look)).poll(&mut Context::from_waker(Waker::noop())).is_pending()
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        };
        if buffer.filled().len() > before && !self.heard.anything() {
            self.heard.0.store(true, Relaxed);
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Open;

    #[test]
    fn a_node_has_no_more_connections_than_its_cap_and_gets_one_back_with_each_that_ends() {
        let count = Arc::default();
        let first = Open::one_of(&count, 2).unwrap();
        let _second = Open::one_of(&count, 2).unwrap();
        assert!(Open::one_of(&count, 2).is_none() && Open::one_of(&count, 2).is_none());
        drop(first);
        assert!(Open::one_of(&count, 2).is_some());
    }
}
