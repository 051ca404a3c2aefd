//! Sealing: secrets that must be read back are kept encrypted under data keys, and these under the installation's
//! master key (`docs/adr/0009-sealed-secrets.md`, `docs/adr/0025-data-keys-under-a-master-key.md`).
//!
//! Invariant: a sealed text opens only under the key that sealed it and in the place that it was sealed for, so that
//! neither another installation's text nor one moved to another row is ever taken for the secret. A sealer that learned
//! a key never forgets it: what was read before a key was taken away opens afterwards. It learns nothing of a list that is
//! older than one that it knows, so that a key that was taken away never seals again.

mod keys;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use forecourt_core::{
    audit_logs::chains::ChainKey,
    random::Random,
    secrets::{KeptSecret, PlainSecret},
};
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub use self::keys::{DataKey, LastingSecrets, MasterKey};

/// What sealed texts of this form begin with.
const VERSION: &str = "v1";
const NONCE: usize = 24;

/// Seals and opens secrets, and derives what must be the same in every process. Cheap to clone; clones learn together.
#[derive(Clone)]
pub struct Sealer {
    ring: Arc<RwLock<Ring>>,
    salting: [u8; 32],
    audit_chain: ChainKey,
}

/// The data keys that are known; the newest is last.
struct Ring {
    /// That of the latest list which they were learned from.
    number: i64,
    keys: Vec<Cut>,
}

/// A data key ready to be used.
#[derive(Clone)]
struct Cut {
    id: Box<str>,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("key_id", &self.key_id()).finish_non_exhaustive()
    }
}

/// Why a secret could not be sealed or opened. None of these quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another key sealed it.
    #[error(
        "it was sealed under the key {sealed}, but this process has the key {own}: give it the key {sealed}"
    )]
    OtherKey {
        /// The id of the key that sealed it.
        sealed: String,
        /// The id of the key at hand; of several, the newest.
        own: String,
    },
    /// The text is not of a form that this version writes.
    #[error("it is not a sealed text that this version knows, which begins with {VERSION}.")]
    Form,
    /// It was changed, or sealed for another place.
    #[error("it was changed, or sealed for another place than {context}")]
    Tampered {
        /// Where it should have opened.
        context: String,
    },
    /// The cipher refused: the secret is longer than it can take.
    #[error("a secret is too long to be sealed")]
    TooLong,
    /// There is no data key.
    #[error("there is no data key to seal a secret under")]
    NoKey,
}

impl Sealer {
    /// A sealer under the one data key that has the bytes of `key`, with the secrets derived from it: how installations
    /// sealed before they had data keys.
    pub fn new(key: &MasterKey) -> Self {
        Self::with([DataKey::of_master_key(key)], &LastingSecrets::of_master_key(key))
    }

    /// A sealer under the last of `keys`, the newest, that opens under all of them. Of none, nothing is sealed. Any list may
    /// be learned afterwards: these count as the list 0.
    pub fn with(keys: impl IntoIterator<Item = DataKey>, lasting: &LastingSecrets) -> Self {
        let sealer = Self {
            ring: Arc::new(RwLock::new(Ring { number: 0, keys: Vec::new() })),
            salting: lasting.username_salts,
            audit_chain: ChainKey::new(lasting.audit_chain),
        };
        sealer.learn(0, keys);
        sealer
    }

    /// Adds what is not known yet of the list `keys`, the newest of which is last, and seals under that from now on. Of two
    /// lists the one with the higher `number` is the later one; one before the latest that was learned is passed over.
    pub fn learn(&self, number: i64, keys: impl IntoIterator<Item = DataKey>) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if number < ring.number {
            return;
        }
        ring.number = number;
        for key in keys {
            // What is known moves too: the list says which one is the newest.
            let known = ring.keys.iter().position(|known| *known.id == *key.id());
            let cut = match known {
                Some(place) => ring.keys.remove(place),
                None => Cut { id: key.id().into(), cipher: key.cipher() },
            };
            ring.keys.push(cut);
        }
    }

    /// What the entries of the audit log are chained with.
    pub const fn audit_chain(&self) -> &ChainKey {
        &self.audit_chain
    }

    /// Eight hex digits that name the data key that secrets are sealed under.
    pub fn key_id(&self) -> String {
        self.newest().map_or_else(String::new, |key| key.id.to_string())
    }

    /// Whether texts of the data key `id` open here.
    pub fn knows(&self, id: &str) -> bool {
        self.key(id).is_some()
    }

    fn newest(&self) -> Option<Cut> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).keys.last().cloned()
    }

    fn key(&self, id: &str) -> Option<Cut> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.keys.iter().find(|key| *key.id == *id).cloned()
    }

    /// `secret` as it may be stored at the place `context`, such as `certificate/ssl_…`: where the same context is
    /// given again it opens, and nowhere else.
    ///
    /// # Errors
    /// For a secret beyond all reason (256 GiB), and where there is no data key.
    pub fn seal(
        &self,
        secret: &PlainSecret,
        context: &str,
        random: &mut dyn Random,
    ) -> Result<KeptSecret, SealError> {
        let mut nonce = [0; NONCE];
        random.fill(&mut nonce);
        let Cut { id, cipher } = self.newest().ok_or(SealError::NoKey)?;
        let bound = bound(&id, context);
        let payload = Payload { msg: secret.reveal().as_bytes(), aad: bound.as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| SealError::TooLong)?;
        let text = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        Ok(KeptSecret::Sealed(format!("{VERSION}.{id}.{text}")))
    }

    /// The secret that was sealed for `context`; one that is clear is given as it is.
    ///
    /// # Errors
    /// When another key sealed it, for another place, or it is no sealed text.
    pub fn open(&self, kept: &KeptSecret, context: &str) -> Result<PlainSecret, SealError> {
        let text = match kept {
            KeptSecret::Clear(secret) => return Ok(PlainSecret::presented(secret.as_str())),
            KeptSecret::Sealed(text) => text,
        };
        let mut parts = text.splitn(3, '.');
        let (Some(VERSION), Some(key_id), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SealError::Form);
        };
        let Some(Cut { id, cipher }) = self.key(key_id) else {
            return Err(SealError::OtherKey { sealed: key_id.to_owned(), own: self.key_id() });
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SealError::Form)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(SealError::Form)?;
        let bound = bound(&id, context);
        let payload = Payload { msg: sealed, aad: bound.as_bytes() };
        let opened = cipher.decrypt(&XNonce::from(*nonce), payload).ok();
        let secret = opened.and_then(|bytes| String::from_utf8(bytes).ok());
        secret.map(PlainSecret::presented).ok_or_else(|| SealError::Tampered { context: context.to_owned() })
    }

    /// The salt of the slow hashes of everything that signs in as `username`: a gateway then needs one hash for all
    /// credentials of one user name. Whoever lacks the master key cannot prepare for it.
    pub fn salt_of(&self, username: &str) -> [u8; 16] {
        let mut salt = [0; 16];
        for (place, byte) in salt.iter_mut().zip(mac(&self.salting, username.as_bytes())) {
            *place = byte;
        }
        salt
    }
}

/// What the cipher binds a text to, beside the text itself.
fn bound(key: &str, context: &str) -> String {
    format!("forecourt/{VERSION}/{key}/{context}")
}

fn mac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // HMAC fills a shorter key up with zeros; done here, since a key of the whole length cannot be refused.
    let mut block = [0; 64];
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
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

    fn sealer(first: &str) -> Sealer {
        Sealer::new(&MasterKey::from_hex(&first.repeat(32)).unwrap())
    }

    fn text(kept: &KeptSecret) -> String {
        match kept {
            KeptSecret::Sealed(text) => text.clone(),
            KeptSecret::Clear(_) => panic!("sealed"),
        }
    }

    #[test]
    fn a_sealed_secret_opens_where_it_was_sealed_for_and_nowhere_else() {
        let sealer = sealer("0a");
        let random = &mut Counting(0);
        let sealed = sealer.seal(&PlainSecret::presented("hunter2"), "certificate/ssl_1", random).unwrap();
        assert!(!text(&sealed).contains("hunter2"));
        assert_eq!(sealer.open(&sealed, "certificate/ssl_1").unwrap().reveal(), "hunter2");
        let moved = sealer.open(&sealed, "certificate/ssl_2").unwrap_err();
        assert_eq!(moved, SealError::Tampered { context: "certificate/ssl_2".into() });
        let again = sealer.seal(&PlainSecret::presented("hunter2"), "certificate/ssl_1", random).unwrap();
        assert_ne!(text(&again), text(&sealed), "equal secrets cannot be told from their sealed texts");
    }

    #[test]
    fn another_key_is_named_with_the_one_at_hand() {
        let (mine, other) = (sealer("0a"), sealer("0b"));
        let sealed = mine.seal(&PlainSecret::presented("x"), "c", &mut Counting(0)).unwrap();
        let refused = other.open(&sealed, "c").unwrap_err().to_string();
        assert!(refused.contains(&mine.key_id()) && refused.contains(&other.key_id()), "{refused}");
        assert_eq!(mine.key_id().len(), 8);
    }

    #[test]
    fn a_changed_text_and_one_of_another_form_do_not_open() {
        let sealer = sealer("0a");
        let sealed = text(&sealer.seal(&PlainSecret::presented("x"), "c", &mut Counting(0)).unwrap());
        let (head, _) = sealed.split_at(sealed.len() - 1);
        for changed in ["", "x", "v2.00000000.AAAA", &format!("v1.{}.AAAA", sealer.key_id())] {
            assert_eq!(sealer.open(&KeptSecret::Sealed(changed.into()), "c").unwrap_err(), SealError::Form);
        }
        assert!(sealer.open(&KeptSecret::Sealed(head.into()), "c").is_err());
        let first = sealed.replacen("AQ", "AR", 1);
        assert_ne!(first, sealed);
        assert!(sealer.open(&KeptSecret::Sealed(first), "c").is_err());
    }

    #[test]
    fn a_sealer_that_learned_a_key_seals_under_it_and_opens_what_was_sealed_before() {
        let (old, random) = (sealer("0a"), &mut Counting(0));
        let before = old.seal(&PlainSecret::presented("x"), "c", random).unwrap();
        let key = DataKey::issue(random);
        let elsewhere = Sealer::with([key.clone()], &LastingSecrets::issue(random));
        let after = elsewhere.seal(&PlainSecret::presented("y"), "c", random).unwrap();
        assert!(old.open(&after, "c").is_err());
        let clone = old.clone();
        old.learn(1, [key.clone()]);
        assert_eq!(clone.key_id(), key.id(), "clones learn together");
        assert_eq!(clone.open(&after, "c").unwrap().reveal(), "y");
        assert_eq!(clone.open(&before, "c").unwrap().reveal(), "x");
        assert_eq!(clone.salt_of("ada"), sealer("0a").salt_of("ada"), "salts stay");
        let none = Sealer::with([], &LastingSecrets::issue(random));
        assert_eq!(none.seal(&PlainSecret::presented("x"), "c", random).unwrap_err(), SealError::NoKey);
    }

    #[test]
    fn a_list_that_was_read_before_a_key_was_taken_away_teaches_nothing_afterwards() {
        let random = &mut Counting(0);
        let (first, retired, newest) =
            (DataKey::issue(random), DataKey::issue(random), DataKey::issue(random));
        let sealer = Sealer::with([first.clone()], &LastingSecrets::issue(random));
        sealer.learn(7, [newest.clone()]);
        sealer.learn(6, [first.clone(), retired.clone()]);
        assert!(!sealer.knows(retired.id()));
        assert_eq!(sealer.key_id(), newest.id());
        assert!(sealer.knows(first.id()), "what was learned in time stays");
        sealer.learn(7, [newest.clone()]);
        assert_eq!(sealer.key_id(), newest.id(), "the same list changes nothing");
        sealer.learn(8, [newest.clone(), first.clone()]);
        assert_eq!(sealer.key_id(), first.id(), "the latest list says which one seals");
    }

    #[test]
    fn a_user_name_has_one_salt_under_one_key() {
        assert_eq!(sealer("0a").salt_of("ada"), sealer("0a").salt_of("ada"));
        assert_ne!(sealer("0a").salt_of("ada"), sealer("0a").salt_of("bob"));
        assert_ne!(sealer("0a").salt_of("ada"), sealer("0b").salt_of("ada"));
    }

    #[test]
    fn a_master_key_is_64_hex_digits_and_is_not_shown() {
        let key = MasterKey::from_hex(&format!("{}\n", "Ab".repeat(32))).unwrap();
        assert_eq!(key.to_hex().reveal(), "ab".repeat(32));
        assert_eq!(format!("{key:?}"), "******");
        for wrong in ["", "ab", &"g".repeat(64), &"a".repeat(63), &"a".repeat(66)] {
            assert!(MasterKey::from_hex(wrong).is_none(), "{wrong}");
        }
    }
}
