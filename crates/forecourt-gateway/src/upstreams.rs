//! Where requests go: the nodes of an upstream, which of them gets a request, and the connections kept to them.
//!
//! Invariant: an upstream whose row did not change is the same value over any number of table rebuilds, with its
//! connections and what it knows of its nodes' health. `balance.rs` chooses, `node.rs` keeps connections, `dial.rs`
//! makes them (`reaching.rs`, `tls.rs`, `wire.rs`), `connections.rs` sends (`exchange.rs`, `exclusive.rs`), `health.rs` and
//! `probes.rs` judge; `sending.rs` is who asks.

mod alarm;
mod answer_bodies;
mod answer_heads;
mod balance;
mod connections;
mod dial;
mod exchange;
mod exclusive;
mod hashing;
mod health;
mod node;
mod probes;
mod reaching;
mod request_heads;
mod tls;
mod wire;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use forecourt_core::gateway_state::{
    Balancing, CheckKind, HashOn, RouteTimeouts, UpstreamHost, UpstreamState,
};
use http::{HeaderValue, uri::Authority};
use tokio::task::JoinSet;

pub(crate) use self::{
    alarm::Alarm,
    answer_bodies::Arriving,
    balance::Lease,
    connections::{Connection, Purpose, Unanswered},
    hashing::{Traits, key},
    health::Outcome,
    node::Node,
    request_heads::RequestHead,
    tls::SystemRoots,
};
use self::{balance::Balance, tls::Tls};
use crate::rejects::Reject;

/// Without a number of its own an upstream's requests are tried again at this many further nodes at most.
const MOST_RETRIES: usize = 3;

/// A service's upstream with its live connections.
pub(crate) struct Upstream {
    state: UpstreamState,
    protocol: Option<Protocol>,
    nodes: Box<[Arc<Node>]>,
    balance: Balance,
    host: HostRule,
    tls: Option<Tls>,
    probe_tls: Option<Arc<Tls>>,
    /// Ends with the upstream.
    probes: OnceLock<JoinSet<()>>,
}

/// What an upstream's scheme says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1.
    Http,
    /// TLS, then what both agree on: HTTP/2 or HTTP/1.1.
    Https,
    /// HTTP/2 without TLS, known beforehand.
    Grpc,
    /// HTTP/2 over TLS.
    Grpcs,
}

/// How long the upstream may take for each thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// To take a connection, the handshake of TLS included.
    pub(crate) connect: Duration,
    /// Between two successive writes.
    pub(crate) send: Duration,
    /// Between two successive reads.
    pub(crate) read: Duration,
}

/// A node that was chosen for a request.
pub(crate) struct Choice<'a> {
    /// Its place among the upstream's nodes, by which it is not chosen again.
    pub(crate) place: usize,
    /// The node.
    pub(crate) node: &'a Arc<Node>,
    /// The mark that it serves this request, where balancing counts them.
    pub(crate) lease: Option<Lease>,
}

enum HostRule {
    Pass,
    Node,
    Rewrite(Option<HeaderValue>),
}

impl Protocol {
    fn of(scheme: &str) -> Option<Self> {
        let known =
            [("http", Self::Http), ("https", Self::Https), ("grpc", Self::Grpc), ("grpcs", Self::Grpcs)];
        known.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)).map(|(_, protocol)| protocol)
    }

    /// Whether it begins with a handshake of TLS.
    pub(crate) const fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }
}

impl Upstream {
    /// An upstream without connections; what is wrong with its row is logged here, once.
    pub(crate) fn new(state: UpstreamState, roots: &SystemRoots) -> Self {
        let protocol = Protocol::of(&state.scheme);
        if protocol.is_none() {
            tracing::warn!(
                scheme = state.scheme,
                "the scheme of an upstream is kept and not spoken: its requests are answered 503; use http, https, \
                 grpc or grpcs"
            );
        }
        let host = match &state.host {
            UpstreamHost::Pass => HostRule::Pass,
            UpstreamHost::Node => HostRule::Node,
            UpstreamHost::Rewrite(text) => HostRule::Rewrite(HeaderValue::from_str(text).ok()),
        };
        let asked_for: Option<Authority> = match &state.host {
            UpstreamHost::Rewrite(text) => text.parse().ok(),
            UpstreamHost::Pass | UpstreamHost::Node => None,
        };
        let asked_for = asked_for.as_ref().map(Authority::host);
        let is_tls = protocol.is_some_and(Protocol::is_tls);
        let usable = state.nodes.iter().filter(|node| node.weight > 0);
        let mut nodes: Vec<_> =
            usable.map(|node| Arc::new(Node::new(node.clone(), is_tls, asked_for, &state))).collect();
        nodes.sort_by_key(|node| std::cmp::Reverse(node.target.priority));
        for node in nodes.iter().filter(|node| is_tls && node.server_name.is_none()) {
            let (upstream_host, upstream_port) = node.name();
            tracing::error!(
                upstream_host,
                upstream_port,
                "a node that no certificate can name: its host is neither a DNS name nor an address"
            );
        }
        let tls = is_tls.then(|| Tls::new(&state, protocol == Some(Protocol::Grpcs), roots));
        let check = state.active_check.as_ref().filter(|check| check.kind == CheckKind::Https);
        let probe_tls = check.map(|check| Arc::new(Tls::for_probes(&state, check.verify, roots)));
        let upstream = Self {
            protocol,
            probe_tls,
            balance: Balance::new(&state.balancing, &nodes),
            nodes: nodes.into(),
            host,
            tls,
            probes: OnceLock::new(),
            state,
        };
        upstream.begin_probes();
        upstream
    }

    /// Whether it was made from exactly this.
    pub(crate) fn is(&self, state: &UpstreamState) -> bool {
        self.state == *state
    }

    /// How it is spoken to; `None`: in no way that this gateway knows.
    pub(crate) const fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Whether a connection to it can change to another protocol.
    pub(crate) const fn may_upgrade(&self) -> bool {
        matches!(self.protocol, Some(Protocol::Http | Protocol::Https))
    }

    /// Its limits, or the route's own in their place.
    pub(crate) fn limits(&self, own: &RouteTimeouts) -> Limits {
        let limit = |own: Option<u64>, or: u64| Duration::from_millis(own.unwrap_or(or));
        Limits {
            connect: limit(own.connect_ms, self.state.connect_timeout_ms),
            send: limit(own.send_ms, self.state.send_timeout_ms),
            read: limit(own.read_ms, self.state.read_timeout_ms),
        }
    }

    /// At how many further nodes a request may be tried that no node has taken.
    pub(crate) fn retries(&self) -> usize {
        let others = self.nodes.len().saturating_sub(1);
        self.state.retries.map_or(others.min(MOST_RETRIES), |most| others.min(most as usize))
    }

    /// What decides a request's node, where requests are told apart at all.
    pub(crate) const fn hash_on(&self) -> Option<&HashOn> {
        match &self.state.balancing {
            Balancing::ConsistentHash { on } => Some(on),
            Balancing::RoundRobin | Balancing::LeastConnections => None,
        }
    }

    /// The node whose turn it is, none of those `tried`; healthy ones first. `None`: all were tried, or there is
    /// none. `key` is that of [`key`], where requests are told apart.
    pub(crate) fn choose(&self, key: u64, tried: &[usize]) -> Option<Choice<'_>> {
        let (place, lease) = self.balance.choose(&self.nodes, key, tried)?;
        Some(Choice { place, node: self.nodes.get(place)?, lease })
    }

    /// The `Host` that this node is to see; `None`: the caller's.
    pub(crate) const fn host_for<'a>(&'a self, node: &'a Node) -> Option<&'a HeaderValue> {
        match &self.host {
            HostRule::Pass => None,
            HostRule::Node => node.authority.as_ref(),
            HostRule::Rewrite(text) => text.as_ref(),
        }
    }

    /// Learns from a caller's request how a node fares.
    pub(crate) fn note(&self, node: &Node, outcome: Outcome) {
        if let Some(check) = &self.state.passive_check {
            node.health.note(outcome, &check.healthy, &check.unhealthy, &node.target);
        }
    }

    /// Learns from a failed connection how a node fares.
    pub(crate) fn note_unconnected(&self, node: &Node, reject: &Reject) {
        match reject {
            Reject::TimedOut => self.note(node, Outcome::TimedOut),
            Reject::Unreachable | Reject::UntrustedUpstream => self.note(node, Outcome::Unreachable),
            _ => {}
        }
    }

    /// Begins to probe the nodes if the row says so, once, and where there is a runtime to do it on: rows may be
    /// applied outside of one, and then the first request begins.
    pub(crate) fn begin_probes(&self) {
        if let Some(check) = &self.state.active_check
            && self.probes.get().is_none()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let tls = self.probe_tls.as_ref();
            self.probes.get_or_init(|| probes::begin(check, &self.nodes, &self.host_texts(), tls, &runtime));
        }
    }

    /// Whether the node at this place failed its checks.
    #[cfg(test)]
    pub(crate) fn is_out(&self, place: usize) -> bool {
        self.nodes[place].health.is_out()
    }

    /// The `Host` of a probe of each node where the check names none.
    fn host_texts(&self) -> Vec<String> {
        let text = |node: &Arc<Node>| {
            let host = self.host_for(node).or(node.authority.as_ref());
            host.and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned()
        };
        self.nodes.iter().map(text).collect()
    }
}

/// An IPv6 address may be written in brackets.
fn bare_host(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
#[path = "tests/upstreams.rs"]
mod tests;
