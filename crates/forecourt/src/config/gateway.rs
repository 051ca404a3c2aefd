//! `gateway:`, the embedded gateway and its limits.
//!
//! Invariant: limits that are out of range are refused when they are read, so the gateway takes them as they are.

use std::{ops::RangeInclusive, time::Duration};

use clap::Args;
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

/// Bytes of a request's head.
const HEAD_BYTES: RangeInclusive<u64> = 1_024..=1_048_576;
/// Fields of a request's head.
const HEAD_FIELDS: RangeInclusive<u64> = 1..=1_000;
/// Milliseconds of each timeout.
const TIMEOUT_MS: RangeInclusive<u64> = 100..=3_600_000;

/// `gateway.limits:`, and the same on the command line of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Args)]
pub struct LimitSettings {
    /// Open connections, 0 for any number.
    #[arg(long, env = "FORECOURT_GATEWAY_MAX_CONNECTIONS", value_name = "N",
        default_value_t = LimitSettings::default().max_connections)]
    pub max_connections: u64,
    /// Requests in flight, 0 for any number.
    #[arg(long, env = "FORECOURT_GATEWAY_MAX_REQUESTS_IN_FLIGHT", value_name = "N",
        default_value_t = LimitSettings::default().max_requests_in_flight)]
    pub max_requests_in_flight: u64,
    /// Bytes of a request's body, 0 for any number.
    #[arg(long, env = "FORECOURT_GATEWAY_MAX_REQUEST_BODY_BYTES", value_name = "BYTES",
        default_value_t = LimitSettings::default().max_request_body_bytes)]
    pub max_request_body_bytes: u64,
    /// Bytes of a request's head, 1,024 to 1,048,576.
    #[arg(long, env = "FORECOURT_GATEWAY_MAX_HEAD_BYTES", value_name = "BYTES",
        default_value_t = LimitSettings::default().max_head_bytes,
        value_parser = clap::value_parser!(u64).range(HEAD_BYTES))]
    pub max_head_bytes: u64,
    /// Fields of a request's head, 1 to 1,000.
    #[arg(long, env = "FORECOURT_GATEWAY_MAX_HEAD_FIELDS", value_name = "N",
        default_value_t = LimitSettings::default().max_head_fields,
        value_parser = clap::value_parser!(u64).range(HEAD_FIELDS))]
    pub max_head_fields: u64,
    /// Milliseconds for a TLS handshake and for a head, 100 to 3,600,000.
    #[arg(long, env = "FORECOURT_GATEWAY_HEADER_TIMEOUT_MS", value_name = "MS",
        default_value_t = LimitSettings::default().header_timeout_ms,
        value_parser = clap::value_parser!(u64).range(TIMEOUT_MS))]
    pub header_timeout_ms: u64,
    /// Milliseconds between two requests, 100 to 3,600,000.
    #[arg(long, env = "FORECOURT_GATEWAY_KEEP_ALIVE_TIMEOUT_MS", value_name = "MS",
        default_value_t = LimitSettings::default().keep_alive_timeout_ms,
        value_parser = clap::value_parser!(u64).range(TIMEOUT_MS))]
    pub keep_alive_timeout_ms: u64,
    /// Milliseconds without progress on a body, 100 to 3,600,000.
    #[arg(long, env = "FORECOURT_GATEWAY_BODY_IDLE_TIMEOUT_MS", value_name = "MS",
        default_value_t = LimitSettings::default().body_idle_timeout_ms,
        value_parser = clap::value_parser!(u64).range(TIMEOUT_MS))]
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

impl LimitSettings {
    /// `config` with these limits.
    pub fn on(&self, config: forecourt_gateway::Config) -> forecourt_gateway::Config {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        forecourt_gateway::Config {
            max_connections: count(self.max_connections),
            max_requests_in_flight: count(self.max_requests_in_flight),
            max_request_body_bytes: self.max_request_body_bytes,
            max_head_bytes: count(self.max_head_bytes),
            max_head_fields: count(self.max_head_fields),
            header_timeout: Duration::from_millis(self.header_timeout_ms),
            keep_alive_timeout: Duration::from_millis(self.keep_alive_timeout_ms),
            body_idle_timeout: Duration::from_millis(self.body_idle_timeout_ms),
            ..config
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
        let config = self.limits.on(forecourt_gateway::Config::default());
        forecourt_gateway::Config {
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
        for (key, value, range) in [
            ("max_head_bytes", limits.max_head_bytes, HEAD_BYTES),
            ("max_head_fields", limits.max_head_fields, HEAD_FIELDS),
            ("header_timeout_ms", limits.header_timeout_ms, TIMEOUT_MS),
            ("keep_alive_timeout_ms", limits.keep_alive_timeout_ms, TIMEOUT_MS),
            ("body_idle_timeout_ms", limits.body_idle_timeout_ms, TIMEOUT_MS),
        ] {
            let problem = format!("must be from {} to {}; it is {value}", range.start(), range.end());
            require(&format!("gateway.limits.{key}"), range.contains(&value), &problem)?;
        }
        Ok(())
    }
}
