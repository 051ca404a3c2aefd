//! What the database itself says of its tables: what a copy takes along.
//!
//! Invariant: the list is read from the engine's catalog, so no table can be forgotten, and both engines describe the
//! same steps with the same words. A column of a type that [`ColumnType`] does not have is refused, not guessed.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use serde::{Deserialize, Serialize};

use crate::{CopyError, StoreError};

/// The table in which the steps that made the schema are noted. It is made by running them, and not copied.
const STEPS: &str = "seaql_migrations";

/// What a column holds, whatever the engine calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// A whole number of 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// Text, compared by its bytes.
    Text,
    /// Bytes.
    Bytes,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in the order in which they were made.
    pub columns: Vec<Column>,
    /// The columns of its primary key, in the key's order; at least one.
    pub key: Vec<String>,
}

/// All tables at a step of the schema's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The last step that was run, such as `0018_subscription_order`.
    pub version: String,
    /// The tables: none refers to one that stands after it.
    pub tables: Vec<Table>,
}

/// A row of the catalog: a column with its place in the primary key, 0 where it has none.
struct Described {
    table: String,
    column: String,
    declared: String,
    place: i64,
}

impl ColumnType {
    /// The one mapping of both engines' names.
    fn of(declared: &str) -> Option<Self> {
        match declared.to_ascii_uppercase().as_str() {
            "BIGINT" | "INTEGER" | "SMALLINT" => Some(Self::Integer),
            "BOOLEAN" => Some(Self::Boolean),
            "TEXT" => Some(Self::Text),
            "BLOB" | "BYTEA" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// The names of the steps that were run, in order; none in a database that was never used.
pub(crate) async fn steps_run(connection: &impl ConnectionTrait) -> Result<Vec<String>, StoreError> {
    let told = |sql: &str| Statement::from_string(connection.get_database_backend(), sql);
    let exists = match connection.get_database_backend() {
        DbBackend::Postgres => {
            format!(
                "SELECT 1 FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_name = '{STEPS}'"
            )
        }
        _ => format!("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '{STEPS}'"),
    };
    if connection.query_one_raw(told(&exists)).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows =
        connection.query_all_raw(told(&format!("SELECT version FROM {STEPS} ORDER BY version"))).await?;
    let names: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
    Ok(names?)
}

/// The schema as it stands.
///
/// # Errors
/// When it was never made, or holds what a copy could not take along.
pub(crate) async fn read(connection: &impl ConnectionTrait) -> Result<Schema, CopyError> {
    let version = steps_run(connection).await?.pop().ok_or(CopyError::Nothing)?;
    let backend = connection.get_database_backend();
    let rows = connection.query_all_raw(Statement::from_string(backend, columns_of(backend))).await?;
    let described = rows.iter().map(described).collect::<Result<Vec<_>, StoreError>>()?;
    let rows = connection.query_all_raw(Statement::from_string(backend, references_of(backend))).await?;
    let mut references = Vec::with_capacity(rows.len());
    for row in &rows {
        references.push((row.try_get_by_index::<String>(0)?, row.try_get_by_index::<String>(1)?));
    }
    Ok(Schema { version, tables: ordered(tables(described)?, &references)? })
}

fn described(row: &QueryResult) -> Result<Described, StoreError> {
    Ok(Described {
        table: row.try_get_by_index(0)?,
        column: row.try_get_by_index(1)?,
        declared: row.try_get_by_index(2)?,
        place: row.try_get_by_index(3)?,
    })
}

/// Table, column, type and place in the primary key, by table and in the order of columns.
fn columns_of(backend: DbBackend) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), \
               COALESCE(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint \
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
             LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
             WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relname <> '{STEPS}' \
             ORDER BY c.relname::text COLLATE \"C\", a.attnum"
        ),
        _ => format!(
            "SELECT m.name, p.name, p.type, CAST(p.pk AS BIGINT) \
             FROM sqlite_schema m, pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND m.name <> '{STEPS}' \
             ORDER BY m.name, p.cid"
        ),
    }
}

/// Pairs of a table and one that it refers to.
fn references_of(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "SELECT a.relname::text, b.relname::text FROM pg_constraint r \
             JOIN pg_class a ON a.oid = r.conrelid JOIN pg_class b ON b.oid = r.confrelid \
             JOIN pg_namespace n ON n.oid = a.relnamespace \
             WHERE r.contype = 'f' AND n.nspname = current_schema()"
        }
        _ => {
            "SELECT m.name, f.\"table\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f \
             WHERE m.type = 'table'"
        }
    }
}

fn tables(described: Vec<Described>) -> Result<BTreeMap<String, Table>, CopyError> {
    let mut tables: BTreeMap<String, (Table, BTreeMap<i64, String>)> = BTreeMap::new();
    for column in described {
        let Some(column_type) = ColumnType::of(&column.declared) else {
            let Described { table, column, declared, .. } = column;
            return Err(CopyError::Schema(format!("the column {table}.{column} is of the type {declared}")));
        };
        let empty =
            || (Table { name: column.table.clone(), columns: Vec::new(), key: Vec::new() }, BTreeMap::new());
        let (table, key) = tables.entry(column.table.clone()).or_insert_with(empty);
        if column.place > 0 {
            key.insert(column.place, column.column.clone());
        }
        table.columns.push(Column { name: column.column, column_type });
    }
    let keyed = tables.into_iter().map(|(name, (mut table, key))| {
        table.key = key.into_values().collect();
        match table.key.is_empty() {
            true => Err(CopyError::Schema(format!("the table {name} has no primary key"))),
            false => Ok((name, table)),
        }
    });
    keyed.collect()
}

/// The tables so that none refers to one after it; among those that could come next, by name.
fn ordered(
    mut tables: BTreeMap<String, Table>,
    references: &[(String, String)],
) -> Result<Vec<Table>, CopyError> {
    let mut placed: BTreeSet<String> = BTreeSet::new();
    let mut order = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let waits = |name: &str| references.iter().any(|(from, to)| from == name && !placed.contains(to));
        let Some(next) = tables.keys().find(|name| !waits(name)).cloned() else {
            let left: Vec<_> = tables.keys().map(String::as_str).collect();
            return Err(CopyError::Schema(format!("the tables {} refer to each other", left.join(", "))));
        };
        order.extend(tables.remove(&next));
        placed.insert(next);
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations;

    async fn schema() -> Schema {
        let connection = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
        migrations::run(&connection).await.unwrap();
        read(&connection).await.unwrap()
    }

    #[tokio::test]
    async fn every_table_of_the_steps_is_in_the_schema_with_a_type_and_a_key() {
        let schema = schema().await;
        let known: BTreeSet<_> = schema.tables.iter().map(|table| table.name.clone()).collect();
        assert_eq!(known, migrations::tables_of_the_steps());
        assert_eq!(schema.version, migrations::newest());
        assert!(schema.tables.iter().all(|table| !table.key.is_empty() && !table.columns.is_empty()));
        let usage = schema.tables.iter().find(|table| table.name == "usage_chunks").unwrap();
        assert_eq!(usage.key, ["series", "step", "chunk"]);
        let types: Vec<_> = usage.columns.iter().map(|column| column.column_type).collect();
        use ColumnType::{Bytes, Integer};
        assert_eq!(types, [Integer, Integer, Integer, Bytes]);
    }

    #[tokio::test]
    async fn owners_come_before_what_they_own() {
        let schema = schema().await;
        let place = |name: &str| schema.tables.iter().position(|table| table.name == name).unwrap();
        for (owner, owned) in
            [("portals", "developers"), ("developers", "applications"), ("plans", "subscriptions")]
        {
            assert!(place(owner) < place(owned), "{owner} before {owned}");
        }
    }

    #[tokio::test]
    async fn what_a_copy_could_not_take_along_is_named() {
        let refused = async |sql: &str| {
            let connection = sea_orm::Database::connect("sqlite::memory:").await.unwrap();
            migrations::run(&connection).await.unwrap();
            connection.execute_unprepared(sql).await.unwrap();
            read(&connection).await.unwrap_err().to_string()
        };
        let real = refused("CREATE TABLE prices (id TEXT PRIMARY KEY, price REAL)").await;
        assert!(real.contains("prices.price is of the type REAL"), "{real}");
        let keyless = refused("CREATE TABLE notes (text TEXT)").await;
        assert!(keyless.contains("notes has no primary key"), "{keyless}");
        let circle =
            refused("CREATE TABLE nodes (id TEXT PRIMARY KEY, parent TEXT REFERENCES nodes (id))").await;
        assert!(circle.contains("nodes refer to each other"), "{circle}");
    }
}
