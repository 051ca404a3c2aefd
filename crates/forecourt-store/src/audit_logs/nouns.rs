//! How things are stored, as the audit log quotes them: the members that tell what a thing is, by the kind of the thing.
//!
//! Invariant: a column is quoted because it stands here, and none of those with passwords, digests and sealed secrets of
//! ours does. What callers configured may hold secrets all the same; whoever quotes it masks it.

use sea_orm::{ConnectionTrait, QueryResult, Statement};
use serde_json::{Map, Value};

use self::kinds::NOUNS;
use crate::{Reader, StoreError, rows};

mod kinds;

/// Where things of a kind lie.
struct Noun {
    name: &'static str,
    table: &'static str,
    /// What picks one by its id, `$1`.
    place: &'static str,
    columns: &'static [Column],
    sides: &'static [Side],
}

/// What of a thing lies in rows of another table, as one member: a list of values where a row is one column, else of
/// objects.
struct Side {
    name: &'static str,
    table: &'static str,
    /// The column with the thing's id.
    key: &'static str,
    columns: &'static [Column],
    /// The columns that they are sorted by.
    order: &'static str,
}

/// A column and what is in it.
#[derive(Clone, Copy)]
enum Column {
    Text(&'static str),
    Json(&'static str),
    Flag(&'static str),
    Number(&'static str),
    /// Microseconds, quoted in seconds.
    Time(&'static str),
}

impl Column {
    const fn name(self) -> &'static str {
        match self {
            Self::Text(name)
            | Self::Json(name)
            | Self::Flag(name)
            | Self::Number(name)
            | Self::Time(name) => name,
        }
    }

    /// What stands in it; `None` where that is nothing.
    fn read(self, row: &QueryResult) -> Result<Option<Value>, StoreError> {
        let name = self.name();
        Ok(match self {
            Self::Text(_) => row.try_get::<Option<String>>("", name)?.map(Value::from),
            Self::Json(_) => {
                let text = row.try_get::<Option<String>>("", name)?.filter(|text| !text.is_empty());
                text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
            }
            Self::Flag(_) => row.try_get::<Option<bool>>("", name)?.map(Value::from),
            Self::Number(_) => row.try_get::<Option<i64>>("", name)?.map(Value::from),
            Self::Time(_) => {
                row.try_get::<Option<i64>>("", name)?.map(|micros| micros.div_euclid(1_000_000).into())
            }
        })
    }
}

impl Reader {
    /// The thing of this kind with this id as it is stored, with times in seconds; `None` where it is not there, is not
    /// stored as one thing, or its id does not tell it from another. Secrets that callers configured are in it.
    pub async fn quoted(&self, noun: &str, id: &str) -> Result<Option<Value>, StoreError> {
        let Some(noun) = NOUNS.iter().find(|known| known.name == noun) else { return Ok(None) };
        // PostgreSQL cannot even be asked for a text with NUL; nothing has such an id.
        if id.is_empty() || id.contains('\0') {
            return Ok(None);
        }
        let sql = format!("SELECT {} FROM {} WHERE {} LIMIT 2", names(noun.columns), noun.table, noun.place);
        let found = self.rows_about(sql, id).await?;
        let [row] = found.as_slice() else { return Ok(None) };
        let mut members = read(noun.columns, row)?;
        for side in noun.sides {
            let sql = format!(
                "SELECT {} FROM {} WHERE {} = $1 ORDER BY {}",
                names(side.columns),
                side.table,
                side.key,
                side.order
            );
            let rows = self.rows_about(sql, id).await?;
            let values = rows.iter().map(|row| side.value(row)).collect::<Result<Vec<_>, _>>()?;
            if !values.is_empty() {
                members.insert(side.name.to_owned(), Value::Array(values));
            }
        }
        Ok(Some(Value::Object(members)))
    }

    async fn rows_about(&self, sql: String, id: &str) -> Result<Vec<QueryResult>, StoreError> {
        let connection = self.connection();
        let values = [id.to_owned().into()];
        let statement = Statement::from_sql_and_values(rows::backend(&connection), sql, values);
        Ok(connection.query_all_raw(statement).await?)
    }
}

/// The columns as a query names them.
fn names(columns: &[Column]) -> String {
    let quoted: Vec<_> = columns.iter().map(|column| format!("\"{}\"", column.name())).collect();
    quoted.join(", ")
}

/// What stands in the columns of `row`, without those in which nothing does.
fn read(columns: &[Column], row: &QueryResult) -> Result<Map<String, Value>, StoreError> {
    let mut members = Map::new();
    for column in columns {
        if let Some(value) = column.read(row)? {
            members.insert(column.name().to_owned(), value);
        }
    }
    Ok(members)
}

impl Side {
    fn value(&self, row: &QueryResult) -> Result<Value, StoreError> {
        match self.columns {
            [column] => Ok(column.read(row)?.unwrap_or_default()),
            columns => Ok(Value::Object(read(columns, row)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Location, Store};

    use super::*;

    #[tokio::test]
    async fn every_kind_of_thing_lies_where_it_is_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        for noun in &NOUNS {
            assert_eq!(store.read().quoted(noun.name, "unknown").await.unwrap(), None, "{}", noun.name);
        }
        let role = store.read().quoted("role", "super-admin").await.unwrap().unwrap();
        assert_eq!(role["name"], "Super Admin");
        assert_eq!(role["labels"], serde_json::json!({}));
        assert_eq!(role["permissions"], serde_json::json!(["super-admin-permission-policy"]));
        for side in NOUNS.iter().flat_map(|noun| noun.sides) {
            let sql = format!("SELECT {} FROM {} WHERE {} = $1", names(side.columns), side.table, side.key);
            assert!(store.read().rows_about(sql, "unknown").await.unwrap().is_empty(), "{}", side.name);
        }
        assert_eq!(store.read().quoted("settings", "csrf_key").await.unwrap(), None);
    }

    #[test]
    fn no_column_with_a_password_a_digest_or_a_sealed_secret_is_quoted() {
        let of_sides = NOUNS.iter().flat_map(|noun| noun.sides).flat_map(|side| side.columns);
        for column in NOUNS.iter().flat_map(|noun| noun.columns).chain(of_sides) {
            let name = column.name();
            let is_secret = ["password_hash", "digest", "secret", "pairs", "management"];
            assert!(!is_secret.iter().any(|part| name.contains(part)), "{name}");
        }
    }
}
