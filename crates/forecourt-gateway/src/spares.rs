//! A request's head put aside, so that it can be sent once more when a kept connection swallows it.
//!
//! Nearly every request puts one aside and nearly none needs it. So the fields are written into one buffer, which
//! costs less than a copy of the map, and read back where they are needed after all.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::bodies::RequestBody;

/// What the fields of most heads take, in bytes.
const USUAL_LENGTH: usize = 768;

/// A request without a body.
pub(crate) struct Spare {
    method: Method,
    uri: Uri,
    version: Version,
    /// Each field as its name, a colon, its value and a line feed; the two can be in no name and no value.
    fields: Vec<u8>,
}

impl Spare {
    /// The request once more; `None`: it must not be repeated, since it may not (RFC 9110 §9.2.2) or has a body.
    pub(crate) fn of(request: &Request<RequestBody>) -> Option<Self> {
        let is_idempotent = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        );
        if !is_idempotent || !matches!(request.body(), RequestBody::Empty) {
            return None;
        }
        let headers = request.headers();
        let mut fields = Vec::with_capacity(USUAL_LENGTH);
        for (name, value) in headers {
            fields.extend_from_slice(name.as_str().as_bytes());
            fields.push(b':');
            fields.extend_from_slice(value.as_bytes());
            fields.push(b'\n');
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        Some(Self { method, uri, version: request.version(), fields })
    }

    /// The request.
    pub(crate) fn unpack(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::Empty);
        *request.headers_mut() = self.headers();
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        request
    }

    fn headers(&self) -> HeaderMap {
        let lines = self.fields.split(|byte| *byte == b'\n');
        let fields = lines.filter_map(|line| {
            let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
            let value = value.strip_prefix(b":")?;
            Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, value);
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, Method, Request, Version};

    use super::Spare;
    use crate::bodies::RequestBody;

    fn request(method: Method) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::Empty);
        *request.method_mut() = method;
        *request.uri_mut() = "http://a.example/b?c=d".parse().unwrap();
        *request.version_mut() = Version::HTTP_2;
        for (name, value) in
            [("accept", &b"a:b"[..]), ("x-y", b"1"), ("x-y", b""), ("x-z", b"\xe4\tx"), ("x-y", b"3")]
        {
            request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        }
        request
    }

    #[test]
    fn a_spare_is_the_same_request_with_repeated_empty_and_foreign_values() {
        let request = request(Method::PUT);
        let spare = Spare::of(&request).unwrap().unpack();
        assert_eq!(spare.headers(), request.headers());
        assert_eq!(
            (spare.method(), spare.uri(), spare.version()),
            (request.method(), request.uri(), request.version())
        );
    }

    #[test]
    fn a_request_that_may_not_be_repeated_has_no_spare() {
        assert!(Spare::of(&request(Method::POST)).is_none());
        assert!(Spare::of(&request(Method::PATCH)).is_none());
        assert!(Spare::of(&request(Method::DELETE)).is_some());
    }
}
