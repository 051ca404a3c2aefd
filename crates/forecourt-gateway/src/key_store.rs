//! API keys by digest: which credential a shown key belongs to.
//!
//! 256 shards, each behind its own lock and held for a look-up or one insertion only, so no request waits for
//! a million others. A version takes an 80-byte record in a dense list and a 4-byte entry in a hash table; the
//! full 32-byte digest is the key. Several credentials may carry the same key (two portals): all are visited.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use forecourt_core::secrets::SecretDigest;
use hashbrown::HashTable;

use crate::{applications::ApplicationSlot, compact_ids::CompactId, dense::Dense};

const SHARDS: usize = 256;

/// One live version of a key-auth credential.
pub(crate) struct KeyRecord {
    /// SHA-256 of the key.
    pub(crate) digest: SecretDigest,
    /// The credential.
    pub(crate) credential: CompactId,
    /// The application it belongs to.
    pub(crate) application: Arc<ApplicationSlot>,
    /// Microseconds since 1970 from which on it is refused.
    pub(crate) valid_until: i64,
    /// Microseconds since 1970 at which the credential was made.
    pub(crate) created_at: i64,
    /// The revision of the credential's row, where this is all that it holds; else its index knows it.
    pub(crate) revision: i64,
}

/// Where a record lies; the writer keeps it to find the record again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyPlace(u32);

/// All live API keys.
pub(crate) struct KeyStore {
    seed: [u64; 2],
    shards: Box<[RwLock<Shard>]>,
}

#[derive(Default)]
struct Shard {
    records: Dense<KeyRecord>,
    by_digest: HashTable<u32>,
}

impl KeyStore {
    /// An empty store. The seed keeps clients who choose their keys from aiming at one bucket.
    pub(crate) fn new(seed: [u64; 2]) -> Self {
        Self { seed, shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }

    /// Calls `visit` with each live version that carries this digest.
    pub(crate) fn visit(&self, digest: &SecretDigest, mut visit: impl FnMut(&KeyRecord)) {
        let hash = hash_of(self.seed, digest);
        let Some(shard) = self.read(shard_of(hash)) else { return };
        for slot in shard.by_digest.iter_hash(hash) {
            if let Some(record) = shard.records.at(*slot)
                && record.digest == *digest
            {
                visit(record);
            }
        }
    }

    /// Adds a version and tells where it lies.
    pub(crate) fn insert(&self, record: KeyRecord) -> Option<KeyPlace> {
        let seed = self.seed;
        let hash = hash_of(seed, &record.digest);
        let number = shard_of(hash);
        let mut shard = self.write(number)?;
        let Shard { records, by_digest } = &mut *shard;
        let slot = records.insert(record)?;
        by_digest.insert_unique(hash, slot, |slot| {
            records.at(*slot).map_or(0, |record| hash_of(seed, &record.digest))
        });
        Some(KeyPlace((number as u32) << 24 | slot))
    }

    /// Removes the version that lies there.
    pub(crate) fn remove(&self, place: KeyPlace) {
        let Some(mut shard) = self.write(place.shard()) else { return };
        let Some(record) = shard.records.remove(place.slot()) else { return };
        let hash = hash_of(self.seed, &record.digest);
        if let Ok(entry) = shard.by_digest.find_entry(hash, |slot| *slot == place.slot()) {
            entry.remove();
        }
    }

    /// Reads the version that lies there.
    pub(crate) fn inspect<R>(&self, place: KeyPlace, read: impl FnOnce(&KeyRecord) -> R) -> Option<R> {
        self.read(place.shard())?.records.at(place.slot()).map(read)
    }

    /// Changes the version that lies there; its digest and its credential must stay.
    pub(crate) fn change(&self, place: KeyPlace, change: impl FnOnce(&mut KeyRecord)) {
        if let Some(mut shard) = self.write(place.shard())
            && let Some(record) = shard.records.at_mut(place.slot())
        {
            change(record);
        }
    }

    fn read(&self, shard: usize) -> Option<RwLockReadGuard<'_, Shard>> {
        Some(self.shards.get(shard)?.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, shard: usize) -> Option<RwLockWriteGuard<'_, Shard>> {
        Some(self.shards.get(shard)?.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl KeyPlace {
    const fn shard(self) -> usize {
        (self.0 >> 24) as usize
    }

    const fn slot(self) -> u32 {
        self.0 & 0x00ff_ffff
    }
}

/// A seeded fold of the digest, which is uniform already; the seed is what makes it unpredictable.
fn hash_of(seed: [u64; 2], digest: &SecretDigest) -> u64 {
    let [a, b, c, d] = words(digest.as_bytes());
    let wide = u128::from(a ^ c ^ seed[0]) * u128::from(b ^ d ^ seed[1]);
    (wide as u64) ^ ((wide >> 64) as u64)
}

fn words(bytes: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}

/// Bits that the table within the shard does not lean on.
const fn shard_of(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_takes_80_bytes_also_where_one_may_be_missing() {
        assert_eq!((size_of::<KeyRecord>(), size_of::<Option<KeyRecord>>()), (80, 80));
    }
}
