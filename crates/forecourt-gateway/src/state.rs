//! What the gateway enforces now: read by every request, changed in place by one writer.
//!
//! Routing (services, routes, products, plugins) and consumers are two immutable tables behind one pointer, so
//! that both are swapped together; credentials lie in sharded maps; each application is a small view behind a lock
//! of its own. So a change of one credential among a million touches one shard for a moment, and a request takes no
//! lock that all others need.
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
use forecourt_core::{gateway_state::Digests, ids::DcrProviderId};
use forecourt_wire::changes::ChangeBatch;

use crate::{
    certificates::Certificates,
    changes::Writer,
    consumers::Consumers,
    heads::Head,
    key_sets::KeySets,
    key_store::KeyStore,
    memory::Memory,
    named_store::NamedStore,
    route::{Route, RoutingTable},
    signatures::TokenVerifier,
};

/// What is compiled anew when a row changes; the part that did not change is shared with the table before.
#[derive(Default)]
pub(crate) struct Table {
    /// Services and routes, with their products and plugins.
    pub(crate) routing: Arc<RoutingTable>,
    /// Consumers.
    pub(crate) consumers: Arc<Consumers>,
}

impl Table {
    /// The route that such a request takes; see [`RoutingTable::find`].
    pub(crate) fn find(&self, head: &Head<'_>) -> Option<&Arc<Route>> {
        self.routing.find(head)
    }
}

/// All that requests are decided by.
pub(crate) struct State {
    /// Services, routes, products and consumers.
    pub(crate) table: ArcSwap<Table>,
    /// Certificates that callers are shown.
    pub(crate) certificates: ArcSwap<Certificates>,
    /// API keys.
    pub(crate) keys: KeyStore,
    /// Users of basic-auth, by user name, with the slow hash (a PHC string) of their password.
    pub(crate) users: NamedStore<Arc<str>>,
    /// Credentials of jwt-auth, by the key that tokens name.
    pub(crate) tokens: NamedStore<Arc<TokenVerifier>>,
    /// Tokens that public keys of jwt-auth credentials signed, whoever may use them now.
    pub(crate) signed_tokens: Memory<()>,
    /// OAuth clients, by the client id that their provider gave them.
    pub(crate) clients: NamedStore<DcrProviderId>,
    /// The keys of the providers' issuers; not rows, but what was fetched because of them.
    pub(crate) key_sets: KeySets,
    turn: AtomicU64,
    writer: Mutex<Writer>,
}

impl State {
    /// The state of a gateway that has been told nothing: no path is known.
    pub(crate) fn empty(seed: [u64; 2]) -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::default()),
            certificates: ArcSwap::default(),
            keys: KeyStore::new(seed),
            users: NamedStore::new(),
            tokens: NamedStore::new(),
            signed_tokens: Memory::default(),
            clients: NamedStore::new(),
            key_sets: KeySets::default(),
            turn: AtomicU64::new(0),
            writer: Mutex::default(),
        }
    }

    /// Applies a batch wholly and answers the revision that is in force afterwards.
    pub(crate) fn apply(&self, batch: &ChangeBatch) -> i64 {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).apply(self, batch)
    }

    /// Takes a snapshot of another line of revisions and answers its revision.
    pub(crate) fn replace(&self, batch: &ChangeBatch) -> i64 {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).replace(self, batch)
    }

    /// What rows are there, per kind.
    pub(crate) fn digests(&self) -> Digests {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).digests()
    }

    /// Forgets deletions up to `revision`; older changes are ignored from then on.
    pub(crate) fn forget_deleted(&self, revision: i64) {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).forget_deleted(revision);
    }

    /// Reads one state, never a mixture of two: `read` may run again and must have no effect of its own.
    pub(crate) fn consistently<R>(&self, mut read: impl FnMut(&Table) -> R) -> R {
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
