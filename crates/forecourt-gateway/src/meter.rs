//! Counts requests that passed product authentication, per (product, application, credential, route, kind of answer,
//! UTC minute): how many, how many failed, how much was carried, how long it took.
//!
//! A [`Call`] goes with its request and counts it once, when it is dropped: with the last byte of the answer, or with
//! whatever ends the request before. Each worker thread has a shard of its own, so counting never waits for another
//! worker; taking the counts merges the shards. Whoever takes them keeps them until they are delivered.

mod calls;

use std::{
    cell::Cell,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use forecourt_core::{
    ids::{ApplicationId, CredentialId, RouteId},
    time::Timestamp,
    usage::{StatusClass, Totals},
};
use forecourt_wire::usage::{MOST_COUNTS, UsageCount};
use hashbrown::HashMap;

pub(crate) use self::calls::{Call, Ended};
use crate::{
    Clock,
    applications::ApplicationSlot,
    compact_ids::CompactId,
    route::{Product, Route},
};

const SHARDS: usize = 16;

/// A shard with so many keys takes new ones by the hour instead of the minute, so that it grows little while nobody
/// takes the counts away. No call is lost, only its minute.
const MOST_KEYS: usize = 20_000;

/// All counters since they were last taken.
pub(crate) struct Meter {
    clock: Clock,
    shards: [Mutex<HashMap<Key, Tally>>; SHARDS],
    /// Taken from the shards and not yet given out.
    rest: Mutex<Vec<UsageCount>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    product: u32,
    credential: CompactId,
    /// Where the route lies; the tally holds it, so that no other comes to lie there.
    route: usize,
    minute: Timestamp,
    class: StatusClass,
}

struct Tally {
    product: Arc<Product>,
    application: Arc<ApplicationSlot>,
    route: Arc<Route>,
    totals: Totals,
    last_used_at: Timestamp,
    last_used_from: IpAddr,
}

impl Meter {
    /// Counters at nothing; calls are counted in the minute that `clock` tells when they end.
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, shards: Default::default(), rest: Mutex::default() }
    }

    /// Counts one call that has ended.
    fn count(&self, ended: Ended) {
        let Some(shard) = self.shards.get(own_shard()) else { return };
        let now = (self.clock)();
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Key {
            product: ended.product.number,
            credential: ended.credential,
            route: Arc::as_ptr(&ended.route).addr(),
            minute: if shard.len() < MOST_KEYS { now.minute() } else { now.hour() },
            class: StatusClass::of(ended.status),
        };
        let tally = shard.entry(key).or_insert_with(|| Tally {
            product: ended.product,
            application: ended.application,
            route: ended.route,
            totals: Totals::default(),
            last_used_at: now,
            last_used_from: ended.from,
        });
        let totals = &mut tally.totals;
        totals.calls += 1;
        totals.errors += u64::from(ended.status >= 500);
        totals.bytes_in = totals.bytes_in.saturating_add(ended.bytes_in);
        totals.bytes_out = totals.bytes_out.saturating_add(ended.bytes_out);
        totals.times.record(ended.micros);
        if now >= tally.last_used_at {
            tally.last_used_at = now;
            tally.last_used_from = ended.from;
        }
    }

    /// Takes up to [`MOST_COUNTS`] counts, which start from nothing again; empty only when none is left.
    pub(crate) fn take(&self) -> Vec<UsageCount> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.is_empty() {
            *rest = self.take_all();
        }
        let keep = rest.len().saturating_sub(MOST_COUNTS);
        rest.split_off(keep)
    }

    fn take_all(&self) -> Vec<UsageCount> {
        let mut merged = Merged::default();
        for shard in &self.shards {
            let tallies = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            for (key, tally) in tallies {
                merged.add(UsageCount {
                    product_id: tally.product.id.clone(),
                    application_id: ApplicationId::known(tally.application.id_text()),
                    credential_id: CredentialId::known(key.credential.unpack(CredentialId::PREFIX)),
                    route_id: tally.route.id.clone(),
                    minute: key.minute,
                    status_class: key.class,
                    totals: tally.totals,
                    last_used_at: tally.last_used_at,
                    last_used_from: tally.last_used_from.to_canonical().to_string(),
                });
            }
        }
        merged.counts.into_values().collect()
    }
}

/// What counts are of; a route that was compiled anew is the same route.
type Subject = (CredentialId, RouteId, Timestamp, StatusClass, String);

#[derive(Default)]
struct Merged {
    counts: HashMap<Subject, UsageCount>,
}

impl Merged {
    fn add(&mut self, count: UsageCount) {
        let owner = format!("{}/{}", count.product_id, count.application_id);
        let (credential, route) = (count.credential_id.clone(), count.route_id.clone());
        match self.counts.entry((credential, route, count.minute, count.status_class, owner)) {
            hashbrown::hash_map::Entry::Vacant(place) => {
                place.insert(count);
            }
            hashbrown::hash_map::Entry::Occupied(mut place) => {
                let sum = place.get_mut();
                sum.totals.add(&count.totals);
                if count.last_used_at > sum.last_used_at {
                    sum.last_used_at = count.last_used_at;
                    sum.last_used_from = count.last_used_from;
                }
            }
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
