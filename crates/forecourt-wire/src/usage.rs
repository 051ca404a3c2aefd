//! Counted calls on their way to the control plane.

use forecourt_core::{
    ids::{ApplicationId, CredentialId, NodeId, ProductId, RouteId},
    time::Timestamp,
    usage::{StatusClass, Totals},
};
use serde::{Deserialize, Serialize};

/// The most counts that a batch holds; a node with more sends several batches.
pub const MOST_COUNTS: usize = 1_000;

/// Calls counted by one node since its last batch; added exactly once per (node, spool, number).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageBatch {
    /// The node that counted.
    pub node: NodeId,
    /// What the process called itself that counted: a random text, so that no two batches ever have the same name, also
    /// where a data folder was put back or copied. Empty: a version that numbered all batches of a node in one row.
    #[serde(default)]
    pub spool: String,
    /// Grows with each batch of this spool, from 1 or above.
    pub number: i64,
    /// The counts, at most [`MOST_COUNTS`].
    pub counts: Vec<UsageCount>,
}

/// Calls that passed product authentication and ended within one UTC minute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageCount {
    /// The product that was called.
    pub product_id: ProductId,
    /// The calling application.
    pub application_id: ApplicationId,
    /// The credential that it showed.
    pub credential_id: CredentialId,
    /// The route that the calls took; empty where a version counted that did not note it.
    #[serde(default = "no_route")]
    pub route_id: RouteId,
    /// The start of the minute.
    pub minute: Timestamp,
    /// The hundreds of the answers' status.
    #[serde(default)]
    pub status_class: StatusClass,
    /// What they amount to; at least one call.
    pub totals: Totals,
    /// When the last of them ended.
    #[serde(default)]
    pub last_used_at: Timestamp,
    /// The address that the last of them came from, as text; empty: not known.
    #[serde(default)]
    pub last_used_from: String,
}

fn no_route() -> RouteId {
    RouteId::known("")
}
