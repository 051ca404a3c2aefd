//! Every column in which sealed texts stand, and the rows that name a data key.
//!
//! Invariant: a column that may hold a sealed text is in [`SEALED_COLUMNS`]; a story fills the database and holds all of
//! its text against this list. The column holds JSON, in which a sealed text is `{"sealed":"v1.KEYID.DATA"}`.

use sea_orm::{ConnectionTrait, DatabaseExecutor, DbBackend, Statement, sea_query::Value};

use crate::{Reader, StoreError, Tx, dialect, rows};

/// A column in which sealed texts stand.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedColumn {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub column: &'static str,
    /// The table's primary key.
    key: &'static [&'static str],
    /// What else says where a text belongs; empty where it is null.
    named_by: &'static [&'static str],
}

/// All of them.
pub const SEALED_COLUMNS: [SealedColumn; 16] = [
    of("settings", "value", &["key"]),
    of("certificates", "pairs", &["id"]),
    of("services", "upstream", &["id"]),
    of("services", "upstreams", &["id"]),
    of("consumers", "plugins", &["key"]),
    of("consumer_credentials", "auth", &["consumer_key", "id"]),
    of("credentials", "secret", &["id"]),
    of("dcr_providers", "headers", &["id"]),
    of("contact_points", "signing", &["id"]),
    of("deliveries", "link", &["id"]),
    of("login_options", "config", &["id"]),
    of("pending_sign_ins", "memo", &["state_digest"]),
    of("gateway_resources", "body", &["kind", "key"]),
    SealedColumn {
        named_by: &["provider_id", "client_id"],
        ..of("oauth_clients", "management_token", &["credential_id"])
    },
    SealedColumn {
        named_by: &["provider_id", "client_id"],
        ..of("dcr_removals", "management_token", &["id"])
    },
    SealedColumn { named_by: &["provider_id"], ..of("dcr_removals", "departed_provider", &["id"]) },
];

const fn of(table: &'static str, column: &'static str, key: &'static [&'static str]) -> SealedColumn {
    SealedColumn { table, column, key, named_by: &[] }
}

/// A row that holds a sealed text.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedRow {
    /// Its primary key, as the table has it.
    pub key: Vec<String>,
    /// What else says where the text belongs.
    pub names: Vec<String>,
    /// The whole of the column.
    pub text: String,
}

impl std::fmt::Debug for SealedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedRow").field("key", &self.key).finish_non_exhaustive()
    }
}

impl SealedColumn {
    /// Every column that is read, the text last.
    fn selected(&self) -> String {
        let names = self.named_by.iter().map(|name| format!("COALESCE({}, '')", quoted(name)));
        let columns = self.key.iter().map(|name| quoted(name)).chain(names);
        columns.chain([quoted(self.column)]).collect::<Vec<_>>().join(", ")
    }

    fn row(&self, found: &sea_orm::QueryResult) -> Result<SealedRow, StoreError> {
        let (keys, names) = (self.key.len(), self.named_by.len());
        let text = |index| found.try_get_by_index::<String>(index);
        Ok(SealedRow {
            key: (0..keys).map(text).collect::<Result<_, _>>()?,
            names: (keys..keys + names).map(text).collect::<Result<_, _>>()?,
            text: text(keys + names)?,
        })
    }
}

impl Reader {
    /// Up to `most` rows of `column` that name the data key `id`, in the order of their keys, after the one with the key
    /// `after`.
    pub async fn rows_sealed_under(
        &self,
        column: &SealedColumn,
        id: &str,
        after: Option<&[String]>,
        most: u64,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let connection = self.connection();
        let backend = rows::backend(&connection);
        let key = column.key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let mut values: Vec<Value> = vec![needle(id).into()];
        let mut place = String::new();
        if let Some(after) = after {
            let marks: Vec<_> =
                (2..after.len() + 2).map(|number| dialect::bound_mark(backend, number)).collect();
            place = format!(" AND ({key}) > ({})", marks.join(", "));
            values.extend(after.iter().map(|part| Value::from(part.as_str())));
        }
        let (selected, table, held) = (column.selected(), quoted(column.table), holds(column, backend));
        let sql = format!("SELECT {selected} FROM {table} WHERE {held}{place} ORDER BY {key} LIMIT {most}");
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let found = connection.query_all_raw(statement).await?;
        found.iter().map(|row| column.row(row)).collect()
    }

    /// How many rows of `column` name the data key `id`.
    pub async fn count_sealed_under(&self, column: &SealedColumn, id: &str) -> Result<u64, StoreError> {
        let connection = self.connection();
        let backend = rows::backend(&connection);
        let held = holds(column, backend);
        let sql = format!("SELECT count(*) FROM {} WHERE {held}", quoted(column.table));
        let statement = Statement::from_sql_and_values(backend, sql, [Value::from(needle(id))]);
        let found = connection.query_one_raw(statement).await?;
        let count: i64 = found.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(0);
        Ok(count.unsigned_abs())
    }
}

impl Tx {
    /// Puts `text` in the place of what `row` held; nothing else of the row changes, and gateways hear of nothing.
    pub async fn replace_sealed(
        &self,
        column: &SealedColumn,
        row: &SealedRow,
        text: String,
    ) -> Result<(), StoreError> {
        let connection: DatabaseExecutor<'_> = self.connection();
        let backend = rows::backend(&connection);
        let of_key = column.key.iter().enumerate();
        let of_key =
            of_key.map(|(n, name)| format!("{} = {}", quoted(name), dialect::bound_mark(backend, n + 2)));
        let sql = format!(
            "UPDATE {} SET {} = {} WHERE {}",
            quoted(column.table),
            quoted(column.column),
            dialect::bound_mark(backend, 1),
            of_key.collect::<Vec<_>>().join(" AND ")
        );
        let values = std::iter::once(text).chain(row.key.iter().cloned()).map(Value::from);
        connection.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }
}

/// How a text that the data key `id` sealed begins, as JSON.
fn needle(id: &str) -> String {
    format!("\"sealed\":\"v1.{id}.")
}

/// Whether the column holds the text that is bound first.
fn holds(column: &SealedColumn, backend: DbBackend) -> String {
    let function = match backend {
        DbBackend::Postgres => "strpos",
        _ => "instr",
    };
    format!("{function}({}, {}) > 0", quoted(column.column), dialect::bound_mark(backend, 1))
}

/// Names stand in [`SEALED_COLUMNS`] and hold no quote.
fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemas;

    #[tokio::test]
    async fn every_sealed_column_is_one_of_the_schema_with_its_primary_key() {
        let folder = tempfile::tempdir().unwrap();
        let location = crate::Location::Sqlite(folder.path().join("db"));
        let store = crate::Store::open(&location).await.unwrap();
        let schema = schemas::read(&store.read().connection()).await.unwrap();
        for sealed in &SEALED_COLUMNS {
            let table = schema.tables.iter().find(|table| table.name == sealed.table).unwrap();
            assert_eq!(table.key, sealed.key, "{sealed:?}");
            for name in sealed.named_by.iter().chain([&sealed.column]) {
                assert!(table.columns.iter().any(|column| column.name == *name), "{sealed:?} {name}");
            }
            let store = store.read();
            assert_eq!(store.count_sealed_under(sealed, "00000000").await.unwrap(), 0);
            let after: Vec<_> = sealed.key.iter().map(|_| String::new()).collect();
            let none = store.rows_sealed_under(sealed, "00000000", Some(&after), 5).await.unwrap();
            assert!(none.is_empty(), "{sealed:?}");
        }
    }

    #[tokio::test]
    async fn a_row_is_found_by_the_key_that_it_names_until_its_text_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let location = crate::Location::Sqlite(folder.path().join("db"));
        let store = crate::Store::open(&location).await.unwrap();
        let [settings, ..] = &SEALED_COLUMNS;
        let now = forecourt_core::time::Timestamp::default();
        let tx = store.begin().await.unwrap();
        for (name, id) in [("a", "0000000a"), ("b", "0000000b"), ("c", "0000000a")] {
            let sql = format!("INSERT INTO settings VALUES ('{name}', '{{\"sealed\":\"v1.{id}.x\"}}')");
            tx.connection().execute_unprepared(&sql).await.unwrap();
        }
        let first = tx.rows_sealed_under(settings, "0000000a", None, 1).await.unwrap();
        assert_eq!(first[0].key, ["a"]);
        let rest = tx.rows_sealed_under(settings, "0000000a", Some(&first[0].key), 9).await.unwrap();
        assert_eq!(rest.iter().map(|row| row.key[0].as_str()).collect::<Vec<_>>(), ["c"]);
        let text = first[0].text.replace("0000000a", "0000000b");
        tx.replace_sealed(settings, &first[0], text).await.unwrap();
        tx.commit(now).await.unwrap();
        assert_eq!(store.read().count_sealed_under(settings, "0000000a").await.unwrap(), 1);
        assert_eq!(store.read().count_sealed_under(settings, "0000000b").await.unwrap(), 2);
    }
}
