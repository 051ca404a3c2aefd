//! A node's data folder: whose it is, and that only one process uses it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use forecourt_core::{ids::NodeId, random::Random, time::Timestamp};

const ID: &str = "node-id";
const LOCK: &str = "node-lock";

/// A data folder that this process alone uses, until this is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    node: NodeId,
    /// The lock lasts as long as this is open.
    _lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug)]
pub enum FolderError {
    /// Another process uses it.
    InUse(PathBuf),
    /// One of its files cannot be read or made: which, and why.
    File(PathBuf, io::Error),
    /// Its file of the node's id holds something else.
    NoId(PathBuf),
}

impl Folder {
    /// Takes the folder at `path`, which is made where it is missing (its parents are not), and gives it a node's id at
    /// the first time.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn take(path: &Path, now: Timestamp) -> Result<Self, FolderError> {
        let problem = |name: &str| {
            let path = path.join(name);
            move |error| FolderError::File(path, error)
        };
        if !path.is_dir() {
            DirBuilder::new().mode(0o700).create(path).map_err(problem(""))?;
        }
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(path.join(LOCK));
        let lock = lock.map_err(problem(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(problem(LOCK)(error)),
        }
        let node = match fs::read_to_string(path.join(ID)) {
            Ok(text) => NodeId::parse(text.trim()).ok_or_else(|| FolderError::NoId(path.join(ID)))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let node = NodeId::issue(now, &mut OsRandom);
                write_id(path, &node).map_err(problem(ID))?;
                node
            }
            Err(error) => return Err(problem(ID)(error)),
        };
        Ok(Self { path: path.to_owned(), node, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The node that it belongs to.
    pub const fn node(&self) -> &NodeId {
        &self.node
    }
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "the data folder {} is in use by another gateway; stop it, or name another folder",
                path.display()
            ),
            Self::File(path, error) => write!(f, "{} cannot be used: {error}", path.display()),
            Self::NoId(path) => write!(
                f,
                "{} holds no node's id; put the right one back, or remove it to start as a new node",
                path.display()
            ),
        }
    }
}

impl std::error::Error for FolderError {}

fn write_id(folder: &Path, node: &NodeId) -> io::Result<()> {
    let coming = folder.join("node-id.coming");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&coming)?;
    writeln!(file, "{node}")?;
    file.sync_all()?;
    fs::rename(coming, folder.join(ID))?;
    File::open(folder)?.sync_all()
}

/// The operating system's generator.
struct OsRandom;

impl Random for OsRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Without randomness no id is unique: there is nothing sensible to go on with.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_node_and_serves_one_process_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = Folder::take(&path, Timestamp::from_seconds(1)).unwrap();
        let node = first.node().clone();
        assert!(node.as_str().starts_with("nod_"));
        let refused = Folder::take(&path, Timestamp::from_seconds(1)).unwrap_err().to_string();
        assert!(refused.contains("in use by another gateway"), "{refused}");
        drop(first);
        assert_eq!(*Folder::take(&path, Timestamp::from_seconds(2)).unwrap().node(), node);
        fs::write(path.join(ID), "no id / at all").unwrap();
        let refused = Folder::take(&path, Timestamp::from_seconds(2)).unwrap_err().to_string();
        assert!(refused.contains("node-id holds no node's id"), "{refused}");
    }
}
