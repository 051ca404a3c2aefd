//! One target, and the connections kept open to it.
//!
//! HTTP/1.1 connections carry one request at a time (`connections.rs`) and are kept most recently used first; one that
//! idled for long is not trusted, since its other end may just be closing it, and is closed. HTTP/2 connections are
//! shared, the oldest first, so that those made for a burst fall idle after it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{
            AtomicBool, AtomicU32, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::{Duration, Instant},
};

use forecourt_core::gateway_state::{KeepalivePool, UpstreamNode, UpstreamState};
use http::HeaderValue;
use hyper::client::conn::http2;
use rustls::pki_types::ServerName;
use tokio::{runtime::Handle, time::sleep};

use super::{
    alarm::Alarm,
    bare_host,
    connections::{Connection, Sender},
    exchange::Exchange,
    hashing,
    health::Health,
    wire::Heard,
};
use crate::bodies::RequestBody;

/// After this time an idle HTTP/1.1 connection is not used again; common servers close after 5 s.
const LONGEST_IDLE: Duration = Duration::from_secs(4);
/// The same for HTTP/2, whose servers say that they are going to close.
const LONGEST_IDLE_SHARED: Duration = Duration::from_secs(60);
/// Requests at a time on one HTTP/2 connection, unless the other end allows fewer.
pub(super) const MOST_STREAMS: u32 = 100;

/// One target of positive weight.
pub(crate) struct Node {
    pub(super) target: UpstreamNode,
    /// The `Host` that names it.
    pub(super) authority: Option<HeaderValue>,
    /// Whom its certificate must name.
    pub(super) server_name: Option<ServerName<'static>>,
    /// Its number in consistent hashing.
    pub(super) number: u64,
    pub(super) health: Health,
    /// Requests being served, where balancing counts them.
    pub(super) in_flight: Arc<AtomicU32>,
    /// Open connections.
    pub(super) open: Arc<AtomicUsize>,
    /// Whether its last handshake over TLS chose HTTP/2.
    pub(super) chose_http2: AtomicBool,
    /// Held by whoever makes a connection that others are going to share.
    pub(super) dialling: tokio::sync::Mutex<()>,
    pool: KeepalivePool,
    idle: Mutex<Kept>,
    shared: Mutex<Vec<Shared>>,
}

/// Idle HTTP/1.1 connections, that which has idled longest first.
#[derive(Default)]
struct Kept {
    connections: VecDeque<Idle>,
    /// Whether somebody closes those that idle for long.
    is_swept: bool,
}

pub(super) struct Idle {
    pub(super) sender: Sender,
    pub(super) heard: Arc<Heard>,
    pub(super) alarm: Alarm,
    pub(super) served: u32,
    pub(super) since: Instant,
}

struct Shared {
    sender: http2::SendRequest<RequestBody>,
    heard: Arc<Heard>,
    load: Arc<Load>,
    served: u32,
    made: Instant,
    last_used: Instant,
}

/// How busy a shared connection is.
pub(super) struct Load {
    streams: AtomicU32,
    limit: AtomicU32,
}

/// One request's place on a shared connection.
pub(super) struct Stream(pub(super) Arc<Load>);

impl Load {
    /// That of a connection with one request on it.
    pub(super) fn of_one() -> Arc<Self> {
        Arc::new(Self { streams: AtomicU32::new(1), limit: AtomicU32::new(MOST_STREAMS) })
    }

    /// Learns how many requests at a time the other end allows.
    pub(super) fn allow(&self, most: usize) {
        self.limit.store(u32::try_from(most).unwrap_or(u32::MAX).clamp(1, MOST_STREAMS), Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, AcqRel);
    }
}

impl Node {
    /// A node of this upstream without connections. `asked_for` is the host that requests name instead of its own.
    pub(super) fn new(
        target: UpstreamNode,
        is_tls: bool,
        asked_for: Option<&str>,
        of: &UpstreamState,
    ) -> Self {
        let default_port = if is_tls { 443 } else { 80 };
        let bare = bare_host(&target.host);
        let host = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
        let authority = if target.port == default_port { host } else { format!("{host}:{}", target.port) };
        let server_name = ServerName::try_from(bare_host(asked_for.unwrap_or(bare)).to_owned()).ok();
        Self {
            number: hashing::number(&format!("{bare}:{}", target.port)),
            authority: HeaderValue::try_from(authority).ok(),
            server_name,
            health: Health::new(of.active_check.is_some()),
            in_flight: Arc::default(),
            open: Arc::default(),
            chose_http2: AtomicBool::new(false),
            dialling: tokio::sync::Mutex::new(()),
            pool: of.keepalive,
            idle: Mutex::default(),
            shared: Mutex::default(),
            target,
        }
    }

    /// Host and port, as a log names it.
    pub(crate) fn name(&self) -> (&str, u16) {
        (&self.target.host, self.target.port)
    }

    /// An idle HTTP/1.1 connection, one that hyper drives or one that it does not if there is such a one.
    pub(super) async fn reuse(self: &Arc<Self>, is_driven: bool) -> Option<Connection> {
        let longest = self.longest_idle(LONGEST_IDLE);
        loop {
            let mut kept = self.take_idle(is_driven)?;
            if kept.since.elapsed() < longest && kept.sender.is_fit().await {
                return Some(Connection {
                    sender: kept.sender,
                    heard: kept.heard,
                    alarm: kept.alarm,
                    reused: true,
                    served: kept.served,
                    node: Arc::clone(self),
                    lease: None,
                });
            }
        }
    }

    fn take_idle(&self, is_driven: bool) -> Option<Idle> {
        let kept = &mut self.idle.lock().unwrap_or_else(PoisonError::into_inner).connections;
        let place = kept.iter().rposition(|idle| idle.sender.is_driven() == is_driven);
        place.and_then(|place| kept.remove(place)).or_else(|| kept.pop_back())
    }

    /// A place on a shared HTTP/2 connection, one made since `newer_than` if that is given.
    pub(super) fn share(self: &Arc<Self>, newer_than: Option<Instant>) -> Option<Connection> {
        let longest = self.longest_idle(LONGEST_IDLE_SHARED);
        let now = Instant::now();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|one| {
            let is_busy = one.load.streams.load(Acquire) > 0;
            let is_kept = self.pool.size > 0 && now.duration_since(one.last_used) < longest;
            !one.sender.is_closed() && (is_busy || is_kept)
        });
        let is_new = |one: &Shared| newer_than.is_none_or(|earliest| one.made >= earliest);
        let has_room =
            |one: &Shared| is_new(one) && one.load.streams.load(Acquire) < one.load.limit.load(Relaxed);
        let place = shared.iter().position(has_room)?;
        let one = shared.get_mut(place)?;
        one.load.streams.fetch_add(1, AcqRel);
        one.last_used = now;
        one.served = one.served.saturating_add(1);
        let connection = Connection {
            sender: Sender::Http2(one.sender.clone(), Stream(Arc::clone(&one.load))),
            heard: Arc::clone(&one.heard),
            alarm: Alarm::default(),
            reused: true,
            served: one.served,
            node: Arc::clone(self),
            lease: None,
        };
        if self.is_worn(one.served) {
            // Those who are on it finish.
            shared.swap_remove(place);
        }
        Some(connection)
    }

    /// A new HTTP/1.1 connection.
    pub(super) fn fresh(self: &Arc<Self>, exchange: Exchange, heard: Arc<Heard>) -> Connection {
        Connection {
            sender: Sender::Direct(Box::new(exchange)),
            heard,
            alarm: Alarm::default(),
            reused: false,
            served: 0,
            node: Arc::clone(self),
            lease: None,
        }
    }

    /// A new HTTP/2 connection, shared from now on. `load` counts the place that is returned.
    pub(super) fn fresh_shared(
        self: &Arc<Self>,
        sender: http2::SendRequest<RequestBody>,
        heard: Arc<Heard>,
        load: Arc<Load>,
    ) -> Connection {
        let stream = Stream(Arc::clone(&load));
        if !self.is_worn(1) {
            let made = Instant::now();
            let one = Shared {
                sender: sender.clone(),
                heard: Arc::clone(&heard),
                load,
                served: 1,
                made,
                last_used: made,
            };
            self.shared.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        }
        let sender = Sender::Http2(sender, stream);
        let (alarm, node) = (Alarm::default(), Arc::clone(self));
        Connection { sender, heard, alarm, reused: false, served: 1, node, lease: None }
    }

    /// Keeps a connection that carries nothing now, if there is room for it.
    pub(super) fn keep(self: &Arc<Self>, connection: Idle) {
        let longest = self.longest_idle(LONGEST_IDLE);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if longest.is_zero() || idle.connections.len() >= self.pool.size as usize {
            return;
        }
        idle.connections.push_back(connection);
        if !idle.is_swept
            && let Ok(runtime) = Handle::try_current()
        {
            idle.is_swept = true;
            runtime.spawn(sweep(Arc::downgrade(self), longest));
        }
    }

    /// Closes connections that idled for so long; false: none is left.
    fn close_idle(&self, longest: Duration) -> bool {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = idle.connections.partition_point(|one| now.duration_since(one.since) >= longest);
        let old: Vec<_> = idle.connections.drain(..recent).collect();
        let are_left = !idle.connections.is_empty();
        idle.is_swept = are_left;
        drop(idle);
        // Closing takes its time; nobody waits for it.
        drop(old);
        are_left
    }

    fn longest_idle(&self, otherwise: Duration) -> Duration {
        self.pool.idle_timeout_ms.map_or(otherwise, Duration::from_millis)
    }

    /// Gives nobody else a place on the shared connection with this load.
    pub(super) fn forget(&self, load: &Arc<Load>) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|one| !Arc::ptr_eq(&one.load, load));
    }

    /// Whether a connection has carried as many requests as it may.
    pub(super) fn is_worn(&self, served: u32) -> bool {
        self.pool.requests.is_some_and(|most| served >= most)
    }
}

/// Closes a node's connections that idle for long, as long as there are any: nobody may come by again.
async fn sweep(node: Weak<Node>, longest: Duration) {
    loop {
        sleep(longest).await;
        let Some(node) = node.upgrade() else { return };
        if !node.close_idle(longest) {
            return;
        }
    }
}
