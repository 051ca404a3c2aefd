//! A caller's socket under hyper, watched: what its bytes frame, how long it has been silent, how it is closed.
//!
//! Every read and write leaves its marks in `connection_watch.rs`, where they are compared with the limits. Closing is in two
//! steps with a short wait for the caller's end, since a reset would take a last answer away from a caller who is
//! still sending.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    connection_watch::{Standing, Watch},
    frames::{Frames, PREFACE},
    framing::{Framing, Place},
};

const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// What a caller may still send after our last answer before it is cut off.
const MOST_LINGERING: usize = 256 * 1_024;

/// The first bytes of a connection, read to learn what it speaks.
#[derive(Default)]
pub(crate) struct Opening {
    bytes: [u8; PREFACE.len()],
    length: usize,
    taken: usize,
}

impl Opening {
    /// Reads until it is clear; true: HTTP/2.
    ///
    /// # Errors
    /// When reading fails or the caller ends before it is clear.
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Self, bool)> {
        use tokio::io::AsyncReadExt;
        let mut opening = Self::default();
        loop {
            let room = opening.bytes.get_mut(opening.length..).unwrap_or_default();
            let read = stream.read(room).await?;
            opening.length += read;
            let known = opening.bytes.get(..opening.length).unwrap_or_default();
            if !PREFACE.starts_with(known) {
                return Ok((opening, false));
            }
            if known.len() == PREFACE.len() {
                return Ok((opening, true));
            }
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn take(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let left = self.bytes.get(self.taken..self.length).unwrap_or_default();
        let given = left.get(..left.len().min(buffer.remaining())).unwrap_or_default();
        buffer.put_slice(given);
        self.taken += given.len();
        !given.is_empty()
    }
}

enum Reader {
    Lines(Framing),
    Frames(Frames),
}

/// The socket itself, over TCP or TLS.
pub(crate) struct Socket<S> {
    stream: S,
    watch: Arc<Watch>,
    opening: Opening,
    reader: Reader,
    has_ended: bool,
    lingered: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Watches `stream`, of which `opening` was read already.
    pub(crate) fn new(stream: S, opening: Opening, watch: Arc<Watch>, longest_line: usize) -> Self {
        let reader = match watch.is_http2 {
            true => Reader::Frames(Frames::new()),
            false => Reader::Lines(Framing::new(longest_line)),
        };
        Self { stream, watch, opening, reader, has_ended: false, lingered: 0 }
    }

    fn on_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (standing, was_in_head, ambiguous) = match &mut self.reader {
            Reader::Frames(frames) => {
                let was_in_head = frames.is_in_head();
                if frames.feed(bytes, self.watch.now()).is_err() {
                    return Err(io::Error::other("more control frames than a caller may send"));
                }
                let standing = if frames.is_in_head() { Standing::StreamHead } else { Standing::Between };
                (standing, was_in_head, None)
            }
            Reader::Lines(framing) => {
                if self.watch.is_tunnel() {
                    framing.stop();
                }
                let was_in_head = matches!(framing.place(), Place::Head(_));
                framing.feed(bytes);
                let standing = match framing.place() {
                    Place::Between => Standing::Between,
                    Place::Head(false) => Standing::Head,
                    Place::Head(true) => Standing::HeadWithLine,
                    Place::Body => Standing::Body,
                    Place::Lost => Standing::Lost,
                };
                (standing, was_in_head, framing.ambiguous())
            }
        };
        let is_in_head = matches!(standing, Standing::Head | Standing::HeadWithLine | Standing::StreamHead);
        self.watch.note_read(standing, is_in_head && !was_in_head, ambiguous);
        Ok(())
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.watch.is_too_slow() {
            // Nothing else is being written: no request is in flight. If it does not fit, it is not sent.
            if Pin::new(&mut self.stream).poll_write(cx, TOO_SLOW).is_ready() {
                let _ = Pin::new(&mut self.stream).poll_flush(cx);
            }
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = match self.opening.take(buffer) {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_read(cx, buffer),
        };
        match read {
            Poll::Ready(result) => {
                self.watch.note_readable();
                result?;
                let read = buffer.filled().get(before..).unwrap_or_default();
                self.has_ended = read.is_empty();
                Poll::Ready(self.on_bytes(read))
            }
            Poll::Pending => {
                self.watch.note_silence();
                Poll::Pending
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<S> {
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
            self.watch.begin_closing();
        }
        self.poll_linger(cx)
    }
}
