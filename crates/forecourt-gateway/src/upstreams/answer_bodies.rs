//! Where the body of an HTTP/1.1 answer ends (RFC 9112 §6 and §7), and taking it out of a connection's buffer.
//!
//! Invariants: a body is handed on as it comes and never collected; one whose connection ends too early is an error;
//! and chunks are read by the letter, since what is read in two ways can hide an answer in another.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::{bodies::BodyError, hop_by_hop};

/// Digits of a chunk's size.
const MOST_DIGITS: usize = 16;
/// What a body may hold in chunk extensions, which nobody reads, bytes.
const MOST_EXTENSIONS: usize = 16 * 1_024;
/// The trailers of a body, bytes.
const LONGEST_TRAILERS: usize = 16 * 1_024;
/// Trailers of a body.
const MOST_TRAILERS: usize = 100;

/// The body of an upstream's answer, on its way.
pub(crate) enum Arriving {
    /// Over a connection that hyper drives.
    Driven(Incoming),
    /// Over one of ours.
    Direct(Framing),
}

impl Arriving {
    /// Whether nothing more comes.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Driven(body) => http_body::Body::is_end_stream(body),
            Self::Direct(framing) => framing.is_ended(),
        }
    }

    /// How much is still to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Driven(body) => http_body::Body::size_hint(body),
            Self::Direct(framing) => framing.size_hint(),
        }
    }
}

/// How a body is cut out of what a connection brings, and how far it is.
pub(crate) struct Framing {
    place: Place,
    extensions: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Behind it.
    Ended,
    /// This many bytes before its end.
    Length(u64),
    /// It ends with the connection.
    UntilClose,
    /// Before the size of a chunk.
    ChunkSize,
    /// This many bytes before the end of a chunk.
    Chunk(u64),
    /// Before the line end behind a chunk.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
}

impl Framing {
    const fn at(place: Place) -> Self {
        Self { place, extensions: 0 }
    }

    /// There is no body.
    pub(super) const fn none() -> Self {
        Self::at(Place::Ended)
    }

    /// A body of so many bytes.
    pub(super) const fn of_length(length: u64) -> Self {
        Self::at(if length == 0 { Place::Ended } else { Place::Length(length) })
    }

    /// A body in chunks.
    pub(super) const fn chunked() -> Self {
        Self::at(Place::ChunkSize)
    }

    /// A body that ends with its connection.
    pub(super) const fn until_close() -> Self {
        Self::at(Place::UntilClose)
    }

    /// Whether the connection can go on behind it.
    pub(super) fn leaves_open(&self) -> bool {
        self.place != Place::UntilClose
    }

    /// Whether all of it was taken.
    pub(super) fn is_ended(&self) -> bool {
        self.place == Place::Ended
    }

    fn size_hint(&self) -> SizeHint {
        match self.place {
            Place::Ended => SizeHint::with_exact(0),
            Place::Length(left) => SizeHint::with_exact(left),
            _ => SizeHint::default(),
        }
    }

    /// The next piece out of the buffer; `None`: it has ended, or more bytes must come.
    ///
    /// # Errors
    /// When the bytes do not follow the form of chunks.
    pub(super) fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame<Bytes>>, BodyError> {
        loop {
            self.place = match self.place {
                Place::Ended => return Ok(None),
                _ if buffer.is_empty() => return Ok(None),
                Place::UntilClose => return Ok(Some(Frame::data(buffer.split().freeze()))),
                Place::Length(left) => {
                    let (piece, left) = cut(buffer, left);
                    self.place = if left == 0 { Place::Ended } else { Place::Length(left) };
                    return Ok(Some(Frame::data(piece)));
                }
                Place::Chunk(left) => {
                    let (piece, left) = cut(buffer, left);
                    self.place = if left == 0 { Place::ChunkEnd } else { Place::Chunk(left) };
                    return Ok(Some(Frame::data(piece)));
                }
                Place::ChunkSize => match self.chunk_size(buffer)? {
                    Some(0) => Place::Trailers,
                    Some(size) => Place::Chunk(size),
                    None => return Ok(None),
                },
                Place::ChunkEnd => match buffer.as_ref() {
                    [b'\r', b'\n', ..] => {
                        buffer.advance(2);
                        Place::ChunkSize
                    }
                    [b'\r'] => return Ok(None),
                    _ => return Err("a chunk is longer than its size".into()),
                },
                Place::Trailers => {
                    let Some(trailers) = take_trailers(buffer)? else { return Ok(None) };
                    self.place = Place::Ended;
                    return Ok(trailers.map(Frame::trailers));
                }
            }
        }
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// When the body has not.
    pub(super) fn close(&mut self) -> Result<(), BodyError> {
        match self.place {
            Place::UntilClose | Place::Ended => {
                self.place = Place::Ended;
                Ok(())
            }
            _ => Err("the answer broke off".into()),
        }
    }

    /// Takes the line with the size of a chunk; `None`: it is not complete.
    fn chunk_size(&mut self, buffer: &mut BytesMut) -> Result<Option<u64>, BodyError> {
        let count = buffer.iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, rest) = buffer.split_at_checked(count).unwrap_or_default();
        // What cannot become a size is refused before its line ends: it may never end.
        let is_size = (1..=MOST_DIGITS).contains(&count)
            && rest.first().is_none_or(|byte| matches!(byte, b'\r' | b';' | b' ' | b'\t'));
        if !is_size {
            return Err("a chunk's size is no number of at most 16 hexadecimal digits".into());
        }
        let Some(end) = memchr::memchr(b'\n', rest) else {
            let is_long = self.extensions + rest.len() > MOST_EXTENSIONS + 1;
            return if is_long { Err(LONG_EXTENSIONS.into()) } else { Ok(None) };
        };
        let extension = rest.get(..end).and_then(|rest| rest.strip_suffix(b"\r")).ok_or(BARE_LINE_FEED)?;
        let is_extension = extension.trim_ascii_start().first().is_none_or(|byte| *byte == b';')
            && extension.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
        if !is_extension {
            return Err("something else than an extension stands behind a chunk's size".into());
        }
        self.extensions += extension.len();
        if self.extensions > MOST_EXTENSIONS {
            return Err(LONG_EXTENSIONS.into());
        }
        let size = u64::from_str_radix(std::str::from_utf8(digits)?, 16)?;
        buffer.advance(count + end + 1);
        Ok(Some(size))
    }
}

const BARE_LINE_FEED: &str = "a line of a chunked body does not end in CR LF";
const LONG_EXTENSIONS: &str = "the extensions of a body's chunks are longer than 16 KiB";

/// At most `left` bytes, and how many are still to come.
fn cut(buffer: &mut BytesMut, left: u64) -> (Bytes, u64) {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
    (buffer.split_to(here).freeze(), left.saturating_sub(here as u64))
}

/// The trailers, if there are any; `None`: their end has not come.
fn take_trailers(buffer: &mut BytesMut) -> Result<Option<Option<HeaderMap>>, BodyError> {
    let mut length = 0;
    loop {
        let rest = buffer.get(length..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            let is_long = buffer.len() >= LONGEST_TRAILERS;
            return if is_long { Err(LONG_TRAILERS.into()) } else { Ok(None) };
        };
        let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(BARE_LINE_FEED)?;
        length += end + 1;
        if length > LONGEST_TRAILERS {
            return Err(LONG_TRAILERS.into());
        }
        if line.is_empty() {
            break;
        }
    }
    let section = buffer.split_to(length);
    if section.len() == 2 {
        return Ok(Some(None));
    }
    let mut room = [httparse::EMPTY_HEADER; MOST_TRAILERS];
    let httparse::Status::Complete((_, fields)) = httparse::parse_headers(&section, &mut room)? else {
        return Err("trailers that do not end".into());
    };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let (name, value) =
            (HeaderName::from_bytes(field.name.as_bytes())?, HeaderValue::from_bytes(field.value)?);
        if !hop_by_hop::is_one(name.as_str()) {
            trailers.append(name, value);
        }
    }
    Ok(Some(Some(trailers)))
}

const LONG_TRAILERS: &str = "the trailers of a body are longer than 16 KiB";

#[cfg(test)]
#[path = "../tests/answers.rs"]
mod tests;
