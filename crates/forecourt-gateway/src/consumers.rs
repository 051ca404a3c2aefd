//! The consumers of a gateway, found by what they show: keys by digest, passwords by user name, tokens by key.
//!
//! An immutable index in shards: a changed consumer copies the few shards that it touches and shares the others,
//! so a change costs the same whatever the number of consumers, and requests read one whole state (`state.rs`).
//! Invariants: what the index holds is a function of the rows, in whatever order they came; an entry counts for
//! services of its consumer's own group only.

use std::{
    hash::{BuildHasher, Hash},
    sync::Arc,
};

use forecourt_core::{
    gateway_state::{ConsumerSecret, ConsumerState},
    ids::GatewayGroupId,
    secrets::SecretDigest,
};
use hashbrown::{DefaultHashBuilder, HashMap};
use http::HeaderValue;

use crate::{signatures::TokenVerifier, verify::restriction::Restriction};

const SHARDS: usize = 256;

/// Somebody whom administrators manage.
pub(crate) struct Consumer {
    group: GatewayGroupId,
    /// Unique within the group.
    pub(crate) username: Box<str>,
    /// What the upstream is told beside the name.
    pub(crate) custom_id: Option<HeaderValue>,
    /// Takes the place of the route's restriction.
    pub(crate) restriction: Option<Restriction>,
}

/// One thing that a consumer may show.
pub(crate) struct Entry<S> {
    /// Whose it is.
    pub(crate) consumer: Arc<Consumer>,
    /// Its credential's id; `None` where it lies in the consumer itself.
    pub(crate) credential: Option<Arc<str>>,
    /// What it is verified with.
    pub(crate) secret: S,
}

/// All consumers; a clone shares everything until one of both is changed.
#[derive(Clone, Default)]
pub(crate) struct Consumers {
    keys: Shards<SecretDigest, ()>,
    users: Shards<Box<str>, Arc<str>>,
    tokens: Shards<Box<str>, Arc<TokenVerifier>>,
}

impl Consumers {
    /// What this key proves.
    pub(crate) fn by_key(&self, group: &GatewayGroupId, digest: &SecretDigest) -> Option<&Entry<()>> {
        self.keys.entries(digest).find(|entry| entry.consumer.group == *group)
    }

    /// What this user name may prove, by the password's slow hash.
    pub(crate) fn by_user<'a>(
        &'a self,
        group: &'a GatewayGroupId,
        name: &str,
    ) -> impl Iterator<Item = &'a Entry<Arc<str>>> {
        self.users.entries(name).filter(move |entry| entry.consumer.group == *group)
    }

    /// What a token that names this key may prove.
    pub(crate) fn by_token_key(
        &self,
        group: &GatewayGroupId,
        key: &str,
    ) -> Option<&Entry<Arc<TokenVerifier>>> {
        self.tokens.entries(key).find(|entry| entry.consumer.group == *group)
    }

    /// Puts a consumer in the place of the one that `old` described.
    pub(crate) fn replace(&mut self, old: Option<&ConsumerState>, new: Option<&ConsumerState>) {
        if let Some(old) = old {
            self.remove(old);
        }
        if let Some(new) = new {
            self.insert(new);
        }
    }

    fn remove(&mut self, row: &ConsumerState) {
        for credential in &row.credentials {
            match &credential.secret {
                ConsumerSecret::KeyAuth { digest } => self.keys.remove(digest, row),
                ConsumerSecret::BasicAuth { username, .. } => self.users.remove(username.as_str(), row),
                ConsumerSecret::JwtAuth { key, .. } => self.tokens.remove(key.as_str(), row),
            }
        }
    }

    fn insert(&mut self, row: &ConsumerState) {
        let consumer = Arc::new(Consumer {
            group: row.gateway_group_id.clone(),
            username: row.username.as_str().into(),
            custom_id: row.custom_id.as_deref().and_then(|id| HeaderValue::from_bytes(id.as_bytes()).ok()),
            restriction: row.restriction.as_ref().map(Restriction::compile),
        });
        for credential in &row.credentials {
            let (consumer, id) = (Arc::clone(&consumer), credential.id.as_deref().map(Into::into));
            match &credential.secret {
                ConsumerSecret::KeyAuth { digest } => {
                    self.keys.insert(*digest, Entry { consumer, credential: id, secret: () });
                }
                ConsumerSecret::BasicAuth { username, password_hash } => {
                    let secret = password_hash.as_str().into();
                    self.users.insert(username.as_str().into(), Entry { consumer, credential: id, secret });
                }
                ConsumerSecret::JwtAuth { key, secret } => {
                    let secret = Arc::new(TokenVerifier::new(secret, key));
                    self.tokens.insert(key.as_str().into(), Entry { consumer, credential: id, secret });
                }
            }
        }
    }
}

impl Consumer {
    fn is(&self, row: &ConsumerState) -> bool {
        *self.username == *row.username && self.group == row.gateway_group_id
    }
}

impl<S: Clone> Clone for Entry<S> {
    fn clone(&self) -> Self {
        Self {
            consumer: Arc::clone(&self.consumer),
            credential: self.credential.clone(),
            secret: self.secret.clone(),
        }
    }
}

/// Entries under each of their names, by user name; the control plane sees to it that nearly all have one.
type Shard<K, S> = HashMap<K, Vec<Entry<S>>, DefaultHashBuilder>;

#[derive(Clone)]
struct Shards<K, S> {
    hasher: DefaultHashBuilder,
    shards: Box<[Arc<Shard<K, S>>]>,
}

impl<K, S> Default for Shards<K, S> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::default());
        Self {
            hasher: DefaultHashBuilder::default(),
            shards: (0..SHARDS).map(|_| Arc::clone(&empty)).collect(),
        }
    }
}

impl<K: Hash + Eq + Clone, S: Clone> Shards<K, S> {
    fn place(&self, key: &(impl Hash + ?Sized)) -> usize {
        // Bits that the map within the shard does not lean on.
        (self.hasher.hash_one(key) >> 32) as usize % SHARDS
    }

    fn entries<Q>(&self, key: &Q) -> impl Iterator<Item = &Entry<S>> + use<'_, Q, K, S>
    where
        Q: Hash + hashbrown::Equivalent<K> + ?Sized,
    {
        self.shards.get(self.place(key)).and_then(|shard| shard.get(key)).into_iter().flatten()
    }

    fn insert(&mut self, key: K, entry: Entry<S>) {
        let place = self.place(&key);
        if let Some(shard) = self.shards.get_mut(place) {
            let entries = Arc::make_mut(shard).entry(key).or_default();
            let at = entries.partition_point(|other| other.consumer.username <= entry.consumer.username);
            entries.insert(at, entry);
        }
    }

    fn remove<Q>(&mut self, key: &Q, row: &ConsumerState)
    where
        Q: Hash + hashbrown::Equivalent<K> + ?Sized,
    {
        let place = self.place(key);
        let Some(shard) = self.shards.get_mut(place).filter(|shard| shard.contains_key(key)) else { return };
        let shard = Arc::make_mut(shard);
        if let Some(entries) = shard.get_mut(key) {
            entries.retain(|entry| !entry.consumer.is(row));
            if entries.is_empty() {
                shard.remove(key);
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/consumers.rs"]
mod tests;
