//! The file of a backup: lines of JSON, compressed as one gzip stream.
//!
//! First the head; then each table's rows, followed by their count and digest; then the end, with the digest of every
//! line before it. Invariant: a file has its name only once it is whole and on the disk, and one that is cut, changed or
//! continued is refused wherever that happened.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};
use forecourt_core::time::Timestamp;
use forecourt_store::{Cell, Schema, Table};
use serde::{Deserialize, Serialize};

use super::lines::{self, Digest};

/// The version of the form that is written here, and the only one that is read.
const FORM: u32 = 1;

/// How each file begins, unpacked.
const BEGINNING: &[u8] = b"{\"forecourt_backup\":";

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum FileProblem {
    /// It cannot be read or written.
    #[error("it cannot be used: {0}")]
    Io(#[source] std::io::Error),
    /// It is something else.
    #[error("it is no backup of Forecourt's")]
    Other,
    /// Something else is where a backup should be put.
    #[error("what is there is no backup of Forecourt's, and is not written over: name another file")]
    Taken,
    /// A later form.
    #[error(
        "it is a backup of form {0}, and this version reads form {FORM}: restore it with a later version of Forecourt"
    )]
    Form(u32),
    /// Its end is missing.
    #[error("it is cut off: its end is missing. Take another backup, or copy this one again")]
    Cut,
    /// It is not as it was written.
    #[error("it is damaged: {0}. Take another backup, or copy this one again")]
    Damaged(String),
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The version of the form.
    pub(super) forecourt_backup: u32,
    /// The version that made it.
    pub(super) forecourt: String,
    /// The last step of its schema.
    pub(super) schema: String,
    /// When it was made, in microseconds since the epoch.
    pub(super) made_at: i64,
    /// The id of the master key that its secrets are sealed under; `None`: it has none.
    pub(super) master_key: Option<String>,
    /// The ids of all that open them: two while the master key is changed. Earlier versions did not tell.
    #[serde(default)]
    pub(super) master_keys: Vec<String>,
    /// Its tables, in the order in which they follow.
    pub(super) tables: Vec<Table>,
}

/// What follows the rows of a table.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableEnd {
    table: String,
    rows: u64,
    sha256: String,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: bool,
    tables: usize,
    sha256: String,
}

impl Head {
    pub(super) fn new(
        version: &str,
        schema: &Schema,
        master_key: Option<String>,
        master_keys: Vec<String>,
        now: Timestamp,
    ) -> Self {
        Self {
            forecourt_backup: FORM,
            forecourt: version.to_owned(),
            schema: schema.version.clone(),
            made_at: now.micros(),
            master_key,
            master_keys,
            tables: schema.tables.clone(),
        }
    }

    /// The ids of the master keys of which one is needed; none: nothing is sealed.
    pub(super) fn needed_keys(&self) -> Vec<String> {
        match self.master_keys.is_empty() {
            true => self.master_key.clone().into_iter().collect(),
            false => self.master_keys.clone(),
        }
    }

    /// Whether its tables are those of `schema`.
    pub(super) fn is_of(&self, schema: &Schema) -> bool {
        self.schema == schema.version && self.tables == schema.tables
    }
}

/// A file that is being written, under another name until it is whole.
pub(super) struct Writer {
    draft: PathBuf,
    path: PathBuf,
    gzip: GzEncoder<BufWriter<File>>,
    whole: Digest,
    is_named: bool,
}

impl Writer {
    /// Begins the file that will be at `path`, readable by its owner alone.
    pub(super) fn create(path: &Path, head: &Head) -> Result<Self, FileProblem> {
        let name = path.file_name().ok_or_else(|| FileProblem::Io(ErrorKind::IsADirectory.into()))?;
        if !is_free(path).map_err(FileProblem::Io)? {
            return Err(FileProblem::Taken);
        }
        // Nobody else can have made it before, nor write to it meanwhile.
        let random = getrandom::u64();
        let random = random.map_err(|error| FileProblem::Io(std::io::Error::other(error.to_string())))?;
        let mut draft = name.to_owned();
        draft.push(format!(".{random:016x}.part"));
        let draft = path.with_file_name(draft);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
        let file = BufWriter::new(file.map_err(FileProblem::Io)?);
        let mut writer = Self {
            draft,
            path: path.to_owned(),
            gzip: GzEncoder::new(file, Compression::fast()),
            whole: Digest::default(),
            is_named: false,
        };
        writer.json(head)?;
        Ok(writer)
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &str) -> Result<(), FileProblem> {
        self.whole.add(line);
        let written = self.gzip.write_all(line.as_bytes()).and_then(|()| self.gzip.write_all(b"\n"));
        written.map_err(FileProblem::Io)
    }

    /// Ends a table whose lines add up to `digest`.
    pub(super) fn end_of_table(&mut self, table: &str, digest: Digest) -> Result<(), FileProblem> {
        let rows = digest.rows();
        self.json(&TableEnd { table: table.to_owned(), rows, sha256: digest.finish() })
    }

    /// Ends the file and gives it its name; another file of that name is gone then.
    pub(super) fn finish(mut self, tables: usize) -> Result<(), FileProblem> {
        let sha256 = std::mem::take(&mut self.whole).finish();
        self.json(&End { end: true, tables, sha256 })?;
        self.name().map_err(FileProblem::Io)?;
        self.is_named = true;
        Ok(())
    }

    fn name(&mut self) -> std::io::Result<()> {
        self.gzip.try_finish()?;
        self.gzip.get_mut().flush()?;
        self.gzip.get_ref().get_ref().sync_all()?;
        fs::rename(&self.draft, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn json(&mut self, value: &impl Serialize) -> Result<(), FileProblem> {
        let line = serde_json::to_string(value).map_err(|error| FileProblem::Io(error.into()))?;
        self.line(&line)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_named {
            // What cannot be removed is a file that says by its name that it is a part.
            let _removed = fs::remove_file(&self.draft);
        }
    }
}

/// Whether a backup may be put there: where nothing is, an empty file, or another backup. Who mistypes the name of the
/// database or of the master key keeps them.
fn is_free(path: &Path) -> std::io::Result<bool> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if !found.is_file() || found.len() == 0 {
        return Ok(found.is_file());
    }
    let mut beginning = [0; BEGINNING.len()];
    let read = GzDecoder::new(BufReader::new(File::open(path)?)).read_exact(&mut beginning);
    Ok(read.is_ok() && beginning == *BEGINNING)
}

/// A file that is being read.
pub(super) struct Backup {
    lines: BufReader<GzDecoder<BufReader<File>>>,
    head: Head,
    whole: Digest,
    table: Digest,
}

/// What comes next in a table.
pub(super) enum Part {
    /// A row, and how long its line is.
    Row {
        /// A cell for each column.
        cells: Vec<Cell>,
        /// In bytes.
        length: usize,
    },
    /// There are no more, and these are they.
    EndOfTable {
        /// What their lines add up to.
        sha256: String,
        /// How many there were.
        rows: u64,
    },
}

impl Backup {
    /// Opens the file and reads its head.
    pub(super) fn open(path: &Path) -> Result<Self, FileProblem> {
        let file = BufReader::new(File::open(path).map_err(FileProblem::Io)?);
        let mut lines = BufReader::new(GzDecoder::new(file));
        let mut whole = Digest::default();
        let line = match read_line(&mut lines) {
            Err(FileProblem::Damaged(_)) => return Err(FileProblem::Other),
            outcome => outcome?,
        };
        whole.add(&line);
        let head: serde_json::Value = serde_json::from_str(&line).map_err(|_| FileProblem::Other)?;
        let form = head.get("forecourt_backup").and_then(serde_json::Value::as_u64);
        let form = form.and_then(|form| u32::try_from(form).ok()).ok_or(FileProblem::Other)?;
        if form != FORM {
            return Err(FileProblem::Form(form));
        }
        let head =
            serde_json::from_value(head).map_err(|_| FileProblem::Damaged("its head is wrong".into()))?;
        Ok(Self { lines, head, whole, table: Digest::default() })
    }

    pub(super) const fn head(&self) -> &Head {
        &self.head
    }

    /// The next row of `table`, or its end, which was held against the rows.
    pub(super) fn next(&mut self, table: &Table) -> Result<Part, FileProblem> {
        let line = read_line(&mut self.lines)?;
        self.whole.add(&line);
        let wrong = |what: &str| FileProblem::Damaged(format!("table {}: {what}", table.name));
        if line.starts_with('[') {
            self.table.add(&line);
            let cells = lines::row(&line, table).ok_or_else(|| wrong("a line is no row"))?;
            return Ok(Part::Row { cells, length: line.len() });
        }
        let digest = std::mem::take(&mut self.table);
        let end: TableEnd = serde_json::from_str(&line).map_err(|_| wrong("its end is missing"))?;
        let (rows, sha256) = (digest.rows(), digest.finish());
        if (end.table.as_str(), end.rows, &end.sha256) != (table.name.as_str(), rows, &sha256) {
            return Err(wrong("its rows do not add up to its digest"));
        }
        Ok(Part::EndOfTable { sha256, rows })
    }

    /// Reads the end, after which nothing may come.
    pub(super) fn finish(mut self) -> Result<(), FileProblem> {
        let line = read_line(&mut self.lines)?;
        let wrong = |what: &str| FileProblem::Damaged(what.to_owned());
        let end: End = serde_json::from_str(&line).map_err(|_| wrong("its last line is no end"))?;
        if !end.end || end.tables != self.head.tables.len() || end.sha256 != self.whole.finish() {
            return Err(wrong("its lines do not add up to its digest"));
        }
        // The end of the compressed stream, with its own checksum.
        if !self.lines.fill_buf().map_err(problem)?.is_empty() {
            return Err(wrong("something follows its end"));
        }
        let after = self.lines.into_inner().into_inner().fill_buf().map_err(problem)?.len();
        if after > 0 { Err(wrong("something follows its end")) } else { Ok(()) }
    }
}

/// A line without its line break.
fn read_line(lines: &mut impl BufRead) -> Result<String, FileProblem> {
    let mut line = String::new();
    lines.read_line(&mut line).map_err(problem)?;
    match line.pop() {
        Some('\n') => Ok(line),
        _ => Err(FileProblem::Cut),
    }
}

fn problem(error: std::io::Error) -> FileProblem {
    match error.kind() {
        ErrorKind::UnexpectedEof => FileProblem::Cut,
        ErrorKind::InvalidData | ErrorKind::InvalidInput => FileProblem::Damaged(error.to_string()),
        _ => FileProblem::Io(error),
    }
}
