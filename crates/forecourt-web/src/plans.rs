//! Plans on either site: what one allows in words, and the page on which a subscription gets another one.

use forecourt_core::{gateway_state::PlanLimit, ids::PlanId, plans::Plan};
use serde::Serialize;

use crate::{
    forms::Form,
    links::{Link, developer, provider},
    samples::{Sample, id},
    templates::View,
};

/// Units of time, the largest first, with their seconds.
const UNITS: [(&str, u32); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];

/// A plan as pages show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanShown {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// What it allows; empty: as much as one likes.
    pub limits: Vec<LimitShown>,
    /// Whether subscriptions get it that ask for none.
    pub default: bool,
}

/// A limit as pages show it; the text is `plan.limit.UNIT` in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LimitShown {
    /// Calls.
    pub calls: u64,
    /// `day`, `hour`, `minute` or `second`.
    pub unit: &'static str,
    /// How many of them.
    pub count: u32,
}

impl PlanShown {
    /// The plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            id: plan.id.to_string(),
            name: plan.name.clone(),
            description: plan.desc.clone(),
            limits: plan.limits.iter().map(|limit| shown(*limit)).collect(),
            default: plan.is_default,
        }
    }

    pub(crate) fn sample(number: u32, name: &str, limits: &[(u64, u32)]) -> Self {
        let limits = limits.iter().map(|&(count, window_seconds)| shown(PlanLimit { count, window_seconds }));
        Self {
            id: id("pln", number),
            name: name.to_owned(),
            description: String::new(),
            limits: limits.collect(),
            default: number == 1,
        }
    }
}

fn shown(limit: PlanLimit) -> LimitShown {
    let fits = |(_, seconds): &&(&str, u32)| limit.window_seconds.is_multiple_of(*seconds);
    let (unit, seconds) = UNITS.iter().find(fits).copied().unwrap_or(("second", 1));
    LimitShown { calls: limit.count, unit, count: limit.window_seconds / seconds }
}

/// Limits as the form has them: one a line, `100 per minute` or `5 per 10 seconds`.
pub fn limits_text(limits: &[PlanLimit]) -> String {
    let line = |limit: &PlanLimit| match shown(*limit) {
        LimitShown { calls, unit, count: 1 } => format!("{calls} per {unit}"),
        LimitShown { calls, unit, count } => format!("{calls} per {count} {unit}s"),
    };
    limits.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Reads what [`limits_text`] writes; the line that cannot be read is the error.
///
/// # Errors
/// The line.
pub fn read_limits(text: &str) -> Result<Vec<PlanLimit>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| read_limit(line).ok_or_else(|| line.to_owned())).collect()
}

fn read_limit(line: &str) -> Option<PlanLimit> {
    let line = line.to_lowercase().replace('/', " per ");
    let (count, window) = line.split_once(" per ")?;
    let mut words = window.split_whitespace();
    let first = words.next()?;
    let (amount, unit) = match (first.parse::<u32>(), words.next()) {
        (Ok(amount), Some(unit)) => (amount, unit),
        (Ok(amount), None) => (amount, "second"),
        (Err(_), None) => (1, first),
        (Err(_), Some(_)) => return None,
    };
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    if words.next().is_some() {
        return None;
    }
    let count = count.trim().replace([',', '_', ' '], "").parse().ok()?;
    Some(PlanLimit { count, window_seconds: amount.checked_mul(*seconds)? })
}

/// `GET` and `POST` of the page that gives a subscription another plan, on either site. Field: `plan`.
#[derive(Clone, Debug, Serialize)]
pub struct ChoosePlan {
    /// The application's name.
    pub application: String,
    /// The product's name.
    pub product: String,
    /// Every plan of the product.
    pub plans: Vec<PlanShown>,
    /// What was chosen.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
    /// Where to go instead.
    pub back: Link,
}

/// The form of a subscription that has this plan.
pub fn chosen(plan: Option<&PlanId>) -> Form {
    match plan {
        Some(plan) => Form::new().with("plan", plan.as_str()),
        None => Form::new(),
    }
}

/// Three plans for samples.
pub(crate) fn sample_plans() -> Vec<PlanShown> {
    let bronze = PlanShown::sample(1, "Bronze", &[(60, 60), (10_000, 86_400)]);
    let description = "For production systems with a contract.".to_owned();
    let gold = PlanShown {
        description,
        ..PlanShown::sample(2, "Gold", &[(1, 1), (600, 600), (1_000_000, 2_592_000)])
    };
    vec![bronze, gold, PlanShown::sample(3, "Without limits", &[])]
}

impl View for ChoosePlan {
    const TEMPLATE: &'static str = "plan.html";

    fn samples() -> Vec<Sample<Self>> {
        let (application, subscription) = (id("app", 1), id("sub", 1));
        let of_developer = Self {
            application: "Checkout frontend".to_owned(),
            product: "Payments".to_owned(),
            plans: sample_plans(),
            form: Form::new().with("plan", id("pln", 1)),
            action: developer::subscription_plan(&application, &subscription),
            back: developer::application(&application),
        };
        let of_console = Self {
            action: provider::subscription_plan("default", &id("prd", 1), &subscription),
            back: provider::product("default", &id("prd", 1)),
            form: Form::new().refused("plan", "Choose a plan."),
            ..of_developer.clone()
        };
        vec![Sample::developer("developer", of_developer), Sample::provider("console", of_console)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(count: u64, window_seconds: u32) -> PlanLimit {
        PlanLimit { count, window_seconds }
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let limits = [limit(1, 1), limit(100, 60), limit(5, 90), limit(10_000, 86_400), limit(7, 172_800)];
        let text = limits_text(&limits);
        assert_eq!(text, "1 per second\n100 per minute\n5 per 90 seconds\n10000 per day\n7 per 2 days");
        assert_eq!(read_limits(&text).unwrap(), limits);
    }

    #[test]
    fn other_ways_of_writing_a_limit_are_understood_and_nonsense_is_named() {
        let read = |text| read_limits(text).unwrap();
        assert_eq!(
            read("10,000 per Day\n\n 5/10 \n3 / minute"),
            [limit(10_000, 86_400), limit(5, 10), limit(3, 60)]
        );
        assert_eq!(read(""), []);
        for wrong in ["many per day", "5 per fortnight", "5", "5 per day now and then", "5 per 99999999 days"]
        {
            assert_eq!(read_limits(&format!("1 per day\n{wrong}")).unwrap_err(), wrong);
        }
    }
}
