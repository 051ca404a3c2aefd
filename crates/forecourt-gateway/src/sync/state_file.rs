//! What a node knows, on its disk: a whole state, and behind it what changed since.
//!
//! The file is a row of records (`records.rs`), each with a letter first: `H` who it belongs to; `R` rows; `P` a
//! position, which makes the rows before it whole. The rows up to the first `P` are a whole state, those up to each
//! further one a change. Rows that no `P` follows were never acknowledged and are cut off.
//!
//! Invariant: what [`load`] hands out was written, in that order, up to a position; a file that is anything else is
//! said to be damaged. It holds digests of credentials and keys of certificates: mode 0600.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Read as _},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use forecourt_core::ids::NodeId;
use forecourt_wire::{
    changes::Change,
    sync::{MOST_ROWS, Position},
};
use serde::{Deserialize, Serialize};

use super::{
    records::{self, Found, HEAD},
    row_text,
};

/// The version of this format.
const FORMAT: u32 = 1;
/// The version of what rows consist of: to be raised whenever a row gets a member that changes what a node does. A program
/// that reads rows of another version cannot know what the writer left out, so it asks for all of them anew.
const ROWS: u32 = 1;
/// How many pieces may lie between two threads that load.
const AHEAD: usize = 4;

#[derive(Serialize, Deserialize)]
struct Owner {
    format: u32,
    node: NodeId,
    /// Files of before this was written have none.
    #[serde(default)]
    rows: u32,
}

/// What became of reading a file.
#[derive(Debug, PartialEq)]
pub(crate) enum Loaded {
    /// There is none.
    Missing,
    /// It cannot be believed: why.
    Damaged(String),
    /// It was read.
    Whole(Extent),
}

/// What of a file counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extent {
    /// How far it goes.
    pub(crate) position: Position,
    /// Its bytes up to there.
    pub(crate) length: u64,
    /// Its bytes up to the end of the whole state that it begins with.
    pub(crate) state_length: u64,
    /// Whether its rows are of the version that this program writes.
    pub(crate) is_of_these_rows: bool,
}

/// The records of rows; to be followed by [`position_record`].
pub(crate) fn row_records(changes: &[Change]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for rows in changes.chunks(MOST_ROWS) {
        let rows: Vec<_> = rows.iter().map(row_text::Written).collect();
        append(&mut bytes, b'R', &rows)?;
    }
    Ok(bytes)
}

/// The record that makes the rows before it whole.
pub(crate) fn position_record(position: &Position) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    append(&mut bytes, b'P', position)?;
    Ok(bytes)
}

fn append(to: &mut Vec<u8>, letter: u8, value: &impl Serialize) -> io::Result<()> {
    let mut body = vec![letter];
    serde_json::to_writer(&mut body, value)?;
    records::append(to, &body);
    Ok(())
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct StateFile {
    file: File,
    /// Its bytes that count.
    pub(crate) length: u64,
}

impl StateFile {
    /// An empty file of this node at `path`, in the place of any that is there.
    pub(crate) fn create(path: &Path, node: &NodeId) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut made = Self { file, length: 0 };
        let mut owner = Vec::new();
        append(&mut owner, b'H', &Owner { format: FORMAT, node: node.clone(), rows: ROWS })?;
        made.write(&owner)?;
        Ok(made)
    }

    /// The file at `path`, to be continued behind its first `length` bytes; what follows them is cut off.
    pub(crate) fn reopen(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        file.set_len(length)?;
        // What was read may not have been forced to the disk before a kill, and is about to be acknowledged.
        file.sync_all()?;
        Ok(Self { file, length })
    }

    /// Adds records. After a failure nothing of them counts, and the next ones take their place.
    pub(crate) fn write(&mut self, records: &[u8]) -> io::Result<()> {
        match self.file.write_all_at(records, self.length) {
            Ok(()) => {
                self.length += records.len() as u64;
                Ok(())
            }
            Err(error) => {
                // A torn end would be cut off at the next start too.
                let _cut = self.file.set_len(self.length);
                Err(error)
            }
        }
    }

    /// Adds records and returns once they are on the disk. After a failure nothing of them counts.
    pub(crate) fn write_through(&mut self, records: &[u8]) -> io::Result<()> {
        let before = self.length;
        self.write(records)?;
        self.file.sync_data().inspect_err(|_| {
            // What the disk did not take may be gone from memory too: it is written again from the start.
            self.length = before;
            let _cut = self.file.set_len(before);
        })
    }

    /// Adds what `other` has from byte `from` on.
    pub(crate) fn copy_end(&mut self, other: &Self, from: u64) -> io::Result<()> {
        let mut piece = vec![0; 1 << 20];
        let mut at = from;
        while at < other.length {
            let wanted = usize::try_from(other.length - at).unwrap_or(usize::MAX).min(piece.len());
            let Some(part) = piece.get_mut(..wanted) else { break };
            other.file.read_exact_at(part, at)?;
            self.write(part)?;
            at += wanted as u64;
        }
        Ok(())
    }
}

/// Reads the file at `path`, in several threads, and hands its rows on in the order in which they were written: those
/// of the state that it begins with piece by piece, those of each change at once.
///
/// On [`Loaded::Damaged`] some rows may have been handed on already; they must be forgotten.
///
/// # Errors
/// When the file is there and cannot be read.
pub(crate) fn load(path: &Path, node: &NodeId, apply: impl FnMut(Vec<Change>)) -> io::Result<Loaded> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Missing),
        Err(error) => return Err(error),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    thread::scope(|scope| {
        let (events, told) = sync_channel(threads * AHEAD);
        let mut parsers = Vec::new();
        let mut parsed = Vec::new();
        for _ in 0..threads {
            let (give, bodies) = sync_channel(AHEAD);
            let (rows, take) = sync_channel(AHEAD);
            scope.spawn(move || parse(&bodies, &rows));
            parsers.push(give);
            parsed.push(take);
        }
        let reading = scope.spawn(move || read(file, node, &parsers, &events));
        let collected = collect(&told, &parsed, apply);
        // Whoever still waits to hand something over is let go.
        drop((told, parsed));
        let read = reading.join().map_err(|_| io::Error::other("the reading thread failed"))??;
        Ok(match (read, collected) {
            (Some(damage), _) | (None, Err(damage)) => Loaded::Damaged(damage),
            (None, Ok(Some(extent))) => Loaded::Whole(extent),
            (None, Ok(None)) => Loaded::Damaged("it ends within its first state".into()),
        })
    })
}

type Rows = Result<Vec<Change>, String>;

enum Event {
    /// The rows are of this version.
    Version(u32),
    /// The next rows come from this parser.
    Rows(usize),
    /// They are whole, and this many bytes were read.
    Position(Position, u64),
}

/// Hands the records of rows to the parsers in turn. `Some`: what is wrong with the file.
fn read(
    file: File,
    node: &NodeId,
    parsers: &[SyncSender<Vec<u8>>],
    events: &SyncSender<Event>,
) -> io::Result<Option<String>> {
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut at: u64 = 0;
    let mut turns = (0..parsers.len()).cycle();
    let mut is_first = true;
    loop {
        let body = match records::read(&mut file)? {
            Found::Body(body) => body,
            Found::Damaged => return Ok(Some(format!("the record at byte {at} is damaged"))),
            Found::End | Found::Torn if is_first => return Ok(Some("it has no beginning".into())),
            Found::End | Found::Torn => return Ok(None),
        };
        let start = at;
        at += (HEAD + body.len()) as u64;
        let unknown = || Ok(Some(format!("the record at byte {start} is of no known kind")));
        let Some((letter, rest)) = body.split_first() else { return unknown() };
        let sent = match letter {
            b'H' if is_first => match serde_json::from_slice::<Owner>(rest) {
                Ok(owner) if owner.format != FORMAT => {
                    return Ok(Some(format!(
                        "its format is {}, and this program's is {FORMAT}",
                        owner.format
                    )));
                }
                Ok(owner) if owner.node != *node => {
                    return Ok(Some(format!("it belongs to the node {}", owner.node)));
                }
                Ok(owner) => events.send(Event::Version(owner.rows)).is_ok(),
                Err(error) => return Ok(Some(format!("its beginning cannot be read: {error}"))),
            },
            _ if is_first => return Ok(Some("it has no beginning".into())),
            b'R' => turns.next().is_some_and(|turn| {
                let parser = parsers.get(turn);
                events.send(Event::Rows(turn)).is_ok()
                    && parser.is_some_and(|parser| parser.send(body).is_ok())
            }),
            b'P' => match serde_json::from_slice(rest) {
                Ok(position) => events.send(Event::Position(position, at)).is_ok(),
                Err(error) => {
                    return Ok(Some(format!("the position at byte {start} cannot be read: {error}")));
                }
            },
            _ => return unknown(),
        };
        if !sent {
            // Who collects found damage and does not listen any more.
            return Ok(None);
        }
        is_first = false;
    }
}

fn parse(bodies: &Receiver<Vec<u8>>, rows: &SyncSender<Rows>) {
    for body in bodies {
        if rows.send(rows_of(body.get(1..).unwrap_or_default())).is_err() {
            return;
        }
    }
}

fn rows_of(text: &[u8]) -> Rows {
    let rows: Result<Vec<row_text::Read>, _> = serde_json::from_slice(text);
    let rows = rows.map_err(|error| format!("a row cannot be read: {error}"))?;
    Ok(rows.into_iter().map(|row| row.0).collect())
}

/// Hands on what is whole. `None`: nothing is. An error: what is wrong with the file.
fn collect(
    told: &Receiver<Event>,
    parsed: &[Receiver<Rows>],
    mut apply: impl FnMut(Vec<Change>),
) -> Result<Option<Extent>, String> {
    let mut extent: Option<Extent> = None;
    let mut change = Vec::new();
    let mut version = 0;
    for event in told {
        match event {
            Event::Version(rows) => version = rows,
            Event::Rows(turn) => {
                let rows = parsed.get(turn).and_then(|rows| rows.recv().ok());
                let rows = rows.ok_or("a thread that reads rows failed")??;
                match extent {
                    None => apply(rows),
                    Some(_) => change.extend(rows),
                }
            }
            Event::Position(position, length) => {
                let state_length = extent.as_ref().map_or(length, |extent| extent.state_length);
                apply(std::mem::take(&mut change));
                extent = Some(Extent { position, length, state_length, is_of_these_rows: version == ROWS });
            }
        }
    }
    Ok(extent)
}

/// Reads the first `length` bytes of the file at `path` and hands on the rows of each record, in order.
///
/// # Errors
/// When it cannot be read, or is damaged.
pub(crate) fn walk(
    path: &Path,
    length: u64,
    mut visit: impl FnMut(Vec<Change>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?.take(length));
    loop {
        match records::read(&mut file)? {
            Found::Body(body) => {
                if let Some((b'R', text)) = body.split_first() {
                    visit(rows_of(text).map_err(io::Error::other)?)?;
                }
            }
            Found::End => return Ok(()),
            Found::Torn | Found::Damaged => return Err(io::Error::other("a record is damaged")),
        }
    }
}

#[cfg(test)]
#[path = "../tests/sync/state_file.rs"]
mod tests;
