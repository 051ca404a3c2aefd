//! The counts of this node.
//!
//! A pair of application and product lies in one of many parts, each behind its own lock, which is held for one check
//! of at most a few limits. What counts nothing any more is dropped when its part has doubled since it was last
//! looked through, so memory stays within twice what is needed.

use std::{
    hash::BuildHasher,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use forecourt_core::{
    gateway_state::PlanLimit,
    ids::{ApplicationId, ProductId},
    time::Timestamp,
};
use hashbrown::{DefaultHashBuilder, HashMap};
use serde::{Deserialize, Serialize};

use super::{
    Subject, application_key,
    counters::Counter,
    plan::{Plan, Room},
};
use crate::compact_ids::CompactId;

/// Parts, each behind its own lock.
const PARTS: usize = 64;
/// A part of fewer pairs than this is not looked through.
const FEW: usize = 64;

/// What a quota has counted in the window that runs: what is kept over a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaCount {
    /// The application.
    pub application_id: ApplicationId,
    /// The product.
    pub product_id: ProductId,
    /// The length of the window, at least [`PlanLimit::QUOTA_SECONDS`].
    pub window_seconds: u32,
    /// The window's number: seconds since the epoch divided by its length.
    pub window: i64,
    /// Calls so far.
    pub used: u64,
}

/// All counts of this node.
pub(super) struct Local {
    parts: [Mutex<Part>; PARTS],
    hasher: DefaultHashBuilder,
    quota_changes: AtomicU64,
}

#[derive(Default)]
struct Part {
    counters: HashMap<Key, Vec<Counter>>,
    /// How many pairs were left when the idle ones were last dropped.
    kept: usize,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    application: CompactId,
    product: CompactId,
}

impl Default for Local {
    fn default() -> Self {
        Self {
            parts: std::array::from_fn(|_| Mutex::default()),
            hasher: DefaultHashBuilder::default(),
            quota_changes: AtomicU64::new(0),
        }
    }
}

impl Local {
    /// Counts a call if every limit of the plan has room for it, and tells how each stands then; a call that was
    /// counted has left all of them at least one, so what remains is told without it.
    pub(super) fn count(&self, subject: Subject<'_>, plan: &Plan, now: Timestamp) -> Verdict {
        let now = now.micros();
        let mut part = self.part(subject);
        let counters = part.of(subject, now);
        ensure(counters, &plan.limits, now);
        let mut rooms = Vec::with_capacity(plan.limits.len());
        for limit in &plan.limits {
            rooms.extend(of_limit(counters, *limit).map(|counter| counter.room(*limit, now)));
        }
        let admitted = rooms.iter().all(|room| room.remaining > 0);
        if admitted {
            for (limit, room) in plan.limits.iter().zip(&mut rooms) {
                if let Some(counter) = of_limit(counters, *limit) {
                    counter.add(1, now);
                }
                room.remaining -= 1;
            }
            drop(part);
            self.changed(plan);
        }
        Verdict { admitted, rooms }
    }

    /// Notes what the shared counters said, so that this node could go on without them.
    pub(super) fn note(&self, subject: Subject<'_>, plan: &Plan, verdict: &Verdict, now: Timestamp) {
        if !verdict.admitted {
            return;
        }
        let now = now.micros();
        let mut part = self.part(subject);
        let counters = part.of(subject, now);
        ensure(counters, &plan.limits, now);
        for (limit, room) in plan.limits.iter().zip(&verdict.rooms) {
            let Some(counter) = of_limit(counters, *limit) else { continue };
            if limit.is_quota() {
                let window = now.div_euclid(i64::from(limit.window_seconds) * 1_000_000);
                counter.raise(window, limit.count.saturating_sub(room.remaining));
            } else {
                counter.add(1, now);
            }
        }
        drop(part);
        self.changed(plan);
    }

    /// How many pairs have counts.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| lock(part).counters.len()).sum()
    }

    /// The counts of quotas whose window runs at `now`.
    pub(super) fn quotas(&self, now: Timestamp) -> Vec<QuotaCount> {
        let mut counts = Vec::new();
        for part in &self.parts {
            for (key, counters) in &lock(part).counters {
                for counter in counters {
                    let Some((window, used)) = counter.quota(now.micros()) else { continue };
                    counts.push(QuotaCount {
                        application_id: ApplicationId::known(key.application.unpack(ApplicationId::PREFIX)),
                        product_id: ProductId::known(key.product.unpack(ProductId::PREFIX)),
                        window_seconds: counter.window_seconds,
                        window,
                        used,
                    });
                }
            }
        }
        counts
    }

    /// A number that grows whenever a quota counts.
    pub(super) fn quota_changes(&self) -> u64 {
        self.quota_changes.load(Relaxed)
    }

    /// Takes back counts of quotas.
    pub(super) fn restore(&self, counts: &[QuotaCount]) {
        for count in counts.iter().filter(|count| count.window_seconds >= PlanLimit::QUOTA_SECONDS) {
            let application = application_key(&count.application_id);
            let product = CompactId::pack(ProductId::PREFIX, count.product_id.as_str());
            let subject = Subject { application: &application, product: &product };
            let began =
                count.window.saturating_mul(i64::from(count.window_seconds)).saturating_mul(1_000_000);
            let limit = PlanLimit { count: 1, window_seconds: count.window_seconds };
            let mut part = self.part(subject);
            let counters = part.of(subject, began);
            ensure(counters, &[limit], began);
            if let Some(counter) = of_limit(counters, limit) {
                counter.raise(count.window, count.used);
            }
        }
    }

    fn changed(&self, plan: &Plan) {
        if plan.limits.iter().any(|limit| limit.is_quota()) {
            self.quota_changes.fetch_add(1, Relaxed);
        }
    }

    fn part(&self, subject: Subject<'_>) -> MutexGuard<'_, Part> {
        let place = self.hasher.hash_one((subject.application, subject.product)) as usize % PARTS;
        // There is one at every place below PARTS; the first stands in for none.
        let [first, ..] = &self.parts;
        lock(self.parts.get(place).unwrap_or(first))
    }
}

/// Whether a call was let through, and how each limit stands after it.
pub(crate) struct Verdict {
    /// Whether it was counted.
    pub(crate) admitted: bool,
    /// Each limit, in the order of the plan.
    pub(crate) rooms: Vec<Room>,
}

impl Part {
    /// The counters of this pair.
    fn of(&mut self, subject: Subject<'_>, now: i64) -> &mut Vec<Counter> {
        if self.counters.len() >= FEW.max(2 * self.kept) {
            self.counters.retain(|_, counters| counters.iter().any(|counter| !counter.is_idle(now)));
            self.counters.shrink_to(2 * self.counters.len());
            self.kept = self.counters.len();
        }
        let key = Key { application: subject.application.clone(), product: subject.product.clone() };
        self.counters.entry(key).or_default()
    }
}

/// Makes sure that there is a counter for each of these limits' windows. Those of windows that other plans have stay
/// until they count nothing, so that going to another plan and back forgets nothing.
fn ensure(counters: &mut Vec<Counter>, limits: &[PlanLimit], now: i64) {
    for limit in limits {
        if of_limit(counters, *limit).is_none() {
            counters
                .retain(|counter| !counter.is_idle(now) || limits.iter().any(|other| counter.is_of(*other)));
            counters.push(Counter::new(*limit));
        }
    }
}

/// The counter of this limit's window.
fn of_limit(counters: &mut [Counter], limit: PlanLimit) -> Option<&mut Counter> {
    counters.iter_mut().find(|counter| counter.is_of(limit))
}

fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
