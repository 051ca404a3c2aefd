//! The gateway in this process: fed from the change log by revision, as a node on another machine is.
//!
//! Invariant: the gateway hears changes from one loop alone, which starts from a whole state and never skips a revision.
//! That state comes in pages, of which one is held at a time, and before anybody is served. A change by this process
//! wakes the loop at once; changes by others on the same database are found by looking.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use forecourt_app::{
    App, ErrorKind,
    gateway_feed::{self, Following, Held, News},
    nodes::{self, EmbeddedNode},
};
use forecourt_core::ids::NodeId;
use forecourt_gateway::Gateway;
use forecourt_wire::{
    changes::{Change, ChangeBatch},
    sync::{Acknowledgement, Position, SnapshotReason},
};
use tokio::{
    sync::{Mutex, watch},
    task::JoinHandle,
};

use crate::{jobs::Jobs, supervision};

/// How often the change log is read when nobody wakes the loop.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// After so many revisions the gateway drops its memory of deleted rows, about 60 bytes each.
const FORGET_EVERY: i64 = 4_096;

/// How long a gateway that could not be listed among the nodes waits before it is tried again.
const REGISTER_AGAIN: Duration = Duration::from_secs(10);

/// The feed of a running gateway.
#[derive(Debug)]
pub struct Feed {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    app: App,
    node: NodeId,
    instance: String,
}

/// What one gateway is told, and tells.
struct Follower {
    app: App,
    gateway: Gateway,
    embedded: EmbeddedNode,
    /// `None`: it begins, or begins again where what is in force ends.
    following: Option<Following>,
    arriving: Arriving,
    /// How far what is in force goes; `None`: nothing whole is.
    in_force: Option<Position>,
    /// Whether it could not be listed among the nodes, which was said.
    is_unlisted: bool,
    /// Until when that is not tried again.
    register_after: Option<Instant>,
}

/// The rows since the last position.
enum Arriving {
    /// Changes.
    Changes(Vec<Change>),
    /// A whole state, for a gateway that has none: it is applied page by page, since nobody is served yet.
    First,
    /// A whole state that takes the place of another at once.
    State(SnapshotReason, Vec<Change>),
}

/// Applies the whole state, then follows the change log until [`Feed::stop`].
///
/// From now on the use cases of `app` answer once a change is in force in `gateway`.
///
/// # Errors
/// When the whole state cannot be read.
pub async fn follow(
    app: App,
    gateway: Gateway,
    embedded: EmbeddedNode,
    jobs: Arc<Jobs>,
) -> Result<Feed, forecourt_app::Error> {
    let (node, instance) = (embedded.id.clone(), embedded.instance.clone());
    // Taken before the state, so that a change while it is read is seen as one.
    let latest = gateway_feed::latest(&app);
    let mut follower = Follower {
        app: app.clone(),
        gateway,
        embedded,
        following: None,
        arriving: Arriving::Changes(Vec::new()),
        in_force: None,
        is_unlisted: false,
        register_after: None,
    };
    follower.apply().await?;
    follower.register().await;
    follower.acknowledge().await;
    gateway_feed::embed(&app, follower.gateway.applied());
    let follower = Arc::new(Mutex::new(follower));
    let (stop, stopped) = watch::channel(false);
    let work = move |jobs, stopped| go_on(Arc::clone(&follower), latest.clone(), jobs, stopped);
    let task = supervision::start(jobs, |jobs| &jobs.gateway_feed, stopped, work);
    Ok(Feed { stop, task, app, node, instance })
}

async fn go_on(
    follower: Arc<Mutex<Follower>>,
    mut latest: watch::Receiver<i64>,
    jobs: Arc<Jobs>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut follower = follower.lock().await;
    let mut is_away = false;
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            changed = latest.changed(), if !is_away => if changed.is_err() { return },
        }
        let outcome = follower.apply().await;
        jobs.gateway_feed.ended(&outcome);
        match &outcome {
            Err(error) if !is_away => tracing::warn!(
                error.cause = %error,
                "the change log cannot be read; the gateway goes on with what it knows"
            ),
            Ok(()) if is_away => tracing::info!("the change log can be read again"),
            _ => {}
        }
        is_away = outcome.is_err();
        if !is_away {
            follower.acknowledge().await;
        }
    }
}

impl Feed {
    /// Ends the loop, and notes that this node hears of nothing any more.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::error!("the gateway's feed ended early by a panic");
        }
        nodes::disconnected(&self.app, &self.node, &self.instance);
        if let Err(error) = nodes::write_down(&self.app).await {
            tracing::warn!(error.cause = %error, "what nodes last told could not be written down");
        }
    }
}

impl Follower {
    /// Hears and applies all that there is.
    async fn apply(&mut self) -> Result<(), forecourt_app::Error> {
        let outcome = self.hear().await;
        if outcome.is_err() {
            // What arrived in part is told again.
            self.following = None;
            self.arriving = Arriving::Changes(Vec::new());
        }
        outcome
    }

    async fn hear(&mut self) -> Result<(), forecourt_app::Error> {
        let mut following = match self.following.take() {
            Some(following) => following,
            None => {
                // Something is there where this loop broke off while it arrived.
                self.arriving = Arriving::Changes(Vec::new());
                let held = Held { position: self.in_force.clone(), ..Held::default() };
                Following::begin(&self.app, &self.embedded.group, held).await?
            }
        };
        loop {
            let told = following.next(&self.app).await?;
            if told.is_empty() {
                // The database answered: what is in force is what it says.
                self.gateway.heard(Duration::ZERO);
                self.following = Some(following);
                return Ok(());
            }
            for news in told {
                match news {
                    News::Snapshot(reason) => self.begin_state(reason).await,
                    News::Rows(changes) => self.take(changes),
                    News::Reached(position) => {
                        if !self.reached(position).await {
                            return Ok(());
                        }
                    }
                }
            }
        }
    }

    async fn begin_state(&mut self, reason: SnapshotReason) {
        if reason == SnapshotReason::Diverged {
            tracing::error!(
                gateway.revision = self.in_force.as_ref().map(|position| position.revision),
                "the database is not where it was: it was restored, or another took its place; this process's gateway \
                 starts from what it says now"
            );
            // What was told before was told of a line that is gone.
            self.register().await;
        }
        self.arriving = match self.in_force {
            None => {
                // Pages of an earlier attempt may be there.
                self.gateway.replace(&ChangeBatch { revision: 0, snapshot: true, changes: Vec::new() });
                Arriving::First
            }
            Some(_) => Arriving::State(reason, Vec::new()),
        };
    }

    fn take(&mut self, changes: Vec<Change>) {
        match &mut self.arriving {
            Arriving::Changes(rows) | Arriving::State(_, rows) => rows.extend(changes),
            Arriving::First => {
                let revision = changes.iter().map(|change| change.revision).max().unwrap_or(0);
                self.gateway.apply(&ChangeBatch { revision, snapshot: false, changes });
            }
        }
    }

    /// What arrived is in force; false: it is not, and must be told again.
    async fn reached(&mut self, position: Position) -> bool {
        let revision = position.revision;
        let before = *self.gateway.applied().borrow();
        match std::mem::replace(&mut self.arriving, Arriving::Changes(Vec::new())) {
            Arriving::Changes(changes) => {
                self.gateway.apply(&ChangeBatch { revision, snapshot: false, changes });
                // This loop reads in order and is alone: nothing at or before its position can arrive any more.
                // Looking through all rows for deleted ones costs milliseconds, so it is done now and then.
                if revision / FORGET_EVERY > before / FORGET_EVERY {
                    self.gateway.forget_deleted(revision);
                }
            }
            Arriving::First => {
                self.gateway.apply(&ChangeBatch { revision, snapshot: false, changes: Vec::new() });
                self.gateway.forget_deleted(revision);
            }
            Arriving::State(reason, changes) => {
                let batch = ChangeBatch { revision, snapshot: true, changes };
                // A position that is too old may be of another line: its mark is not known any more.
                let is_same_line = reason == SnapshotReason::Scopes;
                let gateway = self.gateway.clone();
                // A large one takes seconds of computing: beside the threads that answer requests.
                let applied = tokio::task::spawn_blocking(move || match is_same_line && revision >= before {
                    true => gateway.apply(&batch),
                    false => gateway.replace(&batch),
                });
                if applied.await.is_err() {
                    tracing::error!("a whole state could not be applied by a panic");
                    return false;
                }
            }
        }
        self.in_force = Some(position);
        true
    }

    /// Tells what is in force here; kept in memory and written beside, so it costs a look at the mark.
    ///
    /// A gateway that is not among the nodes is put there: its group may have been made since, or its row removed
    /// while its database was away.
    async fn acknowledge(&mut self) {
        let Some(position) = self.in_force.clone() else { return };
        if position.revision != *self.gateway.applied().borrow() || self.is_unlisted && !self.register().await
        {
            return;
        }
        let (node, instance) = (self.embedded.id.clone(), self.embedded.instance.clone());
        let told = Acknowledgement { node, instance, position, drift: Vec::new() };
        let mut outcome = nodes::acknowledge(&self.app, &told).await;
        let is_unknown = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::Forbidden);
        if outcome.as_ref().is_err_and(|error| is_unknown(error.kind())) && self.register().await {
            outcome = nodes::acknowledge(&self.app, &told).await;
        }
        if let Err(error) = outcome {
            let revision = told.position.revision;
            tracing::debug!(error.cause = %error, gateway.revision = revision, "a revision was not acknowledged");
        }
    }

    /// Lists it among the nodes; false: it is not, and nobody counts it in receipts.
    async fn register(&mut self) -> bool {
        if self.register_after.is_some_and(|after| Instant::now() < after) {
            return false;
        }
        self.register_after = None;
        let Err(error) = nodes::register_embedded(&self.app, &self.embedded).await else {
            if std::mem::take(&mut self.is_unlisted) {
                tracing::info!("this process's gateway is listed among the nodes again");
            }
            return true;
        };
        // Looking whether there is such a group costs next to nothing; all else is a write.
        if error.kind() != ErrorKind::NotFound {
            self.register_after = Some(Instant::now() + REGISTER_AGAIN);
        }
        if !std::mem::replace(&mut self.is_unlisted, true) {
            tracing::error!(
                error.cause = %error,
                gateway_group.id = %self.embedded.group,
                "this process's gateway is not listed among the nodes, and no receipt tells of it"
            );
        }
        false
    }
}
