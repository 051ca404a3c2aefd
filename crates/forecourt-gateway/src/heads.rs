//! Checks of a request's head that hyper leaves to us (docs/gateway.md §6): `Host`, target form, framing.
//!
//! What two readers could understand differently is refused, so that nobody smuggles a request past the gateway.

use forecourt_core::addresses::Network;
use http::{
    HeaderMap, HeaderValue, Method, Uri,
    header::{CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING},
    request::Parts,
    uri::Scheme,
};

use crate::forwarded::Hop;

/// The head of a request that is acceptable, as routes are looked for.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// The host without its port, in any case.
    pub(crate) host: &'a str,
    /// The path in its normal form.
    pub(crate) path: &'a str,
    /// The query as it was sent.
    pub(crate) query: Option<&'a str>,
    /// The method.
    pub(crate) method: &'a Method,
    /// The header fields.
    pub(crate) headers: &'a HeaderMap,
    /// What it came over, and whose word about the way before that counts; `None`: nobody sent it.
    pub(crate) way: Option<(&'a Hop, &'a [Network])>,
}

/// Gives the head of an HTTP/2 request the form of an HTTP/1.1 head: `Host` and a single `Cookie` (RFC 9113 §8.2.3
/// and §8.3.1). Whether `:authority` and `Host` agree is seen by [`host`].
pub(crate) fn as_http1(parts: &mut Parts) {
    if !parts.headers.contains_key(HOST)
        && let Some(authority) = parts.uri.authority()
        && let Ok(authority) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(HOST, authority);
    }
    let mut crumbs = parts.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    if let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) {
        let cookie = crumbs.fold([first, b"; ", second].concat(), |mut cookie, crumb| {
            cookie.extend_from_slice(b"; ");
            cookie.extend_from_slice(crumb);
            cookie
        });
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            parts.headers.insert(COOKIE, cookie);
        }
    }
}

/// Whether this is a host, with or without a port, as `Host` has it.
pub(crate) fn is_authority(text: &str) -> bool {
    split(text).is_some()
}

/// The host that a request is for, without its port, or what is wrong with the head. `scheme` is the only one that
/// an absolute target may name; `None`: http or https.
pub(crate) fn host<'a>(
    method: &Method,
    uri: &Uri,
    headers: &'a HeaderMap,
    scheme: Option<&Scheme>,
) -> Result<&'a str, &'static str> {
    if *method == Method::CONNECT {
        return Err("CONNECT is not served");
    }
    // One look at each field is cheaper than a search for each of the names.
    let (mut hosts, mut lengths, mut codings) = (Seen::default(), Seen::default(), Seen::default());
    for (name, value) in headers {
        if name == HOST {
            hosts.note(value);
        } else if name == CONTENT_LENGTH {
            lengths.note(value);
        } else if name == TRANSFER_ENCODING {
            codings.note(value);
        }
    }
    let authority = match hosts {
        Seen { first: Some(field), is_repeated: false } => field.to_str().map_err(|_| "malformed Host")?,
        Seen { first: None, .. } => return Err("missing Host"),
        Seen { .. } => return Err("repeated Host"),
    };
    let (host, port) = split(authority).ok_or("malformed Host")?;
    if let Some(target) = uri.authority() {
        let named = uri.scheme();
        let is_known = named == Some(&Scheme::HTTP) || named == Some(&Scheme::HTTPS);
        let is_expected = is_known && scheme.is_none_or(|scheme| named == Some(scheme));
        let default_port = if named == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let (target_host, target_port) = split(target.as_str()).ok_or("malformed target")?;
        if !is_expected
            || !target_host.eq_ignore_ascii_case(host)
            || target_port.unwrap_or(default_port) != port.unwrap_or(default_port)
        {
            return Err("the target's authority differs from Host");
        }
    }
    if lengths.is_repeated {
        return Err("repeated Content-Length");
    }
    if codings.is_repeated
        || codings.first.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err("a transfer coding other than chunked");
    }
    Ok(host.strip_suffix('.').unwrap_or(host))
}

/// What a head says under one name.
#[derive(Default)]
struct Seen<'a> {
    first: Option<&'a HeaderValue>,
    is_repeated: bool,
}

impl<'a> Seen<'a> {
    fn note(&mut self, value: &'a HeaderValue) {
        self.is_repeated |= self.first.replace(value).is_some();
    }
}

/// Host and port of `HOST`, `HOST:PORT`, `[V6]` or `[V6]:PORT` (RFC 3986 §3.2.2, without user information).
fn split(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if authority.starts_with('[') {
        let (inner, port) = authority.split_at_checked(authority.find(']')? + 1)?;
        let is_address =
            inner.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.' | b'[' | b']'));
        if !is_address || inner.len() < 4 || inner.matches(['[', ']']).count() != 2 {
            return None;
        }
        (inner, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let is_name = host.starts_with('[') || is_name(host);
    if host.is_empty() || host.len() > 255 || !is_name {
        return None;
    }
    let port = match port {
        None | Some("") => None,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
        Some(_) => return None,
    };
    Some((host, port))
}

/// Whether all labels of a host are of letters, digits, `-`, `_` and `~`, and none is empty but the one behind a last
/// dot.
fn is_name(host: &str) -> bool {
    let mut is_behind_dot = true;
    host.bytes().all(|byte| {
        let is_dot = byte == b'.';
        let fits =
            (is_dot && !is_behind_dot) || byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~');
        is_behind_dot = is_dot;
        fits
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, Request, Uri, uri::Scheme};

    use super::{as_http1, host};

    fn check(target: &str, hosts: &[&str]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for value in hosts {
            headers.append("host", HeaderValue::from_str(value).unwrap());
        }
        let uri: Uri = target.parse().unwrap();
        host(&Method::GET, &uri, &headers, Some(&Scheme::HTTP)).map(str::to_owned)
    }

    #[test]
    fn a_host_is_read_without_its_port() {
        for (field, read) in [
            ("api.example", "api.example"),
            ("api.example:8080", "api.example"),
            ("API.example.", "API.example"),
            ("127.0.0.1:9080", "127.0.0.1"),
            ("[::1]:9080", "[::1]"),
            ("a_b-c~d", "a_b-c~d"),
            ("a:", "a"),
        ] {
            assert_eq!(check("/", &[field]).as_deref(), Ok(read), "{field}");
        }
    }

    #[test]
    fn a_missing_repeated_or_malformed_host_is_refused() {
        assert!(check("/", &[]).is_err());
        assert!(check("/", &["a", "a"]).is_err());
        for field in [
            "", " ", ".", ".a", "a..b", "a..", "a b", "a,b", "u@a", "a:x", "a:70000", "a:+1", "a/b", "[::1",
            "[]", "[x]", "a:1:2", "%61",
        ] {
            assert!(check("/", &[field]).is_err(), "{field:?}");
        }
    }

    #[test]
    fn an_absolute_target_must_agree_with_host() {
        assert_eq!(check("http://a/x", &["A"]).as_deref(), Ok("A"));
        assert_eq!(check("http://a:80/x", &["a"]).as_deref(), Ok("a"));
        for (target, field) in
            [("http://b/x", "a"), ("http://a:81/x", "a"), ("https://a/x", "a"), ("http://u@a/", "a")]
        {
            assert!(check(target, &[field]).is_err(), "{target} {field}");
        }
    }

    #[test]
    fn a_target_may_name_the_scheme_of_its_connection_and_over_http_2_either() {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("a"));
        let check = |target: &str, scheme| {
            host(&Method::GET, &target.parse().unwrap(), &headers, scheme).map(str::to_owned)
        };
        let ok = Ok("a".to_owned());
        assert_eq!(check("https://a:443/", Some(&Scheme::HTTPS)), ok);
        assert!(check("https://a:80/", Some(&Scheme::HTTPS)).is_err());
        assert!(check("http://a/", Some(&Scheme::HTTPS)).is_err());
        assert_eq!((check("http://a/", None), check("https://a/", None)), (ok.clone(), ok));
        assert!(check("ftp://a/", None).is_err());
    }

    #[test]
    fn an_http_2_head_gets_its_host_from_the_authority_and_one_cookie() {
        let request = Request::get("https://a:1/x").header("cookie", "a=b").header("cookie", "c=d");
        let (mut parts, ()) = request.header("cookie", "e=f").body(()).unwrap().into_parts();
        as_http1(&mut parts);
        assert_eq!(parts.headers["host"], "a:1");
        assert_eq!(parts.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=b; c=d; e=f"]);
        let (mut parts, ()) = Request::get("https://a/x").header("host", "b").body(()).unwrap().into_parts();
        as_http1(&mut parts);
        assert_eq!(parts.headers["host"], "b", "the two are compared later");
    }
}
