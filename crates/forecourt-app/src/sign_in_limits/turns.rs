//! Whose password is hashed next, of addresses that failed too often: one at a time, and each address in its turn.
//!
//! Invariants: an address stands in the line once, however many passwords it sends, so that none keeps another out; and
//! what is remembered is gone with the last password of an address.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// At most this many passwords from one address wait to be hashed, the one that is being hashed included.
pub(super) const CROWD: usize = 8;
/// At most this many do from all of them: each is a call that is kept open.
pub(super) const CROWDS: usize = 4_096;

/// The line.
pub(super) struct Turns {
    crowds: Mutex<Crowds>,
    line: Semaphore,
}

#[derive(Default)]
struct Crowds {
    of: HashMap<String, Crowd>,
    places: usize,
}

/// The passwords of one address.
struct Crowd {
    places: usize,
    /// Which of them stands in the line.
    front: Arc<Semaphore>,
}

/// The turn of an address; it ends when this is dropped.
pub(crate) struct Turn<'a> {
    _line: SemaphorePermit<'a>,
    _front: OwnedSemaphorePermit,
    _place: Place<'a>,
}

/// One of the passwords of an address.
struct Place<'a> {
    turns: &'a Turns,
    key: String,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut crowds = self.turns.crowds();
        crowds.places -= 1;
        if let Some(crowd) = crowds.of.get_mut(&self.key) {
            crowd.places -= 1;
            if crowd.places == 0 {
                crowds.of.remove(&self.key);
            }
        }
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self { crowds: Mutex::default(), line: Semaphore::new(1) }
    }
}

impl Turns {
    /// The turn of the address that is remembered by `key`, once it comes; `None` where too many wait already.
    pub(super) async fn take(&self, key: String) -> Option<Turn<'_>> {
        let (place, front) = self.place(key)?;
        let front = front.acquire_owned().await.ok()?;
        let line = self.line.acquire().await.ok()?;
        Some(Turn { _line: line, _front: front, _place: place })
    }

    fn place(&self, key: String) -> Option<(Place<'_>, Arc<Semaphore>)> {
        let mut crowds = self.crowds();
        if crowds.places >= CROWDS {
            return None;
        }
        let crowd = crowds
            .of
            .entry(key.clone())
            .or_insert_with(|| Crowd { places: 0, front: Arc::new(Semaphore::new(1)) });
        if crowd.places >= CROWD {
            return None;
        }
        crowd.places += 1;
        let front = Arc::clone(&crowd.front);
        crowds.places += 1;
        Some((Place { turns: self, key }, front))
    }

    fn crowds(&self) -> MutexGuard<'_, Crowds> {
        self.crowds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.crowds().of.len()
    }
}
