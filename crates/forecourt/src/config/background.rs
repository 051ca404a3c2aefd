//! `background:`, the work that nobody waits for.

use serde::{Deserialize, Serialize};

/// `background:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackgroundSettings {
    /// Whether this process tells anybody of what happened: sends mails, calls webhooks, removes and changes OAuth
    /// clients at their providers. What is not sent waits.
    pub outgoing: bool,
}

impl Default for BackgroundSettings {
    fn default() -> Self {
        Self { outgoing: true }
    }
}
