//! `notifications:`, how people and programs are told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// `notifications:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationSettings {
    /// Whether mails about requests lead to a page on which whoever has the mail decides; needs `admin.public_url`. It
    /// gives whoever may change the contact points of a product the right to decide.
    pub approval_links: bool,
    /// How long a step of handing over a mail, or a whole call of a webhook, may take, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for NotificationSettings {
    fn default() -> Self {
        Self { approval_links: false, timeout_ms: 20_000 }
    }
}

impl NotificationSettings {
    /// How long a step may take.
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        // Three steps must end well before the lease of an attempt does.
        let fits = (100..=30_000).contains(&self.timeout_ms);
        require("notifications.timeout_ms", fits, "must be 100 to 30000")
    }
}
