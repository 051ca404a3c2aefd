//! Slow password hashes, checked beside the event loop, and the bounded memory of those that fitted.
//!
//! The memory holds HMAC-SHA-256 of user name, password and all stored hashes in question, under a key that this
//! process made up, so a changed row can never be satisfied by an old entry, and a refusal is never remembered. Every
//! question that the memory cannot answer costs at least one hash, whether or not the user name exists; and one hash
//! answers for all namesakes whose hashes have the same salt and parameters. Each hash takes a turn of its own
//! (`turns.rs`), so a question that needs many delays no other address by more than one.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use argon2::{
    Argon2, CustomizedPasswordHasher, Params,
    password_hash::phc::{Output, PasswordHash},
};
use hashbrown::HashMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{
    memory::{Mark, Memory},
    presented::Basic,
    turns::{Share, Turn, Turns},
    verify::{PasswordAnswer, PasswordQuestion},
};

/// How long a request waits for a turn before it is told to come back.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The longest password that is looked at, in bytes.
const LONGEST_PASSWORD: usize = 1_024;
/// Argon2id with the parameters that the control plane uses; no password fits it.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Zm9yZWNvdXJ0ZHVtbXlzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Checks passwords, a bounded number at a time.
pub(crate) struct Passwords {
    key: [u8; 32],
    turns: Turns,
    fitted: Memory<Arc<[Arc<str>]>>,
    computed: AtomicU64,
}

/// No turn came up within the longest wait, or too many of this address wait already.
#[derive(Debug)]
pub(crate) struct Busy;

impl Passwords {
    /// `key` must be fresh random bytes; `at_once` is the number of hashes computed at the same time.
    pub(crate) fn new(key: [u8; 32], at_once: usize) -> Self {
        Self { key, turns: Turns::new(at_once), fitted: Memory::default(), computed: AtomicU64::new(0) }
    }

    /// How many slow hashes were computed so far.
    pub(crate) fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// Finds the hashes of the question that the password fits, asked by a caller from `address`.
    pub(crate) async fn answer(
        &self,
        question: PasswordQuestion,
        address: IpAddr,
    ) -> Result<PasswordAnswer, Busy> {
        let PasswordQuestion { asker, shown, mut hashes } = question;
        if shown.password().len() > LONGEST_PASSWORD {
            hashes.clear();
        }
        let mark = self.mark(&shown, &hashes);
        if let Some(fitting) = self.fitted.recall(&mark) {
            return Ok(PasswordAnswer { asker, fitting });
        }
        let fitting: Arc<[_]> = self.fitting(Arc::new(shown), &hashes, Share::of(address)).await?.into();
        if !fitting.is_empty() {
            self.fitted.put(mark, Arc::clone(&fitting));
        }
        Ok(PasswordAnswer { asker, fitting })
    }

    /// Those that the password fits, as far as needed to know the first of them.
    async fn fitting(
        &self,
        shown: Arc<Basic>,
        hashes: &[Arc<str>],
        share: Share,
    ) -> Result<Vec<Arc<str>>, Busy> {
        let mut fitting: Vec<(usize, Arc<str>)> = Vec::new();
        let mut computed = false;
        for group in groups(hashes) {
            // Whatever this group holds is younger than one that fits already.
            if fitting.iter().any(|(place, _)| group.first().is_some_and(|(first, _)| place < first)) {
                break;
            }
            let (turn, shown) = (self.turn(share).await?, Arc::clone(&shown));
            let check = blocking(turn, move || fitting_of(shown.password(), group)).await;
            if check.is_some() {
                computed = true;
                self.computed.fetch_add(1, Ordering::Relaxed);
            }
            fitting.extend(check.into_iter().flatten());
        }
        if !computed && let Some(dummy) = parse(DUMMY_HASH) {
            let turn = self.turn(share).await?;
            blocking(turn, move || compute("", &dummy).map(std::hint::black_box)).await;
            self.computed.fetch_add(1, Ordering::Relaxed);
        }
        fitting.sort_by_key(|(place, _)| *place);
        Ok(fitting.into_iter().map(|(_, hash)| hash).collect())
    }

    async fn turn(&self, share: Share) -> Result<Turn, Busy> {
        match tokio::time::timeout(LONGEST_WAIT, self.turns.take(share)).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Busy),
        }
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

/// What `check` finds, beside the event loop. The turn ends with it, even where the caller is gone by then.
async fn blocking<T: Send + 'static>(
    turn: Turn,
    check: impl FnOnce() -> Option<T> + Send + 'static,
) -> Option<T> {
    let checked = tokio::task::spawn_blocking(move || {
        let found = check();
        drop(turn);
        found
    });
    // A check that broke off proved nothing.
    checked.await.ok().flatten()
}

/// Those of a group that the password fits; `None`: there was nothing to compute.
fn fitting_of(password: &str, group: Group) -> Option<Group> {
    let parsed: Vec<_> = group
        .into_iter()
        .filter_map(|(place, hash)| parse(&hash).map(|parsed| (place, hash, parsed)))
        .collect();
    let (_, _, first) = parsed.first()?;
    let output = compute(password, first)?;
    // Outputs are compared in constant time.
    let same = parsed.into_iter().filter(|(_, _, hash)| hash.hash.as_ref() == Some(&output));
    Some(same.map(|(place, hash, _)| (place, hash)).collect())
}

/// Hashes that one computation answers for, with their places among all.
type Group = Vec<(usize, Arc<str>)>;

/// The hashes with their places, those together that one computation answers for; the oldest first.
fn groups(hashes: &[Arc<str>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<(&str, usize), usize> = HashMap::new();
    for (place, hash) in hashes.iter().enumerate() {
        let (settings, output) = hash.rsplit_once('$').unwrap_or((hash, ""));
        let next = groups.len();
        let number = *places.entry((settings, output.len())).or_insert(next);
        match groups.get_mut(number) {
            Some(group) => group.push((place, Arc::clone(hash))),
            None => groups.push(vec![(place, Arc::clone(hash))]),
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
