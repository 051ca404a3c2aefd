//! All that differs between SQLite and PostgreSQL.
//!
//! Search and label filters work on folded copies: `search_text` holds the searched members in lower case (folded by
//! us, so that both engines agree beyond ASCII), `label_index` holds each label between line breaks.

use forecourt_core::{
    labels::Labels,
    lists::{Readable, TextFilter},
    text,
};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExprTrait, QueryFilter,
    Statement,
    sea_query::{Expr, Func, Query, SimpleExpr},
};

/// The text type that compares by bytes.
pub(crate) const fn text_type(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => r#"TEXT COLLATE "C""#,
        _ => "TEXT",
    }
}

/// The type of a column of bytes.
pub(crate) const fn bytes_type(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "BYTEA",
        _ => "BLOB",
    }
}

/// What ends the columns of an index off which searches are read too. PostgreSQL refuses rows whose indexed texts have
/// more than 2,700 bytes, and a search text may.
pub(crate) const fn searched_in_index(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "",
        _ => ", search_text",
    }
}

/// A statement that writes what is there already, and has to be written. SQLite does not write a row that stays as it is, but
/// it does write its header, whose user version is nobody's.
pub(crate) const fn writing_the_same(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "PRAGMA user_version = 0",
        _ => "UPDATE revision_counter SET value = value WHERE id = 1",
    }
}

/// Any number that all our processes agree on: the key of the writers' advisory lock.
const TURN: i64 = 0x666f_7265;

/// Waits until no other process writes. SQLite has done so at `BEGIN IMMEDIATE`.
pub(crate) async fn wait_for_turn(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared("SET LOCAL lock_timeout = '5s'").await?;
        let lock = format!("SELECT pg_advisory_xact_lock({TURN})");
        transaction.execute_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
    }
    Ok(())
}

/// The key of the lock under which the schema is brought up to date.
const MIGRATING: i64 = 0x666f_7266;

/// Waits until no other process brings the schema of this PostgreSQL up to date, however long that takes.
pub(crate) async fn wait_to_migrate(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    let lock = format!("SELECT pg_advisory_xact_lock({MIGRATING})");
    transaction.execute_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
    Ok(())
}

/// The channel on which PostgreSQL tells other processes of a new revision.
pub(crate) const CHANNEL: &str = "forecourt_revisions";

/// Tells other processes of `revision` once the transaction is committed. SQLite has no way to.
pub(crate) async fn tell_others(connection: &impl ConnectionTrait, revision: i64) -> Result<(), DbErr> {
    if connection.get_database_backend() == DbBackend::Postgres {
        let sql = format!("SELECT pg_notify('{CHANNEL}', '{revision}')");
        connection.execute_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
    }
    Ok(())
}

/// How a statement marks the value that is bound at `number`, from 1.
pub(crate) fn bound_mark(backend: DbBackend, number: usize) -> String {
    match backend {
        DbBackend::Postgres => format!("${number}"),
        _ => format!("?{number}"),
    }
}

/// 16 hex digits of the engine's randomness, another for each row.
pub(crate) fn random_mark(backend: DbBackend) -> SimpleExpr {
    match backend {
        DbBackend::Postgres => Expr::cust("substr(md5(gen_random_uuid()::text), 1, 16)"),
        _ => Expr::cust("lower(hex(randomblob(8)))"),
    }
}

/// Whether `column` holds `needle`, byte for byte.
pub(crate) fn contains(backend: DbBackend, column: impl ColumnTrait, needle: &str) -> SimpleExpr {
    let function = match backend {
        DbBackend::Postgres => "strpos",
        _ => "instr",
    };
    let place = Func::cust(function).arg(Expr::col(column.as_column_ref())).arg(Expr::val(needle.to_owned()));
    Expr::expr(place).gt(0)
}

/// Whether the first line of `text` holds `needle`, byte for byte.
pub(crate) fn first_line_contains(backend: DbBackend, text: SimpleExpr, needle: &str) -> SimpleExpr {
    let function = match backend {
        DbBackend::Postgres => "strpos",
        _ => "instr",
    };
    // A line break is added so that a text of one line has one too.
    let ended = Func::cust("concat").arg(text).arg("\n");
    let end = Func::cust(function).arg(Expr::expr(ended.clone())).arg("\n");
    let line = Func::cust("substr").arg(Expr::expr(ended)).arg(1).arg(Expr::expr(end));
    Expr::expr(Func::cust(function).arg(Expr::expr(line)).arg(needle)).gt(0)
}

/// Whether `column` is one of `values`, of which there may be more than either engine binds one by one.
pub(crate) fn is_one_of(backend: DbBackend, column: impl ColumnTrait, values: &[String]) -> SimpleExpr {
    let list = serde_json::Value::from(values).to_string();
    let rows = match backend {
        DbBackend::Postgres => Func::cust("json_array_elements_text").arg(Expr::val(list).cast_as("json")),
        _ => Func::cust("json_each").arg(Expr::val(list)),
    };
    // Both engines call the one column of such a table `value`.
    let select = Query::select().column("value").from_function(rows, "value").to_owned();
    column.in_subquery(select)
}

/// The rows of `select` whose `column` the caller may read.
pub(crate) fn readable<S: QueryFilter>(
    backend: DbBackend,
    select: S,
    column: impl ColumnTrait,
    readable: &Readable,
) -> S {
    match readable {
        Readable::All => select,
        Readable::Only(ids) => select.filter(is_one_of(backend, column, ids)),
    }
}

/// How text is folded before it is searched.
pub(crate) fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// The `search_text` of these members and labels.
pub(crate) fn search_text(members: &[&str], labels: Option<&Labels>) -> String {
    let pairs =
        labels.into_iter().flat_map(Labels::pairs).flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let texts: Vec<_> = members.iter().copied().chain(pairs).map(fold).collect();
    texts.join("\n")
}

/// The `label_index` of these labels: `\nKEY\x1fVALUE\n` each. Neither part can hold the marks.
pub(crate) fn label_index(labels: &Labels) -> String {
    labels.pairs().iter().map(|(key, value)| format!("\n{key}\u{1f}{value}\n")).collect()
}

/// The rows of `select` that satisfy `filter`.
pub(crate) fn matching<S: QueryFilter, C: ColumnTrait>(
    backend: DbBackend,
    select: S,
    filter: &TextFilter,
    search_text: C,
    label_index: C,
) -> S {
    let mut all = Condition::all();
    if let Some(search) = filter.search.as_deref().filter(|search| !search.is_empty()) {
        all = all.add(contains(backend, search_text, &fold(search)));
    }
    for label in &filter.labels {
        // No label holds the marks, so such a condition matches nothing; left in, it would match across labels.
        if text::has_control(&label.key) || label.value.as_deref().is_some_and(text::has_control) {
            all = all.add(Expr::val(1).eq(0));
            continue;
        }
        let needle = match &label.value {
            Some(value) => format!("\n{}\u{1f}{value}\n", label.key),
            None => format!("\n{}\u{1f}", label.key),
        };
        all = all.add(contains(backend, label_index, &needle));
    }
    select.filter(all)
}
