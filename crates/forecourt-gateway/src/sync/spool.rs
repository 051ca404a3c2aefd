//! Counted calls on the disk, until the control plane has them.
//!
//! Each batch is a file, `usage/NUMBER`, a single record (`records.rs`), forced onto the disk before it is sent and
//! removed when the control plane has it. It bears the number and a random text of the process that wrote it, and the
//! control plane adds each such pair once: so a batch may be sent any number of times, also from a folder that was put
//! back from a copy, and what another process writes under the same number is another batch.

use std::{
    collections::VecDeque,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use forecourt_core::ids::NodeId;
use forecourt_wire::usage::{UsageBatch, UsageCount};

use super::{
    random_word,
    records::{self, Found},
};

/// The folder within the data folder.
const FOLDER: &str = "usage";
const COMING: &str = "coming";

/// Batches that are still to be delivered, on the disk.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    node: NodeId,
    /// What this process's own batches are called.
    name: String,
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
        let last = found.last().map_or(0, |(number, _)| *number);
        let name = random_word().map_err(io::Error::other)?;
        let bytes = found.iter().map(|(_, size)| size).sum();
        let batches = found.into();
        Ok(Self { folder, node, name, most, batches, bytes, last, dropped: 0, damaged: 0 })
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
        let (node, spool) = (self.node.clone(), self.name.clone());
        let batch = UsageBatch { node, spool, number, counts: counts.to_vec() };
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
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    tracing::error!(file = %path.display(), "a batch of counted calls is gone from the disk");
                    self.damaged += 1;
                    self.batches.pop_front();
                    self.bytes -= size;
                    continue;
                }
                read => read?,
            };
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

    /// The control plane has the batch that [`Spool::first`] gave: it is removed.
    ///
    /// # Errors
    /// When the disk does not take it; it is delivered again, and added once.
    pub fn delivered(&mut self, number: i64) -> io::Result<()> {
        let Some((first, size)) = self.batches.front().copied().filter(|(first, _)| *first == number) else {
            // It was dropped meanwhile.
            return Ok(());
        };
        match fs::remove_file(self.path(first)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.batches.pop_front();
        self.bytes -= size;
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

#[cfg(test)]
#[path = "../tests/sync/spool.rs"]
mod tests;
