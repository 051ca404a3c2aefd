//! What every table's file needs: JSON columns, states by name, pages and orders.

use forecourt_core::lists::{Direction, List, Paging};
use sea_orm::{
    ConnectionTrait, DatabaseExecutor, EntityTrait, FromQueryResult, IntoSimpleExpr, Order, PaginatorTrait,
    QueryOrder, QuerySelect, Select,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::StoreError;

/// A JSON column's text.
pub(crate) fn to_json(what: &'static str, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable { what, problem: error.to_string() })
}

/// A JSON column's value.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    // Only the kind of error is told: serde's own message could quote the stored value.
    serde_json::from_str(text)
        .map_err(|error| StoreError::Unreadable { what, problem: format!("{:?} error", error.classify()) })
}

/// A state column's value, or an error that names the column.
pub(crate) fn known<T>(what: &'static str, found: Option<T>) -> Result<T, StoreError> {
    found.ok_or_else(|| StoreError::Unreadable { what, problem: "unknown word".into() })
}

/// SQL's word for a direction.
pub(crate) const fn order(direction: Direction) -> Order {
    match direction {
        Direction::Ascending => Order::Asc,
        Direction::Descending => Order::Desc,
    }
}

/// `select` sorted by `by`, ties broken by creation time, then id, all in one direction.
pub(crate) fn sorted<E: EntityTrait>(
    select: Select<E>,
    direction: Direction,
    by: impl IntoSimpleExpr,
    created_at: E::Column,
    id: E::Column,
) -> Select<E> {
    let order = order(direction);
    select.order_by(by, order.clone()).order_by(created_at, order.clone()).order_by(id, order)
}

/// The wanted page of `select`, and how many rows match over all pages.
pub(crate) async fn page<E, T>(
    connection: DatabaseExecutor<'_>,
    select: Select<E>,
    paging: Paging,
    read: impl Fn(E::Model) -> Result<T, StoreError>,
) -> Result<List<T>, StoreError>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Sized + Send + Sync,
{
    let (total, models) = match paging {
        Paging::All => (None, select.all(&connection).await?),
        Paging::Page { page, size } => {
            let total = select.clone().count(&connection).await?;
            let offset = (page - 1).saturating_mul(size).min(i64::MAX as u64);
            (Some(total), select.offset(offset).limit(size.min(i64::MAX as u64)).all(&connection).await?)
        }
    };
    let rows = models.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(List { total: total.unwrap_or(rows.len() as u64), rows })
}

/// Which engine `connection` speaks to.
pub(crate) fn backend(connection: &DatabaseExecutor<'_>) -> sea_orm::DbBackend {
    connection.get_database_backend()
}
