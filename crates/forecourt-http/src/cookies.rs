//! Cookies: `HttpOnly`, `SameSite=Lax`, `Secure` where the site is reached by TLS.

use http::{HeaderMap, HeaderValue, header};

/// The value of the cookie `name`, where the request has one.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, value)| *own == name && !value.is_empty()).map(|(_, value)| value)
}

/// A `Set-Cookie` value that keeps `value` for `seconds`; 0 removes the cookie.
///
/// `None` where name or value hold characters that a cookie cannot (RFC 6265 §4.1.1).
pub fn set(name: &str, value: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    set_below("/", name, value, seconds, secure)
}

/// The same, for requests below `path` alone.
pub fn set_below(path: &str, name: &str, value: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    let fits =
        |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b';' | b',' | b'"' | b'\\'));
    let secure = if secure { "; Secure" } else { "" };
    let line = format!("{name}={value}; HttpOnly; SameSite=Lax; Path={path}; Max-Age={seconds}{secure}");
    (fits(name) && fits(value) && fits(path)).then(|| HeaderValue::try_from(line).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; session=ses-x"));
        headers.append(header::COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(read(&headers, "session"), Some("ses-x"));
        assert_eq!(read(&headers, "b"), Some("2"));
        assert_eq!(read(&headers, "c"), None);
    }

    #[test]
    fn what_would_break_the_line_is_refused() {
        assert_eq!(set("session", "a;b", 1, false), None);
        assert_eq!(set_below("/a;b", "session", "ses-1", 1, false), None);
        let below = set_below("/api/oidc", "session", "ses-1", 1, false).unwrap();
        assert!(below.to_str().unwrap().contains("; Path=/api/oidc; "));
        assert!(set("session", "ses-1", 1, true).unwrap().to_str().unwrap().ends_with("; Secure"));
    }
}
