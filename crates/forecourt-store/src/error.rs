//! What can go wrong below the use cases, told apart as far as an operator or a caller can act on it.

use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

/// Why the database did not do what was asked. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process or a stuck transaction holds the database.
    #[error("the database is locked by another process")]
    Locked(#[source] DbErr),
    /// The database file, its folder or its file system cannot be written.
    #[error("the database is read-only: check the permissions of its file and folder, and its file system")]
    ReadOnly(#[source] DbErr),
    /// No space is left.
    #[error("the database's disk is full: free some space")]
    Full(#[source] DbErr),
    /// The disk does not do what it should: a limit or a quota is reached, or it fails.
    #[error(
        "the database's disk cannot be read or written: look for a quota or a limit that is reached, and for errors of \
         the disk itself"
    )]
    Disk(#[source] DbErr),
    /// A newer version wrote the database.
    #[error("its schema is at {found}, which this version does not know: it knows them up to {newest}")]
    Newer {
        /// Its last step.
        found: String,
        /// The last step of this version.
        newest: &'static str,
    },
    /// The database cannot be reached or opened.
    #[error("the database cannot be reached or opened")]
    Unreachable(#[source] DbErr),
    /// A unique key is taken: somebody else was faster.
    #[error("a row with the same unique key exists")]
    Taken(#[source] DbErr),
    /// A row that should be there is not, or still refers to another.
    #[error("a row that is referred to does not exist, or is still referred to")]
    Reference(#[source] DbErr),
    /// A stored value does not read as what was written there.
    #[error("a stored {what} cannot be read: {problem}")]
    Unreadable {
        /// Which noun and column.
        what: &'static str,
        /// What is wrong with it; holds no stored value.
        problem: String,
    },
    /// Anything else.
    #[error("the database refused: {0}")]
    Other(#[source] DbErr),
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => return Self::Taken(error),
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => return Self::Reference(error),
            _ => {}
        }
        match code(&error).as_deref() {
            // SQLite: primary result codes, https://www.sqlite.org/rescode.html; PostgreSQL: lock_not_available,
            // query_canceled, serialization_failure, deadlock_detected, out_of_memory, configuration_limit_exceeded.
            Some("5" | "6" | "261" | "517" | "55P03" | "57014" | "40001" | "40P01" | "53200" | "53400") => {
                Self::Locked(error)
            }
            Some("8" | "264" | "520" | "776" | "1032" | "1288" | "1544" | "25006") => Self::ReadOnly(error),
            Some("13" | "53100") => Self::Full(error),
            // PostgreSQL: io_error.
            Some("58030") => Self::Disk(error),
            Some(code) if is_of_the_disk(code) => Self::Disk(error),
            // PostgreSQL: admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout,
            // transaction_timeout, too_many_connections.
            Some(
                "14" | "26" | "270" | "526" | "782" | "1038" | "57P01" | "57P02" | "57P03" | "25P03"
                | "25P04" | "53300",
            ) => Self::Unreachable(error),
            Some(_) => Self::Other(error),
            None => match error {
                DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => Self::Unreachable(error),
                DbErr::Exec(RuntimeErr::SqlxError(ref inner))
                | DbErr::Query(RuntimeErr::SqlxError(ref inner))
                    if matches!(
                        **inner,
                        SqlxError::Io(_)
                            | SqlxError::PoolTimedOut
                            | SqlxError::PoolClosed
                            | SqlxError::WorkerCrashed
                    ) =>
                {
                    Self::Unreachable(error)
                }
                _ => Self::Other(error),
            },
        }
    }
}

/// Whether it is SQLite's SQLITE_IOERR (10), or one of those that tell more than it: their last byte is the same.
/// A disk without space is `SQLITE_FULL` instead; a quota or a limit is one of these.
fn is_of_the_disk(code: &str) -> bool {
    // Codes of PostgreSQL have five characters, and may be digits alone.
    code.len() < 5 && code.parse::<u32>().is_ok_and(|code| code & 0xff == 10)
}

fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime)) = error else { return None };
    match runtime {
        RuntimeErr::SqlxError(inner) => {
            inner.as_database_error().and_then(|e| e.code()).map(|code| code.into_owned())
        }
        RuntimeErr::Internal(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_does_not_do_is_told_apart_from_what_is_asked_of_the_database() {
        // Write, sync, out of memory for the index of the log, and the plain one.
        for code in ["778", "1034", "4874", "10"] {
            assert!(is_of_the_disk(code), "{code}");
        }
        // A constraint, a full disk, a file that is no database, and two of PostgreSQL's.
        for code in ["19", "13", "26", "22026", "23505", "XX000", ""] {
            assert!(!is_of_the_disk(code), "{code}");
        }
    }
}
