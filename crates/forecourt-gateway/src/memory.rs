//! A bounded memory of what costly work has proven, so that the same proof is not worked out for each request.
//!
//! Invariants: only successes are put in, under a digest of all that they depend on, so that a change of any of it
//! finds nothing; and no one can make it grow. Used by `passwords.rs`, `key_sets.rs` and `verify/tokens.rs`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

/// Parts, each behind its own lock.
const PARTS: usize = 8;
/// Entries per generation of a part; at most twice as many are held.
const GENERATION: usize = 2_048;

/// The digest of all that a proof depends on.
pub(crate) type Mark = [u8; 32];

/// What was proven, by mark.
pub(crate) struct Memory<V> {
    parts: [Mutex<Part<V>>; PARTS],
}

/// Two generations: an entry that is not asked for while the newer one fills up is forgotten.
struct Part<V> {
    newer: HashMap<Mark, V>,
    older: HashMap<Mark, V>,
}

impl<V> Default for Memory<V> {
    fn default() -> Self {
        let part = || Mutex::new(Part { newer: HashMap::new(), older: HashMap::new() });
        Self { parts: std::array::from_fn(|_| part()) }
    }
}

impl<V: Clone> Memory<V> {
    /// What was proven under this mark.
    pub(crate) fn recall(&self, mark: &Mark) -> Option<V> {
        let mut part = self.part(mark)?;
        if let Some(value) = part.newer.get(mark) {
            return Some(value.clone());
        }
        let value = part.older.remove(mark)?;
        part.put(*mark, value.clone());
        Some(value)
    }

    /// Remembers what was proven.
    pub(crate) fn put(&self, mark: Mark, value: V) {
        if let Some(mut part) = self.part(&mark) {
            part.put(mark, value);
        }
    }

    fn part(&self, mark: &Mark) -> Option<MutexGuard<'_, Part<V>>> {
        let [first, ..] = mark;
        let part = self.parts.get(usize::from(*first) % PARTS)?;
        Some(part.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<V> Part<V> {
    fn put(&mut self, mark: Mark, value: V) {
        if self.newer.len() >= GENERATION {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(mark, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{GENERATION, Mark, Memory, PARTS};

    impl<V> Memory<V> {
        /// How many proofs it holds.
        pub(crate) fn len(&self) -> usize {
            let parts = self.parts.iter().map(|part| part.lock().unwrap());
            parts.map(|part| part.newer.len() + part.older.len()).sum()
        }
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        let memory = Memory::default();
        let mark = |n: u64| -> Mark {
            let mut mark = [0; 32];
            mark[..8].copy_from_slice(&n.to_le_bytes());
            mark
        };
        for n in 0..100_000 {
            memory.put(mark(n), n);
            assert_eq!(memory.recall(&mark(0)), Some(0), "in use at {n}");
        }
        assert!(memory.len() <= 2 * GENERATION * PARTS);
        assert_eq!(memory.recall(&mark(1)), None);
        assert_eq!(memory.recall(&mark(99_999)), Some(99_999));
    }
}
