//! What a node and its control plane say to each other, over HTTP/2 on the sync port (docs/nodes.md).
//!
//! A node opens `POST /sync/v1/watch` with a [`Hello`]; the answer is a stream of [`Message`]s, one JSON value a line,
//! that ends only with the connection. Beside it the node posts [`Acknowledgement`]s and usage batches. Every request
//! carries `Authorization: Bearer TOKEN`. Members may be added to all of these; unknown ones are ignored.

use forecourt_core::{
    gateway_state::{Digests, Kind},
    ids::NodeId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::changes::Change;

/// Where a node opens its stream.
pub const WATCH: &str = "/sync/v1/watch";
/// Where it tells what it has applied.
pub const ACKNOWLEDGEMENTS: &str = "/sync/v1/acknowledgements";
/// Where it delivers counted calls.
pub const USAGE: &str = "/sync/v1/usage";

/// The most rows in one [`Message::Rows`].
pub const MOST_ROWS: usize = 1_000;

/// How far a node is, in one line of revisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The revision up to which it has everything.
    pub revision: i64,
    /// The mark that the control plane gave this revision: random, so that a restored database whose revisions went
    /// back and grew again is noticed.
    pub mark: String,
}

/// What a node says when it opens its stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its id, which it keeps on its disk.
    pub node: NodeId,
    /// What people call it, 1 to 200 characters.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// Where callers reach it, as a URL; empty: not said.
    #[serde(default)]
    pub address: String,
    /// Which start of its process this is: random, so that two processes that go by one id are told apart. Empty: not
    /// said, by a version that did not know of it.
    #[serde(default)]
    pub instance: String,
    /// How far it is, on its disk; `None`: it has nothing and needs a snapshot.
    pub position: Option<Position>,
    /// How far what it enforces goes, where that is not what its disk has: the disk took nothing for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<Position>,
    /// The kinds of rows in which it found itself to differ; not empty: it needs a snapshot.
    #[serde(default)]
    pub drift: Vec<Kind>,
}

/// What the control plane says on a node's stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The first message: the node is accepted.
    Welcome {
        /// The control plane's time now.
        at: Timestamp,
        /// The longest silence of this stream in milliseconds; after twice that the node takes it for dead.
        heartbeat_ms: u64,
    },
    /// A whole state follows in `rows`, up to the next `reached`; it takes the place of what the node has, at once.
    Snapshot {
        /// Why.
        reason: SnapshotReason,
    },
    /// Rows of the state, or rows that changed, at most [`MOST_ROWS`]; ascending by revision in a delta.
    Rows {
        /// The rows.
        changes: Vec<Change>,
    },
    /// The rows since the last `reached` are whole: the node applies them, keeps them, and acknowledges.
    Reached {
        /// How far it is then.
        position: Position,
        /// The control plane's time when it sent this.
        at: Timestamp,
    },
    /// A sign of life.
    Heartbeat {
        /// The control plane's time now.
        at: Timestamp,
        /// What the node must hold, where this was looked up: at exactly this position.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checkpoint: Option<Checkpoint>,
    },
    /// The last message: the control plane ends the stream.
    Goodbye {
        /// Why.
        reason: GoodbyeReason,
    },
}

/// What a node must hold at a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The position.
    pub position: Position,
    /// The digest of each kind that has rows.
    pub digests: Digests,
}

/// Why a node is sent a whole state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotReason {
    /// It has nothing yet.
    First,
    /// Its revision is of another line: this database was restored, or is another one. Said loudly on both sides.
    Diverged,
    /// Its revision is so old that what was deleted since is no longer known.
    TooOld,
    /// It found itself to differ.
    Drift,
    /// Its group concerns itself with other portals than before.
    Scopes,
}

/// Why a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoodbyeReason {
    /// The node or its token was removed; it is not let in again.
    Removed,
    /// The process stops; another may be there.
    Stopping,
    /// The same node opened another stream, or another process that goes by the same id did.
    Replaced,
}

/// What a node has applied and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who.
    pub node: NodeId,
    /// Which start of its process: as in its [`Hello`].
    #[serde(default)]
    pub instance: String,
    /// Up to where it has everything, in force and on its disk. Counts only where the revision has this mark still.
    #[serde(flatten)]
    pub position: Position,
    /// The kinds of rows in which it found itself to differ from the last checkpoint; empty: none.
    #[serde(default)]
    pub drift: Vec<Kind>,
}

/// The answer to a usage batch: known or new, it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageStored {
    /// The number of the batch.
    pub number: i64,
}
