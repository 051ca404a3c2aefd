//! The log in pages, for readers that may not hold all of it at once.
//!
//! Invariant: pages are read in the order of (revision, kind, key), each from where the last one ended. A row that
//! changes meanwhile moves to a higher revision, so it is met again later; so the pages up to one that is not full make
//! a whole state, as it was when that last page was read.

use forecourt_core::gateway_state::{Kind, Scope};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, IntoColumnRef},
};

use super::{LoggedChange, resources};
use crate::{Reader, StoreError, rows};

/// Where a page ended, in the order of pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PagePlace {
    revision: i64,
    kind: String,
    key: String,
}

/// Revision, kind, key, body, and when it was deleted.
type Row = (i64, String, String, String, Option<i64>);

impl PagePlace {
    /// After every row of `revision`.
    pub fn after_revision(revision: i64) -> Self {
        // No row has an empty kind: the next revision's first row comes after this place.
        Self { revision: revision.saturating_add(1), kind: String::new(), key: String::new() }
    }

    /// After `change`.
    pub fn after(change: &LoggedChange) -> Self {
        Self { revision: change.revision, kind: change.kind.name().to_owned(), key: change.key.clone() }
    }
}

impl Reader {
    /// At most `most` rows of `scopes` that come after `place`; deleted ones only where they were deleted after the
    /// revision `deleted_after`.
    pub async fn page_of_changes(
        &self,
        scopes: &[Scope],
        place: &PagePlace,
        deleted_after: i64,
        most: u64,
    ) -> Result<Vec<LoggedChange>, StoreError> {
        use resources::Column;
        let order = [Column::Revision, Column::Kind, Column::Key];
        let columns = order.map(|column| Expr::col(column.into_column_ref()));
        let values =
            [Expr::val(place.revision), Expr::val(place.kind.as_str()), Expr::val(place.key.as_str())];
        let wanted =
            Condition::any().add(Column::DeletedAt.is_null()).add(Column::Revision.gt(deleted_after));
        // No more than is asked for, read by place: a process reads every row at its start.
        let mut select = resources::Entity::find()
            .select_only()
            .columns([Column::Revision, Column::Kind, Column::Key, Column::Body, Column::DeletedAt])
            .filter(Expr::expr(Expr::tuple(columns)).gt(Expr::tuple(values)))
            .filter(Column::Scope.is_in(scopes.iter().map(Scope::as_text)))
            .filter(wanted);
        for column in order {
            select = select.order_by_asc(column);
        }
        let rows: Vec<Row> = select.limit(most).into_tuple().all(&self.connection()).await?;
        rows.into_iter().map(change_of).collect()
    }
}

fn change_of((revision, kind, key, body, deleted_at): Row) -> Result<LoggedChange, StoreError> {
    let kind = Kind::from_name(&kind)
        .ok_or_else(|| StoreError::Unreadable { what: "gateway resource kind", problem: "unknown".into() })?;
    let resource = match deleted_at {
        Some(_) => None,
        None => Some(rows::from_json("gateway resource", &body)?),
    };
    Ok(LoggedChange { revision, kind, key, resource })
}
