//! Hearing of what other processes commit to the same PostgreSQL, as soon as they do.
//!
//! A notification carries no more than a revision, and may be lost when the connection is: who listens still looks by
//! itself now and then.

use std::sync::Arc;

use sea_orm::{DbBackend, DbErr, RuntimeErr, SqlxError, sqlx::postgres::PgListener};

use crate::{Store, StoreError, dialect};

/// A connection that hears of revisions.
#[derive(Debug)]
pub struct Listening(PgListener);

impl Store {
    /// Listens for revisions; `None` on SQLite, where one process writes.
    pub async fn listen(&self) -> Result<Option<Listening>, StoreError> {
        let writer = self.writer();
        if writer.get_database_backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let mut listener =
            PgListener::connect_with(writer.get_postgres_connection_pool()).await.map_err(lost)?;
        listener.listen(dialect::CHANNEL).await.map_err(lost)?;
        Ok(Some(Listening(listener)))
    }
}

impl Listening {
    /// Waits for the next commit by any process, and gives its revision. 0 after the connection was lost and made
    /// anew: there may have been some in between.
    ///
    /// # Errors
    /// When the connection is lost and cannot be made anew; to be called again after a while.
    pub async fn heard(&mut self) -> Result<i64, StoreError> {
        let heard = self.0.try_recv().await.map_err(lost)?;
        Ok(heard.and_then(|notification| notification.payload().parse().ok()).unwrap_or(0))
    }
}

fn lost(error: SqlxError) -> StoreError {
    StoreError::from(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))
}
