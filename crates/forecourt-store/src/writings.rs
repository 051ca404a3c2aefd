//! How writing goes: how long writers wait for their turn, and whether the last write failed.
//!
//! Invariant: what is noted here decides nothing; it is for those who look after the installation.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use forecourt_core::histograms::{Histogram, HistogramReading};
use sea_orm::ConnectionTrait;

use crate::{Store, StoreError};

/// What is known of writing in this process.
#[derive(Debug, Default)]
pub(crate) struct Writings {
    waits: Histogram,
    /// Why the last write failed, where it was the database's fault and not that of what should be written.
    trouble: Mutex<Option<String>>,
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
    pub(crate) fn succeeded(&self) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Store {
    /// Why the last write of this process failed, where the database could not do it: it was locked, read-only, full or
    /// away.
    pub fn write_trouble(&self) -> Option<String> {
        self.writings().trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How long writers of this process waited for their turn.
    pub fn write_waits(&self) -> HistogramReading {
        self.writings().waits.read()
    }

    /// Writes what is there already, to learn whether the database can be written again.
    pub async fn try_to_write(&self) -> Result<(), StoreError> {
        let tx = self.begin().await?;
        let same = "UPDATE revision_counter SET value = value WHERE id = 1";
        tx.connection().execute_unprepared(same).await?;
        tx.finish().await
    }
}
