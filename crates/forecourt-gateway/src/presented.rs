//! What a request shows to prove itself: API keys, basic credentials and tokens, read from its head.
//!
//! Nothing here decides; nothing of what is read is logged.

use std::borrow::Cow;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header::AUTHORIZATION};
use percent_encoding::percent_decode_str;

use crate::route::KeyRule;

/// The key that a request shows: the header's first value, or, only if that is absent or empty, the first query
/// argument of the configured name. `None`: no key, or an empty one.
pub(crate) fn key<'a>(
    rule: &KeyRule,
    headers: &'a HeaderMap,
    query: Option<&'a str>,
) -> Option<Cow<'a, [u8]>> {
    let header = rule.header.as_ref().and_then(|name| headers.get(name)).filter(|value| !value.is_empty());
    if let Some(value) = header {
        return Some(Cow::Borrowed(value.as_bytes()));
    }
    argument(query?, &rule.query).filter(|value| !value.is_empty())
}

/// The first query argument of this name, decoded.
pub(crate) fn argument<'a>(query: &'a str, name: &str) -> Option<Cow<'a, [u8]>> {
    arguments_named(query, name).next()
}

/// All query arguments of this name, decoded.
pub(crate) fn arguments_named<'a>(query: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let named = arguments(query).filter(move |(found, _)| decoded(found) == name.as_bytes());
    named.map(|(_, value)| decoded(value))
}

/// The query argument that carries a token.
pub(crate) const TOKEN_ARGUMENT: &str = "jwt";

/// The token of the first `Authorization` field, if its scheme is `Bearer`, in any case.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The bearer token, or, only without one, the first query argument `jwt`.
pub(crate) fn token<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<Cow<'a, str>> {
    if let Some(token) = bearer(headers) {
        return Some(Cow::Borrowed(token));
    }
    match argument(query?, TOKEN_ARGUMENT)? {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// User name and password of `Authorization: Basic`.
pub(crate) struct Basic {
    text: String,
    colon: usize,
}

impl Basic {
    /// Reads the first `Authorization` field; `None` if it is absent, of another scheme or malformed.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let bytes = BASE64_STANDARD.decode(token.trim_matches(' ')).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let colon = text.find(':')?;
        Some(Self { text, colon })
    }

    /// What stands before the first colon.
    pub(crate) fn username(&self) -> &str {
        self.text.get(..self.colon).unwrap_or_default()
    }

    /// What stands after the first colon.
    pub(crate) fn password(&self) -> &str {
        self.text.get(self.colon + 1..).unwrap_or_default()
    }
}

/// `query` without the arguments of this name, the others untouched; `None` if nothing is left.
pub(crate) fn without_argument<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let is_hidden = |argument: &str| decoded(name_and_value(argument).0) == name.as_bytes();
    if !query.split('&').any(is_hidden) {
        return Some(Cow::Borrowed(query));
    }
    let mut kept = String::with_capacity(query.len());
    for argument in query.split('&').filter(|argument| !is_hidden(argument)) {
        if !kept.is_empty() {
            kept.push('&');
        }
        kept.push_str(argument);
    }
    (!kept.is_empty()).then_some(Cow::Owned(kept))
}

fn arguments(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').map(name_and_value)
}

fn name_and_value(argument: &str) -> (&str, &str) {
    argument.split_once('=').unwrap_or((argument, ""))
}

/// Form decoding: `+` is a space, escapes are bytes.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        return Cow::Owned(percent_decode_str(&text.replace('+', " ")).collect());
    }
    percent_decode_str(text).into()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{Basic, key, without_argument};
    use crate::route::KeyRule;

    fn rule() -> KeyRule {
        KeyRule {
            header: Some(HeaderName::from_static("apikey")),
            query: "apikey".into(),
            hide_credentials: false,
        }
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        fields.collect()
    }

    #[test]
    fn the_header_wins_and_the_query_counts_only_without_it() {
        for (fields, query, shown) in [
            (vec![], None, None),
            (vec![("apikey", "h")], None, Some("h")),
            (vec![("apikey", "wrong")], Some("apikey=right"), Some("wrong")),
            (vec![("apikey", "")], Some("apikey=q"), Some("q")),
            (vec![("apikey", ""), ("apikey", "second")], Some("apikey=q"), Some("q")),
            (vec![("apikey", "first"), ("apikey", "second")], None, Some("first")),
            (vec![], Some("a=1&apikey=q&apikey=r"), Some("q")),
            (vec![], Some("api%6bey=a%2Bb+c"), Some("a+b c")),
            (vec![], Some("ApiKey=q"), None),
            (vec![], Some("apikey"), None),
            (vec![], Some("apikey=&apikey=q"), None),
            (vec![], Some("xapikey=q&apikeyx=q"), None),
        ] {
            let fields = headers(&fields);
            let read = key(&rule(), &fields, query);
            assert_eq!(read.as_deref(), shown.map(str::as_bytes), "{fields:?} {query:?}");
        }
    }

    #[test]
    fn basic_is_split_at_the_first_colon_and_nothing_is_trimmed() {
        let read = |value: &'static str| {
            Basic::read(&headers(&[("authorization", value)]))
                .map(|basic| (basic.username().to_owned(), basic.password().to_owned()))
        };
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        assert_eq!(read("Basic YWRhOnB3"), pair("ada", "pw"));
        assert_eq!(read("bAsIc YWRhOnB3"), pair("ada", "pw"));
        assert_eq!(read("Basic YWRhOnA6dzo="), pair("ada", "p:w:"));
        assert_eq!(read("Basic IGFkYSA6IHB3IA=="), pair(" ada ", " pw "));
        assert_eq!(read("Basic Og=="), pair("", ""));
        for malformed in ["Basic", "Basic ", "Basic YWRh", "Basic !!!", "Bearer YWRhOnB3", "Basic /zov"] {
            assert_eq!(read(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn hiding_an_argument_leaves_the_others_byte_for_byte() {
        for (query, left) in [
            ("apikey=x", None),
            ("a=1&apikey=x&b=%7e+c", Some("a=1&b=%7e+c")),
            ("apikey=x&apikey=y&a", Some("a")),
            ("%61pikey=x&a=1", Some("a=1")),
            ("a=1&&b=2", Some("a=1&&b=2")),
            ("Apikey=x", Some("Apikey=x")),
        ] {
            assert_eq!(without_argument(query, "apikey").as_deref(), left, "{query}");
        }
    }
}
