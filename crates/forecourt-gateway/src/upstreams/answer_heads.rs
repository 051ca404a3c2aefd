//! Heads of HTTP/1.1 answers: read out of a connection's buffer, with what they say about the body behind them.
//!
//! Invariants: an answer that two readers could cut at different places (RFC 9112 §6.3) is refused, whatever a
//! tolerant reader would make of it; what concerns the upstream's connection does not leave here.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use hyper::ext::ReasonPhrase;

use super::{answer_bodies::Framing, dial::LONGEST_HEAD};
use crate::{bodies::BodyError, hop_by_hop};

/// Fields of one head, as many as hyper takes.
const MOST_FIELDS: usize = 100;
/// Room for what the gateway adds to an answer.
const OUR_FIELDS: usize = 4;

/// An answer's head.
pub(super) struct AnswerHead {
    /// The head, without what concerns the connection.
    pub(super) response: Response<Framing>,
    /// Whether the connection may carry another answer after this one.
    pub(super) stays: bool,
}

/// What a buffer begins with.
pub(super) enum Begins {
    /// A head that has not come to its end.
    Part,
    /// An interim answer (1xx), which is taken out of the buffer.
    Interim,
    /// The answer, whose head is taken out of the buffer.
    Answer(Box<AnswerHead>),
}

/// Where name and value of a field stand in the head.
type Place = [usize; 4];

/// Reads the head of the answer to a request of this method.
///
/// # Errors
/// When it is no head of an answer, is too long, or says its length in a way that can be misread.
pub(super) fn take(buffer: &mut BytesMut, method: &Method) -> Result<Begins, BodyError> {
    let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut parsed, buffer, &mut room)? {
        httparse::Status::Complete(length) if length <= LONGEST_HEAD => length,
        httparse::Status::Partial if buffer.len() <= LONGEST_HEAD => return Ok(Begins::Part),
        _ => return Err(format!("the head of an answer is longer than {LONGEST_HEAD} bytes").into()),
    };
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default())?;
    let is_1_1 = parsed.version == Some(1);
    let reason = parsed.reason.filter(|reason| Some(*reason) != status.canonical_reason());
    let reason = reason.map(|reason| ReasonPhrase::try_from(reason.as_bytes())).transpose();
    let start = buffer.as_ptr().addr();
    let mut places = [Place::default(); MOST_FIELDS];
    let count = parsed.headers.len();
    for (place, field) in places.iter_mut().zip(parsed.headers.iter()) {
        let (name, value) = (field.name.as_ptr().addr() - start, field.value.as_ptr().addr() - start);
        *place = [name, name + field.name.len(), value, value + field.value.len()];
    }
    let head = buffer.split_to(length).freeze();
    if status.is_informational() {
        // Another protocol is asked for over connections of their own only.
        let is_known = status != StatusCode::SWITCHING_PROTOCOLS;
        return if is_known {
            Ok(Begins::Interim)
        } else {
            Err("a change of protocol was not asked for".into())
        };
    }
    let mut fields = Fields::of(is_1_1, count);
    for place in places.iter().take(count) {
        fields.add(&head, *place)?;
    }
    let (headers, framing, stays) = fields.finish(status, method)?;
    let mut response = Response::new(framing);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if let Some(reason) = reason? {
        response.extensions_mut().insert(reason);
    }
    Ok(Begins::Answer(Box::new(AnswerHead { response, stays })))
}

/// The fields read so far, and what they say about connection and body.
struct Fields {
    headers: HeaderMap,
    is_1_1: bool,
    asks_to_stay: bool,
    asks_to_close: bool,
    length: Option<u64>,
    is_chunked: bool,
    /// What `Connection` names.
    named: Vec<HeaderName>,
}

impl Fields {
    fn of(is_1_1: bool, count: usize) -> Self {
        Self {
            headers: HeaderMap::with_capacity(count + OUR_FIELDS),
            is_1_1,
            asks_to_stay: false,
            asks_to_close: false,
            length: None,
            is_chunked: false,
            named: Vec::new(),
        }
    }

    fn add(&mut self, head: &Bytes, [name, name_end, value, value_end]: Place) -> Result<(), BodyError> {
        let name = HeaderName::from_bytes(head.get(name..name_end).unwrap_or_default())?;
        let bytes = head.get(value..value_end).unwrap_or_default();
        if name == CONTENT_LENGTH {
            let length = decimal(bytes).ok_or("a Content-Length that is no number")?;
            if self.length.replace(length).is_some() {
                return Err("a repeated Content-Length".into());
            }
        } else if name == TRANSFER_ENCODING {
            // Any other coding would have to be undone here, since its name is not passed on.
            if std::mem::replace(&mut self.is_chunked, true) || !bytes.eq_ignore_ascii_case(b"chunked") {
                return Err("a Transfer-Encoding other than chunked".into());
            }
            return Ok(());
        } else if name == CONNECTION {
            self.connection(bytes);
            return Ok(());
        } else if hop_by_hop::is_one(name.as_str()) {
            return Ok(());
        }
        let value = HeaderValue::from_maybe_shared(head.slice_ref(bytes))?;
        self.headers.append(name, value);
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for word in value.split(|byte| *byte == b',') {
            match hop_by_hop::stays(word.trim_ascii()) {
                Some(true) => self.asks_to_stay = true,
                Some(false) => self.asks_to_close = true,
                None => {}
            }
        }
        self.named.extend(hop_by_hop::named_in(value));
    }

    /// The map, how the body is cut, and whether the connection stays.
    fn finish(
        mut self,
        status: StatusCode,
        method: &Method,
    ) -> Result<(HeaderMap, Framing, bool), BodyError> {
        for name in &self.named {
            self.headers.remove(name);
        }
        let framing = match self.length {
            Some(_) if self.is_chunked => return Err("both Content-Length and Transfer-Encoding".into()),
            _ if self.is_chunked && !self.is_1_1 => return Err("Transfer-Encoding in HTTP/1.0".into()),
            _ if *method == Method::HEAD => Framing::none(),
            _ if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => Framing::none(),
            _ if self.is_chunked => Framing::chunked(),
            Some(length) => Framing::of_length(length),
            None => Framing::until_close(),
        };
        // Whoever announces a body where there can be none may send it, and two readers would cut it differently.
        let is_doubtful = match status {
            StatusCode::NO_CONTENT => self.is_chunked || self.length.is_some_and(|length| length > 0),
            StatusCode::NOT_MODIFIED => self.is_chunked,
            _ => false,
        };
        let stays = !is_doubtful
            && !self.asks_to_close
            && (self.is_1_1 || self.asks_to_stay)
            && framing.leaves_open();
        Ok((self.headers, framing, stays))
    }
}

/// A number of digits alone; `None`: it is something else, or too large.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}
