//! Opening the database, and reading from it.

mod options;
mod pools;

use std::{path::PathBuf, sync::Arc, time::Instant};

use sea_orm::{
    ConnectionTrait, Database, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use self::{
    options::{postgres, sqlite},
    pools::{Pools, Probe},
};
use crate::{
    StoreError, Tx, dialect, migrations, schemas,
    writings::{Outcome, Writings},
};

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
    /// What a writer looks back with; never waited for by anybody but who has the turn to write.
    before: Arc<Reader>,
    writer: Arc<Pools>,
    probe: Arc<Probe>,
    writings: Arc<Writings>,
}

/// What reads: the pool, or within a [`Tx`] the transaction.
#[derive(Debug)]
pub struct Reader {
    source: Source,
}

#[derive(Debug)]
enum Source {
    Pool(Arc<Pools>),
    Transaction(DatabaseTransaction),
}

/// Why a database cannot be read as it is.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// The database did not do what was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing is there.
    #[error("there is no database of Forecourt's")]
    Nothing,
    /// Another version wrote it.
    #[error(
        "its schema is at {found}, and this version reads one at {newest}: use the version of Forecourt that serves from it, \
         or bring it up to date with `forecourt migrate`"
    )]
    OtherSchema {
        /// Its last step.
        found: String,
        /// The last step of this version.
        newest: &'static str,
    },
}

/// How many connections read at once.
const READERS: u32 = 8;
/// How many hear of what other processes commit.
const LISTENER: u32 = 1;
/// What connections of a process that serves call themselves at PostgreSQL, so that others see that it does.
pub(crate) const SERVING: &str = "forecourt serve";
/// What connections that copy a database call themselves.
const TOOL: &str = "forecourt tool";

impl Store {
    /// Opens the database and brings its schema up to date.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        let (reader, before, writer, probe) = match location {
            Location::Sqlite(path) => {
                options::make_private(path);
                // The writer comes first: it switches the file to WAL.
                let writer = Database::connect(sqlite(path, 1, false)).await?;
                migrate(&writer).await?;
                // Tells the planner how many rows indexes lead to, where that has changed much since it was last told: of
                // all tables (0x10000), looking at a part of each (0x10).
                writer.execute_unprepared("PRAGMA optimize = 0x10012").await?;
                let reader = Database::connect(sqlite(path, READERS, true)).await?;
                let before = Database::connect(sqlite(path, 1, true)).await?;
                let probe = Database::connect(sqlite(path, 1, true)).await?;
                let [reader, before, writer] =
                    [reader, before, writer].map(|pool| Arc::new(Pools::lasting(pool)));
                (reader, before, writer, Probe::File(probe))
            }
            Location::Postgres(url) => {
                let pools = Pools::connected(postgres(url, SERVING, READERS + LISTENER + 2)).await?;
                migrate_in_turn(pools.pool()).await?;
                let before = Pools::connected(postgres(url, SERVING, 1)).await?;
                let pools = Arc::new(pools);
                (Arc::clone(&pools), Arc::new(before), pools, Probe::server(url))
            }
        };
        let reading = |pools| Arc::new(Reader { source: Source::Pool(pools) });
        let (reader, before) = (reading(reader), reading(before));
        Ok(Self { reader, before, writer, probe: Arc::new(probe), writings: Arc::default() })
    }

    /// What reads outside of a transaction: each query sees the latest commit.
    pub fn read(&self) -> &Reader {
        &self.reader
    }

    /// What reads how things were before the write that has the turn. It has a connection of its own: those who read, or on
    /// PostgreSQL wait for their turn, may hold all the others for long.
    pub fn before(&self) -> &Reader {
        &self.before
    }

    /// Starts a write. Writers take turns, over all processes; see `docs/adr/0008-writers-take-turns.md`.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let since = Instant::now();
        let begun = begin(self.writer()).await.map_err(StoreError::from);
        let transaction = begun.inspect_err(|error| self.writings.failed(error))?;
        self.writings.waited(since);
        let reader = Reader { source: Source::Transaction(transaction) };
        Ok(Tx::new(reader, Outcome::of(Arc::clone(&self.writings))))
    }

    pub(crate) fn writings(&self) -> &Writings {
        &self.writings
    }

    pub(crate) fn writer(&self) -> &DatabaseConnection {
        self.writer.pool()
    }

    /// How many connections are open to read, and how many of them are idle.
    pub fn connections(&self) -> (usize, usize) {
        let Source::Pool(pools) = &self.reader.source else { return (0, 0) };
        let pool = pools.pool();
        let (open, idle) = match pool.get_database_backend() {
            DbBackend::Postgres => {
                let pool = pool.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
            _ => {
                let pool = pool.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            }
        };
        (usize::try_from(open).unwrap_or(usize::MAX), idle)
    }

    /// Whether the database answers, however busy this process is. Whoever stops waiting for the answer may ask again at
    /// once: the connection that did not answer is thrown away.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.probe.ask().await?;
        Ok(())
    }

    /// Takes out of the write-ahead log of SQLite what was deleted; whether nobody read it meanwhile, so that it worked. What
    /// PostgreSQL still holds of it is the business of its VACUUM and of whoever keeps its logs.
    ///
    /// # Errors
    /// When the database cannot do it.
    pub async fn forget_deleted(&self) -> Result<bool, StoreError> {
        let writer = self.writer();
        if writer.get_database_backend() == DbBackend::Postgres {
            return Ok(true);
        }
        let checkpoint = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let row = writer.query_one_raw(checkpoint).await?;
        Ok(row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?.unwrap_or_default() == 0)
    }

    /// Leaves all connections to a PostgreSQL for new ones, after it did not answer (`is_due`): they may lead to nobody, of
    /// which they would hear minutes later. What is under way on them goes on. Those to a file stay. Where they are new
    /// themselves, that waits: whoever looks after the database asks each time it answers.
    pub async fn renew_connections(&self, is_due: bool) {
        for reader in [&self.reader, &self.before] {
            if let Source::Pool(pools) = &reader.source {
                pools.renew(is_due).await;
            }
        }
    }
}

impl Reader {
    /// Opens the database for somebody who only reads: its schema stays as it is.
    ///
    /// # Errors
    /// When nothing is there, another version wrote it, or the database cannot be read.
    pub async fn open(location: &Location) -> Result<Self, ReadingError> {
        if let Location::Sqlite(path) = location
            && !path.is_file()
        {
            return Err(ReadingError::Nothing);
        }
        let pool = of_a_tool(location, true).await.map_err(StoreError::from)?;
        let found = schemas::steps_run(&pool).await?.pop().ok_or(ReadingError::Nothing)?;
        let newest = migrations::newest();
        if found != newest {
            return Err(ReadingError::OtherSchema { found, newest });
        }
        Ok(Self { source: Source::Pool(Arc::new(Pools::lasting(pool))) })
    }

    pub(crate) fn connection(&self) -> DatabaseExecutor<'_> {
        match &self.source {
            Source::Pool(pools) => DatabaseExecutor::Connection(pools.pool()),
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

/// A connection for one piece of work, which leaves the schema as it is.
pub(crate) async fn of_a_tool(location: &Location, read_only: bool) -> Result<DatabaseConnection, DbErr> {
    match location {
        Location::Sqlite(path) => {
            options::make_private(path);
            Database::connect(sqlite(path, 1, read_only)).await
        }
        Location::Postgres(url) => Database::connect(postgres(url, TOOL, READERS + LISTENER + 2)).await,
    }
}

/// Begins to write when it is this writer's turn.
pub(crate) async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let transaction = connection.begin_with_options(options).await?;
    dialect::wait_for_turn(&transaction).await?;
    Ok(transaction)
}

/// Brings the schema of a PostgreSQL up to date. Processes that start at the same time do so one after the other: all but
/// the first find nothing to do.
async fn migrate_in_turn(pool: &DatabaseConnection) -> Result<(), StoreError> {
    let turn = pool.begin_with_options(TransactionOptions::default()).await?;
    // The turn is held by a connection that waits while another one works: for as long as that takes.
    turn.execute_unprepared("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
    dialect::wait_to_migrate(&turn).await?;
    migrate(pool).await?;
    Ok(turn.commit().await?)
}

/// Brings the schema up to date, unless a newer version made it.
async fn migrate(pool: &DatabaseConnection) -> Result<(), StoreError> {
    let steps = schemas::steps_run(pool).await?;
    if let Some(found) = steps.into_iter().rfind(|step| migrations::place_of(step).is_none()) {
        return Err(StoreError::Newer { found, newest: migrations::newest() });
    }
    Ok(migrations::run(pool).await?)
}

#[cfg(test)]
mod tests {
    use forecourt_core::audit_logs::chains::MarkName;

    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "readers that stay busy are wanted, not a write")]
    async fn whoever_has_the_turn_to_write_looks_back_while_all_readers_are_busy() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let Source::Pool(pools) = &store.read().source else { panic!("not a pool") };
        let mut busy = Vec::new();
        for _ in 0..READERS {
            busy.push(pools.pool().begin().await.unwrap());
        }
        let _tx = store.begin().await.unwrap();
        let looking = store.before().audit_mark(MarkName::Head);
        tokio::time::timeout(std::time::Duration::from_secs(5), looking)
            .await
            .expect("it waits for a reader")
            .unwrap();
    }

    #[tokio::test]
    async fn a_file_that_is_made_is_readable_by_its_owner_alone_and_one_that_is_there_stays_as_it_is() {
        use std::{fs, os::unix::fs::PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let store = Store::open(&Location::Sqlite(path.clone())).await.unwrap();
        let modes = || -> Vec<u32> {
            let found = fs::read_dir(folder.path()).unwrap();
            found.map(|file| file.unwrap().metadata().unwrap().permissions().mode() & 0o777).collect()
        };
        let made = modes();
        assert!(made.len() > 1 && made.iter().all(|mode| *mode == 0o600), "{made:?}");
        drop(store);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        drop(Store::open(&Location::Sqlite(path.clone())).await.unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[tokio::test]
    async fn a_transaction_that_the_engine_undid_by_itself_takes_nothing_with_it_that_comes_later() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("db"))).await.unwrap();
        let set = async |tx: &Tx, value: i64| {
            let sql = format!("UPDATE revision_counter SET value = {value} WHERE id = 1");
            tx.connection().execute_unprepared(&sql).await.unwrap();
        };
        let undone = store.begin().await.unwrap();
        set(&undone, 5).await;
        // As it does where a disk takes nothing.
        undone.connection().execute_unprepared("ROLLBACK").await.unwrap();
        drop(undone);
        // One that is refused, and one that is acknowledged.
        let dropped = store.begin().await.unwrap();
        set(&dropped, 6).await;
        drop(dropped);
        let kept = store.begin().await.unwrap();
        set(&kept, 7).await;
        kept.finish().await.unwrap();
        assert_eq!(store.read().revision().await.unwrap(), 7, "what was acknowledged is permanent");
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("db"));
        let store = Store::open(&location).await.unwrap();
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('9999_later', 0)";
        store.writer().execute_unprepared(newer).await.unwrap();
        let refused = Store::open(&location).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Newer { found, .. } if found == "9999_later"), "{refused}");
        assert!(refused.to_string().contains(migrations::newest()), "{refused}");
    }

    #[tokio::test]
    async fn a_reader_leaves_an_older_schema_as_it_is_and_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("db"));
        assert!(matches!(Reader::open(&location).await, Err(ReadingError::Nothing)));
        let pool = of_a_tool(&location, false).await.unwrap();
        let last = migrations::place_of(migrations::newest()).unwrap();
        migrations::run_up_to(&pool, last - 1, 0).await.unwrap();
        let before = schemas::steps_run(&pool).await.unwrap();
        let refused = Reader::open(&location).await.unwrap_err();
        assert!(matches!(&refused, ReadingError::OtherSchema { found, .. } if *found == before[last - 1]));
        assert_eq!(schemas::steps_run(&pool).await.unwrap(), before);
        migrations::run(&pool).await.unwrap();
        let reader = Reader::open(&location).await.unwrap();
        let wrote = reader.connection().execute_unprepared("DELETE FROM audit_marks").await;
        assert!(wrote.is_err(), "it only reads");
    }

    #[tokio::test]
    async fn a_step_that_is_broken_off_leaves_nothing_behind_and_is_run_again() {
        let folder = tempfile::tempdir().unwrap();
        let pool = of_a_tool(&Location::Sqlite(folder.path().join("db")), false).await.unwrap();
        let last = migrations::place_of("0023_deliveries").unwrap();
        migrations::run_up_to(&pool, last - 1, 0).await.unwrap();
        // What stands in the way of the last table of the step.
        pool.execute_unprepared("CREATE TABLE approval_links (id TEXT PRIMARY KEY)").await.unwrap();
        let before = schemas::read(&pool).await.unwrap();
        migrations::run(&pool).await.unwrap_err();
        assert_eq!(schemas::read(&pool).await.unwrap(), before);
        pool.execute_unprepared("DROP TABLE approval_links").await.unwrap();
        migrations::run(&pool).await.unwrap();
        assert_eq!(schemas::read(&pool).await.unwrap().version, migrations::newest());
    }
}
