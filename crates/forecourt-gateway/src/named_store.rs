//! Credentials that are found by a name that need not be unique, so that a name leads to several: users of
//! basic-auth, keys of jwt-auth, OAuth clients.
//!
//! Beside the name stands what proves that a caller is meant: a slow password hash (`passwords.rs`), what verifies
//! a token's signature (`signatures.rs`), the provider that speaks for the client (`key_sets.rs`).

use std::{
    hash::BuildHasher,
    sync::{Arc, PoisonError, RwLock},
};

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::{applications::ApplicationSlot, compact_ids::CompactId};

const SHARDS: usize = 16;

/// One live version of a credential.
pub(crate) struct NamedRecord<P> {
    /// What must be proven.
    pub(crate) proof: P,
    /// The credential.
    pub(crate) credential: CompactId,
    /// The application it belongs to.
    pub(crate) application: Arc<ApplicationSlot>,
    /// Microseconds since 1970 from which on it is refused.
    pub(crate) valid_until: i64,
    /// Microseconds since 1970 at which the credential was made.
    pub(crate) created_at: i64,
}

/// What leads to one record: a credential can hold several names and proofs.
#[derive(Clone, PartialEq)]
pub(crate) struct NamedPlace<P> {
    /// The name.
    pub(crate) name: Box<str>,
    /// What must be proven.
    pub(crate) proof: P,
}

type Shard<P> = RwLock<HashMap<Box<str>, Vec<NamedRecord<P>>>>;

/// All live credentials of one kind.
pub(crate) struct NamedStore<P> {
    hasher: DefaultHashBuilder,
    shards: Box<[Shard<P>]>,
}

impl<P: PartialEq> NamedStore<P> {
    /// An empty store.
    pub(crate) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    /// Calls `visit` with each live version of this name.
    pub(crate) fn visit(&self, name: &str, visit: impl FnMut(&NamedRecord<P>)) {
        if let Some(shard) = self.shard(name) {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.get(name).into_iter().flatten().for_each(visit);
        }
    }

    /// Adds a version.
    pub(crate) fn insert(&self, name: &str, record: NamedRecord<P>) {
        if let Some(shard) = self.shard(name) {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.entry(name.into()).or_default().push(record);
        }
    }

    /// Whether the version of `credential` that lies there is this application's.
    pub(crate) fn holds(
        &self,
        place: &NamedPlace<P>,
        credential: &CompactId,
        application: &Arc<ApplicationSlot>,
    ) -> bool {
        let mut found = false;
        self.visit(&place.name, |record| {
            found |= record.credential == *credential
                && record.proof == place.proof
                && Arc::ptr_eq(&record.application, application);
        });
        found
    }

    /// Changes the version of `credential` that lies there, or removes it where `change` answers false.
    pub(crate) fn retain(
        &self,
        place: &NamedPlace<P>,
        credential: &CompactId,
        change: impl Fn(&mut NamedRecord<P>) -> bool,
    ) {
        let Some(shard) = self.shard(&place.name) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let Some(records) = shard.get_mut(&*place.name) else { return };
        records.retain_mut(|record| {
            let meant = record.credential == *credential && record.proof == place.proof;
            !meant || change(record)
        });
        if records.is_empty() {
            shard.remove(&*place.name);
        }
    }

    /// Changes end and age of the version of `credential` that lies there.
    pub(crate) fn set_times(
        &self,
        place: &NamedPlace<P>,
        credential: &CompactId,
        times: impl Fn(i64, i64) -> (i64, i64),
    ) {
        self.retain(place, credential, |record| {
            (record.valid_until, record.created_at) = times(record.valid_until, record.created_at);
            true
        });
    }

    fn shard(&self, name: &str) -> Option<&Shard<P>> {
        self.shards.get(self.hasher.hash_one(name) as usize % SHARDS)
    }
}
