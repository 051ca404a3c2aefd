//! Grants, and plans as gateways enforce them: which application may call which product, and how often.

use serde::{Deserialize, Serialize};

use crate::ids::{ApplicationId, PlanId, ProductId};

/// A plan of a product. Changing what it allows changes one row: the product's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanState {
    /// Its id, as grants name it.
    pub id: PlanId,
    /// What people call it.
    pub name: String,
    /// All of them must have room for a call; empty: no limit.
    pub limits: Vec<PlanLimit>,
    /// Whether grants that name no plan, or one that is unknown, are held to this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
}

/// At most so many calls within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLimit {
    /// Calls, at least 1.
    pub count: u64,
    /// Seconds, at least 1. Below [`PlanLimit::QUOTA_SECONDS`] the time slides: it is the last so many seconds,
    /// whenever one looks. From there on it is a quota: its time is aligned to the epoch, so a day is a day of UTC.
    pub window_seconds: u32,
}

impl PlanLimit {
    /// From this window on, one hour, a limit is a quota.
    pub const QUOTA_SECONDS: u32 = 3_600;

    /// Whether its time is aligned to the epoch, and its count is kept over restarts.
    pub const fn is_quota(self) -> bool {
        self.window_seconds >= Self::QUOTA_SECONDS
    }
}

/// An active subscription: this application may call this product.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrantState {
    /// The application.
    pub application_id: ApplicationId,
    /// The product.
    pub product_id: ProductId,
    /// The plan of the product that the application is held to; `None`: its default one, if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
}
