//! Forgetting what no reader of the change log needs any more.

use forecourt_core::{
    actors::{Caller, Source},
    nodes::NodeFilter,
    time::Timestamp,
};
use forecourt_store::Alive;

use crate::{App, Error};

const DAY: i64 = 24 * 3_600;
/// Marks of revisions are kept this long, in seconds, and this many whatever their age.
const MARKS_FOR: i64 = 30 * DAY;
const MARKS: i64 = 100_000;

/// Forgets rows that were deleted over a day ago and that every known node has dropped, and old marks of revisions.
/// To be called now and then.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn forget(app: &App) -> Result<(), Error> {
    let now = app.now();
    let ago = |seconds: i64| Timestamp::from_micros(now.micros() - seconds * 1_000_000);
    let caller = Caller::system(Source::Job, app.new_request_id());
    let passed = passed_by_all(app).await?;
    let tx = app.begin(&caller).await?.into_tx();
    let mut forgotten = 0;
    if let Some(old) = tx.revision_before(ago(DAY)).await? {
        forgotten = tx.forget_deleted(passed.map_or(old, |passed| passed.min(old))).await?;
    }
    let marks = tx.forget_marks(ago(MARKS_FOR), MARKS).await?;
    tx.commit(now).await?;
    if forgotten > 0 || marks > 0 {
        tracing::info!(rows = forgotten, marks, "the change log forgot what no node needs any more");
    }
    Ok(())
}

/// The lowest revision that a known node is at; `None` without nodes.
async fn passed_by_all(app: &App) -> Result<Option<i64>, Error> {
    let found = app.read().nodes(&NodeFilter::default(), &Alive::default()).await?;
    Ok(found.rows.iter().map(|node| node.revision).min())
}
