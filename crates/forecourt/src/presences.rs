//! Whether somebody serves from a database: what a move of it must know.
//!
//! On SQLite every process that serves holds a lock on `data_dir/serving.lock`, which ends with it however it ends; on
//! PostgreSQL its connections have a name.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::PathBuf,
};

use forecourt_store::{CopyError, Location, serving_processes};

use crate::config::Settings;

/// Held for as long as this process serves.
#[derive(Debug)]
pub struct Presence {
    _lock: Option<File>,
}

/// Held while nobody may begin to serve. On PostgreSQL it holds nobody off.
#[derive(Debug)]
pub struct Absence {
    _lock: Option<File>,
}

/// Tells others that this process serves. The data folder must be there where the database is in it.
///
/// # Errors
/// When the lock cannot be made, or the database is being moved.
pub fn announce(settings: &Settings) -> std::io::Result<Presence> {
    let Location::Sqlite(_) = settings.location() else { return Ok(Presence { _lock: None }) };
    let lock = open(settings)?;
    match lock.try_lock_shared() {
        Ok(()) => Ok(Presence { _lock: Some(lock) }),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => {
            Err(std::io::Error::new(ErrorKind::ResourceBusy, being_moved(settings)))
        }
    }
}

fn being_moved(settings: &Settings) -> String {
    format!(
        "`forecourt migrate --to` is copying this database, and what would be written now would be missing in the copy: \
         wait until it has ended (it holds {})",
        path(settings).display()
    )
}

/// Keeps everybody from serving from the database of `settings` for as long as the answer is held; `None`: somebody serves.
/// On PostgreSQL it is only looked.
///
/// # Errors
/// When PostgreSQL cannot be asked, or the lock not be made.
pub async fn keep_away(settings: &Settings) -> Result<Option<Absence>, CopyError> {
    let location = settings.location();
    let Location::Sqlite(file) = &location else {
        let is_served = serving_processes(&location).await? > 0;
        return Ok((!is_served).then_some(Absence { _lock: None }));
    };
    if !file.is_file() {
        return Err(CopyError::Nothing);
    }
    let failed = |error: std::io::Error| CopyError::Lock(format!("{}: {error}", path(settings).display()));
    let lock = match open(settings) {
        Ok(lock) => lock,
        // Without the data folder nobody can serve.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(Absence { _lock: None })),
        Err(error) => return Err(failed(error)),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(Absence { _lock: Some(lock) })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn open(settings: &Settings) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(path(settings))
}

fn path(settings: &Settings) -> PathBuf {
    settings.data_folder().join("serving.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &tempfile::TempDir) -> Settings {
        std::fs::write(folder.path().join("forecourt.db"), "").unwrap();
        Settings { data_dir: folder.path().display().to_string(), ..Settings::default() }
    }

    #[tokio::test]
    async fn a_process_that_serves_is_seen_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        assert!(keep_away(&settings).await.unwrap().is_some());
        let one = announce(&settings).unwrap();
        let two = announce(&settings).unwrap();
        assert!(keep_away(&settings).await.unwrap().is_none());
        drop(one);
        assert!(keep_away(&settings).await.unwrap().is_none());
        drop(two);
        assert!(keep_away(&settings).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn nobody_begins_to_serve_from_a_database_while_it_is_moved() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let absence = keep_away(&settings).await.unwrap().unwrap();
        let refused = announce(&settings).unwrap_err().to_string();
        assert!(refused.contains("is copying this database"), "{refused}");
        drop(absence);
        announce(&settings).unwrap();
    }
}
