//! Consumers by JWT: where the token is read, and whose it is (docs/gateway.md §7).
//!
//! Invariant: the credential that the token names fixes the algorithm and the key; the token chooses neither. The
//! other plugins are in `consumers.rs`.

use std::{borrow::Cow, sync::Arc};

use forecourt_core::{ids::GatewayGroupId, time::Timestamp};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use super::{
    Request,
    consumers::{Stop, unknown},
};
use crate::{
    consumers::{Consumers, Entry},
    jwt::Token,
    plugins::JwtPlugin,
    presented,
    signatures::TokenVerifier,
};

/// Where a token was read, so that it can be hidden there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    /// In the plugin's header.
    Header,
    /// In its query argument.
    Query,
    /// In its cookie.
    Cookie,
}

/// What the token that is shown proves.
pub(super) fn by_token<'a>(
    consumers: &'a Consumers,
    group: &GatewayGroupId,
    plugin: &JwtPlugin,
    request: &Request<'_>,
) -> Result<(&'a Entry<Arc<TokenVerifier>>, TokenPlace), Stop> {
    let (place, bytes) = read(plugin, request.headers, request.query)
        .ok_or_else(|| unknown("Missing JWT token in request", &plugin.challenge))?;
    let text = std::str::from_utf8(&bytes).ok();
    let found = text.and_then(|text| proven(consumers, group, plugin, text, request.now));
    Ok((found.ok_or_else(|| unknown("JWT token invalid", &plugin.challenge))?, place))
}

fn proven<'a>(
    consumers: &'a Consumers,
    group: &GatewayGroupId,
    plugin: &JwtPlugin,
    text: &str,
    now: Timestamp,
) -> Option<&'a Entry<Arc<TokenVerifier>>> {
    let token = Token::read(text)?;
    let named = consumers.by_token_key(group, token.first_of(&[&plugin.key_claim_name])?);
    let Some(entry) = named else {
        token.spend_verification();
        return None;
    };
    (token.is_signed_by(&entry.secret) && token.is_in_force(now)).then_some(entry)
}

/// The token, from the first place that has one: header, query argument, cookie.
fn read<'a>(
    plugin: &JwtPlugin,
    headers: &'a HeaderMap,
    query: Option<&'a str>,
) -> Option<(TokenPlace, Cow<'a, [u8]>)> {
    let header = plugin.header.as_ref().and_then(|name| headers.get(name)).and_then(in_header);
    if let Some(token) = header {
        return Some((TokenPlace::Header, Cow::Borrowed(token)));
    }
    let argument = query.and_then(|query| presented::argument(query, &plugin.query));
    if let Some(token) = argument.filter(|token| !token.is_empty()) {
        return Some((TokenPlace::Query, token));
    }
    let mut cookies = headers.get_all(COOKIE).iter().flat_map(cookies);
    let (_, token) = cookies.find(|(name, token)| *name == plugin.cookie.as_bytes() && !token.is_empty())?;
    Some((TokenPlace::Cookie, Cow::Borrowed(token)))
}

/// The token in a header, with `Bearer` in front or without; `None` for another scheme's credentials.
fn in_header(value: &HeaderValue) -> Option<&[u8]> {
    let value = value.as_bytes().trim_ascii();
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (word, rest) = value.split_at(end);
    let token = match rest.trim_ascii() {
        token if word.eq_ignore_ascii_case(b"bearer") => token,
        [] => word,
        _ => return None,
    };
    Some(token).filter(|token| !token.is_empty())
}

/// Names and values of a `Cookie` field.
fn cookies(field: &HeaderValue) -> impl Iterator<Item = (&[u8], &[u8])> {
    field.as_bytes().split(|byte| *byte == b';').filter_map(|cookie| {
        let at = cookie.iter().position(|byte| *byte == b'=')?;
        let (name, value) = cookie.split_at(at);
        Some((name.trim_ascii(), unquoted(value.get(1..)?.trim_ascii())))
    })
}

fn unquoted(value: &[u8]) -> &[u8] {
    value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value)
}

/// Removes the cookie of this name; the others stay byte for byte.
pub(crate) fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let is_meant = |cookie: &&[u8]| {
        let end = cookie.iter().position(|byte| *byte == b'=').unwrap_or(cookie.len());
        cookie.get(..end).is_some_and(|found| found.trim_ascii() == name.as_bytes())
    };
    let fields: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
    headers.remove(COOKIE);
    for field in fields {
        let kept: Vec<&[u8]> =
            field.as_bytes().split(|byte| *byte == b';').filter(|cookie| !is_meant(cookie)).collect();
        let left = kept.join(&b';');
        if let Ok(left) = HeaderValue::from_bytes(left.trim_ascii())
            && !left.is_empty()
        {
            headers.append(COOKIE, left);
        }
    }
}

#[cfg(test)]
#[path = "../tests/consumer_tokens.rs"]
mod tests;
