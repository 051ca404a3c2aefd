//! Pools that can be left for new ones, and the connection that asks whether the database answers.
//!
//! The driver sets no TCP keepalive and waits for an answer however long it takes. A connection whose peer vanished
//! without a word, as a machine without power does, would keep its place in a pool until the kernel gives it up, a quarter
//! of an hour or more. So nobody waits for one without end who could do without it: an idle one is tried before it is used
//! (`options.rs`), the asking one is thrown away by whoever stops waiting for it, and all others are left.

use std::{
    sync::{Mutex as StdMutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr, SqlxError,
    sqlx::{Connection, postgres::PgConnection},
};
use tokio::sync::Mutex;

use super::{SERVING, options};

/// How long a pool is kept at least once another one was left for it.
const SHORTEST_REST: Duration = Duration::from_secs(30);
/// How long at least where they are left again and again: a server that is slow for days costs some hundred pools.
const LONGEST_REST: Duration = Duration::from_secs(600);

/// A pool, and those that took its place; the last one is in use.
#[derive(Debug)]
pub(super) struct Pools {
    first: Generation,
    /// What a new one is made with; `None`: it is never left.
    options: Option<ConnectOptions>,
    rest: StdMutex<Rest>,
}

/// When a pool may be left again: a server that is merely slow shall not have all its clients connect anew all the time.
#[derive(Debug, Default)]
struct Rest {
    /// It was asked for, and did not happen yet.
    is_owed: bool,
    /// When a pool was left last, and how long the one that took its place is kept at least.
    last: Option<(Instant, Duration)>,
}

impl Rest {
    /// Whether a pool is to be left `now`, once that was asked for, now (`is_due`) or while it rested. Each rest is twice
    /// as long as the one before it, unless it was over for as long as it lasted.
    fn is_over(&mut self, is_due: bool, now: Instant) -> bool {
        self.is_owed |= is_due;
        if !self.is_owed {
            return false;
        }
        let rest = match self.last {
            Some((at, rest)) if now < at + rest => return false,
            Some((at, rest)) if now < at + rest * 2 => (rest * 2).min(LONGEST_REST),
            _ => SHORTEST_REST,
        };
        *self = Self { is_owed: false, last: Some((now, rest)) };
        true
    }
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
        let rest = StdMutex::new(Rest { is_owed: false, last: None });
        Self { first: Generation::of(pool), options: None, rest }
    }

    /// One that is connected now, and is left for another when that is asked for.
    pub(super) async fn connected(options: ConnectOptions) -> Result<Self, DbErr> {
        let pool = Database::connect(options.clone()).await?;
        Ok(Self { first: Generation::of(pool), options: Some(options), rest: StdMutex::default() })
    }

    /// The pool that is in use.
    pub(super) fn pool(&self) -> &DatabaseConnection {
        &self.last().pool
    }

    /// Leaves the pool for a new one, which connects when it is needed, where that `is_due`, or was while the pool was too
    /// young for it. Whoever waits for a connection of the old one is refused; what is under way there goes on.
    pub(super) async fn renew(&self, is_due: bool) {
        let Some(options) = &self.options else { return };
        if !self.rest.lock().unwrap_or_else(PoisonError::into_inner).is_over(is_due, Instant::now()) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_left_at_once_and_then_rarer_and_rarer_while_its_server_does_not_recover() {
        let mut rest = Rest::default();
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert!(!rest.is_over(false, begun), "nobody asked");
        assert!(rest.is_over(true, begun));
        assert!(!rest.is_over(true, at(10)), "it is young");
        assert!(!rest.is_over(false, at(29)));
        assert!(rest.is_over(false, at(30)), "what was asked for is done when the rest is over");
        assert!(!rest.is_over(false, at(300)), "once");

        let mut rest = Rest::default();
        let left: Vec<_> = (0..86_400).filter(|second| rest.is_over(true, at(*second))).collect();
        assert_eq!(left.get(..7).unwrap(), [0, 30, 90, 210, 450, 930, 1_530]);
        assert_eq!(left.len(), 148, "in a day of a server that never recovers");
        assert!(rest.is_over(true, at(86_400 + 1_300)), "a quiet time begins it anew");
        assert!(rest.is_over(true, at(86_400 + 1_330)));
    }
}
