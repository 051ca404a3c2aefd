//! `security.failed_sign_ins`: how many failed sign-ins and token checks are answered before the next has to wait.

use forecourt_app::SignInLimits;
use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// The largest limit.
const MOST: usize = 1_000_000;
/// The longest window, in seconds: a day.
const LONGEST: i64 = 86_400;

/// `security.failed_sign_ins:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedSignInSettings {
    /// For one account within the window, 1 to 1,000,000.
    pub per_account: usize,
    /// From one address within the window, 1 to 1,000,000.
    pub per_address: usize,
    /// The window, 1 to 86,400 seconds.
    pub window_seconds: i64,
}

impl Default for FailedSignInSettings {
    fn default() -> Self {
        let SignInLimits { per_account, per_address, window_seconds } = SignInLimits::default();
        Self { per_account, per_address, window_seconds }
    }
}

impl FailedSignInSettings {
    /// What the use cases take.
    pub const fn limits(&self) -> SignInLimits {
        SignInLimits {
            per_account: self.per_account,
            per_address: self.per_address,
            window_seconds: self.window_seconds,
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, limit) in [("per_account", self.per_account), ("per_address", self.per_address)] {
            let problem = format!("must be from 1 to {MOST}; it is {limit}");
            require(&format!("security.failed_sign_ins.{key}"), (1..=MOST).contains(&limit), &problem)?;
        }
        let seconds = self.window_seconds;
        let problem = format!("must be from 1 to {LONGEST} seconds; it is {seconds}");
        require("security.failed_sign_ins.window_seconds", (1..=LONGEST).contains(&seconds), &problem)
    }
}
