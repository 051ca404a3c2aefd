//! Secrets as types: a plain one that cannot be logged or stored, and the digest that is kept instead.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::random::{self, Random};

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A secret in clear: it has neither `Debug` output nor a stored form, and is shown once.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainSecret(String);

impl PlainSecret {
    /// Wraps a secret that a caller presented.
    pub fn presented(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; every use of this is a place where a secret leaves.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of a secret with at least 128 random bits: its SHA-256.
    pub fn digest(&self) -> SecretDigest {
        SecretDigest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("******")
    }
}

/// SHA-256 of a random secret: a look-up key that tells nothing about the secret.
///
/// Two are compared in a time that does not depend on where they differ.
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct SecretDigest([u8; 32]);

impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        // By words, which takes an eighth of the time that bytes take: gateways compare with every call.
        let pairs = self.0.as_chunks::<8>().0.iter().zip(other.0.as_chunks::<8>().0);
        let words = pairs.map(|(own, other)| u64::from_ne_bytes(*own).ct_eq(&u64::from_ne_bytes(*other)));
        words.fold(Choice::from(1), |all, same| all & same).into()
    }
}

impl Hash for SecretDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl SecretDigest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits, the stored form.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// Reads the stored form.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("digest")
    }
}

impl Serialize for SecretDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for SecretDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| de::Error::custom("a digest is 64 hex digits"))
    }
}

/// A secret that must be read back: in the store it is sealed, on its way to a gateway it is clear.
///
/// Which of both it is stands in its type, so that a sealed one is never taken for the secret itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptSecret {
    /// Encrypted under the installation's master key.
    Sealed(String),
    /// The secret itself.
    Clear(String),
}

impl KeptSecret {
    /// The secret itself, where it is not sealed.
    pub fn clear(&self) -> Option<&str> {
        match self {
            Self::Clear(text) => Some(text),
            Self::Sealed(_) => None,
        }
    }
}

impl fmt::Debug for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("******")
    }
}

/// The kinds of tokens that we issue, each with its own prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `a7ee-`: acts as the administrator who made it.
    Administrator,
    /// `a7prt-`: speaks for one portal.
    Portal,
    /// `a7adm-`: administers one gateway group.
    GatewayGroup,
    /// `a7dp-`: lets a gateway node join its group.
    GatewayInstance,
    /// `a7scim-`: lets a directory provision administrators, or the people of one portal.
    Directory,
    /// `ses-`: a browser session.
    Session,
}

impl TokenKind {
    /// What each token of this kind begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Administrator => "a7ee-",
            Self::Portal => "a7prt-",
            Self::GatewayGroup => "a7adm-",
            Self::GatewayInstance => "a7dp-",
            Self::Directory => "a7scim-",
            Self::Session => "ses-",
        }
    }

    /// A fresh token: the prefix and 43 characters of `[A-Za-z0-9]` (256 bits).
    pub fn issue(self, random: &mut dyn Random) -> PlainSecret {
        PlainSecret(format!("{}{}", self.prefix(), random::text(random, ALPHANUMERIC, 43)))
    }
}

/// A fresh API key: `frc_`, 32 random characters of `[A-Za-z0-9]`, and 6 that check them, so that a leaked key
/// can be recognised offline (see [`is_api_key`]).
pub fn issue_api_key(random: &mut dyn Random) -> PlainSecret {
    let body = format!("frc_{}", random::text(random, ALPHANUMERIC, 32));
    let check = check_characters(&body);
    PlainSecret(body + &check)
}

/// What names a token credential in the tokens that are signed for it: `frt_` and 24 random characters of
/// `[A-Za-z0-9]`. No secret: it stands in every token.
pub fn issue_token_key(random: &mut dyn Random) -> String {
    format!("frt_{}", random::text(random, ALPHANUMERIC, 24))
}

/// A fresh secret to sign tokens with: `frs_` and 64 random characters of `[A-Za-z0-9]` (381 bits; as long as the
/// longest HMAC of RFC 7518 §3.2 asks for).
pub fn issue_token_secret(random: &mut dyn Random) -> PlainSecret {
    PlainSecret(format!("frs_{}", random::text(random, ALPHANUMERIC, 64)))
}

/// A fresh secret to sign calls of webhooks with: `whsec_` and 32 random bytes in base64 (Standard Webhooks, "Signature
/// scheme").
pub fn issue_signing_secret(random: &mut dyn Random) -> PlainSecret {
    let mut bytes = [0u8; 32];
    random.fill(&mut bytes);
    PlainSecret(format!("whsec_{}", STANDARD.encode(bytes)))
}

/// A fresh token for a link: `a7lnk-` and 43 random characters of `[A-Za-z0-9]` (256 bits). Links are found by the digest
/// of the whole, so that those without a prefix, which are older, work until they end.
pub fn issue_link_token(random: &mut dyn Random) -> PlainSecret {
    PlainSecret(format!("a7lnk-{}", random::text(random, ALPHANUMERIC, 43)))
}

/// Whether `text` is formed like an API key of ours, checksum included.
pub fn is_api_key(text: &str) -> bool {
    text.len() == 42
        && text.starts_with("frc_")
        && text.is_char_boundary(36)
        && text.split_at_checked(36).is_some_and(|(body, check)| check_characters(body) == check)
}

/// CRC-32 (IEEE) of `body` in base 62 (digits, upper case, lower case), most significant first, 6 characters.
fn check_characters(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut characters = [b'0'; 6];
    for place in characters.iter_mut().rev() {
        if let Some(digit) = ALPHANUMERIC.get((rest % 62) as usize) {
            *place = *digit;
        }
        rest /= 62;
    }
    String::from_utf8_lossy(&characters).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u8);
    impl Random for Counting {
        fn fill(&mut self, bytes: &mut [u8]) {
            for byte in bytes {
                self.0 = self.0.wrapping_mul(37).wrapping_add(11);
                *byte = self.0;
            }
        }
    }

    #[test]
    fn an_issued_key_carries_its_own_checksum() {
        let key = issue_api_key(&mut Counting(3));
        assert_eq!(key.reveal().len(), 42);
        assert!(is_api_key(key.reveal()));
        let last = if key.reveal().ends_with('0') { "1" } else { "0" };
        let changed = format!("{}{last}", &key.reveal()[..41]);
        assert!(!is_api_key(&changed));
    }

    #[test]
    fn the_check_is_crc_32_in_base_62_with_the_most_significant_digit_first() {
        // Reckoned elsewhere (zlib's crc32).
        for key in [
            "frc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0T0gwK",
            "frc_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123451CPWeT",
            "frc_zyxwvutsrqponmlkjihgfedcba98765430PouA",
            "frc_xxxxxxxxxxxxxxxxxxxxxxxxxxxxx44600Oq0a",
        ] {
            assert!(is_api_key(key), "{key}");
        }
    }

    #[test]
    fn what_is_not_formed_like_a_key_is_none() {
        for text in [
            "",
            "frc_",
            "abc_01234567890123456789012345678901000000",
            "frc_ä0123456789012345678901234567890100000",
        ] {
            assert!(!is_api_key(text), "{text}");
        }
    }

    #[test]
    fn digests_are_equal_only_if_every_byte_is() {
        let digest = SecretDigest::of(b"a");
        assert_eq!(digest, SecretDigest::of(b"a"));
        for place in 0..32 {
            let mut other = digest;
            other.0[place] ^= 0x80;
            assert_ne!(digest, other, "byte {place}");
        }
    }

    #[test]
    fn a_plain_secret_never_shows_in_debug_output() {
        assert_eq!(format!("{:?}", PlainSecret::presented("hunter2")), "******");
    }
}
