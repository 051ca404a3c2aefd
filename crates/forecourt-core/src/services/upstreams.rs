//! Upstreams: the targets behind a service, their timeouts, and the `Host` that they see.
//!
//! A service has its default upstream and maybe further ones, which its routes name by id. How requests are shared,
//! retried, encrypted and watched stands in [`settings`].

mod checks;
pub mod settings;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    gateway_state::{CertificatePair, UpstreamHost, UpstreamNode, UpstreamState, UpstreamTls},
    secrets::PlainSecret,
    services::upstreams::settings::UpstreamSettings,
    text::{self, Invalid},
    time::Timestamp,
};

/// Seconds that each limit has where it is not given.
const DEFAULT_TIMEOUT: f64 = 60.0;

/// A service's default upstream, or a further one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upstream {
    /// 1–1024 characters.
    pub name: String,
    /// `http`, `https`, `grpc` or `grpcs`; or `tcp`, which no gateway speaks: requests are answered 503.
    pub scheme: String,
    /// Load balancing: `roundrobin`, `least_conn` or `chash`.
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
    /// Balancing, retries, kept connections, TLS, health checks.
    #[serde(default)]
    pub settings: UpstreamSettings,
    /// What the nodes are shown where the settings say which certificate: its chain and its sealed key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<CertificatePair>,
    /// Unknown members, as given.
    pub extra: Map<String, Value>,
}

/// A further upstream of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FurtherUpstream {
    /// What it is.
    pub upstream: Upstream,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
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
    /// The members of [`settings::MEMBERS`].
    pub settings: Map<String, Value>,
    /// The key of `tls.client_cert`, PEM. Whoever makes an [`Upstream`] of this takes it out first and seals it.
    pub client_key: Option<PlainSecret>,
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
    /// Higher ones are used first.
    pub priority: i64,
}

impl Upstream {
    /// The upstream that `input` describes.
    pub(super) fn new(input: UpstreamInput) -> Result<Self, Invalid> {
        let scheme = input.scheme.unwrap_or_else(|| "http".into());
        if !["http", "https", "grpc", "grpcs", "tcp"].contains(&scheme.as_str()) {
            return Err(Invalid::new("upstream.scheme", "must be http, https, grpc, grpcs or tcp"));
        }
        let kind = input.kind.unwrap_or_else(|| "roundrobin".into());
        if kind == "ewma" {
            let problem = "ewma is not served by this gateway; least_conn comes closest";
            return Err(Invalid::new("upstream.type", problem));
        }
        if !["roundrobin", "chash", "least_conn"].contains(&kind.as_str()) {
            return Err(Invalid::new("upstream.type", "must be roundrobin, chash or least_conn"));
        }
        let pass_host = input.pass_host.unwrap_or_else(|| "pass".into());
        let upstream_host = input.upstream_host.unwrap_or_default();
        match pass_host.as_str() {
            "pass" | "node" => {}
            "rewrite" if !upstream_host.is_empty() && !text::has_control(&upstream_host) => {}
            "rewrite" if text::has_control(&upstream_host) => {
                return Err(Invalid::new("upstream.upstream_host", "must hold no control characters"));
            }
            "rewrite" => {
                return Err(Invalid::new("upstream.upstream_host", "is required with pass_host rewrite"));
            }
            _ => return Err(Invalid::new("upstream.pass_host", "must be pass, node or rewrite")),
        }
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
            timeout: input.timeout.checked("upstream.timeout")?,
            pass_host,
            upstream_host,
            settings: UpstreamSettings::new(input.settings)?,
            shown: None,
            extra: input.extra,
        })
    }

    /// An upstream whose settings say that a certificate is shown, and that has none, gets a chain without a key:
    /// gateways refuse its requests then instead of sending them without the certificate.
    fn tls_state(&self) -> UpstreamTls {
        let promised = self.settings.client_certificate().is_some();
        UpstreamTls {
            client_chain: promised
                .then(|| self.shown.as_ref().map_or_else(String::new, |pair| pair.chain.clone())),
            client_key: self.shown.as_ref().filter(|_| promised).map(|pair| pair.key.clone()),
            ..self.settings.tls.clone()
        }
    }

    pub(super) fn gateway_state(&self) -> UpstreamState {
        UpstreamState {
            scheme: self.scheme.clone(),
            nodes: self.nodes.clone(),
            balancing: self.settings.balancing(&self.kind),
            retries: self.settings.retries,
            tls: self.tls_state(),
            active_check: self.settings.active.clone(),
            passive_check: self.settings.passive.clone(),
            keepalive: self.settings.keepalive,
            connect_timeout_ms: millis(self.timeout.connect.unwrap_or(DEFAULT_TIMEOUT)),
            send_timeout_ms: millis(self.timeout.send.unwrap_or(DEFAULT_TIMEOUT)),
            read_timeout_ms: millis(self.timeout.read.unwrap_or(DEFAULT_TIMEOUT)),
            host: match self.pass_host.as_str() {
                "node" => UpstreamHost::Node,
                "rewrite" => UpstreamHost::Rewrite(self.upstream_host.clone()),
                _ => UpstreamHost::Pass,
            },
        }
    }
}

impl UpstreamTimeout {
    /// The same limits, each of them in range; `path` is where they stand.
    pub(crate) fn checked(self, path: &str) -> Result<Self, Invalid> {
        for (name, seconds) in [("connect", self.connect), ("send", self.send), ("read", self.read)] {
            if seconds.is_some_and(|s| !(0.001..=86_400.0).contains(&s)) {
                return Err(Invalid::new(format!("{path}.{name}"), "must be 0.001 to 86400 seconds"));
            }
        }
        Ok(self)
    }
}

/// Seconds as milliseconds, at least 1.
pub(crate) fn millis(seconds: f64) -> u64 {
    // The range was checked when the limit was read; Duration keeps the conversion exact.
    std::time::Duration::try_from_secs_f64(seconds).map_or(60_000, |d| d.as_millis() as u64).max(1)
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
        let priority = i32::try_from(self.priority);
        let priority =
            priority.map_err(|_| Invalid::new(field("priority"), "must be a whole number of 32 bits"))?;
        Ok(UpstreamNode { host: self.host, port, weight, priority: priority.into() })
    }
}
