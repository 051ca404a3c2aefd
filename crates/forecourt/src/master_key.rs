//! The master key: `security.master_key`, `security.master_key_file` or `security.master_key_command`; where none is set
//! the file `data_dir/master.key`, made at the first start. Programs are run in `master_key/commands.rs`; `forecourt
//! master-key` is in `master_key/rotating.rs`.
//!
//! Invariant: a key is made up only for a database that knows of none, and it is on the disk, whole, before anything
//! is sealed under it. What it is used for: `forecourt_identity::sealing`.

mod commands;
pub(crate) mod resealing;
pub mod rotating;

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use forecourt_identity::sealing::MasterKey;

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
    /// The program of `security.master_key_command` gave none.
    #[error(
        "security.master_key_command: {program:?} {problem}; run it by hand, it must print 64 hex digits and end"
    )]
    Command {
        /// The program, without its arguments.
        program: String,
        /// What was wrong; holds nothing of its output but what it said on standard error.
        problem: String,
    },
    /// The database is sealed under a key that is not here.
    #[error(
        "the secrets in this database are sealed under the master key {id}, and there is none here: set \
         security.master_key, or copy the file that holds it (of another process on this database, or kept with a backup) \
         to {}",
        .path.display()
    )]
    Missing {
        /// The id of the key that is needed; while it is changed, one of two.
        id: String,
        /// Where its file belongs.
        path: PathBuf,
    },
    /// The database is sealed under another key.
    #[error(
        "the secrets in this database are sealed under the master key {id}, but {place} holds the master key {own}, which \
         opens nothing here, or nothing any more since the master key was changed or its change was abandoned: give it the \
         key {id}"
    )]
    Other {
        /// The id of the key that is needed; while it is changed, one of two.
        id: String,
        /// Where the key at hand is from.
        place: String,
        /// The id of the key at hand.
        own: String,
    },
}

/// The master key of `settings`, whose database opens with each of the keys `known` (none: it has none yet).
///
/// # Errors
/// See [`MasterKeyError`].
pub fn of(settings: &Settings, known: &[String]) -> Result<MasterKey, MasterKeyError> {
    let security = &settings.security;
    let (key, place) = if let Some(key) = MasterKey::from_hex(&security.master_key) {
        (key, "security.master_key".to_owned())
    } else if !security.master_key_file.is_empty() {
        (of_file(Path::new(&security.master_key_file))?, security.master_key_file.clone())
    } else if !security.master_key_command.is_empty() {
        (commands::run(&security.master_key_command)?, "security.master_key_command".to_owned())
    } else {
        let path = own_file(settings);
        (from_file(&path, known)?, path.display().to_string())
    };
    let own = key.id();
    match known.is_empty() || known.contains(&own) {
        true => Ok(key),
        false => Err(MasterKeyError::Other { id: known.join(" or "), place, own }),
    }
}

/// Whether the key lies in `data_dir/master.key`, since nothing else is set.
pub(crate) fn is_own_file(settings: &Settings) -> bool {
    let security = &settings.security;
    security.master_key.is_empty()
        && security.master_key_file.is_empty()
        && security.master_key_command.is_empty()
}

/// The file that is made where no source is set.
fn own_file(settings: &Settings) -> PathBuf {
    settings.data_folder().join("master.key")
}

/// The key that a file holds, which must be there.
fn of_file(path: &Path) -> Result<MasterKey, MasterKeyError> {
    read(path)?.ok_or_else(|| file_error(path, ErrorKind::NotFound.into()))
}

fn from_file(path: &Path, known: &[String]) -> Result<MasterKey, MasterKeyError> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    if !known.is_empty() {
        return Err(MasterKeyError::Missing { id: known.join(" or "), path: path.to_owned() });
    }
    make(path).map_err(|source| file_error(path, source))?;
    // Another process may have been first: what counts is what lies there.
    of_file(path)
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
    // A name that no other process takes: in containers on one volume all have the same number.
    let mut mark = [0u8; 8];
    getrandom::fill(&mut mark).map_err(|error| std::io::Error::other(error.to_string()))?;
    let draft = folder.join(format!("master.key.draft-{:016x}", u64::from_be_bytes(mark)));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
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
        key.id()
    }

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let key = of(&settings(folder, ""), &[]).unwrap();
        let file = fs::metadata(folder.join("master.key")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "no draft is left");
        let again = of(&settings(folder, ""), &[id(&key)]).unwrap();
        assert_eq!(id(&again), id(&key));
    }

    #[test]
    fn the_setting_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let set = of(&settings(folder.path(), &"0a".repeat(32)), &[]).unwrap();
        assert_eq!(id(&set), id(&MasterKey::from_hex(&"0a".repeat(32)).unwrap()));
        assert!(!folder.path().join("master.key").exists());
    }

    #[test]
    fn another_key_than_the_databases_is_refused_and_none_is_made_up_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let missing = of(&settings(folder.path(), ""), &["0123abcd".to_owned()]).unwrap_err().to_string();
        assert!(missing.contains("master key 0123abcd") && missing.contains("master.key"), "{missing}");
        assert!(!folder.path().join("master.key").exists());
        let other =
            of(&settings(folder.path(), &"0a".repeat(32)), &["0123abcd".to_owned()]).unwrap_err().to_string();
        assert!(other.contains("master key 0123abcd, but security.master_key holds"), "{other}");
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, "half a ke").unwrap();
        let refused = of(&settings(folder.path(), ""), &[]).unwrap_err().to_string();
        assert!(refused.contains("must hold 64 hex digits"), "{refused}");
        assert!(!refused.contains("half"), "{refused}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "half a ke");
    }

    #[test]
    fn each_source_gives_its_key_and_one_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, format!("{}\n", "0c".repeat(32))).unwrap();
        let expected = MasterKey::from_hex(&"0c".repeat(32)).unwrap().id();
        let mut from_file = settings(folder.path(), "");
        from_file.security.master_key_file = file.display().to_string();
        assert_eq!(of(&from_file, &[]).unwrap().id(), expected);
        let mut from_command = settings(folder.path(), "");
        from_command.security.master_key_command = vec!["cat".into(), file.display().to_string()];
        assert_eq!(of(&from_command, &[]).unwrap().id(), expected);
        fs::remove_file(&file).unwrap();
        let missing = of(&from_file, &[]).unwrap_err().to_string();
        assert!(missing.contains("secret cannot be used"), "{missing}");
        let failed = of(&from_command, &[]).unwrap_err().to_string();
        assert!(failed.contains("security.master_key_command: \"cat\""), "{failed}");
        assert!(!folder.path().join("master.key").exists(), "none is made up beside a source that fails");
    }
}
