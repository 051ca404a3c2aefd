//! `X-Request-Id` (docs/gateway.md §15): the caller's where it is fit to be written down, else one of our own.
//!
//! Ours look like a UUIDv7 and cost neither a lock nor a system call: their random part is mixed from a seed of the
//! connection and the number of the request on it.

use forecourt_core::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::hex_digits;

/// The field.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const LONGEST: usize = 128;
/// Where each four digits of a UUID stand; dashes fill the gaps.
const QUARTETS: [usize; 8] = [0, 4, 9, 14, 19, 24, 28, 32];

/// The id of the request with these fields, which takes the place of what they say. `own` makes one.
pub(crate) fn settle(headers: &HeaderMap, own: impl FnOnce() -> HeaderValue) -> HeaderValue {
    let mut given = headers.get_all(&X_REQUEST_ID).iter();
    if let (Some(id), None) = (given.next(), given.next())
        && is_fit(id.as_bytes())
    {
        return id.clone();
    }
    own()
}

fn is_fit(id: &[u8]) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// The id of request `number` of a connection with this seed, made at `now`.
pub(crate) fn make(seed: u64, number: u64, now: Timestamp) -> HeaderValue {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let low = mix(seed.wrapping_add(number));
    let high = (millis << 16) | 0x7000 | (mix(low) & 0x0fff);
    let low = (low >> 2) | (1 << 63);
    let digits = hex_digits::of((u128::from(high) << 64 | u128::from(low)).to_be_bytes());
    let mut text = [b'-'; 36];
    for (four, place) in digits.as_chunks::<4>().0.iter().zip(QUARTETS) {
        if let Some(digits) = text.get_mut(place..place + 4) {
            digits.copy_from_slice(four);
        }
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Spreads the bits of a counter (the finaliser of SplitMix64); equal only for equal input.
pub(crate) const fn mix(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn our_ids_are_uuids_of_version_7_in_order_of_time_and_all_different() {
        let at = |millis: i64| Timestamp::from_micros(millis * 1_000);
        let id = make(1, 0, at(0x0123_4567_89ab));
        let text = id.to_str().unwrap();
        assert!(text.starts_with("01234567-89ab-7"), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8'..=b'b'), "{text}");
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        let all: HashSet<_> = (0..10_000).map(|number| make(7, number, at(5))).collect();
        assert_eq!(all.len(), 10_000);
        assert!(make(9, 9, at(4)) < make(1, 1, at(5)));
    }

    #[test]
    fn a_fit_id_is_kept_and_any_other_replaced() {
        let kept = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(X_REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let id = settle(&headers, || HeaderValue::from_static("ours"));
            assert!(id == "ours" || id == values[0]);
            id != "ours"
        };
        let longest = "x".repeat(128);
        let too_long = "x".repeat(129);
        assert!(kept(&["a"]) && kept(&["A-b_c/!~"]) && kept(&[&longest]));
        for values in [&[][..], &[""], &["a b"], &["\u{e4}"], &["a\tb"], &[&too_long], &["a", "b"]] {
            assert!(!kept(values), "{values:?}");
        }
    }
}
