//! What this process knows of nodes before it is written down: open streams, last contact, acknowledgements.
//!
//! A thousand revocations on three nodes are three thousand acknowledgements. They are kept here and written in one
//! small transaction about every 100 ms; lists and receipts look here as well, so nobody waits for it. A process that
//! dies in between loses at most that, and its nodes tell it again when they open their next stream.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use forecourt_core::{
    actors::{Caller, Source},
    gateway_state::Kind,
    ids::NodeId,
    secrets::SecretDigest,
    time::Timestamp,
};
use forecourt_store::{Alive, Applied, NodeNews};
use tokio::sync::watch;

use super::Admitted;
use crate::{App, Error, app::WeakApp};

/// How long news are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);
/// How long to wait after a failed write.
const RETRY: Duration = Duration::from_secs(1);
/// A contact alone is written this often, seconds.
const CONTACT_EVERY: i64 = 10;
/// A node of another process is taken for connected this long after that process wrote its last contact, seconds.
const STALE_AFTER: i64 = 3 * CONTACT_EVERY;
/// Unwritten acknowledgements of one node; beyond it, while the database is away, every second one is dropped, so
/// that a receipt may tell a later moment than the true one, never an earlier.
const MOST_UNWRITTEN: usize = 10_000;
/// Written acknowledgements are kept this long, and this many of a node.
const KEPT_SECONDS: i64 = 7 * 24 * 3_600;
const KEPT_OF_A_NODE: u64 = 10_000;
/// After so many written acknowledgements the old ones are looked for.
const PRUNE_EVERY: u64 = 1_000;

/// Everything that this process knows of nodes beyond the database.
pub(crate) struct Live {
    /// What this process is called in the rows of the nodes whose streams it holds.
    process: String,
    nodes: Mutex<HashMap<NodeId, LiveNode>>,
    is_writing: AtomicBool,
    turn: tokio::sync::Mutex<()>,
    written: AtomicU64,
    removals: watch::Sender<u64>,
}

/// One node.
#[derive(Debug)]
pub(super) struct LiveNode {
    /// What it was let in with, by this process.
    pub(super) shown: Option<(SecretDigest, Admitted)>,
    /// How many streams of it this process holds: two for a moment when it opens another.
    pub(super) streams: u32,
    /// Which of the processes that have gone by its id this is about.
    pub(super) instance: String,
    /// Whether it was let in and its stream is about to open, so that it must not be forgotten meanwhile.
    pub(super) is_expected: bool,
    pub(super) last_contact_at: Timestamp,
    pub(super) drift: Vec<Kind>,
    /// The highest revision that it has told.
    pub(super) revision: i64,
    /// What it has told and is not written down, ascending.
    unwritten: Vec<Applied>,
    /// The last contact that is written down.
    written_contact_at: Timestamp,
    /// Whether its connection or its drift changed since.
    is_changed: bool,
}

impl LiveNode {
    /// A node that this process has not heard of before.
    pub(super) const fn new(instance: String, revision: i64, now: Timestamp) -> Self {
        Self {
            shown: None,
            streams: 0,
            instance,
            is_expected: false,
            last_contact_at: now,
            drift: Vec::new(),
            revision,
            unwritten: Vec::new(),
            written_contact_at: now,
            is_changed: false,
        }
    }

    /// Notes that it has this; what is late or repeated changes nothing.
    pub(super) fn applied(&mut self, applied: Applied) {
        if applied.revision <= self.revision {
            return;
        }
        self.revision = applied.revision;
        self.unwritten.push(applied);
        if self.unwritten.len() > MOST_UNWRITTEN {
            // Every other one goes, and the newest stays.
            let mut keep = self.unwritten.len().is_multiple_of(2);
            self.unwritten.retain(|_| {
                keep = !keep;
                keep
            });
        }
    }

    /// Notes that it has nothing above `revision`.
    pub(super) fn fell_back(&mut self, revision: i64) {
        self.revision = revision;
        self.unwritten.retain(|applied| applied.revision <= revision);
    }

    /// What it has told and is not written down, ascending.
    pub(super) fn unwritten(&self) -> &[Applied] {
        &self.unwritten
    }

    /// Notes the kinds of rows in which it differs.
    pub(super) fn differs(&mut self, drift: &[Kind]) {
        self.is_changed |= self.drift != drift;
        drift.clone_into(&mut self.drift);
    }

    /// Notes a stream more.
    pub(super) const fn opened(&mut self) {
        self.streams = self.streams.saturating_add(1);
        self.is_expected = false;
        self.is_changed = true;
    }

    /// Notes a stream less.
    pub(super) const fn closed(&mut self) {
        self.streams = self.streams.saturating_sub(1);
        self.is_changed = true;
    }

    /// Whether this process has nothing to say of it beyond what is written down.
    fn is_over(&self) -> bool {
        self.streams == 0 && !self.is_expected && !self.is_due()
    }

    fn is_due(&self) -> bool {
        self.is_changed
            || !self.unwritten.is_empty()
            || self.last_contact_at >= self.written_contact_at.plus_seconds(CONTACT_EVERY)
    }
}

impl Live {
    pub(crate) fn new(process: String) -> Self {
        Self {
            process,
            nodes: Mutex::default(),
            is_writing: AtomicBool::new(false),
            turn: tokio::sync::Mutex::default(),
            written: AtomicU64::new(0),
            removals: watch::Sender::new(0),
        }
    }

    /// Waits until nothing is being written down, and keeps it so.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// What this process is called.
    pub(super) fn process(&self) -> &str {
        &self.process
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, LiveNode>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which nodes count as connected, for the store.
    pub(crate) fn alive(&self, now: Timestamp) -> Alive {
        let mut alive = Alive { since: now.plus_seconds(-STALE_AFTER), ..Alive::default() };
        for (id, node) in self.lock().iter() {
            if node.streams > 0 {
                alive.here.push(id.clone());
            } else if node.is_changed {
                // Its end is not written down yet; without that its row may be another process's by now.
                alive.gone.push(id.clone());
            }
        }
        alive
    }

    pub(super) fn removals(&self) -> watch::Receiver<u64> {
        self.removals.subscribe()
    }

    /// A node is no more: forgets it and wakes whoever holds its stream.
    pub(super) fn removed(&self, id: &NodeId) {
        self.lock().remove(id);
        self.something_removed();
    }

    /// Nodes or tokens are no more: what was let in is looked up again, and whoever holds streams is woken.
    pub(crate) fn something_removed(&self) {
        for node in self.lock().values_mut() {
            node.shown = None;
        }
        self.removals.send_modify(|removals| *removals = removals.wrapping_add(1));
    }

    /// What must be written down.
    fn news(&self) -> Vec<NodeNews> {
        let nodes = self.lock();
        let due = nodes.iter().filter(|(_, node)| node.is_due());
        due.map(|(id, node)| NodeNews {
            id: id.clone(),
            instance: node.instance.clone(),
            held: node.streams > 0,
            last_contact_at: node.last_contact_at,
            drift: node.drift.clone(),
            applied: node.unwritten.clone(),
        })
        .collect()
    }

    /// `news` are written down. A node that this process has nothing to say of any more is forgotten.
    fn written(&self, news: &NodeNews) {
        let mut nodes = self.lock();
        let Some(node) = nodes.get_mut(&news.id) else { return };
        if let Some(last) = news.applied.last() {
            node.unwritten.retain(|applied| applied.revision > last.revision);
        }
        node.written_contact_at = news.last_contact_at;
        node.is_changed = (node.streams > 0) != news.held || node.drift != news.drift;
        if node.is_over() {
            nodes.remove(&news.id);
        }
    }
}

/// Has what is due written down soon.
pub(super) fn write_soon(app: &App) {
    let is_due = app.nodes().lock().values().any(LiveNode::is_due);
    if is_due && !app.nodes().is_writing.swap(true, Ordering::AcqRel) {
        tokio::spawn(write_behind(Writing(app.downgrade())));
    }
}

/// Whoever writes behind. Where that panics, the next news begin it anew.
struct Writing(WeakApp);

impl Drop for Writing {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(app) = self.0.upgrade()
        {
            app.nodes().is_writing.store(false, Ordering::Release);
            tracing::error!(
                "the writing down of what gateway nodes told broke off; it begins anew with their next news"
            );
        }
    }
}

/// Writes until nothing is due. Holds no application while it waits, so that one that nobody uses any more can end.
async fn write_behind(writing: Writing) {
    let mut is_failing = false;
    loop {
        tokio::time::sleep(if is_failing { RETRY } else { GATHER }).await;
        let Some(app) = writing.0.upgrade() else { return };
        let outcome = write_down(&app).await;
        if let Err(error) = &outcome
            && !is_failing
        {
            tracing::warn!(
                error.cause = %error,
                "what gateway nodes told cannot be written down; it is kept in memory and tried again"
            );
        }
        is_failing = outcome.is_err();
        if is_failing {
            continue;
        }
        app.nodes().is_writing.store(false, Ordering::Release);
        // What came in since then found the flag set, and relies on this look.
        let is_due = app.nodes().lock().values().any(LiveNode::is_due);
        if !is_due || app.nodes().is_writing.swap(true, Ordering::AcqRel) {
            return;
        }
    }
}

/// Writes down what is known of nodes now: before the process ends, and about every 100 ms while there is news.
pub async fn write_down(app: &App) -> Result<(), Error> {
    let live = app.nodes();
    let _turn = live.turn().await;
    let news = live.news();
    if news.is_empty() {
        return Ok(());
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let tx = app.begin(&caller).await?.into_tx();
    let mut removed = Vec::new();
    for news in &news {
        if !tx.note_node(news, live.process()).await? {
            removed.push(news.id.clone());
        }
    }
    let count: usize = news.iter().map(|news| news.applied.len()).sum();
    let before = live.written.fetch_add(count as u64, Ordering::Relaxed);
    let now = app.now();
    if count > 0 && (before == 0 || before / PRUNE_EVERY != (before + count as u64) / PRUNE_EVERY) {
        let nodes: Vec<_> = news.iter().map(|news| news.id.clone()).collect();
        tx.prune_acknowledgements(now.plus_seconds(-KEPT_SECONDS), &nodes, KEPT_OF_A_NODE).await?;
    }
    tx.commit(now).await?;
    for news in &news {
        live.written(news);
    }
    // Removed, or taken over, through another process: the streams find out by themselves.
    for id in removed {
        live.lock().remove(&id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use forecourt_store::{Location, Store};

    use super::*;
    use crate::Config;

    #[tokio::test]
    async fn what_writes_behind_is_begun_anew_after_it_panicked() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("a.db"))).await.unwrap();
        let app = App::open(store, &Config::default(), Arc::new(Timestamp::default)).await.unwrap();
        app.nodes().is_writing.store(true, Ordering::Release);
        let writing = Writing(app.downgrade());
        let broken = tokio::spawn(async move {
            assert!(writing.0.upgrade().is_none(), "as it does");
        });
        assert!(broken.await.is_err());
        assert!(!app.nodes().is_writing.load(Ordering::Acquire), "nobody would write again");
        app.nodes().is_writing.store(true, Ordering::Release);
        drop(Writing(app.downgrade()));
        assert!(app.nodes().is_writing.load(Ordering::Acquire), "another writes");
    }
}
