//! What answers say of limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), and
//! `Retry-After` on 429.

use std::sync::Arc;

use forecourt_core::gateway_state::PlanLimit;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS},
};

use super::{
    local::Verdict,
    plan::{Plan, Room},
};
use crate::rejects::Reject;

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const MICROS: i64 = 1_000_000;

/// How a call stands with its plan.
pub(crate) struct Standing {
    plan: Arc<Plan>,
    /// Whether it was counted and may pass.
    pub(crate) admitted: bool,
    /// The place of the limit that has the least room.
    tightest: usize,
    remaining: u64,
    seconds: i64,
}

impl Standing {
    /// The standing with the limit that has the least room; of equal ones that which takes longest to have more.
    pub(super) fn of(plan: &Arc<Plan>, verdict: &Verdict) -> Self {
        let places = (0..).zip(&verdict.rooms);
        let tightest = places.min_by_key(|(_, room)| (room.remaining, -room.wait));
        let (tightest, room) = tightest.unwrap_or((0, &Room { remaining: 0, wait: MICROS }));
        Self {
            plan: Arc::clone(plan),
            admitted: verdict.admitted,
            tightest,
            remaining: room.remaining,
            // Who comes back after so many seconds must find room: never less than the truth.
            seconds: (room.wait + MICROS - 1).div_euclid(MICROS).max(1),
        }
    }

    /// The refusal of a call that was not admitted.
    pub(crate) fn reject(&self) -> Reject {
        let limit = self.plan.limits.get(self.tightest).copied();
        let PlanLimit { count, window_seconds } = limit.unwrap_or(PlanLimit { count: 0, window_seconds: 0 });
        Reject::OverLimit { count, window_seconds, retry_after: self.seconds.unsigned_abs() }
    }

    /// Puts the fields on an answer, in the place of any that are there; after those of the plugin `cors`.
    pub(crate) fn put_on(&self, answer: &mut HeaderMap) {
        answer.insert(RATELIMIT_POLICY, self.plan.policy.clone());
        let Some(name) = self.plan.names.get(self.tightest) else { return };
        let standing = format!("\"{name}\";r={};t={}", self.remaining, self.seconds);
        if let Ok(standing) = HeaderValue::try_from(standing) {
            answer.insert(RATELIMIT, standing);
        }
        // Scripts of an origin that may read the answer may read these fields too.
        if answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            let fields = HeaderValue::from_static("RateLimit, RateLimit-Policy, Retry-After");
            answer.append(ACCESS_CONTROL_EXPOSE_HEADERS, fields);
        }
    }
}
