//! What a gateway is told, piece by piece, from the position that it says it is at: a node on another machine, and the
//! gateway in this process.
//!
//! Invariant: a node is told that it has reached a position only after every row that its group needs at that revision
//! was handed out; at most one page of rows is held at a time, however large the state and however slow the node.

use std::sync::atomic::Ordering;

use forecourt_core::{
    gateway_state::{Kind, Scope},
    ids::GatewayGroupId,
    secrets::SecretDigest,
};
use forecourt_store::PagePlace;
use forecourt_wire::{
    changes::Change,
    sync::{Checkpoint, Hello, MOST_ROWS, Position, SnapshotReason},
};

use super::{
    handed_out,
    lines::{self, LineMark},
};
use crate::{App, Error};

/// What a gateway is told next.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A whole state follows; rows since the last position that was reached are void.
    Snapshot(SnapshotReason),
    /// Rows, at most [`MOST_ROWS`].
    Rows(Vec<Change>),
    /// The rows so far make the state at this position.
    Reached(Position),
}

/// What a gateway has. The default: nothing.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// How far it is, and goes on from; `None`: it needs a whole state.
    pub position: Option<Position>,
    /// How far what it enforces goes, where that is something else.
    pub in_force: Option<Position>,
    /// In what it was found to differ; not empty: it needs a whole state.
    pub drift: Vec<Kind>,
}

impl From<&Hello> for Held {
    fn from(hello: &Hello) -> Self {
        Self {
            position: hello.position.clone(),
            in_force: hello.in_force.clone(),
            drift: hello.drift.clone(),
        }
    }
}

/// How far a gateway has been told.
#[derive(Debug)]
pub struct Following {
    group: GatewayGroupId,
    scopes: Vec<Scope>,
    place: PagePlace,
    /// Rows that were deleted up to this revision are not told: the node never had them.
    deleted_after: i64,
    /// The last position that was reached.
    reached: Option<Position>,
    /// The latest revision when it was last looked; `None`: nothing was told yet.
    line: Option<LineMark>,
    /// Whether rows were told since.
    is_between: bool,
    owed: Option<SnapshotReason>,
}

/// How many nodes came with a position of another line of revisions, since this process started.
pub fn diverged(app: &App) -> u64 {
    app.feed().diverged.load(Ordering::Relaxed)
}

impl Following {
    /// Goes on from where the gateway says that it is, where the log still knows the way from there, and from a whole
    /// state otherwise.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn begin(app: &App, group: &GatewayGroupId, held: impl Into<Held>) -> Result<Self, Error> {
        let held = held.into();
        let scopes = app.read().scopes_of_group(group).await?;
        let position = held.position.as_ref();
        let mut owed = match position {
            None => Some(SnapshotReason::First),
            Some(position) => match why_not_from(app, position, &scopes).await? {
                None if !held.drift.is_empty() => Some(SnapshotReason::Drift),
                why => why,
            },
        };
        // Changes of this line would be laid upon what another one left in force.
        if let (Some(in_force), None | Some(SnapshotReason::TooOld | SnapshotReason::Scopes)) =
            (&held.in_force, owed)
            && !lines::holds(app.read(), &in_force.into()).await?
        {
            owed = Some(SnapshotReason::Diverged);
        }
        if owed == Some(SnapshotReason::Diverged) {
            app.feed().diverged.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                gateway_group.id = %group,
                node.revision = position.map(|position| position.revision),
                "a gateway's revision is of another line than this database's: one of both was restored from a \
                 backup, or the gateway served another installation; it is sent the whole state"
            );
            app.feed().went_back(app.read().revision().await?);
        }
        let revision = position.map_or(0, |position| position.revision);
        Ok(Self {
            group: group.clone(),
            scopes,
            place: PagePlace::after_revision(revision),
            deleted_after: revision,
            reached: position.filter(|_| owed.is_none()).cloned(),
            line: held.in_force.as_ref().or(position).filter(|_| owed.is_none()).map(LineMark::from),
            is_between: false,
            owed,
        })
    }

    /// What there is to tell, in order; nothing: the node has been told everything. To be called again until then.
    ///
    /// # Errors
    /// When the database cannot be read, or was put back since this began. The node must come again then.
    pub async fn next(&mut self, app: &App) -> Result<Vec<News>, Error> {
        loop {
            let latest = lines::latest(app.read(), self.line.as_ref()).await?;
            let news = self.read(app, &latest).await?;
            lines::stay(app.read(), self.line.as_ref(), &latest).await?;
            self.line = Some(latest);
            if let Some(news) = news {
                return Ok(news);
            }
        }
    }

    /// What there is up to the revision `latest`; `None`: only what came after it, so that it must be looked again.
    async fn read(&mut self, app: &App, latest: &LineMark) -> Result<Option<Vec<News>>, Error> {
        if let Some(reason) = self.owed {
            return self.begin_state(app, reason, latest.revision).await.map(Some);
        }
        let is_current =
            !self.is_between && self.reached.as_ref().is_some_and(|at| at.revision == latest.revision);
        let mut page = if is_current {
            Vec::new()
        } else {
            let most = u64::try_from(MOST_ROWS).unwrap_or(u64::MAX);
            app.read().page_of_changes(&self.scopes, &self.place, self.deleted_after, most).await?
        };
        let is_whole = page.len() < MOST_ROWS;
        let there = page.len();
        // By which line later rows were made is not known.
        page.retain(|row| row.revision <= latest.revision);
        if !is_whole || page.len() < there {
            let (place, is_empty) = (page.last().map(PagePlace::after), page.is_empty());
            let told = handed_out(app, page).await?;
            self.pass(place);
            return Ok((!is_empty).then(|| vec![News::Rows(told)]));
        }
        if app.read().scopes_of_group(&self.group).await? != self.scopes {
            return self.begin_state(app, SnapshotReason::Scopes, latest.revision).await.map(Some);
        }
        if is_current {
            return Ok(Some(Vec::new()));
        }
        // The page was not full: what was read is the state when it was read, and no revision since concerns it.
        let is_empty = page.is_empty();
        let told = handed_out(app, page).await?;
        let position = position(latest, &self.scopes);
        self.pass(Some(PagePlace::after_revision(latest.revision)));
        self.is_between = false;
        self.reached = Some(position.clone());
        let rows = (!is_empty).then_some(News::Rows(told));
        Ok(Some(rows.into_iter().chain([News::Reached(position)]).collect()))
    }

    async fn begin_state(
        &mut self,
        app: &App,
        reason: SnapshotReason,
        latest: i64,
    ) -> Result<Vec<News>, Error> {
        // Deleted rows are told only from here on: the node never had those from before.
        self.scopes = app.read().scopes_of_group(&self.group).await?;
        self.place = PagePlace::default();
        self.deleted_after = latest;
        self.is_between = true;
        self.owed = None;
        Ok(vec![News::Snapshot(reason)])
    }

    /// What the node must hold at the position that it has reached; `None` while it is on its way to another, or the
    /// state has moved on: to be asked again after [`Following::next`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn checkpoint(&self, app: &App) -> Result<Option<Checkpoint>, Error> {
        let Some(position) = self.reached.as_ref().filter(|_| !self.is_between && self.owed.is_none()) else {
            return Ok(None);
        };
        let (digests, since) = app.read().digests(&self.scopes).await?;
        Ok((since <= position.revision).then(|| Checkpoint { position: position.clone(), digests }))
    }

    fn pass(&mut self, place: Option<PagePlace>) {
        if let Some(place) = place {
            self.place = place;
            self.is_between = true;
        }
    }
}

/// Why a node at `position` must start from a whole state; `None`: it need not.
async fn why_not_from(
    app: &App,
    position: &Position,
    scopes: &[Scope],
) -> Result<Option<SnapshotReason>, Error> {
    let revision = position.revision;
    let (mark, scopes_mark) = position.mark.split_once('.').unwrap_or((&position.mark, ""));
    let is_unmarked = mark.is_empty() && revision == app.read().revision().await?;
    if let Some(known) = app.read().revision_mark(revision).await? {
        if known.mark != mark {
            return Ok(Some(SnapshotReason::Diverged));
        }
    } else if !is_unmarked {
        // Marks are forgotten from the oldest on; one that is missing after that was never made here.
        let oldest = app.read().oldest_mark().await?.map_or(0, |oldest| oldest.revision);
        let is_old = (0..oldest).contains(&revision);
        return Ok(Some(if is_old { SnapshotReason::TooOld } else { SnapshotReason::Diverged }));
    }
    if revision < app.read().forgotten_revision().await? {
        return Ok(Some(SnapshotReason::TooOld));
    }
    Ok((scopes_mark != mark_of(scopes)).then_some(SnapshotReason::Scopes))
}

/// A revision's mark and, after a dot, that of the scopes: a node that was away while its group came to concern itself
/// with other portals lacks rows that are older than its revision.
fn position(latest: &LineMark, scopes: &[Scope]) -> Position {
    Position { revision: latest.revision, mark: format!("{}.{}", latest.mark, mark_of(scopes)) }
}

fn mark_of(scopes: &[Scope]) -> String {
    let names: Vec<_> = scopes.iter().map(Scope::as_text).collect();
    SecretDigest::of(names.join("\n").as_bytes()).to_hex().chars().take(8).collect()
}
