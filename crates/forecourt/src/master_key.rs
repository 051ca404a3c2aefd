//! The master key: the setting `security.master_key`, or the file `data_dir/master.key`, made at the first start.
//!
//! Invariant: a key is made up only for a database that knows of none, and it is on the disk, whole, before anything
//! is sealed under it. What it is used for: `forecourt_identity::sealing`.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use forecourt_identity::sealing::{MasterKey, Sealer};

use crate::config::Settings;

/// Why there is no master key to work with. No message quotes one.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    #[error("the master key file {} cannot be used: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("the master key file {} must hold 64 hex digits and nothing else; restore it from a backup", .0.display())]
    Content(PathBuf),
    /// The database is sealed under a key that is not here.
    #[error(
        "the secrets in this database are sealed under the master key {id}, and there is none here: set \
         security.master_key, or copy the file master.key of the process that used this database first to {}",
        .path.display()
    )]
    Missing {
        /// The id of the key that is needed.
        id: String,
        /// Where its file belongs.
        path: PathBuf,
    },
    /// The database is sealed under another key.
    #[error(
        "the secrets in this database are sealed under the master key {id}, but {place} holds the master key {own}: \
         give it the key of the process that used this database first"
    )]
    Other {
        /// The id of the key that is needed.
        id: String,
        /// Where the key at hand is from.
        place: String,
        /// The id of the key at hand.
        own: String,
    },
}

/// The master key of `settings`, whose database was first used with the key `known` (`None`: with none yet).
///
/// # Errors
/// See [`MasterKeyError`].
pub fn of(settings: &Settings, known: Option<&str>) -> Result<MasterKey, MasterKeyError> {
    let path = settings.data_folder().join("master.key");
    let (key, place) = match MasterKey::from_hex(&settings.security.master_key) {
        Some(key) => (key, "security.master_key".to_owned()),
        None => (from_file(&path, known)?, path.display().to_string()),
    };
    let own = Sealer::new(&key).key_id().to_owned();
    match known {
        Some(id) if id != own => Err(MasterKeyError::Other { id: id.to_owned(), place, own }),
        _ => Ok(key),
    }
}

fn from_file(path: &Path, known: Option<&str>) -> Result<MasterKey, MasterKeyError> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    if let Some(id) = known {
        return Err(MasterKeyError::Missing { id: id.to_owned(), path: path.to_owned() });
    }
    make(path).map_err(|source| file_error(path, source))?;
    // Another process may have been first: what counts is what lies there.
    read(path)?.ok_or_else(|| file_error(path, ErrorKind::NotFound.into()))
}

fn read(path: &Path) -> Result<Option<MasterKey>, MasterKeyError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(path, error)),
    };
    let mode = fs::metadata(path).map_err(|error| file_error(path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        // Not refused: files that an orchestrator mounts are often readable by a group.
        tracing::warn!(
            file = %path.display(),
            "the master key can be read by others than its owner: chmod 600"
        );
    }
    MasterKey::from_hex(&text).map(Some).ok_or_else(|| MasterKeyError::Content(path.to_owned()))
}

/// Writes a fresh key. It gets its name only when it is whole and on the disk; one that is there already stays.
fn make(path: &Path) -> std::io::Result<()> {
    let Some(folder) = path.parent() else { return Err(ErrorKind::InvalidInput.into()) };
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(|error| std::io::Error::other(error.to_string()))?;
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = folder.join(format!("master.key.{}", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    let named =
        writeln!(file, "{key}").and_then(|()| file.sync_all()).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match named {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => File::open(folder)?.sync_all(),
    }
}

fn file_error(path: &Path, source: std::io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path, key: &str) -> Settings {
        let mut settings = Settings { data_dir: folder.display().to_string(), ..Settings::default() };
        settings.security.master_key = key.into();
        settings
    }

    fn id(key: &MasterKey) -> String {
        Sealer::new(key).key_id().to_owned()
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let key = of(&settings(folder, ""), None).unwrap();
        let file = fs::metadata(folder.join("master.key")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "no draft is left");
        let again = of(&settings(folder, ""), Some(&id(&key))).unwrap();
        assert_eq!(id(&again), id(&key));
    }

    #[test]
    fn the_setting_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let set = of(&settings(folder.path(), &"0a".repeat(32)), None).unwrap();
        assert_eq!(id(&set), id(&MasterKey::from_hex(&"0a".repeat(32)).unwrap()));
        assert!(!folder.path().join("master.key").exists());
    }

    #[test]
    fn another_key_than_the_databases_is_refused_and_none_is_made_up_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let missing = of(&settings(folder.path(), ""), Some("0123abcd")).unwrap_err().to_string();
        assert!(missing.contains("master key 0123abcd") && missing.contains("master.key"), "{missing}");
        assert!(!folder.path().join("master.key").exists());
        let other = of(&settings(folder.path(), &"0a".repeat(32)), Some("0123abcd")).unwrap_err().to_string();
        assert!(other.contains("master key 0123abcd, but security.master_key holds"), "{other}");
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, "half a ke").unwrap();
        let refused = of(&settings(folder.path(), ""), None).unwrap_err().to_string();
        assert!(refused.contains("must hold 64 hex digits"), "{refused}");
        assert!(!refused.contains("half"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "half a ke");
    }
}
