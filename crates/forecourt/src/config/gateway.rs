//! `gateway:`, the embedded gateway and its limits.
//!
//! Invariant: limits that are out of range are refused when they are read, so the gateway takes them as they are.

use std::time::Duration;

use forecourt_core::addresses::{Network, OutgoingRules};
use serde::{Deserialize, Serialize};

use super::{ConfigError, RedisSettings, require};
use crate::durations;

/// `gateway:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewaySettings {
    /// Plain HTTP.
    pub listen: String,
    /// HTTPS, with the certificates of the group.
    pub tls_listen: String,
    /// The gateway group that it serves.
    pub group: String,
    /// For how long it goes on when the database is away, such as `24h`; after that it refuses the traffic of products
    /// and consumers.
    pub max_staleness: String,
    /// What callers may ask of it.
    pub limits: LimitSettings,
    /// Where nodes share what they count for plans.
    pub redis: RedisSettings,
}

/// `gateway.limits:`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitSettings {
    /// Open connections, 0 for any number.
    pub max_connections: u64,
    /// Requests in flight, 0 for any number.
    pub max_requests_in_flight: u64,
    /// Bytes of a request's body, 0 for any number.
    pub max_request_body_bytes: u64,
    /// Bytes of a request's head, 1,024 to 1,048,576.
    pub max_head_bytes: u64,
    /// Fields of a request's head, 1 to 1,000.
    pub max_head_fields: u64,
    /// Milliseconds for a TLS handshake and for a head, 100 to 3,600,000.
    pub header_timeout_ms: u64,
    /// Milliseconds between two requests, 100 to 3,600,000.
    pub keep_alive_timeout_ms: u64,
    /// Milliseconds without progress on a body, 100 to 3,600,000.
    pub body_idle_timeout_ms: u64,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9080".into(),
            tls_listen: "127.0.0.1:9443".into(),
            group: "default".into(),
            max_staleness: "24h".into(),
            limits: LimitSettings::default(),
            redis: RedisSettings::default(),
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        let config = forecourt_gateway::Config::default();
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            max_connections: config.max_connections as u64,
            max_requests_in_flight: config.max_requests_in_flight as u64,
            max_request_body_bytes: config.max_request_body_bytes,
            max_head_bytes: config.max_head_bytes as u64,
            max_head_fields: config.max_head_fields as u64,
            header_timeout_ms: millis(config.header_timeout),
            keep_alive_timeout_ms: millis(config.keep_alive_timeout),
            body_idle_timeout_ms: millis(config.body_idle_timeout),
        }
    }
}

impl GatewaySettings {
    /// What the gateway takes; requests in flight may go on for `drain_timeout` in a shutdown.
    pub fn config(
        &self,
        trusted_proxies: Vec<Network>,
        outgoing: OutgoingRules,
        drain_timeout: Duration,
    ) -> forecourt_gateway::Config {
        let limits = &self.limits;
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let config = forecourt_gateway::Config::default();
        forecourt_gateway::Config {
            max_connections: count(limits.max_connections),
            max_requests_in_flight: count(limits.max_requests_in_flight),
            max_request_body_bytes: limits.max_request_body_bytes,
            max_head_bytes: count(limits.max_head_bytes),
            max_head_fields: count(limits.max_head_fields),
            header_timeout: Duration::from_millis(limits.header_timeout_ms),
            keep_alive_timeout: Duration::from_millis(limits.keep_alive_timeout_ms),
            body_idle_timeout: Duration::from_millis(limits.body_idle_timeout_ms),
            drain_timeout,
            max_staleness: durations::parse(&self.max_staleness).unwrap_or(config.max_staleness),
            trusted_proxies,
            outgoing,
            shared_limits: self.redis.shared_limits(),
            ..config
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let problem = "must be the id of a gateway group, such as default";
        require("gateway.group", !self.group.is_empty(), problem)?;
        if let Err(problem) = durations::parse(&self.max_staleness) {
            require("gateway.max_staleness", false, &problem)?;
        }
        self.redis.check()?;
        let limits = &self.limits;
        for (key, value, least, most) in [
            ("max_head_bytes", limits.max_head_bytes, 1_024, 1_048_576),
            ("max_head_fields", limits.max_head_fields, 1, 1_000),
            ("header_timeout_ms", limits.header_timeout_ms, 100, 3_600_000),
            ("keep_alive_timeout_ms", limits.keep_alive_timeout_ms, 100, 3_600_000),
            ("body_idle_timeout_ms", limits.body_idle_timeout_ms, 100, 3_600_000),
        ] {
            let problem = format!("must be from {least} to {most}; it is {value}");
            require(&format!("gateway.limits.{key}"), (least..=most).contains(&value), &problem)?;
        }
        Ok(())
    }
}
