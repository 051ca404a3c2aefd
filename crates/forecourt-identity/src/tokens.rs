//! Signing a token with a shared secret, so that a developer can make a first call before writing any code.
//!
//! Tokens are verified by gateways, not here.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use forecourt_core::{gateway_state::JwtAlgorithm, secrets::PlainSecret, time::Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

/// A JWT that names the credential `key` and ends at `expires_at` (RFC 7519), signed with `secret`; `None` for an
/// algorithm that takes no shared secret.
pub fn signed(
    algorithm: JwtAlgorithm,
    key: &str,
    secret: &PlainSecret,
    expires_at: Timestamp,
) -> Option<PlainSecret> {
    let head = format!(r#"{{"alg":"{}","typ":"JWT"}}"#, algorithm.name());
    // A key is of our own making: letters, digits and an underscore.
    let claims = format!(r#"{{"key":"{key}","exp":{}}}"#, expires_at.seconds());
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let secret = secret.reveal().as_bytes();
    let signature = match algorithm {
        JwtAlgorithm::Hs256 => code::<Hmac<Sha256>>(secret, text.as_bytes()),
        JwtAlgorithm::Hs384 => code::<Hmac<Sha384>>(secret, text.as_bytes()),
        JwtAlgorithm::Hs512 => code::<Hmac<Sha512>>(secret, text.as_bytes()),
        JwtAlgorithm::Rs256 | JwtAlgorithm::Es256 | JwtAlgorithm::EdDsa => None,
    }?;
    Some(PlainSecret::presented(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn code<M: Mac + KeyInit>(secret: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(text);
    Some(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_as_the_standard_says() {
        let secret = PlainSecret::presented("your-256-bit-secret");
        let token = signed(JwtAlgorithm::Hs256, "frt_a", &secret, Timestamp::from_seconds(1_800_000_000));
        // Made by another implementation (HMAC of Python's standard library).
        let expected = concat!(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            ".eyJrZXkiOiJmcnRfYSIsImV4cCI6MTgwMDAwMDAwMH0",
            ".LFaaJ9rs66l-viD0YodQG-OsWT1M9j_TD6WbazZKTw0"
        );
        assert_eq!(token.unwrap().reveal(), expected);
        assert!(signed(JwtAlgorithm::Es256, "frt_a", &secret, Timestamp::from_seconds(1)).is_none());
    }
}
