//! Form tokens against cross-site requests: derived from the browser's own cookie, so nothing is stored.
//!
//! A signed-in browser's token is bound to its session; before sign-in it is bound to a random cookie of its own.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The token that a form of the browser with this cookie value must carry.
pub fn token(key: &[u8], cookie: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(b"form:");
    mac.update(cookie.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `shown` is the token of the browser with this cookie value; compared in constant time.
pub fn fits(key: &[u8], cookie: &str, shown: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    mac.update(b"form:");
    mac.update(cookie.as_bytes());
    let bytes: Option<Vec<u8>> = (0..shown.len() / 2)
        .map(|n| shown.get(2 * n..2 * n + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok()))
        .collect();
    shown.len() == 64 && !cookie.is_empty() && bytes.is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_its_own_cookie_and_key_only() {
        let own = token(b"key", "ses-1");
        assert!(fits(b"key", "ses-1", &own));
        for (key, cookie, shown) in [
            (&b"key"[..], "ses-2", own.as_str()),
            (b"other", "ses-1", &own),
            (b"key", "ses-1", ""),
            (b"key", "", &own),
        ] {
            assert!(!fits(key, cookie, shown));
        }
    }
}
