//! Counted calls on their way to the control plane.

use forecourt_core::{
    ids::{ApplicationId, CredentialId, NodeId, ProductId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Calls counted by one node since its last batch; added exactly once per (node, number).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageBatch {
    /// The node that counted.
    pub node: NodeId,
    /// Grows by one per batch of this node, from 1.
    pub number: i64,
    /// The counts; at most one entry per (product, application, credential, hour).
    pub counts: Vec<UsageCount>,
}

/// Calls that passed product authentication within one UTC hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UsageCount {
    /// The product that was called.
    pub product_id: ProductId,
    /// The calling application.
    pub application_id: ApplicationId,
    /// The credential that it showed.
    pub credential_id: CredentialId,
    /// The start of the hour.
    pub hour: Timestamp,
    /// Calls, at least 1.
    pub calls: u64,
    /// When the last of them arrived.
    pub last_used_at: Timestamp,
    /// The address that the last of them came from, as text.
    pub last_used_from: String,
}
