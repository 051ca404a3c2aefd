//! Basic-auth credentials by user name; user names need not be unique, so a name leads to several.
//!
//! Passwords are kept as their slow hash only; who checks them is `passwords.rs`.

use std::{
    hash::BuildHasher,
    sync::{Arc, PoisonError, RwLock},
};

use hashbrown::{DefaultHashBuilder, HashMap};

use crate::{applications::ApplicationSlot, compact_ids::CompactId};

const SHARDS: usize = 16;

/// One live version of a basic-auth credential.
#[derive(Clone)]
pub(crate) struct UserRecord {
    /// The slow hash, a PHC string.
    pub(crate) password_hash: Arc<str>,
    /// The credential.
    pub(crate) credential: CompactId,
    /// The application it belongs to.
    pub(crate) application: Arc<ApplicationSlot>,
    /// Microseconds since 1970 from which on it is refused.
    pub(crate) valid_until: i64,
    /// Microseconds since 1970 at which the credential was made.
    pub(crate) created_at: i64,
}

/// What names one record: a credential can hold several user names and hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserPlace {
    /// The user name.
    pub(crate) username: Box<str>,
    /// The slow hash.
    pub(crate) password_hash: Arc<str>,
}

type Shard = RwLock<HashMap<Box<str>, Vec<UserRecord>>>;

/// All live basic-auth credentials.
pub(crate) struct UserStore {
    hasher: DefaultHashBuilder,
    shards: Box<[Shard]>,
}

impl UserStore {
    /// An empty store.
    pub(crate) fn new() -> Self {
        Self {
            hasher: DefaultHashBuilder::default(),
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
    }

    /// Calls `visit` with each live version of this user name.
    pub(crate) fn visit(&self, username: &str, visit: impl FnMut(&UserRecord)) {
        if let Some(shard) = self.shard(username) {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.get(username).into_iter().flatten().for_each(visit);
        }
    }

    /// Adds a version.
    pub(crate) fn insert(&self, username: &str, record: UserRecord) {
        if let Some(shard) = self.shard(username) {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.entry(username.into()).or_default().push(record);
        }
    }

    /// Changes the version of `credential` that lies there, or removes it where `change` answers false.
    pub(crate) fn retain(
        &self,
        place: &UserPlace,
        credential: &CompactId,
        change: impl Fn(&mut UserRecord) -> bool,
    ) {
        let Some(shard) = self.shard(&place.username) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let Some(records) = shard.get_mut(&*place.username) else { return };
        records.retain_mut(|record| {
            let meant = record.credential == *credential && record.password_hash == place.password_hash;
            !meant || change(record)
        });
        if records.is_empty() {
            shard.remove(&*place.username);
        }
    }

    fn shard(&self, username: &str) -> Option<&Shard> {
        self.shards.get(self.hasher.hash_one(username) as usize % SHARDS)
    }
}
