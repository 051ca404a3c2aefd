//! `forecourt backup`, `forecourt restore`, and `forecourt migrate --to`: everything that is stored, taken out of one
//! database and put into another, while others write to the first.
//!
//! Invariant: what was put into a database is read back and compared before it becomes permanent, and nothing is ever
//! written over. The form of the file is in `backups/files.rs`, that of its lines in `backups/lines.rs`; why it is so
//! stands in `docs/adr/0023-a-portable-backup.md`.

mod files;
mod keys;
mod lines;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use forecourt_core::time::Timestamp;
use forecourt_store::{CopyError, Filling, Location, Original, StoreError};

pub use self::files::FileProblem;
use self::{
    files::{Backup, Head, Part, Writer},
    keys::{CopiedKeys, keys_of},
    lines::Digest,
};
use crate::{
    config::{Settings, mask_password},
    master_key::{self, MasterKeyError},
    presences,
    serve::{StartError, VERSION, make_data_dir},
};

/// Why nothing was backed up, restored or moved.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file cannot be used.
    #[error("{}: {problem}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: FileProblem,
    },
    /// A database cannot be copied from or to.
    #[error("the database {location}: {problem}{}", with_causes(.problem))]
    Database {
        /// The file, or the URL without its password.
        location: String,
        /// What is wrong.
        problem: CopyError,
    },
    /// The backup is of a newer version.
    #[error(
        "the backup was made by Forecourt {theirs} with its schema at {schema}; this is Forecourt {VERSION}, which does \
         not know it. Restore it with Forecourt {theirs} or a later one"
    )]
    Newer {
        /// The version that made it.
        theirs: String,
        /// Its schema's last step.
        schema: String,
    },
    /// The tables of the backup are not those of the schema that it names.
    #[error(
        "the backup's tables are not those of the schema {0}, which it names: it was not made by a release"
    )]
    Tables(String),
    /// The master key at hand is not the one.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The master key at hand has the right name and does not open what is sealed.
    #[error("the master key at hand does not open what the backup holds sealed: {0}")]
    Sealed(String),
    /// What was read back is not what was put there.
    #[error(
        "the table {table} of the copy has not the same rows as the original ({copied} rows, {original} expected), and \
         nothing was made permanent"
    )]
    Differs {
        /// Which table.
        table: String,
        /// How many rows were read back.
        copied: u64,
        /// How many there should be.
        original: u64,
    },
    /// Somebody serves from the database that should be moved.
    #[error(
        "a process serves from {0}: what it would write from now on would be missing in the copy. Stop it, or say \
         --while-serving to make a copy to try"
    )]
    Serving(String),
    /// Source and target are one.
    #[error("the database is at {0} already")]
    Same(String),
    /// The data folder cannot be made.
    #[error(transparent)]
    Folder(#[from] StartError),
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Tables.
    pub tables: usize,
    /// Rows of all of them.
    pub rows: u64,
}

/// Writes everything that the database of `settings` holds at this moment to `path`, while others write.
///
/// # Errors
/// See [`BackupError`]. A file at `path` is left as it is then.
pub async fn backup(settings: &Settings, path: &Path, now: Timestamp) -> Result<Copied, BackupError> {
    let location = settings.location();
    let read = |problem: CopyError| database(&location, problem);
    let original = Original::open(&location).await.map_err(read)?;
    let schema = original.schema();
    let keys = keys_of(&original).await.map_err(|error| read(error.into()))?;
    let head = Head::new(VERSION, schema, keys.current.clone(), keys.master_keys(), now);
    let wrong = |problem| BackupError::File { path: path.to_owned(), problem };
    let mut writer = Writer::create(path, &head).map_err(wrong)?;
    let mut copied = Copied { tables: schema.tables.len(), rows: 0 };
    for table in &schema.tables {
        let mut rows = original.rows(table);
        let mut digest = Digest::default();
        loop {
            let page = rows.next().await.map_err(|error| read(error.into()))?;
            if page.is_empty() {
                break;
            }
            for row in &page {
                let line = lines::of_row(row);
                digest.add(&line);
                writer.line(&line).map_err(wrong)?;
            }
        }
        copied.rows += digest.rows();
        writer.end_of_table(&table.name, digest).map_err(wrong)?;
    }
    writer.finish(copied.tables).map_err(wrong)?;
    Ok(copied)
}

/// Puts what the file holds into the database of `settings`, which must be empty, and brings that to this version's
/// schema. The whole file is checked before anything is begun.
///
/// # Errors
/// See [`BackupError`]. Nothing is stored then, but where [`CopyError::NotUpgraded`] says otherwise.
pub async fn restore(settings: &Settings, path: &Path) -> Result<Copied, BackupError> {
    let wrong = |problem| BackupError::File { path: path.to_owned(), problem };
    let (head, keys) = checked(path).map_err(wrong)?;
    let known = head.needed_keys();
    if !known.is_empty() {
        keys.open_with(&master_key::of(settings, &known)?)?;
    }
    let location = settings.location();
    if let Location::Sqlite(_) = location {
        make_data_dir(&settings.data_folder())?;
    }
    let filling = Filling::begin(&location, &head.schema).await.map_err(|problem| match problem {
        CopyError::Newer { .. } => {
            BackupError::Newer { theirs: head.forecourt.clone(), schema: head.schema.clone() }
        }
        problem => database(&location, problem),
    })?;
    if !head.is_of(filling.schema()) {
        return Err(BackupError::Tables(head.schema));
    }
    let write = |error: StoreError| database(&location, error.into());
    let mut backup = Backup::open(path).map_err(wrong)?;
    let mut copied = Copied { tables: head.tables.len(), rows: 0 };
    for table in &filling.schema().tables {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let (expected, rows) = loop {
            match backup.next(table).map_err(wrong)? {
                Part::Row { cells, length } => {
                    bytes += length;
                    batch.push(cells);
                    if batch.len() >= BATCH.0 || bytes >= BATCH.1 {
                        filling.insert(table, &batch).await.map_err(write)?;
                        batch.clear();
                        bytes = 0;
                    }
                }
                Part::EndOfTable { sha256, rows } => break (sha256, rows),
            }
        };
        filling.insert(table, &batch).await.map_err(write)?;
        compare(&filling, table, &expected, rows).await.map_err(|problem| problem.at(&location))?;
        copied.rows += rows;
    }
    filling.commit().await.map_err(|problem| database(&location, problem))?;
    Ok(copied)
}

/// How many rows, and bytes of their lines, are put into a database at once at most.
const BATCH: (usize, usize) = (1_000, 4 << 20);

/// Copies everything from the database of `settings` to the empty one at `target`, and brings that to this version's
/// schema. `while_serving`: also while somebody serves from the first.
///
/// # Errors
/// See [`BackupError`]. Nothing is stored then, but where [`CopyError::NotUpgraded`] says otherwise.
pub async fn copy(
    settings: &Settings,
    target: &Location,
    while_serving: bool,
) -> Result<Copied, BackupError> {
    let source = settings.location();
    if *target == source {
        return Err(BackupError::Same(shown(&source)));
    }
    let read = |problem: CopyError| database(&source, problem);
    // Held until the copy ends.
    let _absence = match while_serving {
        true => None,
        false => {
            let nobody = presences::keep_away(settings).await.map_err(read)?;
            Some(nobody.ok_or_else(|| BackupError::Serving(shown(&source)))?)
        }
    };
    let original = Original::open(&source).await.map_err(read)?;
    let version = original.schema().version.as_str();
    let filling = Filling::begin(target, version).await.map_err(|problem| database(target, problem))?;
    if filling.schema() != original.schema() {
        return Err(BackupError::Tables(version.to_owned()));
    }
    let write = |error: StoreError| database(target, error.into());
    let mut copied = Copied { tables: original.schema().tables.len(), rows: 0 };
    for table in &original.schema().tables {
        let mut rows = original.rows(table);
        let mut digest = Digest::default();
        loop {
            let page = rows.next().await.map_err(|error| read(error.into()))?;
            if page.is_empty() {
                break;
            }
            page.iter().for_each(|row| digest.add(&lines::of_row(row)));
            filling.insert(table, &page).await.map_err(write)?;
        }
        let count = digest.rows();
        compare(&filling, table, &digest.finish(), count).await.map_err(|problem| problem.at(target))?;
        copied.rows += count;
    }
    filling.commit().await.map_err(|problem| database(target, problem))?;
    Ok(copied)
}

/// Where a database is, for people.
pub fn shown(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => path.display().to_string(),
        Location::Postgres(url) => mask_password(url),
    }
}

/// Why a table is not what it should be.
enum Difference {
    Store(StoreError),
    Rows { table: String, copied: u64, original: u64 },
}

impl Difference {
    fn at(self, location: &Location) -> BackupError {
        match self {
            Self::Store(error) => database(location, error.into()),
            Self::Rows { table, copied, original } => BackupError::Differs { table, copied, original },
        }
    }
}

/// Reads a table back and holds it against what was put there.
async fn compare(
    filling: &Filling,
    table: &forecourt_store::Table,
    sha256: &str,
    original: u64,
) -> Result<(), Difference> {
    let mut rows = filling.rows(table);
    let mut digest = Digest::default();
    loop {
        let page = rows.next().await.map_err(Difference::Store)?;
        if page.is_empty() {
            break;
        }
        page.iter().for_each(|row| digest.add(&lines::of_row(row)));
    }
    let copied = digest.rows();
    match copied == original && digest.finish() == sha256 {
        true => Ok(()),
        false => Err(Difference::Rows { table: table.name.clone(), copied, original }),
    }
}

/// Reads the file to its end: its head, and what tells whether a master key is the one.
fn checked(path: &Path) -> Result<(Head, CopiedKeys), FileProblem> {
    let mut backup = Backup::open(path)?;
    let head = backup.head().clone();
    let mut keys = CopiedKeys::default();
    for table in &head.tables {
        while let Part::Row { cells, .. } = backup.next(table)? {
            keys.note(&table.name, &cells);
        }
    }
    backup.finish()?;
    Ok((head, keys))
}

fn database(location: &Location, problem: CopyError) -> BackupError {
    BackupError::Database { location: shown(location), problem }
}

/// The causes that a problem's own words leave out, each after a colon.
fn with_causes(problem: &CopyError) -> String {
    let first = std::error::Error::source(problem);
    let causes = std::iter::successors(first, |error| error.source()).map(ToString::to_string);
    let own = problem.to_string();
    causes.filter(|cause| !own.contains(cause)).map(|cause| format!(": {cause}")).collect()
}
