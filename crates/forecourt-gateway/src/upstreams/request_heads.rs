//! Heads of HTTP/1.1 requests without a body, written as they go over the wire.
//!
//! Invariants: what concerns the caller's connection is left out (what `Connection` names is gone before); our own
//! fields come last and stand alone; and nothing announces a body.

use http::{HeaderMap, HeaderValue, Method, header::CONTENT_LENGTH, uri::PathAndQuery};

use crate::{hop_by_hop, own_fields::OwnFields};

/// What a head is made of.
pub(crate) struct RequestHead<'a> {
    /// The method.
    pub(crate) method: &'a Method,
    /// Path and query.
    pub(crate) target: &'a PathAndQuery,
    /// What the upstream sees as `Host`.
    pub(crate) host: &'a HeaderValue,
    /// The caller's fields.
    pub(crate) headers: &'a HeaderMap,
    /// Our own.
    pub(crate) own: &'a OwnFields<'a>,
    /// Whether the caller takes trailers.
    pub(crate) takes_trailers: bool,
}

impl RequestHead<'_> {
    /// Writes it in place of what is in the buffer.
    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        add(
            buffer,
            &[self.method.as_str(), " ", self.target.as_str(), " HTTP/1.1\r\nhost: "].map(str::as_bytes),
        );
        add(buffer, &[self.host.as_bytes(), b"\r\n"]);
        let mut has_length = false;
        for (name, value) in self.headers {
            if !stays_behind(name.as_str()) {
                add_field(buffer, name.as_str(), value.as_bytes());
            }
            has_length |= name == CONTENT_LENGTH;
        }
        // Some servers want to be told that a POST has no body.
        if has_length {
            add(buffer, &[b"content-length: 0\r\n"]);
        }
        self.own.each(|name, value| add_field(buffer, name, value));
        let end: &[u8] =
            if self.takes_trailers { b"te: trailers\r\nconnection: te\r\n\r\n" } else { b"\r\n" };
        buffer.extend_from_slice(end);
    }
}

/// Whether a caller's field of this name is not passed on as it is.
fn stays_behind(name: &str) -> bool {
    matches!(name, "host" | "content-length" | "expect")
        || hop_by_hop::is_one(name)
        || OwnFields::includes(name)
}

fn add_field(buffer: &mut Vec<u8>, name: &str, value: &[u8]) {
    add(buffer, &[name.as_bytes(), b": ", value, b"\r\n"]);
}

fn add(buffer: &mut Vec<u8>, pieces: &[&[u8]]) {
    buffer.reserve(pieces.iter().map(|piece| piece.len()).sum());
    for piece in pieces {
        buffer.extend_from_slice(piece);
    }
}
