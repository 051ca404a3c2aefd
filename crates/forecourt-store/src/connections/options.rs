//! How connections are made, and what is set on each.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use sea_orm::{
    ConnectOptions, SqlxError,
    sqlx::{
        ConnectOptions as _, Connection, Executor,
        postgres::{PgConnectOptions, PgConnection},
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};

use super::SERVING;

/// How long a writer waits for another process's lock before it gives up.
const BUSY: Duration = Duration::from_secs(5);
/// How many rows of an answer SQLite's own thread may read before they are taken: with the driver's 50, a long answer
/// makes the two threads wait for each other most of the time.
const ROWS_AHEAD: usize = 1_000;

/// Makes the file where it is missing, for its owner alone. By itself SQLite lets all who reach the folder read it; what it
/// puts beside it has the same permissions.
pub(super) fn make_private(path: &Path) {
    // Where it cannot be made, SQLite says so.
    let _made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// The file of an installation, whose writer waits for nobody but itself.
pub(super) fn sqlite(path: &Path, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", path.display()));
    options.max_connections(connections).min_connections(1).sqlx_logging(false);
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).test_before_acquire(false);
    options.acquire_timeout(Duration::from_secs(10));
    if !read_only {
        // When the disk takes nothing, SQLite undoes the transaction by itself and the driver goes on believing that there
        // is one: what came next on that connection would never be made permanent.
        options.map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                Box::pin(async move {
                    // An answer means that an undoing that was begun has ended.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
        });
    }
    let path = path.to_owned();
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(256)
            .row_buffer_size(ROWS_AHEAD);
        // What is deleted is overwritten: a data key that was wrapped under a master key that leaked, above all.
        if read_only { options.pragma("query_only", "on") } else { options.pragma("secure_delete", "on") }
    });
    options
}

/// What is set on each connection. Who vanishes without a word, as a machine without power does, holds the writers' turn
/// until PostgreSQL notices: after half a minute so, by default after two hours.
const KEEP_ALIVE: &str =
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4";
/// As well for processes that serve: one that is only stopped holds it no longer.
const NOT_IDLE: &str = "SET idle_in_transaction_session_timeout = '60s'";

/// For how long an idle connection is believed to lead to the server that answered it last.
const TRUSTED: Duration = Duration::from_secs(1);
/// How long one that was idle for longer may take to answer before it is used.
const ANSWER: Duration = Duration::from_secs(2);

/// A server; `name` is what its connections call themselves there.
pub(super) fn postgres(url: &str, name: &'static str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(connections).sqlx_logging(false).test_before_acquire(false);
    options.acquire_timeout(Duration::from_secs(10));
    options.map_sqlx_postgres_opts(move |options| options.application_name(name));
    options.map_sqlx_postgres_pool_opts(move |pool| {
        let pool =
            pool.after_connect(move |connection, _| Box::pin(async move { prepare(connection, name).await }));
        pool.before_acquire(|connection, known| {
            Box::pin(async move {
                if known.idle_for < TRUSTED {
                    return Ok(true);
                }
                // An error closes it at once and has another one made.
                match tokio::time::timeout(ANSWER, connection.ping()).await {
                    Ok(answered) => answered.map(|()| true),
                    Err(_) => Err(SqlxError::Io(std::io::ErrorKind::TimedOut.into())),
                }
            })
        })
    });
    options
}

/// A connection to a server that belongs to no pool.
pub(super) async fn connection(url: &str, name: &'static str) -> Result<PgConnection, SqlxError> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.application_name(name).disable_statement_logging();
    let mut made = PgConnection::connect_with(&options).await?;
    prepare(&mut made, name).await?;
    Ok(made)
}

async fn prepare(connection: &mut PgConnection, name: &'static str) -> Result<(), SqlxError> {
    connection.execute(KEEP_ALIVE).await?;
    if name == SERVING {
        connection.execute(NOT_IDLE).await?;
    }
    Ok(())
}
