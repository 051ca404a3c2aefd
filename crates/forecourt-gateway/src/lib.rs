//! The data plane: route, verify, meter, forward.
//!
//! | to see | read |
//! |---|---|
//! | what a request meets, in order | `proxy.rs`: `heads.rs`, `paths.rs`, `route.rs`, `path_table.rs`, `conditions.rs`, `verify.rs`, `meter.rs`, `forward.rs` |
//! | why no request sees half a change | `state.rs`, then `changes.rs` and `credentials.rs` |
//! | plugins and consumers | `plugins.rs`, `cors.rs`, `consumers.rs`, `verify/consumers.rs`, `verify/restriction.rs` |
//! | where credentials lie | `key_store.rs`, `named_store.rs`, `applications.rs`, on `compact_ids.rs` and `dense.rs` |
//! | passwords | `presented.rs`, `passwords.rs` |
//! | tokens | `jwt.rs`, `signatures.rs`, `verify/tokens.rs`; providers' keys: `key_sets.rs`, `jwks.rs`, `fetch.rs` |
//! | what costly proofs leave behind | `memory.rs` |
//! | plans: how often an application may call | `limits.rs`, `limits/` |
//! | callers' connections and their limits | `serving.rs`, `connections.rs`, `connection_watch.rs`, `sockets.rs`, `framing.rs`, `frames.rs`, `load.rs` |
//! | TLS and its certificates | `tls.rs`, `certificates.rs`, `client_chains.rs` |
//! | what upstreams are told | `own_fields.rs`: `forwarded.rs`, `request_ids.rs`, `identity.rs`; not: `hop_by_hop.rs` |
//! | upstreams | `sending.rs`, `spares.rs`, `upstreams.rs`, `bodies.rs`, `uploads.rs`, `upgrades.rs`, `grpc.rs` |
//! | a node on its own machine: stream, disk, staleness | `sync.rs` |
//! | every answer of our own | `rejects.rs` |
//!
//! Invariants: the gateway knows only what [`Gateway::apply`] told it, and asks nobody while it decides; a request
//! is forwarded only with a permit that `verify.rs` alone can make; without configuration every path is 404.

mod answered;
mod applications;
mod bodies;
mod certificates;
mod changes;
mod client_chains;
mod compact_ids;
mod conditions;
mod connection_watch;
mod connections;
mod consumers;
mod cors;
mod credentials;
mod dense;
mod fetch;
mod forward;
mod forwarded;
mod frames;
mod framing;
mod grpc;
mod heads;
mod hex_digits;
mod hop_by_hop;
mod identity;
mod jwks;
mod jwt;
mod key_sets;
mod key_store;
mod limits;
mod load;
mod memory;
mod meter;
mod named_store;
mod own_fields;
mod passwords;
mod path_table;
mod paths;
mod plugins;
mod presented;
mod proxy;
mod rejects;
mod request_ids;
mod route;
mod sending;
mod serving;
mod signatures;
mod sockets;
mod spans;
mod spares;
mod state;
pub mod sync;
#[cfg(test)]
mod tests;
mod tls;
mod turns;
mod upgrades;
mod uploads;
mod upstreams;
mod verify;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use answered::Answered;
use bodies::AnswerBody;
use connections::InFlight;
use fetch::Fetcher;
use forecourt_core::{
    addresses::{Network, OutgoingRules},
    gateway_state::Digests,
    time::Timestamp,
    traces::Tracing,
};
use forecourt_wire::{changes::ChangeBatch, usage::UsageCount};
use http::Response;
use limits::Limits;
pub use limits::{QuotaCount, SharedLimits};
use load::Load;
use meter::Meter;
use passwords::Passwords;
use rejects::Reject;
use state::State;
use sync::staleness::{self, Staleness};
use tokio::{net::TcpListener, sync::watch};

/// Tells the time; an argument so that tests can move it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The limits of a gateway (docs/gateway.md §6).
#[derive(Clone, Debug)]
pub struct Config {
    /// Where requests are told of as spans; `None`: nowhere, and a caller's `traceparent` goes on as it came.
    pub tracing: Option<Tracing>,
    /// The longest request head, request line included, in bytes; a longer one is answered 431.
    pub max_head_bytes: usize,
    /// The most fields in a request head; more are answered 431.
    pub max_head_fields: usize,
    /// How long a caller may take for a head, counted from its first byte or from the start of the connection.
    pub header_timeout: Duration,
    /// How long a connection may lie idle between two requests.
    pub keep_alive_timeout: Duration,
    /// How long a body may make no progress because of the caller, in either direction.
    pub body_idle_timeout: Duration,
    /// How long requests in flight may go on after a shutdown was asked for.
    pub drain_timeout: Duration,
    /// How many connections may be open at once; a further one is closed when it comes. 0: any number.
    pub max_connections: usize,
    /// How many requests may be in flight at once; a further one is answered 503. 0: any number.
    pub max_requests_in_flight: usize,
    /// The largest request body in bytes; a larger one is answered 413. 0: any size.
    pub max_request_body_bytes: u64,
    /// The proxies whose word counts on where a request came from.
    pub trusted_proxies: Vec<Network>,
    /// How many slow password hashes are computed at the same time, at least 1.
    pub max_concurrent_password_checks: usize,
    /// Where calls to providers of tokens may go.
    pub outgoing: OutgoingRules,
    /// For how long what the gateway was told counts when nobody tells it that it still does ([`Gateway::heard`]);
    /// after that, traffic of products and consumers is answered 503.
    pub max_staleness: Duration,
    /// Where counts of limits are shared with other nodes; `None`: each node counts alone.
    pub shared_limits: Option<SharedLimits>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tracing: None,
            max_head_bytes: 32 * 1_024,
            max_head_fields: 100,
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(60),
            body_idle_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            max_requests_in_flight: 10_000,
            max_request_body_bytes: 0,
            trusted_proxies: Vec::new(),
            max_concurrent_password_checks: std::thread::available_parallelism().map_or(1, usize::from),
            outgoing: OutgoingRules::default(),
            max_staleness: Duration::from_hours(24),
            shared_limits: None,
        }
    }
}

impl Config {
    /// After this time at the latest a connection is looked at again.
    pub(crate) fn shortest_wait(&self) -> Duration {
        self.header_timeout.min(self.body_idle_timeout).min(self.keep_alive_timeout)
    }
}

/// A gateway: told by change batches, asked by callers. Clones are the same gateway.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    config: Config,
    clock: Clock,
    state: State,
    staleness: Staleness,
    passwords: Passwords,
    fetcher: Arc<Fetcher>,
    meter: Arc<Meter>,
    limits: Limits,
    load: Arc<Load>,
    id_seed: u64,
    applied: watch::Sender<i64>,
    rejected: [AtomicU64; Reject::LABELS.len()],
    answered: Answered,
}

impl Gateway {
    /// A gateway that knows nothing yet.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn new(config: Config, clock: Clock) -> Result<Self, getrandom::Error> {
        let mut password_key = [0; 32];
        getrandom::fill(&mut password_key)?;
        let seed = [getrandom::u64()?, getrandom::u64()? | 1];
        let passwords = Passwords::new(password_key, config.max_concurrent_password_checks);
        let fetcher = Arc::new(Fetcher::new(config.outgoing.clone()));
        let limits = Limits::new(config.shared_limits.clone());
        let inner = Inner {
            staleness: Staleness::new(config.max_staleness, Arc::new(staleness::since_boot)),
            config,
            meter: Arc::new(Meter::new(Arc::clone(&clock))),
            clock,
            state: State::empty(seed),
            passwords,
            fetcher,
            limits,
            load: Arc::default(),
            id_seed: getrandom::u64()?,
            applied: watch::Sender::new(0),
            rejected: Default::default(),
            answered: Answered::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Applies a batch wholly and answers the highest revision applied so far; in force when it returns.
    ///
    /// Batches may come late, twice or in any order: of each row the highest revision counts. A snapshot older
    /// than what is in force is ignored. After a snapshot, rows older than it are accepted in a snapshot only; so
    /// a feed that begins to concern itself with more (another portal, say) sends one. A large snapshot keeps the calling thread busy for a while (about a
    /// second per million credentials); requests go on meanwhile.
    pub fn apply(&self, batch: &ChangeBatch) -> i64 {
        let revision = self.inner.state.apply(batch);
        self.inner.applied.send_if_modified(|applied| std::mem::replace(applied, revision) != revision);
        revision
    }

    /// Takes a snapshot of another line of revisions in the place of everything known, at once, and answers its
    /// revision, which may be lower than what was applied before. An empty one of revision 0 makes the gateway
    /// forget everything.
    ///
    /// For a control plane whose database was restored from a backup, and for a state that was found to differ.
    /// Nothing that was in force before stays, so it must come from where the truth is.
    pub fn replace(&self, snapshot: &ChangeBatch) -> i64 {
        let revision = self.inner.state.replace(snapshot);
        self.inner.applied.send_if_modified(|applied| std::mem::replace(applied, revision) != revision);
        revision
    }

    /// What tells the rows that are in force: the digest of each kind that has any.
    pub fn digests(&self) -> Digests {
        self.inner.state.digests()
    }

    /// Forgets deletions at or before `revision` and ignores changes at or before it from now on.
    ///
    /// To be called when nothing that old can arrive any more; it frees about 60 bytes per deleted row.
    pub fn forget_deleted(&self, revision: i64) {
        self.inner.state.forget_deleted(revision);
    }

    /// Who tells it changes was heard so long ago, and has told all that there was; a new gateway counts as just told.
    pub fn heard(&self, ago: Duration) {
        self.inner.staleness.heard(ago);
    }

    /// For how long nothing was heard.
    pub fn unheard(&self) -> Duration {
        self.inner.staleness.since()
    }

    /// Whether that is longer than [`Config::max_staleness`], so that only open routes are served.
    pub fn is_stale(&self) -> bool {
        self.inner.staleness.is_past()
    }

    /// Whether a request with this head would be forwarded, as far as that can be told at once: a password or a
    /// provider's key that would have to be looked into first makes it false. Nothing is sent and nothing counted.
    pub fn would_pass(&self, head: &http::Request<()>) -> bool {
        proxy::passes(&self.inner, head)
    }

    /// The highest revision applied so far, 0 before the first batch; changes wake its receivers.
    pub fn applied(&self) -> watch::Receiver<i64> {
        self.inner.applied.subscribe()
    }

    /// Takes calls counted since the last time: at most one entry per (product, application, credential, route, kind
    /// of answer, minute), in no order. At most [`MOST_COUNTS`](forecourt_wire::usage::MOST_COUNTS) at a time: what is
    /// left comes the next time, and nothing is left when the answer is empty. Not for a thread that answers requests:
    /// merging what very many callers used takes tens of milliseconds.
    pub fn take_usage(&self) -> Vec<UsageCount> {
        self.inner.meter.take()
    }

    /// How often the gateway answered by itself, by metric label, since it was made.
    pub fn rejected(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Reject::LABELS.into_iter().zip(self.inner.rejected.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    /// How many requests were answered since it was made, by class of status, its own refusals among them.
    pub fn answered(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.inner.answered.read().into_iter()
    }

    /// How many slow hashes of passwords that callers showed were computed since it was made.
    pub fn password_hashes(&self) -> u64 {
        self.inner.passwords.computed()
    }

    /// What quotas have counted in the windows that run: to be kept over a restart.
    pub fn quotas(&self) -> Vec<QuotaCount> {
        self.inner.limits.quotas((self.inner.clock)())
    }

    /// A number that grows whenever a quota counts.
    pub fn quota_changes(&self) -> u64 {
        self.inner.limits.quota_changes()
    }

    /// Takes back what [`Self::quotas`] gave; what is counted higher already stays so.
    pub fn restore_quotas(&self, counts: &[QuotaCount]) {
        self.inner.limits.restore(counts);
    }

    /// How many pairs of application and product have calls that count for a limit.
    pub fn limited_callers(&self) -> usize {
        self.inner.limits.len()
    }

    /// How many calls this node counted alone because the shared counters did not answer in time.
    pub fn limit_fallbacks(&self) -> u64 {
        self.inner.limits.fallbacks()
    }

    /// Whether the shared counters answer; `None`: none are configured.
    pub fn limits_are_shared(&self) -> Option<bool> {
        self.inner.limits.is_shared()
    }

    /// How many connections were closed at once because [`Config::max_connections`] were open.
    pub fn refused_connections(&self) -> u64 {
        self.inner.load.refused()
    }

    /// Serves plain HTTP/1.1, and HTTP/2 to callers who begin with its preface, on `listener` until `shutdown` is
    /// done; then no connection is accepted, requests in flight finish, and what is left after
    /// [`Config::drain_timeout`] is cut. Key sets of providers are kept fresh meanwhile.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let serving = serving::serve(Arc::clone(&self.inner), listener, false, shutdown);
        let keeping = self.inner.state.key_sets.keep_fresh(&self.inner.fetcher, &self.inner.clock);
        tokio::select! {
            () = serving => {}
            never = keeping => match never {},
            never = self.inner.limits.keep_shared() => match never {},
        }
    }

    /// The same over TLS, with the certificates that [`Self::apply`] told; HTTP/2 where the caller agrees to it.
    pub async fn serve_tls(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let serving = serving::serve(Arc::clone(&self.inner), listener, true, shutdown);
        let keeping = self.inner.state.key_sets.keep_fresh(&self.inner.fetcher, &self.inner.clock);
        tokio::select! {
            () = serving => {}
            never = keeping => match never {},
            never = self.inner.limits.keep_shared() => match never {},
        }
    }
}

impl Inner {
    /// The answer to a request that is not forwarded.
    fn refuse(&self, reject: Reject, in_flight: InFlight) -> Response<AnswerBody> {
        if let Some(count) = self.rejected.get(reject.number()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if let Reject::BadRequest(reason) = reject {
            tracing::debug!(reason, "a malformed request was refused");
        }
        reject.response(|body| AnswerBody::own(body, in_flight))
    }
}
