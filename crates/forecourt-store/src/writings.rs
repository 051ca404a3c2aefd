//! How writing goes: how long writers wait for their turn, and whether the last write failed.
//!
//! Invariant: what is noted here decides nothing; it is for those who look after the installation.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use forecourt_core::histograms::{Histogram, HistogramReading};
use sea_orm::ConnectionTrait;

use crate::{Store, StoreError, dialect};

/// What is known of writing in this process.
#[derive(Debug, Default)]
pub(crate) struct Writings {
    waits: Histogram,
    /// Why the last write failed, where it was the database's fault and not that of what should be written.
    trouble: Mutex<Option<String>>,
    /// Whether a write was undone, and none was made permanent since.
    doubtful: AtomicBool,
}

/// What became of one write. Dropped before [`Outcome::known`], it was undone.
#[derive(Debug)]
pub(crate) struct Outcome {
    writings: Arc<Writings>,
    is_known: bool,
}

impl Outcome {
    /// Of a write that begins.
    pub(crate) const fn of(writings: Arc<Writings>) -> Self {
        Self { writings, is_known: false }
    }

    /// Notes how the write ended.
    pub(crate) fn known<T>(mut self, ended: Result<T, StoreError>) -> Result<T, StoreError> {
        self.is_known = true;
        match &ended {
            Ok(_) => self.writings.succeeded(),
            Err(error) => self.writings.failed(error),
        }
        ended
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        if !self.is_known {
            self.writings.doubtful.store(true, Ordering::Relaxed);
        }
    }
}

impl Writings {
    /// Notes that a writer waited since `since` for its turn.
    pub(crate) fn waited(&self, since: Instant) {
        self.waits.count(since.elapsed());
    }

    /// Notes that a write failed. Where the database refused what should be written, it did its work.
    pub(crate) fn failed(&self, error: &StoreError) {
        if let StoreError::Locked(_)
        | StoreError::ReadOnly(_)
        | StoreError::Full(_)
        | StoreError::Disk(_)
        | StoreError::Unreachable(_) = error
        {
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        }
    }

    /// Notes that a write was made permanent.
    fn succeeded(&self) {
        self.doubtful.store(false, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Store {
    /// Why the last write of this process failed, where the database could not do it: it was locked, read-only, full or
    /// away.
    pub fn write_trouble(&self) -> Option<String> {
        self.writings().trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a write was undone and none was made permanent since: a refusal, mostly, but it may also be that the
    /// database failed in the middle of it.
    pub fn is_writing_in_doubt(&self) -> bool {
        self.writings().doubtful.load(Ordering::Relaxed)
    }

    /// How long writers of this process waited for their turn.
    pub fn write_waits(&self) -> HistogramReading {
        self.writings().waits.read()
    }

    /// Writes what is there already, to learn whether the database can be written again.
    pub async fn try_to_write(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        let same = dialect::writing_the_same(tx.connection().get_database_backend());
        tx.connection().execute_unprepared(same).await?;
        tx.finish().await
    }
}
