//! What every table's file needs: JSON columns, states by name, pages and orders.

use forecourt_core::lists::{Direction, List, Paging};
use sea_orm::{
    ConnectionTrait, DatabaseExecutor, EntityTrait, FromQueryResult, IntoSimpleExpr, Order, PaginatorTrait,
    QueryOrder, QuerySelect, Select,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::StoreError;

/// How many ids one query names at most: well below both engines' limits on bound values.
pub(crate) const CHUNK: usize = 1_000;

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

/// What was found, and which rows were passed over, since nothing can be made of them.
#[derive(Debug)]
pub struct Legible<T> {
    /// What was found.
    pub rows: Vec<T>,
    /// The rows that were passed over.
    pub unreadable: Vec<Unreadable>,
}

/// A row that cannot be read: damaged, or of a later version.
#[derive(Debug)]
pub struct Unreadable {
    /// Its id.
    pub id: String,
    /// Why it cannot be read.
    pub error: StoreError,
}

/// How many rows are looked at at once beyond unreadable ones.
const BEYOND: u64 = 100;

/// Up to `most` rows of `select`, however many unreadable ones stand before them. `id_of` names those.
pub(crate) async fn legible<E, T>(
    connection: DatabaseExecutor<'_>,
    select: Select<E>,
    most: u64,
    id_of: impl Fn(&E::Model) -> String,
    read: impl Fn(E::Model) -> Result<T, StoreError>,
) -> Result<Legible<T>, StoreError>
where
    E: EntityTrait,
    E::Model: FromQueryResult + Sized + Send + Sync,
{
    let mut found = Legible { rows: Vec::new(), unreadable: Vec::new() };
    let (mut passed, mut wanted) = (0, most);
    loop {
        let models = select.clone().offset(passed).limit(wanted).all(&connection).await?;
        let seen = models.len() as u64;
        for model in models {
            let id = id_of(&model);
            match read(model) {
                Ok(row) => found.rows.push(row),
                Err(error) => found.unreadable.push(Unreadable { id, error }),
            }
            if found.rows.len() as u64 >= most {
                return Ok(found);
            }
        }
        if seen < wanted {
            return Ok(found);
        }
        passed += seen;
        wanted = most.max(BEYOND);
    }
}

/// Which engine `connection` speaks to.
pub(crate) fn backend(connection: &DatabaseExecutor<'_>) -> sea_orm::DbBackend {
    connection.get_database_backend()
}
