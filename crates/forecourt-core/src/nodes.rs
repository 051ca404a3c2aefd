//! Gateway nodes, as a control plane knows them, and the receipts for what they have applied.

use crate::{
    gateway_state::Kind,
    ids::{GatewayGroupId, InstanceTokenId, NodeId},
    lists::{Paging, Readable},
    refusals::{Refusal, RefusalKind},
    time::Timestamp,
};

named! {
    /// Whether a node hears of changes now.
    pub enum NodeConnection {
        /// It holds a stream to one of the control plane's processes, or runs in one.
        Connected = "connected",
        /// It does not; it serves what it last heard, for as long as its `max_staleness` allows.
        Disconnected = "disconnected",
    }
}

/// A gateway that was seen once and has not been removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id, which it made itself at its first start.
    pub id: NodeId,
    /// What people call it: the host's name unless it was started with another; not unique.
    pub name: String,
    /// The group that it serves.
    pub gateway_group_id: GatewayGroupId,
    /// The token that it joined with last; `None`: it runs inside a control plane's process.
    pub token_id: Option<InstanceTokenId>,
    /// The version of its program.
    pub version: String,
    /// Where it says that callers reach it, as a URL; empty where it did not say.
    pub address: String,
    /// Whether it hears of changes now.
    pub connection: NodeConnection,
    /// The last revision that it has applied, and kept on its disk where it has one.
    pub revision: i64,
    /// When it told so, by the control plane's clock.
    pub applied_at: Timestamp,
    /// When it was last heard of.
    pub last_contact_at: Timestamp,
    /// The kinds of rows in which it last differed from the control plane; empty: none.
    pub drift: Vec<Kind>,
    /// When it was first seen.
    pub created_at: Timestamp,
}

/// Which nodes a list shows.
#[derive(Clone, Debug, Default)]
pub struct NodeFilter {
    /// Only those of this group.
    pub gateway_group_id: Option<GatewayGroupId>,
    /// Only those that are so.
    pub connection: Option<NodeConnection>,
    /// Page.
    pub paging: Paging,
    /// Only those of these groups: what the caller may read.
    pub readable: Readable,
}

/// What a revision has come to: which nodes have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionReceipt {
    /// The revision.
    pub revision: i64,
    /// When it was committed; `None` where that is no longer kept.
    pub committed_at: Option<Timestamp>,
    /// Every node that this revision concerns, by id.
    pub nodes: Vec<NodeReceipt>,
}

impl RevisionReceipt {
    /// Whether every node has it.
    pub fn is_complete(&self) -> bool {
        self.nodes.iter().all(|node| node.applied_at.is_some())
    }
}

/// Whether a node has a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReceipt {
    /// The node as it stands now.
    pub node: Node,
    /// When it told that it has the revision or a later one, by the control plane's clock; `None`: it has not.
    pub applied_at: Option<Timestamp>,
}

/// Why a node cannot do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeRefusal {
    /// It would be back at once.
    #[error(
        "this gateway runs inside a control plane; switch it off there (gateway.listen and gateway.tls_listen) before you remove it"
    )]
    Embedded,
}

impl Refusal for NodeRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Embedded => "node_embedded",
        }
    }
}
