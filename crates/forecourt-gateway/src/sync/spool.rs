//! Counted calls on the disk, until the control plane has them.
//!
//! Each batch is a file, `usage/NUMBER`, a single record (`records.rs`). It is forced onto the disk before it is sent,
//! and its number is written to `usage/delivered` before it is removed; so a batch survives any crash, and no number
//! is ever used for two batches. What the control plane added under a number it does not add again.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use forecourt_core::ids::NodeId;
use forecourt_wire::usage::{UsageBatch, UsageCount};

use super::records::{self, Found};

/// The folder within the data folder.
const FOLDER: &str = "usage";
const DELIVERED: &str = "delivered";
const COMING: &str = "coming";

/// Batches that are still to be delivered, on the disk.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    node: NodeId,
    /// The most bytes that batches may take.
    most: u64,
    /// Number and size of each batch, oldest first.
    batches: VecDeque<(i64, u64)>,
    bytes: u64,
    last: i64,
    dropped: u64,
    damaged: u64,
}

impl Spool {
    /// The most bytes that batches take by default.
    pub const MOST: u64 = 256 << 20;

    /// The spool of this node in its data folder, with what an earlier process left in it. Batches take at most `most`
    /// bytes; the oldest are dropped when there are more.
    ///
    /// # Errors
    /// When its files cannot be read or made.
    pub fn open(data_dir: &Path, node: NodeId, most: u64) -> io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        if !folder.is_dir() {
            DirBuilder::new().mode(0o700).create(&folder)?;
        }
        let mut found: Vec<(i64, u64)> = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(number) = number {
                found.push((number, entry.metadata()?.len()));
            }
        }
        found.sort_unstable();
        let delivered = match fs::read(folder.join(DELIVERED)) {
            Ok(bytes) => number_of(&bytes).ok_or_else(|| {
                let path = folder.join(DELIVERED);
                io::Error::other(format!(
                    "{} is damaged; remove it to number on from the batches",
                    path.display()
                ))
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        // Written down as delivered, and then the process ended.
        for (number, _) in found.iter().filter(|(number, _)| *number <= delivered) {
            fs::remove_file(folder.join(number.to_string()))?;
        }
        found.retain(|(number, _)| *number > delivered);
        let last = found.last().map_or(delivered, |(number, _)| *number);
        let bytes = found.iter().map(|(_, size)| size).sum();
        Ok(Self { folder, node, most, batches: found.into(), bytes, last, dropped: 0, damaged: 0 })
    }

    /// How many batches wait.
    pub fn pending(&self) -> usize {
        self.batches.len()
    }

    /// How many batches were dropped since the start, because there were too many or they could not be read.
    pub const fn dropped(&self) -> u64 {
        self.dropped + self.damaged
    }

    /// Writes these counts down as the next batch and answers its number; they are on the disk when it returns.
    ///
    /// # Errors
    /// When the disk does not take them; then nothing has changed.
    pub fn append(&mut self, counts: &[UsageCount]) -> io::Result<i64> {
        let number = self.last + 1;
        let batch = UsageBatch { node: self.node.clone(), number, counts: counts.to_vec() };
        let size = self.write(&batch)?;
        self.last = number;
        self.batches.push_back((number, size));
        self.bytes += size;
        self.drop_what_is_too_much();
        Ok(number)
    }

    /// The oldest batch that waits.
    ///
    /// # Errors
    /// When it cannot be read; one that is damaged is set aside, loudly, and the next is answered.
    pub fn first(&mut self) -> io::Result<Option<UsageBatch>> {
        while let Some((number, size)) = self.batches.front().copied() {
            let path = self.path(number);
            let bytes = fs::read(&path)?;
            if let Found::Body(body) = records::read(&mut bytes.as_slice())?
                && let Ok(batch) = serde_json::from_slice::<UsageBatch>(&body)
                && batch.number == number
                && batch.node == self.node
            {
                return Ok(Some(batch));
            }
            let aside = self.folder.join(format!("{number}.damaged"));
            tracing::error!(file = %aside.display(), "a batch of counted calls is damaged and was set aside");
            fs::rename(path, aside)?;
            self.damaged += 1;
            self.batches.pop_front();
            self.bytes -= size;
        }
        Ok(None)
    }

    /// The control plane has all batches up to this number: they are removed.
    ///
    /// # Errors
    /// When the disk does not take it; they are delivered again, and added once.
    pub fn delivered(&mut self, number: i64) -> io::Result<()> {
        self.note_delivered(number.min(self.last))?;
        while let Some((first, size)) = self.batches.front().copied().filter(|(first, _)| *first <= number) {
            fs::remove_file(self.path(first))?;
            self.batches.pop_front();
            self.bytes -= size;
        }
        Ok(())
    }

    /// The control plane has had batches up to this number from this node, which the disk does not know of: what waits
    /// is numbered anew behind it.
    ///
    /// # Errors
    /// When the disk does not take it; it is tried again with the next answer.
    pub fn continue_after(&mut self, number: i64) -> io::Result<()> {
        tracing::error!(
            node = %self.node,
            stored = number,
            last = self.last,
            "the control plane has later batches of this node than its disk knows of: was the disk restored? Batches \
             are numbered on from there"
        );
        // Those up to there would be taken for batches that are stored already.
        let mut renumbered = Vec::new();
        while let Some(batch) = self.first()?.filter(|batch| batch.number <= number) {
            let size = self.batches.pop_front().map_or(0, |(_, size)| size);
            self.bytes -= size;
            renumbered.push(batch);
        }
        self.last = self.last.max(number);
        for batch in &renumbered {
            self.append(&batch.counts)?;
        }
        self.note_delivered(number)?;
        for batch in &renumbered {
            fs::remove_file(self.path(batch.number))?;
        }
        Ok(())
    }

    fn drop_what_is_too_much(&mut self) {
        while self.bytes > self.most && self.batches.len() > 1 {
            let Some((number, size)) = self.batches.pop_front() else { return };
            self.bytes -= size;
            self.dropped += 1;
            tracing::error!(
                usage.batch = number,
                bytes = self.most,
                "more counted calls wait than the disk may hold; the oldest batch is lost"
            );
            if let Err(error) = fs::remove_file(self.path(number)) {
                tracing::error!(error.cause = %error, usage.batch = number, "it could not be removed");
            }
        }
    }

    fn write(&self, batch: &UsageBatch) -> io::Result<u64> {
        let mut record = Vec::new();
        records::append(&mut record, &serde_json::to_vec(batch)?);
        self.put(&batch.number.to_string(), &record)?;
        Ok(record.len() as u64)
    }

    fn note_delivered(&self, number: i64) -> io::Result<()> {
        let mut record = Vec::new();
        records::append(&mut record, number.to_string().as_bytes());
        self.put(DELIVERED, &record)
    }

    /// A file of this name and content, wholly or not at all, on the disk when it returns.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let coming = self.folder.join(COMING);
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&coming)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(coming, self.folder.join(name))?;
        File::open(&self.folder)?.sync_all()
    }

    fn path(&self, number: i64) -> PathBuf {
        self.folder.join(number.to_string())
    }
}

fn number_of(mut bytes: &[u8]) -> Option<i64> {
    match records::read(&mut bytes).ok()? {
        Found::Body(body) => std::str::from_utf8(&body).ok()?.parse().ok(),
        Found::End | Found::Torn | Found::Damaged => None,
    }
}

#[cfg(test)]
#[path = "../tests/sync/spool.rs"]
mod tests;
