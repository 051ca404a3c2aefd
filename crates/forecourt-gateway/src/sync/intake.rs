//! What a node does with each message of its stream: first in force, then on the disk.
//!
//! Invariant: a whole state takes effect at once, where there was one before; a position counts as reached only when
//! everything up to it is in force. What the disk has is `keeper.rs`'s business, and only that is acknowledged.

use forecourt_core::gateway_state::{Digests, Kind, differing};
use forecourt_wire::{
    changes::{Change, ChangeBatch},
    sync::{Checkpoint, GoodbyeReason, Message, Position, SnapshotReason},
};

use super::{clock::CorrectedClock, keeper::Keeper, state_file::Extent};
use crate::Gateway;

/// After so many revisions the gateway drops its memory of deleted rows.
const FORGET_EVERY: i64 = 4_096;

/// What a message comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The stream goes on.
    GoOn,
    /// It must be silent for no longer than so many milliseconds.
    Welcome(u64),
    /// Everything up to here is in force.
    Reached(Position),
    /// The stream ends.
    Goodbye(GoodbyeReason),
    /// What is in force differs from what the control plane has: a whole state is needed.
    Differs(Vec<Kind>),
}

/// Where a stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// Its number.
    pub(crate) stream: u64,
    /// Where it must go on from: what is on the disk.
    pub(crate) position: Option<Position>,
    /// How far what is in force goes, where that is something else, since the disk took nothing: it must be of the
    /// same line of revisions, or changes would be laid upon what another one left.
    pub(crate) in_force: Option<Position>,
    /// In what the state differs.
    pub(crate) drift: Vec<Kind>,
}

/// The rows since the last position.
enum Arriving {
    /// Changes.
    Changes(Vec<Change>),
    /// A whole state, for a gateway that has none: it is told piece by piece, since nobody is served yet.
    First,
    /// A whole state that takes the place of another.
    State(SnapshotReason, Vec<Change>),
}

/// Takes the messages of one node, stream by stream.
pub(crate) struct Intake {
    gateway: Gateway,
    clock: CorrectedClock,
    stream: u64,
    arriving: Arriving,
    /// How far what is in force goes; `None`: nothing whole is.
    in_force: Option<Position>,
    /// How far the stream goes on from, or has come.
    position: Option<Position>,
    is_confirmed: bool,
    /// Whether what is in force was written by a program that knew other members of rows. Positions and digests say
    /// nothing of that.
    is_of_other_rows: bool,
    drift: Vec<Kind>,
}

impl Intake {
    /// For a gateway in which the state that is on the disk is in force, if any.
    pub(crate) fn new(gateway: Gateway, clock: CorrectedClock, on_disk: Option<&Extent>) -> Self {
        let is_of_other_rows = on_disk.is_some_and(|extent| !extent.is_of_these_rows);
        if is_of_other_rows {
            tracing::info!(
                "another version of this program wrote the state on the disk; the node serves it, and asks the control \
                 plane for the whole state anew"
            );
        }
        let arriving = Arriving::Changes(Vec::new());
        Self {
            gateway,
            clock,
            stream: 0,
            arriving,
            in_force: on_disk.map(|extent| extent.position.clone()),
            position: None,
            is_confirmed: false,
            is_of_other_rows,
            drift: Vec::new(),
        }
    }

    /// Begins a stream.
    pub(crate) async fn begin(&mut self, keeper: &Keeper) -> Begun {
        self.stream += 1;
        self.arriving = Arriving::Changes(Vec::new());
        self.is_confirmed = false;
        self.clock.forget_readings();
        let kept = keeper.begin_stream(self.stream).await;
        // Without a position the first word is a whole state, which takes the place of what is in force at once.
        self.position = kept.filter(|_| !self.is_of_other_rows);
        Begun {
            stream: self.stream,
            position: self.position.clone(),
            in_force: self.in_force.clone().filter(|at| self.position.as_ref() != Some(at)),
            drift: self.drift.clone(),
        }
    }

    /// How far what is in force goes; `None`: nothing whole is.
    pub(crate) const fn in_force(&self) -> Option<&Position> {
        self.in_force.as_ref()
    }

    /// In what the state was found to differ.
    pub(crate) fn drift(&self) -> &[Kind] {
        &self.drift
    }

    /// Takes the next message. An error: the stream makes no sense.
    pub(crate) fn take(&mut self, message: Message, keeper: &Keeper) -> Result<Outcome, String> {
        if !self.is_confirmed
            && matches!(message, Message::Rows { .. } | Message::Reached { .. } | Message::Heartbeat { .. })
        {
            // No whole state came first, so what the node has is of the control plane's own line.
            self.is_confirmed = true;
            keeper.confirmed();
        }
        match message {
            Message::Welcome { at, heartbeat_ms } => {
                self.clock.heard(at);
                Ok(Outcome::Welcome(heartbeat_ms))
            }
            Message::Snapshot { reason } => {
                self.begin_state(reason, keeper);
                Ok(Outcome::GoOn)
            }
            Message::Rows { changes } => {
                match &mut self.arriving {
                    Arriving::Changes(rows) => rows.extend(changes),
                    Arriving::First => {
                        keeper.state_rows(&changes);
                        let revision = changes.iter().map(|change| change.revision).max().unwrap_or(0);
                        self.gateway.apply(&ChangeBatch { revision, snapshot: false, changes });
                    }
                    Arriving::State(_, rows) => {
                        keeper.state_rows(&changes);
                        rows.extend(changes);
                    }
                }
                Ok(Outcome::GoOn)
            }
            Message::Reached { position, .. } => self.reached(position, keeper),
            Message::Heartbeat { at, checkpoint } => {
                self.clock.heard(at);
                Ok(self.compare(checkpoint.as_ref()))
            }
            Message::Goodbye { reason } => Ok(Outcome::Goodbye(reason)),
        }
    }

    fn begin_state(&mut self, reason: SnapshotReason, keeper: &Keeper) {
        self.is_confirmed = true;
        match reason {
            SnapshotReason::Diverged => tracing::error!(
                revision = self.position.as_ref().map(|position| position.revision),
                "the control plane's revisions are of another line than this node's: was a backup restored, or is it \
                 another installation? The node takes its state and forgets its own"
            ),
            SnapshotReason::Drift => {
                tracing::error!("the node's state differed; it is sent again as a whole")
            }
            SnapshotReason::First | SnapshotReason::TooOld | SnapshotReason::Scopes => {
                tracing::info!(?reason, "a whole state is being received");
            }
        }
        self.arriving = if self.in_force.is_none() {
            // Pieces of an earlier attempt may be there.
            self.gateway.replace(&ChangeBatch { revision: 0, snapshot: true, changes: Vec::new() });
            Arriving::First
        } else {
            Arriving::State(reason, Vec::new())
        };
        keeper.begin_state();
    }

    fn reached(&mut self, position: Position, keeper: &Keeper) -> Result<Outcome, String> {
        let revision = position.revision;
        let before = *self.gateway.applied().borrow();
        match std::mem::replace(&mut self.arriving, Arriving::Changes(Vec::new())) {
            Arriving::Changes(changes) => {
                let Some(_) = &self.in_force else {
                    return Err("it sent changes of a state that it did not send".into());
                };
                if revision < before {
                    // What is in force came from a line that is gone, though what is on the disk is of this one.
                    tracing::error!(revision, applied = before, "the control plane's revisions went back");
                    self.drift = Kind::ALL.to_vec();
                    return Ok(Outcome::Differs(self.drift.clone()));
                }
                let batch = ChangeBatch { revision, snapshot: false, changes };
                self.gateway.apply(&batch);
                keeper.change(&batch.changes, &position);
                if revision / FORGET_EVERY > before / FORGET_EVERY {
                    self.gateway.forget_deleted(revision);
                }
            }
            Arriving::First => {
                self.gateway.apply(&ChangeBatch { revision, snapshot: false, changes: Vec::new() });
                self.gateway.forget_deleted(revision);
                keeper.end_state(&position);
            }
            Arriving::State(reason, changes) => {
                let batch = ChangeBatch { revision, snapshot: true, changes };
                match reason {
                    // One that is too old may be of another line: its mark is not known any more.
                    SnapshotReason::Scopes if revision >= before => {
                        beside(|| self.gateway.apply(&batch));
                    }
                    _ => {
                        if revision < before {
                            tracing::error!(
                                revision,
                                applied = before,
                                "an older state takes the place of a newer one"
                            );
                        }
                        beside(|| self.gateway.replace(&batch));
                    }
                }
                keeper.end_state(&position);
                self.is_of_other_rows = false;
                self.drift = Vec::new();
            }
        }
        self.in_force = Some(position.clone());
        self.position = Some(position.clone());
        Ok(Outcome::Reached(position))
    }

    /// Compares what is in force with what must be, where both are at the same position.
    fn compare(&mut self, checkpoint: Option<&Checkpoint>) -> Outcome {
        let Some(Checkpoint { position, digests }) = checkpoint else { return Outcome::GoOn };
        let is_between = match &self.arriving {
            Arriving::Changes(rows) => !rows.is_empty(),
            Arriving::First | Arriving::State(..) => true,
        };
        if is_between || self.position.as_ref() != Some(position) || self.in_force.as_ref() != Some(position)
        {
            return Outcome::GoOn;
        }
        let own: Digests = self.gateway.digests();
        let drift = differing(&own, digests);
        if drift.is_empty() {
            self.drift = drift;
            return Outcome::GoOn;
        }
        let kinds: Vec<_> = drift.iter().map(|kind| kind.name()).collect();
        tracing::error!(
            ?kinds,
            revision = position.revision,
            "the node's state differs from the control plane's"
        );
        self.drift.clone_from(&drift);
        Outcome::Differs(drift)
    }
}

/// Does what takes long without holding up the other tasks of this thread, where there are other threads.
fn beside<R>(work: impl FnOnce() -> R) -> R {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
#[path = "../tests/sync/intake.rs"]
mod tests;
