//! A use case's write: the transaction, the moment, the caller, and the words of the record.

use std::ops::{Deref, DerefMut};

use forecourt_core::{
    actors::Caller,
    events::{Event, EventName},
    ids::{EventId, PortalId},
    time::Timestamp,
};
use forecourt_store::Tx;
use serde_json::Value;

use crate::{App, Error, impacts, random::OsRandom};

/// A write in progress; dropping it undoes it.
pub(crate) struct Write<'a> {
    app: &'a App,
    caller: &'a Caller,
    tx: Tx,
    /// The moment that all of this write carries.
    pub(crate) now: Timestamp,
    /// Whether it leaves an OAuth client to be removed at its provider, which is tried once it is committed.
    pub(crate) leaves_clients: bool,
}

impl<'a> Write<'a> {
    pub(crate) const fn new(app: &'a App, caller: &'a Caller, tx: Tx, now: Timestamp) -> Self {
        Self { app, caller, tx, now, leaves_clients: false }
    }

    /// Tells what happened to `noun` with `id`, of `portal` where it belongs to one. `detail` holds no secret.
    pub(crate) fn tell(
        &mut self,
        name: EventName,
        noun: &str,
        id: &str,
        portal: Option<&PortalId>,
        detail: Value,
    ) {
        let event_id = EventId::issue(self.now, &mut OsRandom);
        let event = Event::new(event_id, self.now, self.caller, name, noun, id).with_detail(detail);
        self.tx.record(match portal {
            Some(portal) => event.of_portal(portal),
            None => event,
        });
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
        let committed = self.tx.commit(self.now).await?;
        if let Some(revision) = committed.revision {
            self.caller.receipt.note(revision);
            self.app.feed().committed(revision).await;
        }
        if self.leaves_clients {
            self.app.removals_due().notify_one();
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
