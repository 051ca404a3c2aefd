//! The thread that writes what a node knows to its disk, beside what it enforces.
//!
//! Invariant: a position is said to be kept only once everything up to it is on the disk, so what was acknowledged
//! outlives any crash. While the disk takes nothing the node goes on enforcing what it hears, acknowledges nothing,
//! and tries again; once too much has gathered it is let go, and the next stream starts from what is kept.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use forecourt_core::{ids::NodeId, time::Timestamp};
use forecourt_wire::{changes::Change, sync::Position};
use tokio::sync::{oneshot, watch};

use super::{
    compaction,
    contact::Contact,
    state_file::{self, Extent, StateFile},
};

/// How long the disk is left alone after it took nothing.
const AGAIN: Duration = Duration::from_secs(1);
/// The most bytes that wait for the disk.
const MOST_WAITING: usize = 64 << 20;

/// The names of a node's files within its data folder.
pub(crate) const STATE: &str = "state";
const COMING: &str = "state.coming";
const COMPACT: &str = "state.compact";

/// How far the disk is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kept {
    /// Everything up to here is on it.
    pub(crate) position: Option<Position>,
    /// The stream that said so, by number; 0: it was there at the start.
    pub(crate) stream: u64,
    /// The stream of which something was let go: it cannot be kept any further.
    pub(crate) lost: Option<u64>,
    /// How often the disk refused.
    pub(crate) failures: u64,
    /// Whether it refused the last time.
    pub(crate) is_failing: bool,
}

enum Order {
    Stream(u64, oneshot::Sender<Option<Position>>),
    Confirmed,
    State,
    StateRows(Vec<u8>),
    StateWhole(Vec<u8>, Position),
    Change(Vec<u8>, Position),
    Contact(Timestamp, i64),
    Compacted(io::Result<StateFile>, u64),
    Stop,
}

/// Speaks to the thread; the thread ends when this is dropped or stopped.
#[derive(Debug)]
pub(crate) struct Keeper {
    orders: Sender<Order>,
    kept: watch::Receiver<Kept>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread in this folder, which holds a state of this extent, if any.
    ///
    /// # Errors
    /// When the state cannot be opened for writing, or there can be no thread.
    pub(crate) fn start(folder: &Path, node: &NodeId, extent: Option<Extent>) -> io::Result<Self> {
        let file = match &extent {
            Some(extent) => Some(StateFile::reopen(&folder.join(STATE), extent.length)?),
            None => None,
        };
        let position = extent.as_ref().map(|extent| extent.position.clone());
        let (orders, taken) = channel();
        let kept = watch::Sender::new(Kept { position: position.clone(), ..Kept::default() });
        let told = kept.subscribe();
        let writer = Writer {
            folder: folder.to_owned(),
            node: node.clone(),
            file,
            state_length: extent
                .map_or(0, |extent| if extent.is_of_these_rows { extent.state_length } else { u64::MAX }),
            position,
            coming: None,
            waiting: Vec::new(),
            waiting_to: None,
            stream: 0,
            is_compacting: false,
            orders: orders.clone(),
            kept,
        };
        let thread = std::thread::Builder::new().name("keeper".into()).spawn(move || writer.run(&taken))?;
        Ok(Self { orders, kept: told, thread: Some(thread) })
    }

    /// How far the disk is.
    pub(crate) fn kept(&self) -> watch::Receiver<Kept> {
        self.kept.clone()
    }

    /// A new stream begins: what the last one left unwritten is forgotten. Answers what is kept.
    pub(crate) async fn begin_stream(&self, number: u64) -> Option<Position> {
        let (answer, answered) = oneshot::channel();
        self.order(Order::Stream(number, answer));
        answered.await.ok().flatten()
    }

    /// The control plane goes on from what is kept.
    pub(crate) fn confirmed(&self) {
        self.order(Order::Confirmed);
    }

    /// A whole state follows.
    pub(crate) fn begin_state(&self) {
        self.order(Order::State);
    }

    /// Rows of the state.
    pub(crate) fn state_rows(&self, changes: &[Change]) {
        match state_file::row_records(changes) {
            Ok(records) => self.order(Order::StateRows(records)),
            Err(error) => tracing::error!(error.cause = %error, "rows cannot be written down"),
        }
    }

    /// The state is whole.
    pub(crate) fn end_state(&self, position: &Position) {
        match state_file::position_record(position) {
            Ok(record) => self.order(Order::StateWhole(record, position.clone())),
            Err(error) => tracing::error!(error.cause = %error, "a position cannot be written down"),
        }
    }

    /// Rows changed.
    pub(crate) fn change(&self, changes: &[Change], position: &Position) {
        let records = state_file::row_records(changes).and_then(|mut records| {
            records.extend(state_file::position_record(position)?);
            Ok(records)
        });
        match records {
            Ok(records) => self.order(Order::Change(records, position.clone())),
            Err(error) => tracing::error!(error.cause = %error, "rows cannot be written down"),
        }
    }

    /// The control plane was heard at this time by its own clock, which is so many microseconds ahead of ours.
    pub(crate) fn contact(&self, at: Timestamp, offset: i64) {
        self.order(Order::Contact(at, offset));
    }

    fn order(&self, order: Order) {
        // The thread ends with this value only.
        let _sent = self.orders.send(order);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.order(Order::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that keeps the state failed");
        }
    }
}

struct Writer {
    folder: PathBuf,
    node: NodeId,
    file: Option<StateFile>,
    /// As compaction is to see it: endless where its rows are of another version, which one written anew would not say.
    state_length: u64,
    position: Option<Position>,
    coming: Option<StateFile>,
    /// Records of changes that are not on the disk yet, and how far they go.
    waiting: Vec<u8>,
    waiting_to: Option<Position>,
    stream: u64,
    is_compacting: bool,
    orders: Sender<Order>,
    kept: watch::Sender<Kept>,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        loop {
            let order = if self.waiting.is_empty() {
                orders.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                orders.recv_timeout(AGAIN)
            };
            let mut next = match order {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Everything that waits goes onto the disk at once.
            while let Some(order) = next {
                if matches!(order, Order::Stop) {
                    self.write_changes();
                    return;
                }
                self.follow(order);
                next = orders.try_recv().ok();
            }
            self.write_changes();
            self.compact_where_due();
        }
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::Stream(number, answer) => {
                self.write_changes();
                self.stream = number;
                self.waiting = Vec::new();
                self.waiting_to = None;
                self.coming = None;
                let _gone = answer.send(self.position.clone());
            }
            Order::Confirmed => self.say_kept(),
            Order::State => {
                self.forget_changes();
                match StateFile::create(&self.folder.join(COMING), &self.node) {
                    Ok(file) => self.coming = Some(file),
                    Err(error) => self.let_go(&error),
                }
            }
            Order::StateRows(records) => {
                let written = self.coming.as_mut().map(|file| file.write(&records));
                if let Some(Err(error)) = written {
                    self.let_go(&error);
                }
            }
            Order::StateWhole(record, position) => {
                if let Some(file) = self.coming.take()
                    && let Err(error) = self.end_state(file, &record, position)
                {
                    self.let_go(&error);
                }
            }
            Order::Change(records, position) => {
                if self.kept.borrow().lost == Some(self.stream) {
                    return;
                }
                self.waiting.extend(records);
                self.waiting_to = Some(position);
            }
            Order::Contact(at, offset) => {
                // It says how far the disk is, so that comes first.
                self.write_changes();
                self.write_contact(at, offset);
            }
            Order::Compacted(made, from) => {
                self.is_compacting = false;
                if let Err(error) = made.and_then(|file| self.take_compacted(file, from)) {
                    tracing::warn!(error.cause = %error, "the state on the disk could not be written anew");
                    let _gone = fs::remove_file(self.folder.join(COMPACT));
                }
            }
            Order::Stop => {}
        }
    }

    fn write_changes(&mut self) {
        let Some(position) = self.waiting_to.clone() else { return };
        let Some(file) = &mut self.file else {
            // Without the state before them they say nothing.
            self.let_go(&io::Error::other("the state that they change is not on the disk"));
            return;
        };
        match file.write_through(&self.waiting) {
            Ok(()) => {
                self.forget_changes();
                self.position = Some(position);
                self.say_kept();
            }
            Err(error) if self.waiting.len() > MOST_WAITING => self.let_go(&error),
            Err(error) => self.say_failed(&error),
        }
    }

    fn end_state(&mut self, mut file: StateFile, record: &[u8], position: Position) -> io::Result<()> {
        file.write_through(record)?;
        if self.position.as_ref().is_some_and(|before| before.revision > position.revision) {
            // Else the next start would take the older state for one that was cut off.
            let contact = Contact::read(&self.folder).unwrap_or_default();
            Contact { acknowledged: 0, ..contact }.write(&self.folder)?;
        }
        fs::rename(self.folder.join(COMING), self.folder.join(STATE))?;
        File::open(&self.folder)?.sync_all()?;
        self.state_length = file.length;
        self.file = Some(file);
        self.position = Some(position);
        self.say_kept();
        Ok(())
    }

    fn write_contact(&self, at: Timestamp, offset: i64) {
        let acknowledged = self.position.as_ref().map_or(0, |position| position.revision);
        if let Err(error) = (Contact { at, offset, acknowledged }).write(&self.folder) {
            self.say_failed(&error);
        }
    }

    fn compact_where_due(&mut self) {
        let (Some(file), Some(position)) = (&self.file, &self.position) else { return };
        if self.is_compacting || !compaction::is_due(file.length, self.state_length) {
            return;
        }
        let (length, position) = (file.length, position.clone());
        let (folder, node, orders) = (self.folder.clone(), self.node.clone(), self.orders.clone());
        let work = move || {
            let made =
                compaction::compact((&folder.join(STATE), length, &position), &folder.join(COMPACT), &node);
            let _gone = orders.send(Order::Compacted(made, length));
        };
        match std::thread::Builder::new().name("compaction".into()).spawn(work) {
            Ok(_detached) => self.is_compacting = true,
            Err(error) => {
                tracing::warn!(error.cause = %error, "the state on the disk cannot be written anew")
            }
        }
    }

    /// Puts the compacted file in the place of the one that it was made from, with what came since.
    fn take_compacted(&mut self, mut made: StateFile, from: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if file.length < from || !compaction::is_due(file.length, self.state_length) {
            // Another state took its place meanwhile.
            return fs::remove_file(self.folder.join(COMPACT));
        }
        let state_length = made.length;
        made.copy_end(file, from)?;
        made.write_through(&[])?;
        fs::rename(self.folder.join(COMPACT), self.folder.join(STATE))?;
        File::open(&self.folder)?.sync_all()?;
        tracing::info!(
            bytes.before = file.length,
            bytes.after = made.length,
            "the state on the disk was written anew"
        );
        self.file = Some(made);
        self.state_length = state_length;
        Ok(())
    }

    fn forget_changes(&mut self) {
        self.waiting = Vec::new();
        self.waiting_to = None;
    }

    fn say_kept(&self) {
        let (position, stream) = (self.position.clone(), self.stream);
        if self.kept.borrow().is_failing {
            tracing::info!("the disk takes the state again");
        }
        self.kept.send_modify(|kept| {
            *kept = Kept { position, stream, lost: None, is_failing: false, failures: kept.failures };
        });
    }

    /// Gives this stream up: what is waiting cannot be kept in full.
    fn let_go(&mut self, error: &io::Error) {
        self.coming = None;
        self.forget_changes();
        self.say_failed(error);
        let stream = self.stream;
        self.kept.send_modify(|kept| kept.lost = Some(stream));
    }

    fn say_failed(&self, error: &io::Error) {
        if !self.kept.borrow().is_failing {
            tracing::error!(
                error.cause = %error,
                folder = %self.folder.display(),
                "the state cannot be written to the disk; the gateway enforces what it hears, acknowledges nothing, \
                 and tries again"
            );
        }
        self.kept.send_modify(|kept| {
            kept.is_failing = true;
            kept.failures += 1;
        });
    }
}

#[cfg(test)]
#[path = "../tests/sync/keeper.rs"]
mod tests;
