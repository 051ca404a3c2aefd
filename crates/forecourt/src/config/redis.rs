//! `gateway.redis:`, where nodes share what they count for limits.

use std::time::Duration;

use forecourt_gateway::SharedLimits;
use serde::{Deserialize, Serialize};

use super::{ConfigError, require};

/// `gateway.redis:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`; empty: each node counts alone.
    pub url: String,
    /// Milliseconds that a call waits for it, 1 to 1,000.
    pub timeout_ms: u64,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self { url: String::new(), timeout_ms: 20 }
    }
}

impl RedisSettings {
    /// What the gateway takes; `None` where no URL is set.
    pub(super) fn shared_limits(&self) -> Option<SharedLimits> {
        SharedLimits::new(&self.url, Duration::from_millis(self.timeout_ms)).ok()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !self.url.is_empty()
            && let Err(problem) = SharedLimits::new(&self.url, Duration::from_millis(self.timeout_ms))
        {
            require("gateway.redis.url", false, &problem)?;
        }
        let problem = format!("must be from 1 to 1000; it is {}", self.timeout_ms);
        require("gateway.redis.timeout_ms", (1..=1_000).contains(&self.timeout_ms), &problem)
    }
}
