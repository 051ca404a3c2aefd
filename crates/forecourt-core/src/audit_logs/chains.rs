//! The chain that makes every later change of the audit log visible.
//!
//! Each entry carries the hash of the one before it, and a hash over that and its own text, both keyed: whoever can write
//! the database but does not have the master key can change entries, but cannot make the change fit. Two marks, keyed as
//! well, say where the log ends and up to where old entries were taken away. [`Walk`] finds what does not fit.

use std::fmt;

use sha2::{Digest, Sha256};

use super::{AuditColumns, NumberedEntry};

/// What the first entry has before it.
pub const START: &str = "";

/// The key of the chain. It can be neither logged nor stored.
#[derive(Clone)]
pub struct ChainKey {
    inner: [u8; 64],
    outer: [u8; 64],
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("******")
    }
}

impl ChainKey {
    /// The key with these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let (mut inner, mut outer) = ([0x36; 64], [0x5c; 64]);
        for (place, byte) in inner.iter_mut().zip(bytes) {
            *place ^= byte;
        }
        for (place, byte) in outer.iter_mut().zip(bytes) {
            *place ^= byte;
        }
        Self { inner, outer }
    }

    /// HMAC-SHA-256 (RFC 2104) of `parts`, each with its length before it, as 64 lower-case hex digits.
    fn mac(&self, parts: &[&str]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.inner);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let inner = hash.finalize();
        let mut hash = Sha256::new();
        hash.update(self.outer);
        hash.update(inner);
        hex::encode(hash.finalize())
    }

    /// The hash of the entry with this text after the entry with the hash `previous`.
    pub fn entry_hash(&self, previous: &str, content: &str) -> String {
        self.mac(&["entry", previous, content])
    }

    /// The mark `name` on the entry with this number and hash.
    pub fn mark(&self, name: MarkName, number: i64, hash: &str) -> Mark {
        let seal = self.mac(&[name.name(), &number.to_string(), hash]);
        Mark { number, hash: hash.to_owned(), seal }
    }

    /// Whether `mark` was made with this key, under this name.
    pub fn made(&self, name: MarkName, mark: &Mark) -> bool {
        self.mark(name, mark.number, &mark.hash) == *mark
    }
}

named! {
    /// What a mark says of its entry.
    pub enum MarkName {
        /// It is the last.
        Head = "head",
        /// It, and what was before it, was taken away because it was old.
        Checkpoint = "checkpoint",
    }
}

/// A place in the log that the key vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The entry's number; 0: none.
    pub number: i64,
    /// Its hash.
    pub hash: String,
    /// What only the key can make of both and the mark's name.
    pub seal: String,
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its place, from 1.
    pub number: i64,
    /// What is searched.
    pub columns: AuditColumns,
    /// Its text.
    pub content: String,
    /// The hash of the entry before it.
    pub previous: String,
    /// Its own.
    pub hash: String,
}

impl Link {
    /// Whether it is as it was written, wherever it stands now.
    pub fn is_genuine(&self, key: &ChainKey) -> bool {
        key.entry_hash(&self.previous, &self.content) == self.hash
    }

    /// Whether it is as it was written, and where.
    pub fn is_intact(&self, key: &ChainKey) -> bool {
        let read = || NumberedEntry::read(&self.content);
        self.is_genuine(key)
            && read().is_some_and(|read| read.number == self.number && read.entry.columns() == self.columns)
    }
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The entry is not what was written there.
    #[error("entry {number} was changed, or put there by somebody else")]
    Changed {
        /// Where.
        number: i64,
    },
    /// The entry was written in another place.
    #[error("entry {number} was written as entry {written_as}: entries were moved")]
    Moved {
        /// Where it stands.
        number: i64,
        /// Where it belongs.
        written_as: i64,
    },
    /// Entries are gone.
    #[error("entries {from} to {to} were removed")]
    Removed {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// The entry follows another one than it did.
    #[error("entry {number} does not follow the entry before it: one of both belongs elsewhere")]
    Detached {
        /// Where.
        number: i64,
    },
    /// The mark of what was taken away because it was old is not ours.
    #[error("the checkpoint, which says up to where old entries were taken away, was changed")]
    ForgedCheckpoint,
    /// The mark of the end is not ours.
    #[error("the mark of the log's end was changed, so that what is missing at the end cannot be told")]
    ForgedHead,
    /// There is no mark of the end.
    #[error("the mark of the log's end is missing, so that what is missing at the end cannot be told")]
    NoHead,
    /// An entry stands before the start, where nothing was ever written or all was taken away.
    #[error("entry {number} stands before the log's start: it was put there by somebody else")]
    Stray {
        /// Where.
        number: i64,
    },
    /// Nothing is left of the time when the database was first used.
    #[error("the log does not reach back to when administrators were made: it was emptied")]
    Emptied,
    /// An entry stands behind the end.
    #[error("entry {number} stands behind the log's end: it was put there by somebody else")]
    Behind {
        /// Where.
        number: i64,
    },
}

/// What follows is compared with this.
#[derive(Clone, Debug, Default)]
struct Place {
    number: i64,
    /// The hash as it is stored, and as it should be: where they differ, the next entry tells by which it was written.
    hashes: [String; 2],
    /// Whether something was found here already, so that the next entry is not blamed for it.
    is_faulty: bool,
}

/// Goes along the log from its start, entry by entry, and collects what does not fit.
#[derive(Debug)]
pub struct Walk<'a> {
    key: &'a ChainKey,
    last: Place,
    /// Whether it is not known where the log begins.
    is_adrift: bool,
    checked: u64,
    findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    /// Begins behind what was taken away because it was old.
    pub fn new(key: &'a ChainKey, checkpoint: Option<&Mark>) -> Self {
        let mut walk =
            Self { key, last: Place::default(), is_adrift: false, checked: 0, findings: Vec::new() };
        match checkpoint {
            None => walk.last.hashes = [START.to_owned(), START.to_owned()],
            Some(mark) if key.made(MarkName::Checkpoint, mark) => walk.begin_at(mark),
            Some(_) => {
                walk.findings.push(Finding::ForgedCheckpoint);
                walk.is_adrift = true;
            }
        }
        walk
    }

    fn begin_at(&mut self, mark: &Mark) {
        let hashes = [mark.hash.clone(), mark.hash.clone()];
        self.last = Place { number: mark.number, hashes, is_faulty: false };
    }

    /// The number of the last entry that was looked at, or of the last that was taken away.
    pub const fn number(&self) -> i64 {
        self.last.number
    }

    /// How many entries were looked at.
    pub const fn checked(&self) -> u64 {
        self.checked
    }

    /// Notes that, while this walked, entries up to `mark` were taken away because they are old.
    pub fn pruned(&mut self, mark: &Mark) {
        if mark.number > self.last.number && self.key.made(MarkName::Checkpoint, mark) {
            self.begin_at(mark);
        }
    }

    /// Whether `link` was taken away, or looked at, before: what was read with it is to be read again.
    pub const fn is_past(&self, link: &Link) -> bool {
        link.number <= self.last.number
    }

    /// Looks at the next entry: the one with the smallest number above [`number`](Self::number).
    pub fn step(&mut self, link: &Link) {
        self.checked += 1;
        let expected = self.last.number + 1;
        let has_gap = link.number > expected && !self.is_adrift;
        if has_gap {
            self.findings.push(Finding::Removed { from: expected, to: link.number - 1 });
        }
        let own = self.key.entry_hash(&link.previous, &link.content);
        let fault =
            if own == link.hash { misplaced(link) } else { Some(Finding::Changed { number: link.number }) };
        let is_unseen = has_gap || self.is_adrift || self.last.is_faulty;
        let follows = self.last.hashes.contains(&link.previous);
        let fault = fault.or((!is_unseen && !follows).then_some(Finding::Detached { number: link.number }));
        let is_faulty = fault.is_some();
        self.findings.extend(fault);
        self.last = Place { number: link.number, hashes: [link.hash.clone(), own], is_faulty };
        self.is_adrift = false;
    }

    /// What was found, with what the mark of the end tells.
    pub fn end(mut self, head: Option<&Mark>) -> Vec<Finding> {
        match head {
            None if self.last.number > 0 => self.findings.push(Finding::NoHead),
            None => {}
            Some(head) if !self.key.made(MarkName::Head, head) => self.findings.push(Finding::ForgedHead),
            Some(head) if head.number > self.last.number => {
                self.findings.push(Finding::Removed { from: self.last.number + 1, to: head.number });
            }
            Some(head) if head.number < self.last.number => {
                self.findings.push(Finding::Behind { number: head.number + 1 });
            }
            Some(head) if !self.last.is_faulty && !self.last.hashes.contains(&head.hash) => {
                self.findings.push(Finding::Changed { number: head.number });
            }
            Some(_) => {}
        }
        self.findings
    }

    /// Takes what was found so far, so that it can be told while the walk goes on.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }
}

/// What is wrong with an entry whose hash fits: it stands elsewhere than it was written, or what is searched was changed.
fn misplaced(link: &Link) -> Option<Finding> {
    let Some(read) = NumberedEntry::read(&link.content) else {
        return Some(Finding::Changed { number: link.number });
    };
    if read.number != link.number {
        return Some(Finding::Moved { number: link.number, written_as: read.number });
    }
    (read.entry.columns() != link.columns).then_some(Finding::Changed { number: link.number })
}
