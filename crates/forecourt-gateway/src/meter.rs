//! Counts requests that passed product authentication, per (product, application, credential, UTC hour).
//!
//! Each worker thread has a shard of its own, so counting never waits for another worker; taking the counts
//! merges the shards. Whoever takes them keeps them until they are delivered.

use std::{
    cell::Cell,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use forecourt_core::{
    ids::{ApplicationId, CredentialId},
    time::Timestamp,
};
use forecourt_wire::usage::UsageCount;
use hashbrown::HashMap;

use crate::{applications::ApplicationSlot, compact_ids::CompactId, route::Product, verify::Identity};

const SHARDS: usize = 16;

/// All counters since they were last taken.
#[derive(Default)]
pub(crate) struct Meter {
    shards: [Mutex<HashMap<Key, Tally>>; SHARDS],
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    product: u32,
    credential: CompactId,
    hour: Timestamp,
}

struct Tally {
    product: Arc<Product>,
    application: Arc<ApplicationSlot>,
    calls: u64,
    last_used_at: Timestamp,
    last_used_from: IpAddr,
}

impl Meter {
    /// Counts one request of this identity.
    pub(crate) fn count(&self, identity: &Identity, now: Timestamp, from: IpAddr) {
        let Some(shard) = self.shards.get(own_shard()) else { return };
        let key = Key {
            product: identity.product.number,
            credential: identity.credential.clone(),
            hour: now.hour(),
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = shard.entry(key).or_insert_with(|| Tally {
            product: Arc::clone(&identity.product),
            application: Arc::clone(&identity.application),
            calls: 0,
            last_used_at: now,
            last_used_from: from,
        });
        tally.calls += 1;
        if now >= tally.last_used_at {
            tally.last_used_at = now;
            tally.last_used_from = from;
        }
    }

    /// Takes all counts; they start from nothing again.
    pub(crate) fn take(&self) -> Vec<UsageCount> {
        let mut merged = Merged::default();
        for shard in &self.shards {
            let tallies = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            for (key, tally) in tallies {
                merged.add(UsageCount {
                    product_id: tally.product.id.clone(),
                    application_id: ApplicationId::known(tally.application.id_text()),
                    credential_id: CredentialId::known(key.credential.unpack(CredentialId::PREFIX)),
                    hour: key.hour,
                    calls: tally.calls,
                    last_used_at: tally.last_used_at,
                    last_used_from: tally.last_used_from.to_canonical().to_string(),
                });
            }
        }
        merged.counts
    }
}

#[derive(Default)]
struct Merged {
    counts: Vec<UsageCount>,
    places: HashMap<(CredentialId, Timestamp, String), usize>,
}

impl Merged {
    fn add(&mut self, count: UsageCount) {
        let subject = format!("{}/{}", count.product_id, count.application_id);
        let place = *self
            .places
            .entry((count.credential_id.clone(), count.hour, subject))
            .or_insert(self.counts.len());
        let Some(sum) = self.counts.get_mut(place) else {
            self.counts.push(count);
            return;
        };
        sum.calls += count.calls;
        if count.last_used_at > sum.last_used_at {
            sum.last_used_at = count.last_used_at;
            sum.last_used_from = count.last_used_from;
        }
    }
}

/// The shard of the calling thread.
fn own_shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
    }
    OWN.get()
}
