//! Request paths in their one normal form, so that what is matched is what the upstream sees (docs/gateway.md §1).
//!
//! Escapes of unreserved characters are decoded (RFC 3986 §6.2.2.2), other escapes get upper-case digits, dot
//! segments and doubled slashes go. A `%` that starts no escape is refused: left in place, it could join what
//! follows to an escape that nobody checked.

use std::borrow::Cow;

/// The normal form of a path; `None`: it holds a `%` that is not followed by two hex digits.
pub(crate) fn normalise(path: &str) -> Option<Cow<'_, str>> {
    let unescaped =
        if path.contains('%') { Cow::Owned(decode_unreserved(path)?) } else { Cow::Borrowed(path) };
    let is_normal = |pair: &[u8]| !matches!(pair, b"//" | b"/.");
    if unescaped.as_bytes().windows(2).all(is_normal) {
        return Some(unescaped);
    }
    Some(Cow::Owned(without_dot_segments(&unescaped)))
}

/// `path` without `prefix` in front, still starting with a slash.
pub(crate) fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Cow<'a, str> {
    match path.strip_prefix(prefix) {
        None => Cow::Borrowed(path),
        Some("") => Cow::Borrowed("/"),
        Some(rest) if rest.starts_with('/') => Cow::Borrowed(rest),
        Some(rest) => Cow::Owned(format!("/{rest}")),
    }
}

fn decode_unreserved(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, escape)) = rest.split_once('%') {
        out.push_str(before);
        let digits = escape.get(..2)?;
        let mut byte = [0u8];
        hex::decode_to_slice(digits, &mut byte).ok()?;
        let character = char::from(byte[0]);
        if character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_' | '~') {
            out.push(character);
        } else {
            out.push('%');
            out.extend(digits.chars().map(|digit| digit.to_ascii_uppercase()));
        }
        rest = escape.get(2..)?;
    }
    out.push_str(rest);
    Some(out)
}

fn without_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let directory = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
    if directory || out.is_empty() {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{normalise, strip_prefix};

    proptest! {
        #[test]
        fn a_normal_path_is_normal_and_climbs_nowhere(path in "/([a./]|%2[eEfF]|%61|%25){0,12}") {
            let normal = normalise(&path).unwrap().into_owned();
            prop_assert_eq!(normalise(&normal).unwrap(), normal.as_str());
            prop_assert!(normal.starts_with('/') && !normal.contains("//"));
            prop_assert!(normal.split('/').all(|segment| segment != "." && segment != ".."));
        }
    }

    #[test]
    fn each_path_has_one_normal_form() {
        for (given, normal) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("//a///b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../etc", "/etc"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/a/", "/a/"),
            ("/%61%7eb", "/a~b"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2f..%2fb", "/a%2F..%2Fb"),
            ("/%25%32%65", "/%252e"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a..b", "/a..b"),
            ("*", "*"),
        ] {
            assert_eq!(normalise(given).as_deref(), Some(normal), "{given}");
            assert_eq!(normalise(normal).as_deref(), Some(normal), "{normal} stays as it is");
        }
    }

    #[test]
    fn a_percent_sign_that_starts_no_escape_is_refused() {
        for path in ["/%", "/%2", "/%zz", "/%%32e", "/a%+1b"] {
            assert_eq!(normalise(path), None, "{path}");
        }
    }

    #[test]
    fn a_stripped_path_still_starts_with_a_slash() {
        assert_eq!(strip_prefix("/shop/orders", "/shop"), "/orders");
        assert_eq!(strip_prefix("/shop/orders", "/shop/"), "/orders");
        assert_eq!(strip_prefix("/shop", "/shop"), "/");
        assert_eq!(strip_prefix("/other", "/shop"), "/other");
    }
}
