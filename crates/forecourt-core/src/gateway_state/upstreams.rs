//! Upstreams as gateways meet them: targets, how they share requests, how their health is told.

use serde::{Deserialize, Serialize};

use crate::secrets::KeptSecret;

/// A service's upstream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamState {
    /// `http`, `https`, `grpc` or `grpcs`; the last two speak HTTP/2. Requests to any other are answered 503.
    pub scheme: String,
    /// Targets; those of weight 0 get nothing.
    pub nodes: Vec<UpstreamNode>,
    /// How the nodes share requests.
    #[serde(default)]
    pub balancing: Balancing,
    /// Limit on establishing a connection, milliseconds, at least 1.
    pub connect_timeout_ms: u64,
    /// Limit between two successive writes of the request, milliseconds, at least 1.
    pub send_timeout_ms: u64,
    /// Limit between two successive reads of the answer, milliseconds, at least 1.
    pub read_timeout_ms: u64,
    /// How often a request may be tried again at another node; `None`: once per other usable node, and
    /// at most three times.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Which `Host` the upstream sees.
    pub host: UpstreamHost,
    /// How `https` and `grpcs` are spoken.
    #[serde(default)]
    pub tls: UpstreamTls,
    /// Requests that the gateway makes to tell the nodes' health.
    #[serde(default)]
    pub active_check: Option<ActiveCheck>,
    /// What callers' requests tell of the nodes' health.
    #[serde(default)]
    pub passive_check: Option<PassiveCheck>,
    /// How connections are kept.
    #[serde(default)]
    pub keepalive: KeepalivePool,
}

/// How nodes share requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Balancing {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// To the node with the fewest requests in flight per weight.
    LeastConnections,
    /// By a property of the request, so that equal ones meet the same node while it is usable.
    ConsistentHash {
        /// Which property.
        on: HashOn,
    },
}

/// What of a request decides its node; where it is absent, the caller's address does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", content = "name", rename_all = "snake_case")]
pub enum HashOn {
    /// The caller's address.
    Address,
    /// The path as it was matched.
    Path,
    /// Path and query.
    Target,
    /// The host.
    Host,
    /// This query argument's first value.
    Argument(String),
    /// This header's first value.
    Header(String),
    /// This cookie.
    Cookie(String),
    /// The application or consumer that calls.
    Consumer,
}

/// Which `Host` an upstream sees (`pass_host` of the Admin API).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamHost {
    /// The caller's.
    Pass,
    /// The chosen node's host and port.
    Node,
    /// This text.
    Rewrite(String),
}

/// One upstream target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamNode {
    /// Host name or address.
    pub host: String,
    /// Port, 1 to 65535.
    pub port: u16,
    /// Share of requests relative to the other nodes' weights.
    pub weight: u32,
    /// Nodes of a lower priority get requests only while none of a higher one is usable.
    #[serde(default)]
    pub priority: i64,
}

/// How an upstream is spoken to over TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UpstreamTls {
    /// Whether its certificate must be valid for the name that is asked for.
    pub verify: bool,
    /// PEM of the authorities to trust; `None`: the system's.
    #[serde(default)]
    pub ca: Option<String>,
    /// Our own certificate, PEM, leaf first; `None`: none is shown.
    #[serde(default)]
    pub client_chain: Option<String>,
    /// The key of our own certificate, PEM.
    #[serde(default)]
    pub client_key: Option<KeptSecret>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self { verify: true, ca: None, client_chain: None, client_key: None }
    }
}

/// How connections to a node are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepalivePool {
    /// Idle connections kept per node.
    pub size: u32,
    /// An idle connection is not used again after this time, milliseconds; `None`: the gateway's own limit.
    pub idle_timeout_ms: Option<u64>,
    /// How many requests a connection carries at most; `None`: any number.
    pub requests: Option<u32>,
}

impl Default for KeepalivePool {
    fn default() -> Self {
        Self { size: 512, idle_timeout_ms: None, requests: None }
    }
}

/// How a probe is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// GET over plain HTTP.
    Http,
    /// GET over TLS.
    Https,
    /// A connection alone.
    Tcp,
}

/// Requests that the gateway makes to each node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveCheck {
    /// How.
    pub kind: CheckKind,
    /// Path and query of the request.
    pub path: String,
    /// The `Host` of the request; `None`: the node's.
    pub host: Option<String>,
    /// The port; `None`: the node's.
    pub port: Option<u16>,
    /// Limit on a whole probe, milliseconds, at least 1.
    pub timeout_ms: u64,
    /// Whether the certificate of an `https` probe must be valid.
    pub verify: bool,
    /// Further request headers.
    pub headers: Vec<(String, String)>,
    /// Milliseconds between two probes of a node that is healthy, at least 1.
    pub healthy_interval_ms: u64,
    /// Milliseconds between two probes of a node that is not.
    pub unhealthy_interval_ms: u64,
    /// What makes a node healthy.
    pub healthy: HealthyWhen,
    /// What makes it unhealthy.
    pub unhealthy: UnhealthyWhen,
}

/// What callers' requests tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassiveCheck {
    /// What makes a node healthy again.
    pub healthy: HealthyWhen,
    /// What makes it unhealthy.
    pub unhealthy: UnhealthyWhen,
}

/// Successive successes after which a node is healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthyWhen {
    /// Statuses that count as success.
    pub statuses: Vec<u16>,
    /// How many in a row; 0: never.
    pub successes: u32,
}

/// Successive failures after which a node is not used, while another is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnhealthyWhen {
    /// Statuses that count as failure.
    pub statuses: Vec<u16>,
    /// How many of these in a row; 0: never.
    pub http_failures: u32,
    /// How many failed connections in a row; 0: never.
    pub tcp_failures: u32,
    /// How many timeouts in a row; 0: never.
    pub timeouts: u32,
}
