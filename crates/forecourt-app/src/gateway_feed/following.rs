//! What a node is told, message by message, from the position that it says it is at.
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
    sync::{Checkpoint, MOST_ROWS, Position, SnapshotReason},
};

use super::handed_out;
use crate::{App, Error};

/// What a node is told next.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// A whole state follows; rows since the last position that was reached are void.
    Snapshot(SnapshotReason),
    /// Rows, at most [`MOST_ROWS`].
    Rows(Vec<Change>),
    /// The rows so far make the state at this position.
    Reached(Position),
}

/// How far a node has been told.
#[derive(Debug)]
pub struct Following {
    group: GatewayGroupId,
    scopes: Vec<Scope>,
    place: PagePlace,
    /// Rows that were deleted up to this revision are not told: the node never had them.
    deleted_after: i64,
    /// The last position that was reached.
    reached: Option<Position>,
    /// Whether rows were told since.
    is_between: bool,
    owed: Option<SnapshotReason>,
}

/// How many nodes came with a position of another line of revisions, since this process started.
pub fn diverged(app: &App) -> u64 {
    app.feed().diverged.load(Ordering::Relaxed)
}

impl Following {
    /// Goes on from `position` where the log still knows the way from there, and from a whole state otherwise.
    ///
    /// `drift`: the kinds of rows in which the node found itself to differ.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn begin(
        app: &App,
        group: &GatewayGroupId,
        position: Option<&Position>,
        drift: &[Kind],
    ) -> Result<Self, Error> {
        let scopes = app.read().scopes_of_group(group).await?;
        let owed = match position {
            None => Some(SnapshotReason::First),
            Some(position) => match why_not_from(app, position, &scopes).await? {
                None if !drift.is_empty() => Some(SnapshotReason::Drift),
                why => why,
            },
        };
        if owed == Some(SnapshotReason::Diverged) {
            app.feed().diverged.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                gateway_group.id = %group,
                node.revision = position.map(|position| position.revision),
                "a node's revision is of another line than this database's: one of both was restored from a backup, \
                 or the node served another installation; it is sent the whole state"
            );
        }
        let revision = position.map_or(0, |position| position.revision);
        Ok(Self {
            group: group.clone(),
            scopes,
            place: PagePlace::after_revision(revision),
            deleted_after: revision,
            reached: position.filter(|_| owed.is_none()).cloned(),
            is_between: false,
            owed,
        })
    }

    /// What there is to tell, in order; nothing: the node has been told everything. To be called again until then.
    ///
    /// # Errors
    /// When the database cannot be read. The next call goes on from the same place.
    pub async fn next(&mut self, app: &App) -> Result<Vec<News>, Error> {
        let latest = app.read().revision().await?;
        if let Some(reason) = self.owed {
            self.scopes = app.read().scopes_of_group(&self.group).await?;
            self.place = PagePlace::default();
            self.deleted_after = latest;
            self.is_between = true;
            self.owed = None;
            return Ok(vec![News::Snapshot(reason)]);
        }
        let is_current = !self.is_between && self.reached.as_ref().is_some_and(|at| at.revision == latest);
        let page = if is_current {
            Vec::new()
        } else {
            let most = u64::try_from(MOST_ROWS).unwrap_or(u64::MAX);
            app.read().page_of_changes(&self.scopes, &self.place, self.deleted_after, most).await?
        };
        if page.len() >= MOST_ROWS {
            self.pass(page.last().map(PagePlace::after));
            return Ok(vec![News::Rows(handed_out(app, page))]);
        }
        if app.read().scopes_of_group(&self.group).await? != self.scopes {
            self.owed = Some(SnapshotReason::Scopes);
            return Box::pin(self.next(app)).await;
        }
        if is_current {
            return Ok(Vec::new());
        }
        // The page was not full: what was read is the state when it was read, and no revision since concerns it.
        let revision = page.last().map_or(latest, |last| last.revision.max(latest));
        let position = position(app, revision, &self.scopes).await?;
        self.pass(Some(PagePlace::after_revision(revision)));
        self.is_between = false;
        self.reached = Some(position.clone());
        let rows = (!page.is_empty()).then(|| News::Rows(handed_out(app, page)));
        Ok(rows.into_iter().chain([News::Reached(position)]).collect())
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
async fn position(app: &App, revision: i64, scopes: &[Scope]) -> Result<Position, Error> {
    let mark = app.read().revision_mark(revision).await?.map(|known| known.mark).unwrap_or_default();
    Ok(Position { revision, mark: format!("{mark}.{}", mark_of(scopes)) })
}

fn mark_of(scopes: &[Scope]) -> String {
    let names: Vec<_> = scopes.iter().map(Scope::as_text).collect();
    SecretDigest::of(names.join("\n").as_bytes()).to_hex().chars().take(8).collect()
}
