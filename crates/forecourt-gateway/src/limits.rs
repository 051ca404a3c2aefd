//! Plans: how often an application may call a product (docs/limits.md).
//!
//! Counts belong to one application and one product, whatever credential it shows and whatever plan it is held to: so
//! a plan that changes, or another plan, goes on from what was counted. They outlive the tables that requests read.
//!
//! Invariants: a call is counted in every limit of its plan or in none, in one step, so that at the same time no more
//! pass than there is room for; and no call waits longer than [`crate::Config::shared_limits`] says, nor fails,
//! because the shared counters are away: then this node counts alone.

mod connection;
mod counters;
mod fields;
mod local;
mod plan;
mod resp;
mod script;
mod shared;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use forecourt_core::{ids::ApplicationId, time::Timestamp};

pub(crate) use self::{
    fields::Standing,
    plan::{Plan, Plans},
};
use self::{local::Local, shared::Shared};
pub use self::{local::QuotaCount, shared::SharedLimits};
use crate::{compact_ids::CompactId, verify::Identity};

/// The counts of all applications.
pub(crate) struct Limits {
    local: Local,
    shared: Option<Shared>,
    fallbacks: AtomicU64,
}

/// Whose calls are counted together.
#[derive(Clone, Copy)]
struct Subject<'a> {
    application: &'a CompactId,
    product: &'a CompactId,
}

impl Limits {
    /// No counts yet; `shared` with other nodes where it is given.
    pub(crate) fn new(shared: Option<SharedLimits>) -> Self {
        Self { local: Local::default(), shared: shared.map(Shared::new), fallbacks: AtomicU64::new(0) }
    }

    /// Counts a call of this identity if its plan has room, and tells how it stands; `None`: it is not limited.
    pub(crate) async fn check(&self, identity: &Identity, now: Timestamp) -> Option<Standing> {
        let plan = identity.plan.as_ref()?;
        let subject =
            Subject { application: identity.application.compact_id(), product: &identity.product.compact_id };
        let verdict = match &self.shared {
            None => self.local.count(subject, plan, now),
            Some(shared) => match shared.count(identity, plan).await {
                Some(verdict) => {
                    // Should the shared counters go away, this node goes on from about where they were.
                    self.local.note(subject, plan, &verdict, now);
                    verdict
                }
                None => {
                    self.fallbacks.fetch_add(1, Relaxed);
                    self.local.count(subject, plan, now)
                }
            },
        };
        Some(Standing::of(plan, &verdict))
    }

    /// Keeps the connection to the shared counters, where there are any; never ends.
    pub(crate) async fn keep_shared(&self) -> std::convert::Infallible {
        match &self.shared {
            Some(shared) => shared.keep().await,
            None => std::future::pending().await,
        }
    }

    /// How many calls were counted on this node alone because the shared counters did not answer in time.
    pub(crate) fn fallbacks(&self) -> u64 {
        self.fallbacks.load(Relaxed)
    }

    /// Whether the shared counters answer; `None`: there are none.
    pub(crate) fn is_shared(&self) -> Option<bool> {
        self.shared.as_ref().map(Shared::is_connected)
    }

    /// How many pairs of application and product are counted.
    pub(crate) fn len(&self) -> usize {
        self.local.len()
    }

    /// The counts of quotas that still run at `now`.
    pub(crate) fn quotas(&self, now: Timestamp) -> Vec<QuotaCount> {
        self.local.quotas(now)
    }

    /// A number that grows whenever a quota counts.
    pub(crate) fn quota_changes(&self) -> u64 {
        self.local.quota_changes()
    }

    /// Takes back counts of quotas; what is counted higher already stays.
    pub(crate) fn restore(&self, counts: &[QuotaCount]) {
        self.local.restore(counts);
    }
}

/// The id as counters of applications carry it.
fn application_key(id: &ApplicationId) -> CompactId {
    CompactId::pack(ApplicationId::PREFIX, id.as_str())
}

#[cfg(test)]
#[path = "tests/plans.rs"]
mod tests;
