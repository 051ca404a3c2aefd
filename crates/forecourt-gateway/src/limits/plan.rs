//! Plans as requests read them, compiled with their product's row.

use std::{fmt::Write, sync::Arc};

use forecourt_core::gateway_state::{PlanLimit, PlanState};
use http::HeaderValue;

/// A plan with at least one limit.
pub(crate) struct Plan {
    /// At least one.
    pub(crate) limits: Box<[PlanLimit]>,
    /// The name of each limit in the fields of answers: the plan's id and the window.
    pub(crate) names: Box<[Box<str>]>,
    /// The field `RateLimit-Policy` of every answer.
    pub(crate) policy: HeaderValue,
}

/// The plans of a product.
#[derive(Default)]
pub(crate) struct Plans {
    /// By the number that the gateway gave to the plan's id; `None` for one without limits.
    by_number: Box<[(u32, Option<Arc<Plan>>)]>,
    default: Option<Arc<Plan>>,
}

/// How a limit stands after a call was counted or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Calls that would still pass.
    pub(crate) remaining: u64,
    /// Microseconds until there is more room, above 0.
    pub(crate) wait: i64,
}

impl Plan {
    /// Compiles the row; `None` where it has no limits.
    pub(crate) fn compile(state: &PlanState) -> Option<Arc<Self>> {
        let mut policy = String::new();
        let mut names = Vec::with_capacity(state.limits.len());
        for PlanLimit { count, window_seconds } in &state.limits {
            let name = format!("{}-{window_seconds}", state.id);
            let comma = if policy.is_empty() { "" } else { ", " };
            // Writing to a String cannot fail. Ids hold neither quotes nor backslashes.
            let _written = write!(policy, "{comma}\"{name}\";q={count};w={window_seconds}");
            names.push(name.into());
        }
        let policy = HeaderValue::try_from(policy).ok()?;
        if names.is_empty() {
            return None;
        }
        Some(Arc::new(Self { limits: state.limits.as_slice().into(), names: names.into(), policy }))
    }
}

impl Plans {
    /// Compiles the rows; `number` gives each plan's id its number.
    pub(crate) fn compile(states: &[PlanState], mut number: impl FnMut(&str) -> u32) -> Self {
        let compiled: Vec<_> =
            states.iter().map(|state| (number(state.id.as_str()), Plan::compile(state))).collect();
        let default = states.iter().position(|state| state.default);
        let default = default.and_then(|index| compiled.get(index)).and_then(|(_, plan)| plan.clone());
        Self { by_number: compiled.into(), default }
    }

    /// Whether the product has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// The plan that a grant is held to; `None`: no limit. A grant that names none, or one that is not here (yet, or
    /// any more), is held to the default one.
    pub(crate) fn of(&self, number: Option<u32>) -> Option<&Arc<Plan>> {
        let named = number.and_then(|number| self.by_number.iter().find(|(own, _)| *own == number));
        match named {
            Some((_, plan)) => plan.as_ref(),
            None => self.default.as_ref(),
        }
    }
}
