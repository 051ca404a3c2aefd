//! Upstreams: the targets behind a service, their timeouts, and the `Host` that they see.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    gateway_state::{Balancing, KeepalivePool, UpstreamHost, UpstreamNode, UpstreamState, UpstreamTls},
    text::{self, Invalid},
};

/// A service's default upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upstream {
    /// 1–1024 characters.
    pub name: String,
    /// `http`, `https`, or one that is only stored.
    pub scheme: String,
    /// Load balancing: `roundrobin` is served.
    #[serde(rename = "type")]
    pub kind: String,
    /// Targets.
    pub nodes: Vec<UpstreamNode>,
    /// Seconds each; absent: 60.
    pub timeout: UpstreamTimeout,
    /// `pass`, `node` or `rewrite`.
    pub pass_host: String,
    /// The `Host` for `rewrite`; else empty.
    pub upstream_host: String,
    /// Unknown members, as given.
    pub extra: Map<String, Value>,
}

/// Limits in seconds; absent: 60.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UpstreamTimeout {
    /// On establishing a connection.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connect: Option<f64>,
    /// Between two successive writes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub send: Option<f64>,
    /// Between two successive reads.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read: Option<f64>,
}

/// What is given of an upstream.
#[derive(Clone, Debug, Default)]
pub struct UpstreamInput {
    /// Default `default`.
    pub name: Option<String>,
    /// Default `http`.
    pub scheme: Option<String>,
    /// Default `roundrobin`.
    pub kind: Option<String>,
    /// Host, port, weight (default 1 where absent is not allowed on the wire).
    pub nodes: Vec<UpstreamNodeInput>,
    /// Seconds.
    pub timeout: UpstreamTimeout,
    /// Default `pass`.
    pub pass_host: Option<String>,
    /// For `rewrite`.
    pub upstream_host: Option<String>,
    /// Unknown members.
    pub extra: Map<String, Value>,
}

/// One target as given.
#[derive(Clone, Debug, Default)]
pub struct UpstreamNodeInput {
    /// Host name or address.
    pub host: String,
    /// 1 to 65535.
    pub port: i64,
    /// At least 0.
    pub weight: i64,
}

impl Upstream {
    pub(super) fn new(input: UpstreamInput) -> Result<Self, Invalid> {
        let scheme = input.scheme.unwrap_or_else(|| "http".into());
        if !["http", "https", "grpc", "grpcs", "tcp"].contains(&scheme.as_str()) {
            return Err(Invalid::new("upstream.scheme", "must be http, https, grpc, grpcs or tcp"));
        }
        let kind = input.kind.unwrap_or_else(|| "roundrobin".into());
        if !["roundrobin", "chash", "least_conn", "ewma"].contains(&kind.as_str()) {
            return Err(Invalid::new("upstream.type", "must be roundrobin, chash, least_conn or ewma"));
        }
        let pass_host = input.pass_host.unwrap_or_else(|| "pass".into());
        let upstream_host = input.upstream_host.unwrap_or_default();
        match pass_host.as_str() {
            "pass" | "node" => {}
            "rewrite" if !upstream_host.is_empty() && !text::has_control(&upstream_host) => {}
            "rewrite" => {
                return Err(Invalid::new("upstream.upstream_host", "is required with pass_host rewrite"));
            }
            _ => return Err(Invalid::new("upstream.pass_host", "must be pass, node or rewrite")),
        }
        input.timeout.check()?;
        Ok(Self {
            name: text::name(
                "upstream.name",
                &input.name.unwrap_or_else(|| "default".into()),
                text::GATEWAY_NAME,
            )?,
            scheme,
            kind,
            nodes: input
                .nodes
                .into_iter()
                .enumerate()
                .map(|(n, node)| node.check(n))
                .collect::<Result<_, _>>()?,
            timeout: input.timeout,
            pass_host,
            upstream_host,
            extra: input.extra,
        })
    }

    pub(super) fn gateway_state(&self) -> UpstreamState {
        UpstreamState {
            scheme: self.scheme.clone(),
            nodes: self.nodes.clone(),
            balancing: Balancing::RoundRobin,
            retries: None,
            tls: UpstreamTls::default(),
            active_check: None,
            passive_check: None,
            keepalive: KeepalivePool::default(),
            connect_timeout_ms: millis(self.timeout.connect),
            send_timeout_ms: millis(self.timeout.send),
            read_timeout_ms: millis(self.timeout.read),
            host: match self.pass_host.as_str() {
                "node" => UpstreamHost::Node,
                "rewrite" => UpstreamHost::Rewrite(self.upstream_host.clone()),
                _ => UpstreamHost::Pass,
            },
        }
    }
}

impl UpstreamTimeout {
    fn check(self) -> Result<(), Invalid> {
        for (name, seconds) in [("connect", self.connect), ("send", self.send), ("read", self.read)] {
            if seconds.is_some_and(|s| !(0.001..=86_400.0).contains(&s)) {
                return Err(Invalid::new(
                    format!("upstream.timeout.{name}"),
                    "must be 0.001 to 86400 seconds",
                ));
            }
        }
        Ok(())
    }
}

fn millis(seconds: Option<f64>) -> u64 {
    // The range was checked when the upstream was made; Duration keeps the conversion exact.
    std::time::Duration::try_from_secs_f64(seconds.unwrap_or(60.0))
        .map_or(60_000, |d| d.as_millis() as u64)
        .max(1)
}

impl UpstreamNodeInput {
    fn check(self, index: usize) -> Result<UpstreamNode, Invalid> {
        let field = |member: &str| format!("upstream.nodes[{index}].{member}");
        let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '?' | '#' | '@');
        if self.host.is_empty() || self.host.len() > 253 || self.host.contains(bad) {
            return Err(Invalid::new(field("host"), "must be a host name or an address"));
        }
        let port = u16::try_from(self.port).ok().filter(|port| *port > 0);
        let port = port.ok_or_else(|| Invalid::new(field("port"), "must be 1 to 65535"))?;
        let weight =
            u32::try_from(self.weight).map_err(|_| Invalid::new(field("weight"), "must be 0 or more"))?;
        Ok(UpstreamNode { host: self.host, port, weight, priority: 0 })
    }
}
