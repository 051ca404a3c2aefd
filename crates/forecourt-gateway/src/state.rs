//! What the gateway enforces now: read by every request, changed in place by one writer.
//!
//! Routing (services, routes, products) is one immutable table behind a pointer; credentials lie in sharded
//! maps; each application is a small view behind its own pointer. So a change of one credential among a million
//! touches one shard for a moment, and a request takes no lock that all others need.
//!
//! **No request is let through by half a batch.** What a request needs beside the table is a set of facts (this
//! version is live, this application is active, this grant exists), and more facts never forbid. A batch is
//! applied as: take away every fact that the new state lacks; swap the table; advance `turn`; add what is new
//! (`changes.rs`). A reader decides between two equal readings of `turn` and starts over otherwise. All facts
//! that it saw then belong to one state: before the turn they are a subset of the old one, after it of the new
//! one, and the table it saw is that state's own (or already the new one while only common facts remain).

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering, fence},
};

use arc_swap::ArcSwap;
use forecourt_wire::changes::ChangeBatch;

use crate::{
    certificates::Certificates, changes::Writer, key_store::KeyStore, route::RoutingTable,
    user_store::UserStore,
};

/// All that requests are decided by.
pub(crate) struct State {
    /// Services, routes and products.
    pub(crate) table: ArcSwap<RoutingTable>,
    /// Certificates that callers are shown.
    pub(crate) certificates: ArcSwap<Certificates>,
    /// API keys.
    pub(crate) keys: KeyStore,
    /// Users of basic-auth.
    pub(crate) users: UserStore,
    turn: AtomicU64,
    writer: Mutex<Writer>,
}

impl State {
    /// The state of a gateway that has been told nothing: no path is known.
    pub(crate) fn empty(seed: [u64; 2]) -> Self {
        Self {
            table: ArcSwap::from_pointee(RoutingTable::default()),
            certificates: ArcSwap::default(),
            keys: KeyStore::new(seed),
            users: UserStore::new(),
            turn: AtomicU64::new(0),
            writer: Mutex::default(),
        }
    }

    /// Applies a batch wholly and answers the revision that is in force afterwards.
    pub(crate) fn apply(&self, batch: &ChangeBatch) -> i64 {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).apply(self, batch)
    }

    /// Forgets deletions up to `revision`; older changes are ignored from then on.
    pub(crate) fn forget_deleted(&self, revision: i64) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).forget_deleted(revision);
    }

    /// Reads one state, never a mixture of two: `read` may run again and must have no effect of its own.
    pub(crate) fn consistently<R>(&self, mut read: impl FnMut(&RoutingTable) -> R) -> R {
        loop {
            let before = self.turn.load(Ordering::SeqCst);
            let table = self.table.load();
            let result = read(&table);
            fence(Ordering::SeqCst);
            if self.turn.load(Ordering::SeqCst) == before {
                return result;
            }
        }
    }

    /// The writer's step between taking away and adding.
    pub(crate) fn advance_turn(&self) {
        self.turn.fetch_add(1, Ordering::SeqCst);
    }
}

/// Numbers for names that are compared on every request: portals and products.
#[derive(Default)]
pub(crate) struct Numbers {
    known: hashbrown::HashMap<Arc<str>, u32>,
}

impl Numbers {
    /// The number of this name, which stays the same for the life of the process.
    pub(crate) fn of(&mut self, name: &str) -> u32 {
        if let Some(number) = self.known.get(name) {
            return *number;
        }
        let number = self.known.len() as u32;
        self.known.insert(name.into(), number);
        number
    }

    /// The number of this name, if it has one.
    pub(crate) fn known(&self, name: &str) -> Option<u32> {
        self.known.get(name).copied()
    }

    /// All names with their numbers.
    pub(crate) fn names(&self) -> impl Iterator<Item = (u32, &str)> {
        self.known.iter().map(|(name, number)| (*number, &**name))
    }
}
