//! What the change log may forget: marks that nobody asks for any more, and rows that every node has dropped.

use forecourt_core::{gateway_state::Kind, time::Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, prelude::Expr};

use super::{counter, resources, revisions};
use crate::{Reader, StoreError, Tx};

/// The counter of the revision up to which deleted rows are forgotten.
const FORGOTTEN: i64 = 2;

impl Reader {
    /// The revision up to which deleted rows are forgotten: a reader that is further back needs a whole state.
    pub async fn forgotten_revision(&self) -> Result<i64, StoreError> {
        let row = counter::Entity::find_by_id(FORGOTTEN).one(&self.connection()).await?;
        Ok(row.map_or(0, |row| row.value))
    }

    /// The last revision that was committed before `time`, as far as marks are kept.
    pub async fn revision_before(&self, time: Timestamp) -> Result<Option<i64>, StoreError> {
        use revisions::entity::{Column, Entity};
        let before = Entity::find().filter(Column::CommittedAt.lt(time.micros()));
        let last = before.order_by_desc(Column::Revision).one(&self.connection()).await?;
        Ok(last.map(|row| row.revision))
    }
}

impl Tx {
    /// Forgets rows that were deleted at or before `revision`. Applications stay: their last bodies tell whose calls
    /// were counted that arrive late.
    pub async fn forget_deleted(&self, revision: i64) -> Result<u64, StoreError> {
        use resources::Column;
        if revision <= self.forgotten_revision().await? {
            return Ok(0);
        }
        counter::Entity::update_many()
            .col_expr(counter::Column::Value, Expr::value(revision))
            .filter(counter::Column::Id.eq(FORGOTTEN))
            .exec(&self.connection())
            .await?;
        let forgotten = resources::Entity::delete_many()
            .filter(Column::Revision.lte(revision))
            .filter(Column::DeletedAt.is_not_null())
            .filter(Column::Kind.ne(Kind::Application.name()))
            .exec(&self.connection())
            .await?;
        Ok(forgotten.rows_affected)
    }

    /// Forgets the marks of revisions that were committed before `time`, but for the latest `keep`.
    pub async fn forget_marks(&self, time: Timestamp, keep: i64) -> Result<u64, StoreError> {
        use revisions::entity::{Column, Entity};
        let latest = self.revision().await?;
        let forgotten = Entity::delete_many()
            .filter(Column::CommittedAt.lt(time.micros()))
            .filter(Column::Revision.lte(latest - keep.max(1)))
            .exec(&self.connection())
            .await?;
        Ok(forgotten.rows_affected)
    }
}
