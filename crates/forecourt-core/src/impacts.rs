//! What an act would take with it: the numbers that are told before it is done.
//!
//! A [`Preview`] rides on a [`Caller`](crate::actors::Caller). The act then runs as it always does, with every check
//! and every refusal, and is undone where it would become permanent; what it would have hit is noted here.

use std::sync::{Arc, OnceLock};

/// What an act would hit. Counts are of the moment, those of callers a few seconds behind the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Applications that go, are stopped, or lose access to a product.
    pub applications: u64,
    /// Subscriptions in force that end.
    pub subscriptions: u64,
    /// Credentials of developers that stop working altogether.
    pub credentials: u64,
    /// Waiting requests that are withdrawn.
    pub approvals: u64,
    /// Services that answer everyone afterwards.
    pub opened_services: u64,
    /// Services, routes, certificates and consumers that gateways forget.
    pub gateway_objects: u64,
    /// People who have no way to sign in any more.
    pub people: u64,
    /// Sessions that end.
    pub sessions: u64,
    /// Distinct credentials, out of all that lose something, that were called with in the last 24 hours.
    pub callers: u64,
    /// The calls that they made in these 24 hours.
    pub calls: u64,
}

impl Impact {
    /// Whether nothing would be hit.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The wish to be told instead of acting; shared by all who hold the same call.
#[derive(Clone, Debug, Default)]
pub struct Preview(Arc<OnceLock<Impact>>);

impl Preview {
    /// Notes what the act would have hit; the first note stays.
    pub fn note(&self, impact: Impact) {
        self.0.get_or_init(|| impact);
    }

    /// What the act would have hit; `None` where it was refused, or had nothing to change.
    pub fn impact(&self) -> Option<Impact> {
        self.0.get().copied()
    }
}
