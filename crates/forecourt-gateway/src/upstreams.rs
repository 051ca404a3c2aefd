//! Where requests go: choice of a node, and the connections kept open to it.
//!
//! Nodes share requests by smooth weighted round robin. Connections are HTTP/1.1 and kept for reuse, most
//! recently used first; one that idled for long is not trusted, since its other end may just be closing it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use forecourt_core::gateway_state::{UpstreamHost, UpstreamNode, UpstreamState};
use http::HeaderValue;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{bodies::RequestBody, rejects::Reject};

/// Idle connections kept per node.
const MOST_IDLE: usize = 512;
/// After this idle time a connection is not used again; common servers close after 5 s.
const LONGEST_IDLE: Duration = Duration::from_secs(4);
/// How long a connection may take to become ready after its last answer was read.
const SETTLING: Duration = Duration::from_millis(100);

/// A service's upstream with its live connections.
pub(crate) struct Upstream {
    state: UpstreamState,
    nodes: Box<[Arc<Node>]>,
    shares: Mutex<Box<[i64]>>,
    host: HostRule,
}

/// One target of positive weight.
pub(crate) struct Node {
    target: UpstreamNode,
    authority: Option<HeaderValue>,
    idle: Mutex<VecDeque<Idle>>,
}

/// A connection ready for one request, and where it goes back to.
pub(crate) struct Connection {
    /// Sends the request.
    pub(crate) sender: SendRequest<RequestBody>,
    /// Whether it has served a request before.
    pub(crate) reused: bool,
    node: Arc<Node>,
}

enum HostRule {
    Pass,
    Node,
    Rewrite(Option<HeaderValue>),
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

impl Upstream {
    /// An upstream without connections.
    pub(crate) fn new(state: UpstreamState) -> Self {
        let usable = state.nodes.iter().filter(|node| node.weight > 0);
        let nodes: Box<[_]> = usable.map(|node| Arc::new(Node::new(node.clone(), &state.scheme))).collect();
        let host = match &state.host {
            UpstreamHost::Pass => HostRule::Pass,
            UpstreamHost::Node => HostRule::Node,
            UpstreamHost::Rewrite(text) => HostRule::Rewrite(HeaderValue::from_str(text).ok()),
        };
        Self { shares: Mutex::new(vec![0; nodes.len()].into()), nodes, host, state }
    }

    /// Whether it was made from exactly this.
    pub(crate) fn is(&self, state: &UpstreamState) -> bool {
        self.state == *state
    }

    /// Whether it is spoken to over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.state.scheme.eq_ignore_ascii_case("https")
    }

    /// The limit between two successive writes.
    pub(crate) const fn send_timeout(&self) -> Duration {
        Duration::from_millis(self.state.send_timeout_ms)
    }

    /// The limit between two successive reads.
    pub(crate) const fn read_timeout(&self) -> Duration {
        Duration::from_millis(self.state.read_timeout_ms)
    }

    /// The node whose turn it is.
    pub(crate) fn choose(&self) -> Option<&Arc<Node>> {
        if let [only] = &*self.nodes {
            return Some(only);
        }
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (place, (share, node)) in shares.iter_mut().zip(&self.nodes).enumerate() {
            let weight = i64::from(node.target.weight);
            total += weight;
            *share += weight;
            if best.is_none_or(|(_, most)| *share > most) {
                best = Some((place, *share));
            }
        }
        let (place, _) = best?;
        if let Some(share) = shares.get_mut(place) {
            *share -= total;
        }
        self.nodes.get(place)
    }

    /// The `Host` that this node is to see; `None`: the caller's.
    pub(crate) const fn host_for<'a>(&'a self, node: &'a Node) -> Option<&'a HeaderValue> {
        match &self.host {
            HostRule::Pass => None,
            HostRule::Node => node.authority.as_ref(),
            HostRule::Rewrite(text) => text.as_ref(),
        }
    }

    /// A connection to the node: an idle one unless `fresh`, else a new one.
    pub(crate) async fn connect(&self, node: &Arc<Node>, fresh: bool) -> Result<Connection, Reject> {
        if !fresh && let Some(sender) = node.reuse().await {
            return Ok(Connection { sender, reused: true, node: Arc::clone(node) });
        }
        let limit = Duration::from_millis(self.state.connect_timeout_ms);
        let target = &node.target;
        let stream = match timeout(limit, TcpStream::connect((bare_host(&target.host), target.port))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::warn!(upstream.host = target.host, upstream.port = target.port, %error, "cannot connect");
                return Err(Reject::Unreachable);
            }
            Err(_) => {
                tracing::warn!(
                    upstream.host = target.host,
                    upstream.port = target.port,
                    "connecting took too long"
                );
                return Err(Reject::TimedOut);
            }
        };
        // Without it small requests wait for acknowledgements; a socket that refuses it still works.
        let _ = stream.set_nodelay(true);
        let handshake = http1::handshake::<_, RequestBody>(TokioIo::new(stream)).await;
        let Ok((sender, connection)) = handshake else { return Err(Reject::Unreachable) };
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "an upstream connection ended");
            }
        });
        Ok(Connection { sender, reused: false, node: Arc::clone(node) })
    }
}

impl Node {
    fn new(target: UpstreamNode, scheme: &str) -> Self {
        let default_port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        let host = bare_host(&target.host);
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let authority = if target.port == default_port { host } else { format!("{host}:{}", target.port) };
        Self { authority: HeaderValue::try_from(authority).ok(), target, idle: Mutex::default() }
    }

    async fn reuse(&self) -> Option<SendRequest<RequestBody>> {
        loop {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_back()?;
            if idle.since.elapsed() >= LONGEST_IDLE || idle.sender.is_closed() {
                continue;
            }
            // Its task may not have run since the last answer ended; one that stays busy is let go.
            if idle.sender.is_ready() || matches!(timeout(SETTLING, idle.sender.ready()).await, Ok(Ok(()))) {
                return Some(idle.sender);
            }
        }
    }

    fn keep(&self, sender: SendRequest<RequestBody>) {
        let since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while idle.front().is_some_and(|oldest| since.duration_since(oldest.since) >= LONGEST_IDLE) {
            idle.pop_front();
        }
        if idle.len() < MOST_IDLE {
            idle.push_back(Idle { sender, since });
        }
    }
}

impl Connection {
    /// Gives the connection back after an answer was read to its end.
    pub(crate) fn recycle(self) {
        if !self.sender.is_closed() {
            self.node.keep(self.sender);
        }
    }
}

/// An IPv6 address may be written in brackets.
fn bare_host(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use forecourt_core::gateway_state::{
        Balancing, KeepalivePool, UpstreamHost, UpstreamNode, UpstreamState, UpstreamTls,
    };

    use super::Upstream;

    fn upstream(weights: &[u32]) -> Upstream {
        let nodes = weights.iter().zip(1u16..).map(|(weight, port)| UpstreamNode {
            host: "127.0.0.1".into(),
            port,
            weight: *weight,
            priority: 0,
        });
        Upstream::new(UpstreamState {
            scheme: "http".into(),
            balancing: Balancing::RoundRobin,
            retries: None,
            tls: UpstreamTls::default(),
            active_check: None,
            passive_check: None,
            keepalive: KeepalivePool::default(),
            nodes: nodes.collect(),
            connect_timeout_ms: 1,
            send_timeout_ms: 1,
            read_timeout_ms: 1,
            host: UpstreamHost::Node,
        })
    }

    #[test]
    fn nodes_take_turns_by_weight_and_without_bursts() {
        let upstream = upstream(&[5, 0, 1, 1]);
        let turns: Vec<u16> = (0..14).map(|_| upstream.choose().unwrap().target.port).collect();
        assert_eq!(turns, [1, 1, 3, 1, 4, 1, 1, 1, 1, 3, 1, 4, 1, 1]);
    }

    #[test]
    fn without_a_node_of_positive_weight_there_is_none() {
        assert!(upstream(&[]).choose().is_none());
        assert!(upstream(&[0]).choose().is_none());
    }

    #[test]
    fn the_host_of_a_node_names_its_port_unless_it_is_the_scheme_s_own() {
        let one = upstream(&[1]);
        let node = Arc::clone(one.choose().unwrap());
        assert_eq!(one.host_for(&node).unwrap(), "127.0.0.1:1");
    }
}
