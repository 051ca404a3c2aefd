//! Counters that several nodes share, in a Redis.
//!
//! Invariants: a call waits for the shared counters no longer than the timeout, and only while they answer. The first
//! call that waits in vain cuts the connection; from then on calls are counted on this node at once, until a new
//! connection has proven, beside the traffic, that it answers in time.

use std::{fmt, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use percent_encoding::percent_decode_str;
use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};
use url::Url;

use super::{connection, local::Verdict, plan::Plan, resp, script};
use crate::verify::Identity;

/// How long a connection may take to be made and prepared.
const CONNECT: Duration = Duration::from_secs(1);
/// How long this node counts alone before it tries again.
const PAUSE: Duration = Duration::from_secs(1);
/// Commands that may wait to be written.
const QUEUE: usize = 1_024;

/// Where the shared counters are, and how long a call may wait for them.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedLimits {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
    pub(super) username: Option<String>,
    pub(super) password: Option<String>,
    pub(super) database: u32,
    pub(super) timeout: Duration,
}

impl SharedLimits {
    /// The counters in the Redis at `url`: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS
    /// with the system's authorities. A call waits `timeout` at most.
    ///
    /// # Errors
    /// A sentence about what is wrong with the URL; it never holds the password.
    pub fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        let form = "must be redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS";
        let url = Url::parse(url).map_err(|_| form.to_owned())?;
        let is_tls = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return Err(form.to_owned()),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(form)?;
        let database = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| "must end in the number of a database, such as /0")?,
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Ok(Self {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port().unwrap_or(6_379),
            is_tls,
            username: Some(decoded(url.username())).filter(|name| !name.is_empty()),
            password: url.password().map(decoded),
            database,
            timeout,
        })
    }
}

impl fmt::Debug for SharedLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLimits")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// The shared counters.
pub(super) struct Shared {
    settings: SharedLimits,
    /// `None`: they are away, or did not answer in time.
    link: ArcSwapOption<Link>,
    lost: Notify,
    keeping: Mutex<()>,
}

/// A connection that answers.
struct Link {
    sha: String,
    commands: mpsc::Sender<Command>,
}

/// A command and who waits for its answer.
pub(super) struct Command {
    /// As it is sent.
    pub(super) bytes: Vec<u8>,
    /// Dropped where nobody waits any more.
    pub(super) answer: oneshot::Sender<resp::Value>,
}

impl Shared {
    /// Not connected yet: see [`Self::keep`].
    pub(super) fn new(settings: SharedLimits) -> Self {
        Self { settings, link: ArcSwapOption::empty(), lost: Notify::new(), keeping: Mutex::new(()) }
    }

    /// Whether they answer, as far as is known.
    pub(super) fn is_connected(&self) -> bool {
        self.link.load().is_some()
    }

    /// Counts a call if every limit of the plan has room; `None`: they do not answer, this node must count.
    pub(super) async fn count(&self, identity: &Identity, plan: &Plan) -> Option<Verdict> {
        let link = self.link.load_full()?;
        let (application, product) = (identity.application.id_text(), identity.product.id.as_str());
        let bytes = resp::command(&script::arguments(&link.sha, &application, product, plan));
        let call = async {
            let (answer, answered) = oneshot::channel();
            link.commands.send(Command { bytes, answer }).await.ok()?;
            answered.await.ok()
        };
        let reason = match timeout(self.settings.timeout, call).await {
            Ok(Some(answer)) => match script::verdict(plan, &answer) {
                Some(verdict) => return Some(verdict),
                None => format!("they answered {answer:?}"),
            },
            Ok(None) => "the connection was closed".to_owned(),
            Err(_) => format!("no answer within {} ms", self.settings.timeout.as_millis()),
        };
        self.give_up(&link, &reason);
        None
    }

    /// Counts on this node from now on, until the next connection answers.
    fn give_up(&self, link: &Arc<Link>, reason: &str) {
        let before = self.link.compare_and_swap(link, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, link)) {
            let SharedLimits { host, port, .. } = &self.settings;
            tracing::warn!(
                redis.host = host,
                redis.port = port,
                reason,
                "the shared counters of limits are away: this node counts alone until they answer again"
            );
            self.lost.notify_one();
        }
    }

    /// Connects, and connects again whenever the connection was given up; never ends. Of several that run at once
    /// one works.
    pub(super) async fn keep(&self) -> std::convert::Infallible {
        let _alone = self.keeping.lock().await;
        let mut is_away = false;
        loop {
            match timeout(CONNECT, connection::open(&self.settings)).await {
                Ok(Ok((sha, stream))) => {
                    tracing::info!("the counters of limits are shared with other nodes now");
                    is_away = false;
                    self.drive(sha, stream).await;
                }
                failed if !is_away => {
                    let reason = match failed {
                        Ok(Err(reason)) => reason,
                        _ => format!("no connection within {} s", CONNECT.as_secs()),
                    };
                    let SharedLimits { host, port, .. } = &self.settings;
                    tracing::warn!(
                        redis.host = host,
                        redis.port = port,
                        reason,
                        "the shared counters of limits cannot be reached: this node counts alone until they can"
                    );
                    is_away = true;
                }
                _ => {}
            }
            sleep(PAUSE).await;
        }
    }

    /// Serves calls over this connection until it ends or is given up.
    async fn drive(&self, sha: String, stream: connection::Stream) {
        let (commands, queue) = mpsc::channel(QUEUE);
        let link = Arc::new(Link { sha, commands });
        // Dropped with this call, and the connection with it.
        let mut driving = JoinSet::new();
        driving.spawn(connection::drive(stream, queue));
        self.link.store(Some(Arc::clone(&link)));
        loop {
            tokio::select! {
                ended = driving.join_next() => {
                    let reason = ended.and_then(Result::ok).unwrap_or_else(|| "the connection ended".to_owned());
                    return self.give_up(&link, &reason);
                }
                () = self.lost.notified() => {
                    // The word may be about a connection before this one.
                    if !self.link.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, &link)) {
                        return;
                    }
                }
            }
        }
    }
}
