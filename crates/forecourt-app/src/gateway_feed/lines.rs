//! Which line of revisions the database is on: a restored backup goes back, and then on under the same numbers.
//!
//! Invariant: what was read between two looks is of one line only if the mark of the latest revision, as it was before,
//! still stands after; so a mark is read first, then the rows up to it, and then the mark again.

use forecourt_store::{Reader, StoreError};
use forecourt_wire::sync::Position;

use crate::{Error, ErrorKind};

/// A revision with the mark that the database gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LineMark {
    pub(crate) revision: i64,
    /// Random digits; empty: it has none, since an earlier version wrote it.
    pub(crate) mark: String,
}

impl From<&Position> for LineMark {
    /// The mark of a node's position names the scopes as well, after a dot.
    fn from(position: &Position) -> Self {
        let mark = position.mark.split_once('.').map_or(position.mark.as_str(), |(mark, _)| mark);
        Self { revision: position.revision, mark: mark.to_owned() }
    }
}

/// The latest revision. `known` is one that was the latest before, whose mark is not asked for again.
pub(crate) async fn latest(reader: &Reader, known: Option<&LineMark>) -> Result<LineMark, StoreError> {
    let revision = reader.revision().await?;
    if let Some(known) = known.filter(|known| known.revision == revision) {
        return Ok(known.clone());
    }
    let mark = reader.revision_mark(revision).await?.map(|known| known.mark).unwrap_or_default();
    Ok(LineMark { revision, mark })
}

/// Whether the database has this revision under this mark now.
pub(crate) async fn holds(reader: &Reader, at: &LineMark) -> Result<bool, StoreError> {
    Ok(match reader.revision_mark(at.revision).await? {
        Some(known) => known.mark == at.mark,
        None => at.mark.is_empty() && at.revision == reader.revision().await?,
    })
}

/// What was told up to `before` and what was read since up to `latest` must be of the line that the database is on.
///
/// # Errors
/// When it is not, or the database cannot be read.
pub(crate) async fn stay(reader: &Reader, before: Option<&LineMark>, latest: &LineMark) -> Result<(), Error> {
    for at in before.into_iter().filter(|before| *before != latest).chain([latest]) {
        if !holds(reader, at).await? {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "other_line",
                "the database is not where it was: it was restored, or another took its place",
            ));
        }
    }
    Ok(())
}
