//! Taking everything out of a database as it stands at one moment, and putting it into an empty one.
//!
//! Invariant: an [`Original`] reads one snapshot while writers go on, and changes nothing, not even the schema. A
//! [`Filling`] is one transaction on a database that nothing was stored in: it is whole when committed, and nothing
//! otherwise. Rows are told in the order of their primary key, which is the same on both engines.

mod cells;

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, IsolationLevel,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sea_query::{Alias, Expr, Query, Value},
};

pub use self::cells::Cell;
use crate::{Location, Schema, Store, StoreError, Table, connections, dialect, migrations, schemas};

/// How many rows are read at once, at first and at most. In between it goes by how large they are.
const PAGE: (u64, u64) = (100, 2_000);
/// A page below so many bytes makes the next one larger, one above the second figure makes it smaller.
const PAGE_BYTES: (usize, usize) = (1 << 20, 8 << 20);
/// How many values one statement binds at most: both engines take more.
const BOUND: usize = 20_000;

/// Why a database cannot be copied from, or to.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is there.
    #[error("there is no database of Forecourt's")]
    Nothing,
    /// The source was written by a newer version.
    #[error(
        "its schema is at {found}, which this version does not know: it knows them up to {newest}. Use the version of \
         Forecourt that wrote it, or a later one"
    )]
    Newer {
        /// The source's last step.
        found: String,
        /// The last step of this version.
        newest: &'static str,
    },
    /// Something was stored in the target.
    #[error("it is not empty: nothing is ever written over. Give an empty database")]
    NotEmpty,
    /// The target's schema is newer than what shall be put there.
    #[error(
        "its schema is at {found} already, and what shall be put there is at {wanted}: give an empty database"
    )]
    Further {
        /// The target's last step.
        found: String,
        /// The step that is needed.
        wanted: String,
    },
    /// Whether somebody serves from it cannot be told.
    #[error("nobody can be kept from serving from it meanwhile: {0}")]
    Lock(String),
    /// Everything is there, and its schema is the older one still.
    #[error(
        "everything is restored and permanent; the upgrade to this version's schema failed: {0}. Do not restore again: \
         once the cause is gone, run `forecourt migrate`, or start"
    )]
    NotUpgraded(#[source] StoreError),
    /// The schema holds what cannot be copied.
    #[error("its schema is not one that can be copied: {0}")]
    Schema(String),
}

impl From<DbErr> for CopyError {
    fn from(error: DbErr) -> Self {
        Self::Store(error.into())
    }
}

/// A database as it stands at one moment.
#[derive(Debug)]
pub struct Original {
    transaction: DatabaseTransaction,
    schema: Schema,
}

/// An empty database on its way to be a copy; undone when dropped.
#[derive(Debug)]
#[must_use = "a copy that is dropped is undone; commit it"]
pub struct Filling {
    location: Location,
    transaction: DatabaseTransaction,
    schema: Schema,
}

/// Rows of a table, page by page.
#[derive(Debug)]
pub struct Rows<'a> {
    transaction: &'a DatabaseTransaction,
    table: &'a Table,
    /// The key of the last row that was told.
    after: Option<Vec<Cell>>,
    size: u64,
    is_over: bool,
}

impl Original {
    /// Takes the snapshot. Others go on writing, and are not seen.
    ///
    /// # Errors
    /// When nothing is there, a newer version wrote it, or the database cannot be read.
    pub async fn open(location: &Location) -> Result<Self, CopyError> {
        let pool = match location {
            Location::Sqlite(path) if !path.is_file() => return Err(CopyError::Nothing),
            Location::Sqlite(_) | Location::Postgres(_) => connections::of_a_tool(location, true).await?,
        };
        let options = match location {
            // The snapshot is that of the first read.
            Location::Sqlite(_) => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..Default::default()
            },
            Location::Postgres(_) => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..Default::default()
            },
        };
        let transaction = pool.begin_with_options(options).await?;
        let found = schemas::steps_run(&transaction).await?.pop().ok_or(CopyError::Nothing)?;
        if migrations::place_of(&found).is_none() {
            return Err(CopyError::Newer { found, newest: migrations::newest() });
        }
        let schema = schemas::read(&transaction).await?;
        Ok(Self { transaction, schema })
    }

    /// What it consists of.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The rows of one of its tables.
    pub const fn rows<'a>(&'a self, table: &'a Table) -> Rows<'a> {
        Rows::of(&self.transaction, table)
    }
}

impl Filling {
    /// Brings an empty database to the step `version` of the schema, and begins.
    ///
    /// # Errors
    /// When `version` is unknown, something was stored there already, or the database cannot be written.
    pub async fn begin(location: &Location, version: &str) -> Result<Self, CopyError> {
        let newest = migrations::newest();
        let wanted = migrations::place_of(version);
        let wanted = wanted.ok_or_else(|| CopyError::Newer { found: version.to_owned(), newest })?;
        let pool = connections::of_a_tool(location, false).await?;
        let run = schemas::steps_run(&pool).await?;
        if !run.is_empty() && is_used(&pool, &schemas::read(&pool).await?).await? {
            return Err(CopyError::NotEmpty);
        }
        match run.last() {
            Some(found) if migrations::place_of(found).is_none_or(|found| found > wanted) => {
                let (found, wanted) = (found.clone(), version.to_owned());
                return Err(CopyError::Further { found, wanted });
            }
            _ => migrations::run_up_to(&pool, wanted, run.len()).await?,
        }
        let transaction = connections::begin(&pool).await?;
        let schema = schemas::read(&transaction).await?;
        // Somebody may have begun to use it in between.
        if is_used(&transaction, &schema).await? {
            return Err(CopyError::NotEmpty);
        }
        // Steps put rows there, which are among those that come.
        for table in schema.tables.iter().rev() {
            transaction.execute_unprepared(&format!("DELETE FROM {}", quoted(&table.name))).await?;
        }
        Ok(Self { location: location.clone(), transaction, schema })
    }

    /// What it must consist of.
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Puts rows into a table; each has a cell for each column, in their order.
    pub async fn insert(&self, table: &Table, rows: &[Vec<Cell>]) -> Result<(), StoreError> {
        let most = (BOUND / table.columns.len().max(1)).max(1);
        for some in rows.chunks(most) {
            let mut insert = Query::insert();
            insert.into_table(Alias::new(&table.name));
            insert.columns(table.columns.iter().map(|column| Alias::new(&column.name)));
            for row in some {
                let cells = table
                    .columns
                    .iter()
                    .zip(row)
                    .map(|(column, cell)| Expr::val(cell.bound(column.column_type)));
                insert
                    .values(cells)
                    .map_err(|error| StoreError::Unreadable { what: "row", problem: error.to_string() })?;
            }
            self.transaction.execute(&insert).await?;
        }
        Ok(())
    }

    /// The rows that are in one of its tables by now.
    pub const fn rows<'a>(&'a self, table: &'a Table) -> Rows<'a> {
        Rows::of(&self.transaction, table)
    }

    /// Makes it permanent, and brings it to this version's schema.
    ///
    /// # Errors
    /// [`CopyError::NotUpgraded`] when it is permanent already; otherwise nothing is stored.
    pub async fn commit(self) -> Result<Store, CopyError> {
        let location = self.keep().await?;
        Store::open(&location).await.map_err(CopyError::NotUpgraded)
    }

    /// Makes it permanent at the step of the schema at which it is, and answers where it is.
    ///
    /// # Errors
    /// When the database does not take it; then nothing is stored.
    pub async fn keep(self) -> Result<Location, CopyError> {
        let Self { location, transaction, .. } = self;
        transaction.commit().await?;
        Ok(location)
    }
}

impl<'a> Rows<'a> {
    const fn of(transaction: &'a DatabaseTransaction, table: &'a Table) -> Self {
        Self { transaction, table, after: None, size: PAGE.0, is_over: false }
    }

    /// The next page, a cell for each column; an empty one at the end.
    pub async fn next(&mut self) -> Result<Vec<Vec<Cell>>, StoreError> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let rows = self.transaction.query_all_raw(self.statement()).await?;
        self.is_over = (rows.len() as u64) < self.size;
        let mut page = Vec::with_capacity(rows.len());
        let mut bytes = 0;
        for row in &rows {
            let mut cells = Vec::with_capacity(self.table.columns.len());
            for (index, column) in self.table.columns.iter().enumerate() {
                let cell = Cell::read(row, index, column.column_type)?;
                bytes += cell.bytes();
                cells.push(cell);
            }
            page.push(cells);
        }
        self.size = match bytes {
            few if few < PAGE_BYTES.0 => (self.size * 2).min(PAGE.1),
            many if many > PAGE_BYTES.1 => (self.size / 2).max(1),
            _ => self.size,
        };
        self.after = page.last().map(|row| self.key_of(row));
        Ok(page)
    }

    fn key_of(&self, row: &[Cell]) -> Vec<Cell> {
        let place = |name: &String| self.table.columns.iter().position(|column| column.name == *name);
        let places = self.table.key.iter().filter_map(place);
        places.filter_map(|place| row.get(place).cloned()).collect()
    }

    fn statement(&self) -> Statement {
        let backend = self.transaction.get_database_backend();
        let columns = self.table.columns.iter();
        let columns = columns.map(|column| cells::selected(&quoted(&column.name), column.column_type));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let key = self.table.key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let table = quoted(&self.table.name);
        let mut values: Vec<Value> = Vec::new();
        let mut place = String::new();
        if let Some(after) = &self.after {
            let marks: Vec<_> =
                (1..=after.len()).map(|number| dialect::bound_mark(backend, number)).collect();
            place = format!(" WHERE ({key}) > ({})", marks.join(", "));
            values.extend(after.iter().map(Cell::as_key));
        }
        let size = self.size;
        let sql = format!("SELECT {columns} FROM {table}{place} ORDER BY {key} LIMIT {size}");
        Statement::from_sql_and_values(backend, sql, values)
    }
}

/// Whether anything was ever stored: every start notes something, and every act does.
async fn is_used(connection: &impl ConnectionTrait, schema: &Schema) -> Result<bool, StoreError> {
    for name in ["settings", "administrators", "events"] {
        if !schema.tables.iter().any(|table| table.name == name) {
            continue;
        }
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quoted(name));
        let any = Statement::from_string(connection.get_database_backend(), sql);
        if connection.query_one_raw(any).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A name as both engines take it. Names come from the catalog; a quote in one would be doubled.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How many processes that serve are connected to a PostgreSQL; SQLite knows nothing of others.
pub async fn serving_processes(location: &Location) -> Result<u64, StoreError> {
    let Location::Postgres(_) = location else { return Ok(0) };
    let pool: DatabaseConnection = connections::of_a_tool(location, true).await?;
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = '{}'",
        connections::SERVING
    );
    let row = pool.query_one_raw(Statement::from_string(pool.get_database_backend(), sql)).await?;
    let count: i64 = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
    Ok(count.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_permanent_though_the_upgrade_failed_is_told_as_that() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("forecourt.db"));
        let mut filling = Filling::begin(&location, migrations::newest()).await.unwrap();
        filling.location = Location::Sqlite(folder.path().join("nowhere/forecourt.db"));
        let failed = filling.commit().await.unwrap_err();
        assert!(matches!(failed, CopyError::NotUpgraded(_)), "{failed}");
        assert!(failed.to_string().contains("`forecourt migrate`"), "{failed}");
        Store::open(&location).await.unwrap();
    }
}
