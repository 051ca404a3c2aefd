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
use hashbrown::{HashMap, hash_map::Entry};

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
    rest: Mutex<Vec<(Key, Tally)>>,
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
    ///
    /// Costs tens of milliseconds when very many credentials were used: not for a thread that answers requests.
    pub(crate) fn take(&self) -> Vec<UsageCount> {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if rest.is_empty() {
            *rest = self.take_all();
        }
        let keep = rest.len().saturating_sub(MOST_COUNTS);
        rest.drain(keep..).map(|(key, tally)| tally.told(&key)).collect()
    }

    fn take_all(&self) -> Vec<(Key, Tally)> {
        // All at first: a route that goes meanwhile leaves its place to none that is counted here.
        let shards = self.shards.each_ref();
        let taken =
            shards.map(|shard| std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner)));
        let mut merged = HashMap::new();
        let mut routes = Routes::default();
        for tallies in taken {
            merged.reserve(tallies.len());
            for (mut key, tally) in tallies {
                key.route = routes.place(&tally.route);
                match merged.entry(key) {
                    Entry::Vacant(place) => {
                        place.insert(tally);
                    }
                    Entry::Occupied(mut place) => place.get_mut().add(&tally),
                }
            }
        }
        merged.into_iter().collect()
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.totals.add(&other.totals);
        if other.last_used_at > self.last_used_at {
            self.last_used_at = other.last_used_at;
            self.last_used_from = other.last_used_from;
        }
    }

    /// As the control plane is told.
    fn told(self, key: &Key) -> UsageCount {
        UsageCount {
            product_id: self.product.id.clone(),
            application_id: ApplicationId::known(self.application.id_text()),
            credential_id: CredentialId::known(key.credential.unpack(CredentialId::PREFIX)),
            route_id: self.route.id.clone(),
            minute: key.minute,
            status_class: key.class,
            totals: self.totals,
            last_used_at: self.last_used_at,
            last_used_from: self.last_used_from.to_canonical().to_string(),
        }
    }
}

/// One place for each route, wherever it lies: one that was compiled anew is the same route.
#[derive(Default)]
struct Routes {
    by_id: HashMap<RouteId, usize>,
    by_address: HashMap<usize, usize>,
}

impl Routes {
    fn place(&mut self, route: &Arc<Route>) -> usize {
        let address = Arc::as_ptr(route).addr();
        let by_id = &mut self.by_id;
        *self.by_address.entry(address).or_insert_with(|| *by_id.entry(route.id.clone()).or_insert(address))
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
