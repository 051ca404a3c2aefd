//! `audit:`, how long the audit log is kept.

use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// The longest that may be asked for, in days.
const MOST_DAYS: u32 = 36_500;

/// `audit:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditSettings {
    /// Days for which entries are kept, 1 to 36,500.
    pub retention_days: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self { retention_days: forecourt_app::AUDIT_KEPT_DAYS }
    }
}

impl AuditSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let days = self.retention_days;
        let problem = format!("must be from 1 to {MOST_DAYS} days; it is {days}");
        require("audit.retention_days", (1..=MOST_DAYS).contains(&days), &problem)
    }
}
