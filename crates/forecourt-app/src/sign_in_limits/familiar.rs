//! From which addresses each account was signed in to: failures there are counted apart from everybody else's.
//!
//! Invariant: only a right credential makes an address familiar. So whoever fails under somebody's name from elsewhere
//! keeps out those who come from elsewhere too, and never the owner where they usually are. It is kept in memory alone.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use forecourt_core::time::Timestamp;

use super::REMEMBERED;

/// How long an address stays familiar after the last right credential from it, seconds: 30 days.
pub(super) const SECONDS: i64 = 30 * 24 * 60 * 60;

/// Pairs of account and address, each with the time of the last right credential; at most [`REMEMBERED`].
#[derive(Default)]
pub(super) struct Familiar(Mutex<HashMap<String, Timestamp>>);

impl Familiar {
    /// Whether a credential was right for this pair within the last [`SECONDS`].
    pub(super) fn holds(&self, pair: &str, now: Timestamp) -> bool {
        let pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.get(pair).is_some_and(|last| now < last.plus_seconds(SECONDS))
    }

    /// Notes that a credential was right for this pair.
    pub(super) fn note(&self, pair: String, now: Timestamp) {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pairs.len() >= REMEMBERED && !pairs.contains_key(&pair) {
            make_room(&mut pairs);
        }
        pairs.insert(pair, now);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Forgets the quarter that was right longest ago.
fn make_room(pairs: &mut HashMap<String, Timestamp>) {
    let mut oldest: Vec<_> = pairs.iter().map(|(pair, last)| (*last, pair.clone())).collect();
    oldest.select_nth_unstable(REMEMBERED / 4);
    for (_, pair) in oldest.into_iter().take(REMEMBERED / 4) {
        pairs.remove(&pair);
    }
}
