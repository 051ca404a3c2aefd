//! A write in progress: rows, the events that tell of it, and what gateways must hear of it, committed together.

use std::ops::Deref;

use forecourt_core::{
    events::Event,
    gateway_state::{Kind, Resource, Scope},
    time::Timestamp,
};

use crate::{Committed, Reader, StoreError, change_log::PendingChange, writings::Outcome};

/// A write transaction. Reads see its own writes; dropping it undoes all of them.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is undone; commit it"]
pub struct Tx {
    reader: Reader,
    events: Vec<Event>,
    changes: Vec<PendingChange>,
    outcome: Outcome,
}

impl Tx {
    pub(crate) const fn new(reader: Reader, outcome: Outcome) -> Self {
        Self { reader, events: Vec::new(), changes: Vec::new(), outcome }
    }

    /// Tells what happened; stored with the commit.
    pub fn record(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Tells gateways of `scope` that this is how things stand now.
    pub fn put(&mut self, scope: Scope, resource: Resource) {
        self.changes.push(PendingChange {
            scope,
            kind: resource.kind(),
            key: resource.key(),
            resource: Some(resource),
        });
    }

    /// Tells gateways of `scope` that this is no more. Does nothing where they never heard of it.
    pub fn delete(&mut self, scope: Scope, kind: Kind, key: String) {
        self.changes.push(PendingChange { scope, kind, key, resource: None });
    }

    /// What was recorded so far, in order.
    pub fn recorded(&self) -> &[Event] {
        &self.events
    }

    /// What gateways would hear of so far, in order: kind, key, and the row, `None` where it goes.
    pub fn gateway_changes(&self) -> impl Iterator<Item = (Kind, &str, Option<&Resource>)> {
        self.changes.iter().map(|change| (change.kind, change.key.as_str(), change.resource.as_ref()))
    }

    /// Makes everything permanent at once, or nothing. `now` stamps what gateways must forget.
    pub async fn commit(mut self, now: Timestamp) -> Result<Committed, StoreError> {
        match self.write_recorded(now).await {
            Ok(revision) => {
                self.finish().await?;
                Ok(Committed { revision })
            }
            Err(error) => self.outcome.known(Err(error)),
        }
    }

    /// Makes the rows permanent; nothing that was recorded goes with them.
    pub(crate) async fn finish(self) -> Result<(), StoreError> {
        self.outcome.known(self.reader.commit().await)
    }

    async fn write_recorded(&mut self, now: Timestamp) -> Result<Option<i64>, StoreError> {
        let changes = std::mem::take(&mut self.changes);
        let events = std::mem::take(&mut self.events);
        let revision = self.write_changes(changes, now).await?;
        self.insert_events(&events, revision).await?;
        Ok(revision)
    }
}

impl Deref for Tx {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}
