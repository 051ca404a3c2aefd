//! What of a request decides its node, as a number: the same on every gateway and after every start.

use std::{borrow::Cow, net::IpAddr};

use forecourt_core::gateway_state::HashOn;
use http::{
    HeaderMap,
    header::{COOKIE, HOST},
};
use percent_encoding::percent_decode_str;

/// What a request can be told apart by.
pub(crate) struct Traits<'a> {
    /// The caller's address.
    pub(crate) address: IpAddr,
    /// The path as it was matched.
    pub(crate) path: &'a str,
    /// The query as it was sent.
    pub(crate) query: Option<&'a str>,
    /// The request's header.
    pub(crate) headers: &'a HeaderMap,
    /// Who calls, if that is known.
    pub(crate) consumer: Option<&'a str>,
}

/// The number of what `on` names; where it is absent, that of the caller's address.
pub(crate) fn key(on: &HashOn, of: &Traits<'_>) -> u64 {
    let header = |name: &str| of.headers.get(name).map(|value| Cow::Borrowed(value.as_bytes()));
    let text = match on {
        HashOn::Address => None,
        HashOn::Path => Some(Cow::Borrowed(of.path.as_bytes())),
        HashOn::Target => {
            let path = hash(FIRST, of.path.as_bytes());
            return mix(of.query.map_or(path, |query| hash(hash(path, b"?"), query.as_bytes())));
        }
        HashOn::Host => header(HOST.as_str()),
        HashOn::Argument(name) => of.query.and_then(|query| argument(query, name)),
        HashOn::Header(name) => header(name),
        HashOn::Cookie(name) => cookie(of.headers, name),
        HashOn::Consumer => of.consumer.map(|name| Cow::Borrowed(name.as_bytes())),
    };
    mix(match (text, of.address) {
        (Some(text), _) => hash(FIRST, &text),
        (None, IpAddr::V4(address)) => hash(FIRST, &address.octets()),
        (None, IpAddr::V6(address)) => hash(FIRST, &address.octets()),
    })
}

/// The number of a text.
pub(super) fn number(text: &str) -> u64 {
    mix(hash(FIRST, text.as_bytes()))
}

/// Spreads a number over all 64 bits (the finish of SplitMix64).
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a.
fn hash(so_far: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(so_far, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn argument<'a>(query: &'a str, name: &str) -> Option<Cow<'a, [u8]>> {
    let decoded = |text: &'a str| Cow::from(percent_decode_str(text));
    let arguments = query.split('&').map(|argument| argument.split_once('=').unwrap_or((argument, "")));
    arguments.into_iter().find(|(key, _)| *decoded(key) == *name.as_bytes()).map(|(_, value)| decoded(value))
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, [u8]>> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| Cow::Borrowed(value.as_bytes()))
}
