//! A use case's write: the transaction, the moment, the caller, and the words of the record.

use std::ops::{Deref, DerefMut};

use forecourt_core::{
    actors::Caller,
    events::{Event, EventName},
    ids::{EventId, PortalId},
    impacts::Impact,
    time::Timestamp,
};
use forecourt_store::Tx;
use serde_json::Value;

use crate::{App, Error, audit_logs, impacts, random::OsRandom};

/// A write in progress; dropping it undoes it.
pub(crate) struct Write<'a> {
    app: &'a App,
    caller: &'a Caller,
    tx: Tx,
    /// The moment that all of this write carries.
    pub(crate) now: Timestamp,
    /// Whether an OAuth client is to be removed or changed at its provider, which is tried once this is committed.
    pub(crate) owes_providers: bool,
    /// Whether somebody is to be told of it, which begins once this is committed.
    pub(crate) owes_messages: bool,
    /// What it takes away that neither gateways nor the event log hear of; told where only a preview is wanted.
    pub(crate) counted: Impact,
}

impl<'a> Write<'a> {
    pub(crate) fn new(app: &'a App, caller: &'a Caller, tx: Tx, now: Timestamp) -> Self {
        Self { app, caller, tx, now, owes_providers: false, owes_messages: false, counted: Impact::default() }
    }

    /// Tells what happened to `noun` with `id`, of `portal` where it belongs to one, and which event that is. `detail`
    /// holds no secret.
    pub(crate) fn tell(
        &mut self,
        name: EventName,
        noun: &str,
        id: &str,
        portal: Option<&PortalId>,
        detail: Value,
    ) -> EventId {
        let event_id = EventId::issue(self.now, &mut OsRandom);
        let event = Event::new(event_id.clone(), self.now, self.caller, name, noun, id).with_detail(detail);
        self.tx.record(match portal {
            Some(portal) => event.of_portal(portal),
            None => event,
        });
        event_id
    }

    /// Who writes.
    pub(crate) const fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// The application that writes.
    pub(crate) const fn app(&self) -> &'a App {
        self.app
    }

    /// The bare transaction, for notes that are no event, such as the time of last use.
    pub(crate) fn into_tx(self) -> Tx {
        self.tx
    }

    /// Makes everything permanent, and returns once the embedded gateway enforces it.
    ///
    /// # Errors
    /// Also where the caller wants a preview: then everything is undone, and what it would have hit is noted.
    pub(crate) async fn commit(self) -> Result<(), Error> {
        if let Some(preview) = &self.caller.preview {
            let recorded = impacts::Recorded::of(&self);
            drop(self.tx);
            preview.note(recorded.impact(self.app).await?);
            return Err(Error::previewed());
        }
        let key = self.app.sealer().audit_chain();
        let record = audit_logs::append(&self.tx, self.app.before(), key, self.caller, self.now).await?;
        let committed = self.tx.commit(self.now).await?;
        if let Some(record) = record {
            self.caller.journal.note_record(record);
        }
        if let Some(revision) = committed.revision {
            self.caller.receipt.note(revision);
            self.app.feed().committed(revision).await;
        }
        if self.owes_providers {
            self.app.providers_due().notify_one();
        }
        if self.owes_messages {
            self.app.messages_due().notify_one();
        }
        Ok(())
    }
}

impl Deref for Write<'_> {
    type Target = Tx;

    fn deref(&self) -> &Tx {
        &self.tx
    }
}

impl DerefMut for Write<'_> {
    fn deref_mut(&mut self) -> &mut Tx {
        &mut self.tx
    }
}
