//! What gateways hear: the change log by revision, and the wake-up when it grows.
//!
//! Readers always read by revision from their own position; a wake-up that is lost costs time, never a change. What a
//! node on another machine is told stands in `following.rs`, what other processes commit is heard in `others.rs`, and
//! what may be forgotten in `upkeep.rs`.

mod following;
pub(crate) mod lines;
mod others;
mod upkeep;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use forecourt_core::{gateway_state::Scope, ids::GatewayGroupId};
use forecourt_store::LoggedChange;
use forecourt_wire::changes::{Change, ChangeBatch};
use tokio::sync::watch;

use self::lines::LineMark;
pub use self::{
    following::{Following, News, diverged},
    others::listen,
    upkeep::forget,
};
use crate::{
    App, Error,
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

/// How far a reader of the change log is.
#[derive(Clone, Debug, Default)]
pub struct Position {
    /// `None`: nothing was read yet.
    at: Option<LineMark>,
    scopes: Option<Vec<Scope>>,
    /// The database left the line that it was on, and the snapshot that is owed for it was not read yet.
    left_its_line: bool,
}

impl Position {
    /// The same, as a node tells it; `None`: nothing was read yet.
    pub fn told(&self) -> Option<forecourt_wire::sync::Position> {
        let LineMark { revision, mark } = self.at.clone()?;
        Some(forecourt_wire::sync::Position { revision, mark })
    }
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

/// Whether the database has left the line of revisions that `position` is on: it was restored, or a replica that
/// lacked its last commits took its place. Then the position is back at the beginning, and the snapshot that follows
/// must take the place of everything that the gateway has.
///
/// A position that is so old that deletions after it are no longer known is sent a snapshot too, of the same line.
pub async fn left_the_line(app: &App, position: &mut Position) -> Result<bool, Error> {
    let Some(at) = &position.at else {
        // Said again until the snapshot was read: a look that failed in between must not make it an ordinary one.
        return Ok(position.left_its_line);
    };
    if !lines::holds(app.read(), at).await? {
        let latest = app.read().revision().await?;
        tracing::error!(
            gateway.revision = at.revision,
            database.revision = latest,
            "the database is not where it was: it was restored, or another took its place; this process's gateway \
             starts from what it says now"
        );
        *position = Position { left_its_line: true, ..Position::default() };
        app.feed().diverged.fetch_add(1, Ordering::Relaxed);
        app.feed().latest.send_replace(latest);
        return Ok(true);
    }
    if at.revision < app.read().forgotten_revision().await? {
        *position = Position::default();
    }
    Ok(false)
}

/// What a gateway of `group` at `position` has not heard yet; moves the position.
///
/// The first batch is a snapshot, and so is one after which the group needs other portals than before.
///
/// # Errors
/// When the database cannot be read, or was put back meanwhile, as [`left_the_line`] tells then.
pub async fn changes(
    app: &App,
    group: &GatewayGroupId,
    position: &mut Position,
) -> Result<ChangeBatch, Error> {
    let (mut latest, scopes, snapshot, mut logged) = loop {
        let latest = lines::latest(app.read(), position.at.as_ref()).await?;
        let scopes = app.read().scopes_of_group(group).await?;
        let snapshot = position.scopes.as_ref() != Some(&scopes);
        let after = position.at.as_ref().filter(|_| !snapshot).map_or(0, |at| at.revision);
        let logged = app.read().changes(&scopes, after).await?;
        // Else a commit in between gave the group another portal: rows of it must not be passed over.
        if app.read().scopes_of_group(group).await? == scopes {
            break (latest, scopes, snapshot, logged);
        }
    };
    lines::stay(app.read(), position.at.as_ref(), &latest).await?;
    if snapshot {
        // A row of it may be newer, and what it was before is not there any more.
        if let Some(last) = logged.last().filter(|last| last.revision > latest.revision) {
            let mark = app.read().revision_mark(last.revision).await?.map(|known| known.mark);
            latest = LineMark { revision: last.revision, mark: mark.unwrap_or_default() };
        }
    } else {
        // By which line later rows were made is not known; they come the next time.
        logged.retain(|change| change.revision <= latest.revision);
    }
    let revision = latest.revision;
    *position = Position { at: Some(latest), scopes: Some(scopes), left_its_line: false };
    Ok(ChangeBatch { revision, snapshot, changes: handed_out(app, logged) })
}

/// Rows of the log as a gateway gets them: with their secrets in clear.
fn handed_out(app: &App, logged: Vec<LoggedChange>) -> Vec<Change> {
    let opener = Opener { sealer: app.sealer(), unopened: &app.feed().unopened };
    let change = |change: LoggedChange| Change {
        revision: change.revision,
        kind: change.kind,
        key: change.key,
        resource: change.resource.map(|resource| sealing::opened(opener, resource)),
    };
    logged.into_iter().map(change).collect()
}
