//! A message for the next page, in a cookie that lives for a minute: said once, then taken away.

use axum::http::{HeaderMap, HeaderValue};
use forecourt_http::cookies;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::page::{Flash, Tone};

const COOKIE: &str = "flash";
const SECONDS: i64 = 60;
/// A cookie line has room for 4096 bytes (RFC 6265 §6.1); escaping triples a byte.
const MOST_CHARACTERS: usize = 300;

/// The cookie that carries `tone` and `text` to the next page, and the revision that the act made for gateways.
pub(super) fn kept(tone: Tone, text: &str, revision: Option<i64>, secure: bool) -> Option<HeaderValue> {
    let mark = match tone {
        Tone::Good => 'g',
        Tone::Warning => 'w',
        Tone::Danger => 'd',
    };
    let text: String = text.chars().take(MOST_CHARACTERS).collect();
    // Escaped text holds no point of its own.
    let revision = revision.map(|revision| format!("{revision}.")).unwrap_or_default();
    let value = format!("{mark}{revision}{}", utf8_percent_encode(&text, NON_ALPHANUMERIC));
    cookies::set(COOKIE, &value, SECONDS, secure)
}

/// The message that the request carries, and the revision that it tells of; it is text for people and never trusted
/// further.
pub(super) fn carried(headers: &HeaderMap) -> Option<(Flash, Option<i64>)> {
    let value = cookies::read(headers, COOKIE)?;
    let mut characters = value.chars();
    let tone = match characters.next()? {
        'g' => Tone::Good,
        'w' => Tone::Warning,
        'd' => Tone::Danger,
        _ => return None,
    };
    let (revision, text) = match characters.as_str().split_once('.') {
        Some((revision, text)) => (Some(revision.parse().ok()?), text),
        None => (None, characters.as_str()),
    };
    let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    (!text.is_empty()).then_some((Flash { tone, text, next: None }, revision))
}

/// Takes the message away.
pub(super) fn said(secure: bool) -> Option<HeaderValue> {
    cookies::set(COOKIE, "", 0, secure)
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn a_message_survives_its_cookie_whatever_it_holds() {
        let text = "“Müller; Söhne, <b>” is ready — 1.5 %.";
        for revision in [None, Some(18_204)] {
            let line = kept(Tone::Good, text, revision, false).unwrap();
            let pair = line.to_str().unwrap().split(';').next().unwrap().to_owned();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::try_from(pair).unwrap());
            let (flash, told) = carried(&headers).unwrap();
            assert_eq!((flash.text.as_str(), told), (text, revision));
        }
    }

    #[test]
    fn a_cookie_of_another_shape_is_no_message() {
        for value in ["flash=", "flash=x1", "flash=g", "flash=g%ff", "flash=gx.a", "flash=g1."] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_static(value));
            assert_eq!(carried(&headers), None, "{value}");
        }
    }
}
