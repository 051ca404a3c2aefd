//! What gateways hear: the change log by revision, and the wake-up when it grows.
//!
//! Readers always read by revision from their own position; a wake-up that is lost costs time, never a change. What
//! they are told stands in `following.rs`, what other processes commit is heard in `others.rs`, and what may be
//! forgotten in `upkeep.rs`.

mod following;
pub(crate) mod lines;
mod others;
mod upkeep;

use std::{
    sync::{OnceLock, atomic::AtomicU64},
    time::Duration,
};

use forecourt_store::LoggedChange;
use forecourt_wire::changes::Change;
use tokio::sync::watch;

pub use self::{
    following::{Following, Held, News, diverged},
    others::listen,
    upkeep::forget,
};
use crate::{
    App, Error, ErrorKind,
    sealing::{self, Opener, Unopened},
};

/// How long a use case waits for the embedded gateway before it answers all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// Wakes readers of the change log, and knows how far the embedded gateway is.
pub(crate) struct Feed {
    latest: watch::Sender<i64>,
    embedded: OnceLock<watch::Receiver<i64>>,
    diverged: AtomicU64,
    unopened: Unopened,
}

impl Feed {
    /// Wakes readers where `revision` is news.
    fn wake(&self, revision: i64) {
        self.latest.send_if_modified(|latest| {
            let grown = *latest < revision;
            *latest = (*latest).max(revision);
            grown
        });
    }

    /// The database's latest revision is lower than was heard before: it was put back, and readers look from there.
    fn went_back(&self, revision: i64) {
        self.latest.send_if_modified(|latest| {
            let went_back = revision < *latest;
            *latest = (*latest).min(revision);
            went_back
        });
    }

    pub(crate) fn new(revision: i64) -> Self {
        Self {
            latest: watch::Sender::new(revision),
            embedded: OnceLock::new(),
            diverged: AtomicU64::new(0),
            unopened: Unopened::default(),
        }
    }

    /// Wakes readers, and waits until the embedded gateway, where there is one, has applied `revision`.
    pub(crate) async fn committed(&self, revision: i64) {
        self.wake(revision);
        if let Some(applied) = self.embedded.get() {
            let mut applied = applied.clone();
            let in_force = applied.wait_for(|applied| *applied >= revision);
            if tokio::time::timeout(PATIENCE, in_force).await.is_err() {
                tracing::warn!(
                    gateway.revision = revision,
                    "the embedded gateway has not applied a change within 1 s"
                );
            }
        }
    }
}

/// The latest revision that this process has committed or heard of; changes wake the receiver.
pub fn latest(app: &App) -> watch::Receiver<i64> {
    app.feed().latest.subscribe()
}

/// Names the embedded gateway's applied revision: from now on a change is answered once it is in force there.
/// Only the first call counts.
pub fn embed(app: &App, applied: watch::Receiver<i64>) {
    let _first = app.feed().embedded.set(applied);
}

/// The revision that the embedded gateway has applied, where there is one.
pub fn embedded(app: &App) -> Option<i64> {
    app.feed().embedded.get().map(|applied| *applied.borrow())
}

/// Rows of the log as a gateway gets them: with their secrets in clear.
async fn handed_out(app: &App, logged: Vec<LoggedChange>) -> Result<Vec<Change>, Error> {
    let mut resources = logged.iter().filter_map(|change| change.resource.as_ref());
    // Another process may have made a data key a moment ago.
    if resources.any(|resource| sealing::lacks_key(app.sealer(), resource)) {
        match app.learn_keys(app.read()).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            // What does not open stays closed; everything else, and what is taken away, must not wait for it.
            Err(error) => tracing::error!(
                error.cause = %error,
                "this process has no master key that opens the newest data key: give it the one in use, and restart it"
            ),
            Ok(()) => {}
        }
    }
    let opener = Opener { sealer: app.sealer(), unopened: &app.feed().unopened };
    let change = |change: LoggedChange| Change {
        revision: change.revision,
        kind: change.kind,
        key: change.key,
        resource: change.resource.map(|resource| sealing::opened(opener, resource)),
    };
    Ok(logged.into_iter().map(change).collect())
}
