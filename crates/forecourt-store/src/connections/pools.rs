//! Pools that can be left for new ones, and the connection that asks whether the database answers.
//!
//! The driver sets no TCP keepalive and waits for an answer however long it takes. A connection whose peer vanished
//! without a word, as a machine without power does, would keep its place in a pool until the kernel gives it up, a quarter
//! of an hour or more. So nobody waits for one without end who could do without it: an idle one is tried before it is used
//! (`options.rs`), the asking one is thrown away by whoever stops waiting for it, and all others are left.

use std::sync::OnceLock;

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr, SqlxError,
    sqlx::{Connection, postgres::PgConnection},
};
use tokio::sync::Mutex;

use super::{SERVING, options};

/// A pool, and those that took its place; the last one is in use.
#[derive(Debug)]
pub(super) struct Pools {
    first: Generation,
    /// What a new one is made with; `None`: it is never left.
    options: Option<ConnectOptions>,
}

#[derive(Debug)]
struct Generation {
    pool: DatabaseConnection,
    next: OnceLock<Box<Generation>>,
}

impl Generation {
    const fn of(pool: DatabaseConnection) -> Self {
        Self { pool, next: OnceLock::new() }
    }
}

impl Pools {
    /// One that is never left.
    pub(super) const fn lasting(pool: DatabaseConnection) -> Self {
        Self { first: Generation::of(pool), options: None }
    }

    /// One that is connected now, and is left for another when that is asked for.
    pub(super) async fn connected(options: ConnectOptions) -> Result<Self, DbErr> {
        let pool = Database::connect(options.clone()).await?;
        Ok(Self { first: Generation::of(pool), options: Some(options) })
    }

    /// The pool that is in use.
    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.last().pool
    }

    /// Leaves the pool for a new one, which connects when it is needed. Whoever waits for a connection of the old one is
    /// refused; what is under way there goes on.
    pub(super) async fn renew(&self) {
        let Some(options) = &self.options else { return };
        let mut options = options.clone();
        options.connect_lazy(true);
        let next = match Database::connect(options).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(error.cause = %error, "connections to the database cannot be renewed");
                return;
            }
        };
        let left = self.last();
        let old = left.pool.clone();
        if left.next.set(Box::new(Generation::of(next))).is_ok() {
            // It ends when the last of its connections does, which may take long.
            tokio::spawn(async move {
                if let Err(error) = old.close().await {
                    tracing::debug!(error.cause = %error, "connections were not closed");
                }
            });
        }
    }

    fn last(&self) -> &Generation {
        let mut generation = &self.first;
        while let Some(next) = generation.next.get() {
            generation = next;
        }
        generation
    }
}

/// What asks whether the database answers: a connection of its own, so that nobody who works is waited for.
pub(super) enum Probe {
    /// To a file, in this machine.
    File(DatabaseConnection),
    /// To a server.
    Server {
        /// Where it is.
        url: String,
        /// The connection, where there is one that answered.
        connection: Mutex<Option<PgConnection>>,
    },
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // An address may have a password in it.
        f.debug_struct("Probe").finish_non_exhaustive()
    }
}

impl Probe {
    /// One that connects when it is first asked.
    pub(super) fn server(url: &str) -> Self {
        Self::Server { url: url.to_owned(), connection: Mutex::new(None) }
    }

    /// Asks. Whoever stops waiting for the answer throws the connection away with that.
    pub(super) async fn ask(&self) -> Result<(), DbErr> {
        let (url, connection) = match self {
            Self::File(pool) => return pool.ping().await,
            Self::Server { url, connection } => (url, connection),
        };
        let mut kept = connection.lock().await;
        let mut taken = match kept.take() {
            Some(taken) => taken,
            None => options::connection(url, SERVING).await.map_err(failed)?,
        };
        taken.ping().await.map_err(failed)?;
        *kept = Some(taken);
        Ok(())
    }
}

fn failed(error: SqlxError) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(error.into()))
}
