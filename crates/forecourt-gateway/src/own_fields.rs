//! What the gateway itself says to an upstream: what a request is called, which way it came, and who is calling.
//!
//! Invariant: these fields take the place of any of the same name that a caller sent, and they are settled once for a
//! request, however often it is sent.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};

use crate::{forwarded::Way, identity, request_ids::X_REQUEST_ID, verify::Permit};

/// How many there are at most, so that a map grows once.
const MOST: usize = 9;

/// The fields of one request.
pub(crate) struct OwnFields<'a> {
    id: &'a HeaderValue,
    way: Way,
    permit: &'a Permit,
}

impl<'a> OwnFields<'a> {
    /// Those of a request that is called so, came this way and was let pass so.
    pub(crate) const fn new(id: &'a HeaderValue, way: Way, permit: &'a Permit) -> Self {
        Self { id, way, permit }
    }

    /// Puts them into a map.
    pub(crate) fn put_on(&self, headers: &mut HeaderMap) {
        headers.reserve(MOST);
        headers.insert(X_REQUEST_ID, self.id.clone());
        self.way.put_on(headers);
        identity::add(headers, self.permit);
    }

    /// Says name and value of each that there is.
    pub(crate) fn each(&self, mut say: impl FnMut(&str, &[u8])) {
        say(X_REQUEST_ID.as_str(), self.id.as_bytes());
        for (name, value) in self.way.fields() {
            if let Some(value) = value {
                say(name.as_str(), value.as_bytes());
            }
        }
        for (name, value) in identity::fields(self.permit) {
            if let Some(value) = value.filter(|value| is_value(value)) {
                say(name.as_str(), &value);
            }
        }
    }

    /// Whether a field of this name, in lower case, is one of them, or none at all where the gateway says nothing.
    pub(crate) fn includes(name: &str) -> bool {
        matches!(
            name,
            "forwarded"
                | "x-request-id"
                | "x-forwarded-for"
                | "x-forwarded-host"
                | "x-forwarded-port"
                | "x-forwarded-proto"
                | "x-consumer-username"
                | "x-credential-identifier"
                | "x-consumer-custom-id"
        )
    }
}

/// Whether these bytes can be a field's value, as [`HeaderValue`] sees it.
fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f))
}

/// One of them as a map holds it.
pub(crate) fn value(text: Cow<'_, [u8]>) -> Option<HeaderValue> {
    match text {
        Cow::Borrowed(text) => HeaderValue::from_bytes(text).ok(),
        Cow::Owned(text) => HeaderValue::try_from(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::is_value;

    #[test]
    fn what_can_be_a_value_is_what_the_map_takes() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_value(&[b'a', byte]), HeaderValue::from_bytes(&[b'a', byte]).is_ok(), "{byte}");
        }
        assert!(is_value(b""));
    }
}
