//! Fields that concern one connection only (RFC 9110 §7.6.1), which nobody behind the gateway gets.
//!
//! Invariant: `Connection` cannot name away what others rely on: `Host`, the body's length and the request's id.

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TE},
};

use crate::request_ids::X_REQUEST_ID;

/// Removes them.
pub(crate) fn strip(headers: &mut HeaderMap) {
    // Most heads have none: one look at each field is cheaper than a search for each of the names.
    if !headers.keys().any(|name| is_one(name.as_str())) {
        return;
    }
    let mut gone = named(headers);
    gone.extend(headers.keys().filter(|name| is_one(name.as_str())).cloned());
    for name in gone {
        headers.remove(name);
    }
}

/// Removes what `Connection` names, if it names anything: the rest is left to whoever writes the head.
pub(crate) fn strip_named(headers: &mut HeaderMap) {
    for name in named(headers) {
        headers.remove(name);
    }
}

/// Whether a caller says anything about its connection or what it takes over it (`Connection`, `TE`). Most say nothing,
/// and one look at each field is cheaper than a search for each of the names.
pub(crate) fn are_said(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name == CONNECTION || name == TE)
}

/// What `Connection` names beside the connection's own ways: further fields that concern it only.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values.flat_map(|value| named_in(value.as_bytes())).collect()
}

/// The same for one value of `Connection`. Nearly all say no more than whether the connection stays.
pub(crate) fn named_in(value: &[u8]) -> impl Iterator<Item = HeaderName> {
    let value: &[u8] = if stays(value).is_some() { b"" } else { value };
    value
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter_map(|name| HeaderName::from_bytes(name).ok())
        .filter(|name| ![HOST, CONTENT_LENGTH, X_REQUEST_ID].contains(name))
}

/// What a value of `Connection` says that is one word: true, that the connection stays; false, that it ends.
pub(crate) fn stays(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"keep-alive") {
        Some(true)
    } else {
        value.eq_ignore_ascii_case(b"close").then_some(false)
    }
}

/// Whether a field of this name, in lower case, concerns one connection. `Trailer` does not: it announces what comes
/// after the body, which is passed on.
pub(crate) fn is_one(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{named, strip};

    fn stripped(connection: &[&'static str]) -> (Vec<String>, usize) {
        let mut headers = HeaderMap::new();
        for name in ["host", "content-length", "x-request-id", "x-a", "x-b", "te", "keep-alive", "trailer"] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        for value in connection {
            headers.append("connection", HeaderValue::from_static(value));
        }
        let named = named(&headers).len();
        strip(&mut headers);
        (headers.keys().map(|name| name.as_str().to_owned()).collect(), named)
    }

    #[test]
    fn what_connection_names_goes_and_what_others_rely_on_stays() {
        let all = ["host", "content-length", "x-request-id", "x-a", "x-b", "trailer"];
        for connection in [&[][..], &["keep-alive"], &["Close"], &["Keep-Alive", "close"], &["", ", ,"]] {
            let (left, named) = stripped(connection);
            assert_eq!(left.len(), all.len(), "{connection:?}");
            assert!(all.iter().all(|name| left.iter().any(|left| left == name)), "{connection:?} {left:?}");
            assert_eq!(named, 0, "{connection:?}");
        }
        let (left, named) = stripped(&["close, X-A", "x-b,host , Content-Length,x-request-id"]);
        assert!(!left.iter().any(|name| name == "x-a" || name == "x-b"), "{left:?}");
        assert_eq!((left.len(), named), (4, 3), "close is a name like the others where it stands in a list");
    }
}
