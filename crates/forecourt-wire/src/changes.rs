//! Changes of what gateways enforce, in revision order.

use forecourt_core::gateway_state::{Kind, Resource};
use serde::{Deserialize, Serialize};

/// One row put or deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The revision that made it; rows of one commit share it.
    pub revision: i64,
    /// What kind of row.
    pub kind: Kind,
    /// The row's key within its kind.
    pub key: String,
    /// The row as it stands now; `None`: deleted.
    pub resource: Option<Resource>,
}

/// What a gateway is handed at once: applied wholly, then acknowledged by its `revision`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeBatch {
    /// The highest revision that this batch completes.
    pub revision: i64,
    /// True: the gateway forgets all rows that it holds and starts from these.
    pub snapshot: bool,
    /// The rows, ascending by revision.
    pub changes: Vec<Change>,
}
