//! Opening the database, and reading from it.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DatabaseExecutor, DatabaseTransaction,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous},
};

use crate::{StoreError, Tx, dialect, migrations};

/// Where the data lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file, made where it is missing.
    Sqlite(PathBuf),
    /// A PostgreSQL database, `postgres://…`.
    Postgres(String),
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    reader: Arc<Reader>,
    writer: DatabaseConnection,
}

/// What reads: the pool, or within a [`Tx`] the transaction.
#[derive(Debug)]
pub struct Reader {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Pool(DatabaseConnection),
    Transaction(DatabaseTransaction),
}

/// How long a writer waits for another process's lock before it gives up.
const BUSY: Duration = Duration::from_secs(5);
/// How many connections read at once.
const READERS: u32 = 8;
/// How many hear of what other processes commit.
const LISTENER: u32 = 1;

impl Store {
    /// Opens the database and brings its schema up to date.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let (reader, writer) = match location {
            Location::Sqlite(path) => {
                // The writer comes first: it makes the file and switches it to WAL.
                let writer = Database::connect(sqlite(path, 1, false)).await?;
                migrations::run(&writer).await?;
                (Database::connect(sqlite(path, READERS, true)).await?, writer)
            }
            Location::Postgres(url) => {
                let pool = Database::connect(postgres(url)).await?;
                migrations::run(&pool).await?;
                (pool.clone(), pool)
            }
        };
        Ok(Self { reader: Arc::new(Reader { source: Source::Pool(reader) }), writer })
    }

    /// What reads outside of a transaction: each query sees the latest commit.
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// Starts a write. Writers take turns, over all processes; see `docs/adr/0008-writers-take-turns.md`.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = self.writer.begin_with_options(options).await?;
        dialect::wait_for_turn(&transaction).await?;
        Ok(Tx::new(Reader { source: Source::Transaction(transaction) }))
    }

    pub(crate) const fn writer(&self) -> &DatabaseConnection {
        &self.writer
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.writer.ping().await?;
        Ok(())
    }
}

impl Reader {
    pub(crate) const fn connection(&self) -> DatabaseExecutor<'_> {
        match &self.source {
            Source::Pool(pool) => DatabaseExecutor::Connection(pool),
            Source::Transaction(transaction) => DatabaseExecutor::Transaction(transaction),
        }
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        match self.source {
            Source::Transaction(transaction) => Ok(transaction.commit().await?),
            Source::Pool(_) => Ok(()),
        }
    }
}

fn sqlite(path: &std::path::Path, connections: u32, read_only: bool) -> ConnectOptions {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", path.display()));
    options.max_connections(connections).min_connections(1).sqlx_logging(false);
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).test_before_acquire(false);
    options.acquire_timeout(Duration::from_secs(10));
    let path = path.to_owned();
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .statement_cache_capacity(256);
        if read_only { options.pragma("query_only", "on") } else { options }
    });
    options
}

fn postgres(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options.max_connections(READERS + LISTENER + 2).sqlx_logging(false).test_before_acquire(false);
    options.acquire_timeout(Duration::from_secs(10));
    options
}
