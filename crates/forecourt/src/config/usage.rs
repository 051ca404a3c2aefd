//! `usage:`, how long counted calls are kept.

use forecourt_app::usage::UsageKept;
use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// The longest that may be asked for, in days.
const MOST_DAYS: u32 = 36_500;

/// `usage:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageSettings {
    /// Days for which sums by minute are kept, 1 to 36,500.
    pub minutes_kept_days: u32,
    /// Days for which sums by hour are kept, 1 to 36,500.
    pub hours_kept_days: u32,
    /// Days for which sums by day are kept, at most 36,500; 0: for ever.
    pub days_kept_days: u32,
}

impl Default for UsageSettings {
    fn default() -> Self {
        let UsageKept { minutes_days, hours_days, days_days } = UsageKept::default();
        Self { minutes_kept_days: minutes_days, hours_kept_days: hours_days, days_kept_days: days_days }
    }
}

impl UsageSettings {
    /// What the use cases take.
    pub const fn kept(&self) -> UsageKept {
        UsageKept {
            minutes_days: self.minutes_kept_days,
            hours_days: self.hours_kept_days,
            days_days: self.days_kept_days,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, days, least) in [
            ("usage.minutes_kept_days", self.minutes_kept_days, 1),
            ("usage.hours_kept_days", self.hours_kept_days, 1),
            ("usage.days_kept_days", self.days_kept_days, 0),
        ] {
            let problem = format!("must be from {least} to {MOST_DAYS} days; it is {days}");
            require(key, (least..=MOST_DAYS).contains(&days), &problem)?;
        }
        Ok(())
    }
}
