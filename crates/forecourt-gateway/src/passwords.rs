//! Slow password hashes, checked beside the event loop, and the bounded memory of those that fitted.
//!
//! The memory holds HMAC-SHA-256 of (user name, password, stored hash) under a key that this process made up, so
//! a changed row can never be satisfied by an old entry, and a refusal is never remembered. Every question that
//! the memory cannot answer costs at least one hash, whether or not the user name exists.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::{Argon2, PasswordVerifier, password_hash::phc::PasswordHash};
use hashbrown::HashSet;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::{
    presented::Basic,
    verify::{PasswordQuestion, Proven},
};

/// Entries per generation of the memory; at most twice as many are held.
const GENERATION: usize = 16_384;
/// How long a request waits for its turn before it is told to come back.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Argon2id with the parameters that the control plane uses; no password fits it.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Zm9yZWNvdXJ0ZHVtbXlzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Checks passwords, a bounded number at a time.
pub(crate) struct Passwords {
    key: [u8; 32],
    turns: Semaphore,
    fitted: Mutex<Fitted>,
}

/// No turn came up within the longest wait.
#[derive(Debug)]
pub(crate) struct Busy;

/// Two generations: an entry that is not asked for while the newer one fills up is forgotten.
#[derive(Default)]
struct Fitted {
    newer: HashSet<[u8; 32]>,
    older: HashSet<[u8; 32]>,
}

impl Passwords {
    /// `key` must be fresh random bytes; `at_once` is the number of hashes computed at the same time.
    pub(crate) fn new(key: [u8; 32], at_once: usize) -> Self {
        Self { key, turns: Semaphore::new(at_once.max(1)), fitted: Mutex::default() }
    }

    /// Finds the first hash of the question that the password fits.
    pub(crate) async fn answer(&self, question: PasswordQuestion) -> Result<Proven, Busy> {
        let PasswordQuestion { shown, hashes } = question;
        for hash in &hashes {
            if self.remembered(&self.mark(&shown, hash)) {
                return Ok(Proven(Some(Arc::clone(hash))));
            }
        }
        let turn = tokio::time::timeout(LONGEST_WAIT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Busy) };
        let check = tokio::task::spawn_blocking(move || {
            let fitting = first_fitting(shown.password(), hashes);
            (shown, fitting)
        });
        let Ok((shown, fitting)) = check.await else { return Ok(Proven(None)) };
        if let Some(hash) = &fitting {
            self.remember(self.mark(&shown, hash));
        }
        Ok(Proven(fitting))
    }

    fn mark(&self, shown: &Basic, hash: &str) -> [u8; 32] {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return [0; 32] };
        for part in [shown.username(), shown.password(), hash] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn remembered(&self, mark: &[u8; 32]) -> bool {
        let mut fitted = self.fitted.lock().unwrap_or_else(PoisonError::into_inner);
        if fitted.newer.contains(mark) {
            return true;
        }
        let was_older = fitted.older.remove(mark);
        if was_older {
            fitted.put(*mark);
        }
        was_older
    }

    fn remember(&self, mark: [u8; 32]) {
        self.fitted.lock().unwrap_or_else(PoisonError::into_inner).put(mark);
    }
}

impl Fitted {
    fn put(&mut self, mark: [u8; 32]) {
        if self.newer.len() >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(mark);
    }
}

fn first_fitting(password: &str, hashes: Vec<Arc<str>>) -> Option<Arc<str>> {
    if hashes.is_empty() {
        fits(password, DUMMY_HASH);
        return None;
    }
    hashes.into_iter().find(|hash| fits(password, hash))
}

fn fits(password: &str, hash: &str) -> bool {
    match PasswordHash::new(hash) {
        Ok(parsed) => Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok(),
        Err(error) => {
            tracing::error!(%error, "a stored password hash is no PHC string and fits nothing");
            false
        }
    }
}

#[cfg(test)]
#[path = "tests/passwords.rs"]
mod tests;
