//! `background:`, the work that nobody waits for.

use serde::{Deserialize, Serialize};

/// `background:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackgroundSettings {
    /// Whether this process tells anybody of what happened (sends mails, calls webhooks), and makes, changes and removes
    /// OAuth clients at their providers. What is told and removed later waits; what would ask a provider now is refused.
    pub outgoing: bool,
}

impl Default for BackgroundSettings {
    fn default() -> Self {
        Self { outgoing: true }
    }
}
