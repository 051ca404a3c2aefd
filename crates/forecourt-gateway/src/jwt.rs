//! Tokens (RFC 7519 in the compact form of RFC 7515), read strictly.
//!
//! Invariant: what stands in a [`Token`] is unproven until [`Token::is_signed_by`] or a key of an issuer said yes;
//! nobody else looks at a token's text. Signatures are in `signatures.rs`, the decision in `verify/tokens.rs`.

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use forecourt_core::time::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{
    memory::Mark,
    signatures::{self, Algorithm, PublicKey, TokenVerifier},
};

/// The longest name of a key or credential, in bytes.
const LONGEST_NAME: usize = 256;
/// Seconds by which clocks may differ.
const LEEWAY: i64 = 60;
/// Seconds that a token of `jwt-auth` may live from now on.
const LONGEST_LIFE: i64 = 24 * 60 * 60;

/// A well-formed token.
pub(crate) struct Token<'a> {
    /// What it says it is signed with.
    pub(crate) algorithm: Algorithm,
    kid: Option<String>,
    claims: Map<String, Value>,
    expires: Option<i64>,
    not_before: Option<i64>,
    issued: Option<i64>,
    whole: &'a [u8],
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads a token; `None` unless it has three parts of canonical base64url, objects without repeated members as
    /// header and claims, an algorithm that we know, no critical extension, a `kid` of at most 256 bytes if any,
    /// and numbers as times.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header = members(header)?;
        let claims = members(claims)?;
        if header.contains_key("crit") {
            return None;
        }
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().filter(|kid| kid.len() <= LONGEST_NAME)?.to_owned()),
        };
        let [expires, not_before, issued] = ["exp", "nbf", "iat"].map(|name| seconds(&claims, name));
        Some(Self {
            algorithm: Algorithm::named(header.get("alg")?.as_str()?)?,
            kid,
            expires: expires?,
            not_before: not_before?,
            issued: issued?,
            claims,
            whole: text.as_bytes(),
            signed: signed.as_bytes(),
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// The header's `kid`.
    pub(crate) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// The credential that the token names: this claim, and only without it the header's `kid`. `None` also for a
    /// claim that is no text or longer than 256 bytes.
    pub(crate) fn name(&self, claim: &str) -> Option<&str> {
        match self.claims.get(claim) {
            Some(name) => name.as_str().filter(|name| name.len() <= LONGEST_NAME),
            None => self.kid(),
        }
    }

    /// The first of these claims that is present, if it is a text of at most 256 bytes.
    pub(crate) fn first_of(&self, claims: &[&str]) -> Option<&str> {
        let first = claims.iter().find_map(|claim| self.claims.get(*claim))?;
        first.as_str().filter(|name| name.len() <= LONGEST_NAME)
    }

    /// Whether one of these scopes is among the token's: `scope`, names separated by spaces, or `scp`, the same or
    /// a list.
    pub(crate) fn has_scope_of(&self, wanted: &[Box<str>]) -> bool {
        let is_wanted = |scope: &str| wanted.iter().any(|wanted| **wanted == *scope);
        ["scope", "scp"].into_iter().any(|claim| match self.claims.get(claim) {
            Some(Value::String(scopes)) => scopes.split(' ').any(is_wanted),
            Some(Value::Array(scopes)) if claim == "scp" => {
                scopes.iter().filter_map(Value::as_str).any(is_wanted)
            }
            _ => false,
        })
    }

    /// Times as `jwt-auth` wants them: `exp` ahead, by at most a day, and `nbf` not ahead by more than the leeway.
    pub(crate) fn is_short_lived(&self, now: Timestamp) -> bool {
        let now = now.seconds();
        let ends_soon = self.expires.is_some_and(|end| end > now && end <= now.saturating_add(LONGEST_LIFE));
        ends_soon && !is_ahead(self.not_before, now)
    }

    /// Times as administrators give them to consumers: `exp`, if it is there, ahead, and `nbf` not ahead by more than
    /// the leeway.
    pub(crate) fn is_in_force(&self, now: Timestamp) -> bool {
        let now = now.seconds();
        self.expires.is_none_or(|end| end > now) && !is_ahead(self.not_before, now)
    }

    /// Times as issuers of `dcr` keep them: `exp` not passed, `nbf` and `iat` not ahead, all within the leeway.
    pub(crate) fn is_current(&self, now: Timestamp) -> bool {
        let now = now.seconds();
        let lives = self.expires.is_some_and(|end| end > now.saturating_sub(LEEWAY));
        lives && !is_ahead(self.not_before, now) && !is_ahead(self.issued, now)
    }

    /// Whether the token was signed for this credential, by the credential's own algorithm.
    pub(crate) fn is_signed_by(&self, verifier: &TokenVerifier) -> bool {
        verifier.verifies(self.algorithm, self.signed, &self.signature)
    }

    /// Whether the token was signed with this key of an issuer.
    pub(crate) fn is_signed_with(&self, key: &PublicKey) -> bool {
        key.verifies(self.algorithm, self.signed, &self.signature)
    }

    /// The digest of the whole token, signature included, with what it is verified by; `None` where verifying a
    /// shared secret costs no more than this.
    pub(crate) fn mark(&self, verified_by: &[u8]) -> Option<Mark> {
        let digest = || Sha256::new().chain_update(verified_by).chain_update(self.whole).finalize().into();
        (!self.algorithm.is_symmetric()).then(digest)
    }

    /// Does the work of [`Self::is_signed_by`] where there is no credential.
    pub(crate) fn spend_verification(&self) {
        signatures::spend(self.algorithm, self.signed, &self.signature);
    }
}

fn is_ahead(time: Option<i64>, now: i64) -> bool {
    time.is_some_and(|time| time > now.saturating_add(LEEWAY))
}

/// A time claim in whole seconds, rounded down; the outer `None` for one that is no number.
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<Option<i64>> {
    let Some(time) = claims.get(name) else { return Some(None) };
    // A float saturates when it becomes an integer.
    Some(Some(time.as_i64().or_else(|| time.as_f64().map(|time| time.floor() as i64))?))
}

fn members(part: &str) -> Option<Map<String, Value>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice::<Members>(&bytes).ok().map(|Members(members)| members)
}

/// A JSON object that names no member twice: readers who differ about which one counts could be played off
/// against each other.
struct Members(Map<String, Value>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is repeated"));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
#[path = "tests/jwt.rs"]
mod tests;
