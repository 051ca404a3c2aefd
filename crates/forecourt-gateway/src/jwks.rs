//! Key sets of issuers (RFC 7517), and whether a token is signed with one of their keys.
//!
//! Invariant: only keys for signatures are taken, each with the algorithms of its type alone, so no text of a set
//! can make a verifier out of something else. Where sets come from is in `key_sets.rs`.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    jwt::Token,
    signatures::{Algorithm, PublicKey},
};

/// The most keys of a set that count; the others are left out.
const MOST_KEYS: usize = 100;
/// The most keys that a token without `kid` is tried with.
const MOST_TRIALS: usize = 16;

/// An issuer's keys.
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    kid: Option<Box<str>>,
    /// Where it stands, the only algorithm of this key.
    algorithm: Option<Algorithm>,
    key: PublicKey,
}

/// What a key set says about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// One of its keys signed it.
    Yes,
    /// The key that it names did not.
    No,
    /// The set has no such key; a newer one may.
    UnknownKey,
}

impl KeySet {
    /// Reads a set; `None` for what is none. Keys of it that cannot be used are left out.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let set: Value = serde_json::from_slice(bytes).ok()?;
        let keys = set.get("keys")?.as_array()?;
        Some(Self { keys: keys.iter().filter_map(key).take(MOST_KEYS).collect() })
    }

    /// How many keys can be used.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether one of these keys signed the token. A token without `kid` is tried with every key that fits.
    pub(crate) fn signed(&self, token: &Token<'_>) -> Signed {
        let signs = |key: &&Key| key.accepts(token.algorithm) && token.is_signed_with(&key.key);
        let Some(kid) = token.kid() else {
            let mut fitting = self.keys.iter().filter(|key| key.accepts(token.algorithm)).take(MOST_TRIALS);
            return if fitting.any(|key| signs(&key)) { Signed::Yes } else { Signed::UnknownKey };
        };
        let mut named = self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid)).peekable();
        if named.peek().is_none() {
            return Signed::UnknownKey;
        }
        if named.take(MOST_TRIALS).any(|key| signs(&key)) { Signed::Yes } else { Signed::No }
    }
}

impl Key {
    fn accepts(&self, algorithm: Algorithm) -> bool {
        self.key.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }
}

/// One key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2); `None` if it cannot verify signatures here.
fn key(value: &Value) -> Option<Key> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
    if value.get("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    if let Some(operations) = value.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    let point = |length: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        let whole = x.len() == length && y.len() == length;
        whole.then(|| [&[4], x.as_slice(), y.as_slice()].concat().into_boxed_slice())
    };
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) => PublicKey::rsa(&bytes("n")?, &bytes("e")?)?,
        ("EC", Some("P-256")) => PublicKey::P256(point(32)?),
        ("EC", Some("P-384")) => PublicKey::P384(point(48)?),
        ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes("x").filter(|x| x.len() == 32)?.into()),
        _ => return None,
    };
    let algorithm = match value.get("alg") {
        None => None,
        Some(name) => Some(Algorithm::named(name.as_str()?).filter(|algorithm| key.fits(*algorithm))?),
    };
    let kid = match value.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str()?.into()),
    };
    Some(Key { kid, algorithm, key })
}

#[cfg(test)]
#[path = "tests/jwks.rs"]
mod tests;
