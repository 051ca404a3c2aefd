//! The keys of an installation: the master key, which comes from outside; data keys, which lie in the database wrapped
//! under it; and the two secrets that stay the same whatever becomes of any key.
//!
//! Invariant: a wrapped data key opens only under the master key that wrapped it, and as the data key that it is.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    Key, XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use forecourt_core::{random::Random, secrets::PlainSecret};

use super::{NONCE, SealError, mac};

/// What wrapped data keys of this form begin with.
const WRAPPED: &str = "w1";

/// The installation's master key: 32 bytes under which its data keys are wrapped. It can be neither logged nor stored.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("******")
    }
}

impl MasterKey {
    /// A fresh key.
    pub fn issue(random: &mut dyn Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// The key that 64 hex digits write, white space around them aside; `None` for anything else.
    pub fn from_hex(text: &str) -> Option<Self> {
        bytes_of(text).map(Self)
    }

    /// 64 lower-case hex digits: the form of the setting and of the key file, and of no other place.
    pub fn to_hex(&self) -> PlainSecret {
        PlainSecret::presented(hex::encode(self.0))
    }

    /// Eight hex digits that name the key and tell nothing about it.
    pub fn id(&self) -> String {
        id_of(&self.0)
    }

    fn wrapping(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(mac(&self.0, b"forecourt: wrapping of data keys")))
    }
}

/// A key that secrets are sealed under: 32 bytes that lie in the database, wrapped.
#[derive(Clone)]
pub struct DataKey {
    id: Box<str>,
    bytes: [u8; 32],
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl DataKey {
    /// A fresh key.
    pub fn issue(random: &mut dyn Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self::of(bytes)
    }

    /// What an installation sealed under before it had data keys: the master key's own bytes, with the same id.
    pub fn of_master_key(key: &MasterKey) -> Self {
        Self::of(key.0)
    }

    fn of(bytes: [u8; 32]) -> Self {
        Self { id: id_of(&bytes).into(), bytes }
    }

    /// Eight hex digits that name the key and tell nothing about it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as it may be stored: `w1.MASTERKEYID.DATA`.
    ///
    /// # Errors
    /// When the cipher refuses, which it does for no key of ours.
    pub fn wrapped(&self, master: &MasterKey, random: &mut dyn Random) -> Result<String, SealError> {
        let mut nonce = [0; NONCE];
        random.fill(&mut nonce);
        let bound = bound(&master.id(), &self.id);
        let payload = Payload { msg: &self.bytes, aad: bound.as_bytes() };
        let sealed =
            master.wrapping().encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::TooLong)?;
        let text = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        Ok(format!("{WRAPPED}.{}.{text}", master.id()))
    }

    /// The data key `id` that was wrapped as `text` under `master`.
    ///
    /// # Errors
    /// When another master key wrapped it, it was changed, or it is another data key.
    pub fn unwrapped(id: &str, text: &str, master: &MasterKey) -> Result<Self, SealError> {
        let mut parts = text.splitn(3, '.');
        let (Some(WRAPPED), Some(master_id), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SealError::Form);
        };
        if master_id != master.id() {
            return Err(SealError::OtherKey { sealed: master_id.to_owned(), own: master.id() });
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Form)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(SealError::Form)?;
        let bound = bound(master_id, id);
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        let opened = master.wrapping().decrypt(&XNonce::from(*nonce), payload).ok();
        let opened = opened.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok()).map(Self::of);
        let own = opened.filter(|key| *key.id == *id);
        own.ok_or_else(|| SealError::Tampered { context: format!("data_key/{id}") })
    }

    /// What seals under it.
    pub(super) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(mac(&self.bytes, b"forecourt: sealing")))
    }
}

/// The two secrets that no rotation changes: what the salts of user names and the chain of the audit log are made with.
#[derive(Clone)]
pub struct LastingSecrets {
    pub(super) username_salts: [u8; 32],
    pub(super) audit_chain: [u8; 32],
}

impl fmt::Debug for LastingSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("******")
    }
}

impl LastingSecrets {
    /// Fresh ones.
    pub fn issue(random: &mut dyn Random) -> Self {
        let mut secrets = Self { username_salts: [0; 32], audit_chain: [0; 32] };
        random.fill(&mut secrets.username_salts);
        random.fill(&mut secrets.audit_chain);
        secrets
    }

    /// Those that an installation derived from its master key before it kept them.
    pub fn of_master_key(key: &MasterKey) -> Self {
        Self {
            username_salts: mac(&key.0, b"forecourt: salts of user names"),
            audit_chain: mac(&key.0, b"forecourt: chain of the audit log"),
        }
    }

    /// Both as 64 hex digits: of the salts, and of the chain.
    pub fn to_hex(&self) -> (PlainSecret, PlainSecret) {
        let text = |bytes: &[u8; 32]| PlainSecret::presented(hex::encode(bytes));
        (text(&self.username_salts), text(&self.audit_chain))
    }

    /// Those that two texts of [`Self::to_hex`] write; `None` for anything else.
    pub fn from_hex(username_salts: &PlainSecret, audit_chain: &PlainSecret) -> Option<Self> {
        Some(Self {
            username_salts: bytes_of(username_salts.reveal())?,
            audit_chain: bytes_of(audit_chain.reveal())?,
        })
    }
}

fn bytes_of(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
    Some(bytes)
}

fn id_of(bytes: &[u8; 32]) -> String {
    hex::encode(mac(bytes, b"forecourt: id of the master key")).chars().take(8).collect()
}

fn bound(master: &str, data_key: &str) -> String {
    format!("forecourt/{WRAPPED}/{master}/data_key/{data_key}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(u8);
    impl Random for Counting {
        fn fill(&mut self, bytes: &mut [u8]) {
            for byte in bytes {
                self.0 = self.0.wrapping_add(1);
                *byte = self.0;
            }
        }
    }

    fn master(first: &str) -> MasterKey {
        MasterKey::from_hex(&first.repeat(32)).unwrap()
    }

    #[test]
    fn a_wrapped_data_key_opens_under_its_master_key_as_itself_alone() {
        let random = &mut Counting(0);
        let (key, other) = (DataKey::issue(random), DataKey::issue(random));
        let text = key.wrapped(&master("0a"), random).unwrap();
        assert!(text.starts_with(&format!("w1.{}.", master("0a").id())), "{text}");
        let opened = DataKey::unwrapped(key.id(), &text, &master("0a")).unwrap();
        assert_eq!((opened.id(), opened.bytes), (key.id(), key.bytes));
        assert!(DataKey::unwrapped(other.id(), &text, &master("0a")).is_err(), "as another data key");
        let refused = DataKey::unwrapped(key.id(), &text, &master("0b")).unwrap_err();
        assert_eq!(
            refused,
            SealError::OtherKey { sealed: master("0a").id(), own: master("0b").id() },
            "both master keys are named"
        );
        for wrong in ["", "x", &text.replacen("w1", "w2", 1), &text[..text.len() - 3]] {
            assert!(DataKey::unwrapped(key.id(), wrong, &master("0a")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_data_key_of_an_older_installation_is_called_as_its_master_key() {
        assert_eq!(DataKey::of_master_key(&master("0a")).id(), master("0a").id());
    }

    #[test]
    fn lasting_secrets_are_read_as_they_were_written() {
        let secrets = LastingSecrets::issue(&mut Counting(7));
        let (salts, chain) = secrets.to_hex();
        let read = LastingSecrets::from_hex(&salts, &chain).unwrap();
        assert_eq!((read.username_salts, read.audit_chain), (secrets.username_salts, secrets.audit_chain));
        assert!(LastingSecrets::from_hex(&salts, &PlainSecret::presented("ab")).is_none());
        assert_eq!(format!("{secrets:?}"), "******");
    }
}
