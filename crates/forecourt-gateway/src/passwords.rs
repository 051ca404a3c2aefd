//! Slow password hashes, checked beside the event loop, and the bounded memory of those that fitted.
//!
//! The memory holds HMAC-SHA-256 of user name, password and all stored hashes in question, under a key that this
//! process made up, so a changed row can never be satisfied by an old entry, and a refusal is never remembered. Every
//! question that the memory cannot answer costs at least one hash, whether or not the user name exists; and one hash
//! answers for all namesakes whose hashes have the same salt and parameters.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2, CustomizedPasswordHasher, Params,
    password_hash::phc::{Output, PasswordHash},
};
use hashbrown::HashMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::{
    memory::{Mark, Memory},
    presented::Basic,
    verify::{PasswordAnswer, PasswordQuestion},
};

/// How long a request waits for its turn before it is told to come back.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The longest password that is looked at, in bytes.
const LONGEST_PASSWORD: usize = 1_024;
/// How many hashes one request may cost: distinct pairs of salt and parameters, those of the oldest credentials first.
const MOST_GROUPS: usize = 8;
/// Argon2id with the parameters that the control plane uses; no password fits it.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Zm9yZWNvdXJ0ZHVtbXlzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Checks passwords, a bounded number at a time.
pub(crate) struct Passwords {
    key: [u8; 32],
    turns: Semaphore,
    fitted: Memory<Arc<[Arc<str>]>>,
}

/// No turn came up within the longest wait.
#[derive(Debug)]
pub(crate) struct Busy;

impl Passwords {
    /// `key` must be fresh random bytes; `at_once` is the number of hashes computed at the same time.
    pub(crate) fn new(key: [u8; 32], at_once: usize) -> Self {
        Self { key, turns: Semaphore::new(at_once.max(1)), fitted: Memory::default() }
    }

    /// Finds the hashes of the question that the password fits.
    pub(crate) async fn answer(&self, question: PasswordQuestion) -> Result<PasswordAnswer, Busy> {
        let PasswordQuestion { asker, shown, mut hashes } = question;
        if shown.password().len() > LONGEST_PASSWORD {
            hashes.clear();
        }
        let mark = self.mark(&shown, &hashes);
        if let Some(fitting) = self.fitted.recall(&mark) {
            return Ok(PasswordAnswer { asker, fitting });
        }
        let turn = tokio::time::timeout(LONGEST_WAIT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Busy) };
        let check = tokio::task::spawn_blocking(move || fitting(shown.password(), &hashes));
        // A check that broke off proved nothing.
        let fitting: Arc<[_]> = check.await.unwrap_or_default().into();
        if !fitting.is_empty() {
            self.fitted.put(mark, Arc::clone(&fitting));
        }
        Ok(PasswordAnswer { asker, fitting })
    }

    fn mark(&self, shown: &Basic, hashes: &[Arc<str>]) -> Mark {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return [0; 32] };
        for part in [shown.username(), shown.password()].into_iter().chain(hashes.iter().map(|hash| &**hash))
        {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// Those that the password fits, as far as needed to know the first of them.
fn fitting(password: &str, hashes: &[Arc<str>]) -> Vec<Arc<str>> {
    let mut fitting: Vec<(usize, &Arc<str>)> = Vec::new();
    let mut computed = false;
    for group in groups(hashes) {
        // Whatever this group holds is younger than one that fits already.
        if fitting.iter().any(|(place, _)| group.first().is_some_and(|(first, _)| place < first)) {
            break;
        }
        let parsed: Vec<_> =
            group.into_iter().filter_map(|(place, hash)| Some((place, hash, parse(hash)?))).collect();
        let Some((_, _, first)) = parsed.first() else { continue };
        computed = true;
        let Some(output) = compute(password, first) else { continue };
        // Outputs are compared in constant time.
        let same = parsed.iter().filter(|(_, _, hash)| hash.hash.as_ref() == Some(&output));
        fitting.extend(same.map(|(place, hash, _)| (*place, *hash)));
    }
    if !computed && let Some(dummy) = parse(DUMMY_HASH) {
        std::hint::black_box(compute("", &dummy));
    }
    fitting.sort_by_key(|(place, _)| *place);
    fitting.into_iter().map(|(_, hash)| Arc::clone(hash)).collect()
}

/// The hashes with their places, those together that one computation answers for; only as many as may be computed.
fn groups(hashes: &[Arc<str>]) -> Vec<Vec<(usize, &Arc<str>)>> {
    let mut groups: Vec<Vec<(usize, &Arc<str>)>> = Vec::new();
    let mut places: HashMap<(&str, usize), usize> = HashMap::new();
    for (place, hash) in hashes.iter().enumerate() {
        let (settings, output) = hash.rsplit_once('$').unwrap_or((hash, ""));
        let next = groups.len();
        let known = places.get(&(settings, output.len())).copied();
        if known.is_none() && next == MOST_GROUPS {
            continue;
        }
        let number = *places.entry((settings, output.len())).or_insert(next);
        match groups.get_mut(number) {
            Some(group) => group.push((place, hash)),
            None => groups.push(vec![(place, hash)]),
        }
    }
    groups
}

fn parse(hash: &str) -> Option<PasswordHash> {
    let parsed = PasswordHash::new(hash);
    parsed
        .inspect_err(
            |error| tracing::error!(%error, "a stored password hash is no PHC string and fits nothing"),
        )
        .ok()
}

/// The hash of this password with the salt and the parameters of that one.
fn compute(password: &str, like: &PasswordHash) -> Option<Output> {
    let parameters = Params::try_from(like).ok()?;
    let name = Some(like.algorithm.as_str());
    let salt = like.salt.as_ref()?;
    let hash =
        Argon2::default().hash_password_customized(password.as_bytes(), salt, name, like.version, parameters);
    hash.ok()?.hash
}

#[cfg(test)]
#[path = "tests/passwords.rs"]
mod tests;
