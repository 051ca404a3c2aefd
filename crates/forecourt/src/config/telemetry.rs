//! `telemetry:`, where spans of requests go.

use serde::{Deserialize, Serialize};

use super::{ConfigError, require};
use crate::span_export::traces_url;

/// `telemetry:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TelemetrySettings {
    /// The address of a collector that takes OTLP over HTTP, such as `http://127.0.0.1:4318`; empty: none.
    pub otlp_endpoint: String,
    /// How many of a hundred traces that begin here are sampled, 0 to 100.
    pub sampled_percent: u64,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self { otlp_endpoint: String::new(), sampled_percent: 100 }
    }
}

impl TelemetrySettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let endpoint = self.otlp_endpoint.as_str();
        let fits = endpoint.is_empty() || traces_url(endpoint).is_some();
        let problem = "must be empty or the http:// or https:// address of a collector, without user name and query, \
                       such as http://127.0.0.1:4318";
        require("telemetry.otlp_endpoint", fits, problem)?;
        let problem = format!("must be from 0 to 100; it is {}", self.sampled_percent);
        require("telemetry.sampled_percent", self.sampled_percent <= 100, &problem)
    }
}
