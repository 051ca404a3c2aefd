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
    /// Which processes have gone by its id.
    pub instances: Instances,
}

/// Seconds for which a second process counts as running after it was heard of.
const DUPLICATED_FOR: i64 = 60;
/// The most former processes that are remembered.
const MOST_FORMER: usize = 16;

/// Which processes have gone by a node's id: one after the other, unless its data folder was copied.
///
/// Each start of a process calls itself by a random text. One that comes back after another took its place runs still,
/// so there are two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances {
    /// The one that speaks for the node; empty: one that did not say.
    pub present: String,
    /// Those whose place another took, the latest last.
    pub former: Vec<String>,
    /// When a second one was last heard of; `None`: never.
    pub duplicated_at: Option<Timestamp>,
}

/// What becomes of a process that wants to speak for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the one that spoke before.
    Same,
    /// It takes the place of the one that spoke before.
    Taken,
    /// Another process, which took its place, holds the node's stream.
    Refused,
}

impl Instances {
    /// The process `instance` wants to speak for the node. `is_held`: the present one holds the node's stream.
    pub fn claim(&mut self, instance: &str, is_held: bool, now: Timestamp) -> Claim {
        if instance == self.present {
            return Claim::Same;
        }
        if self.former.iter().any(|former| former == instance) {
            self.duplicated_at = Some(now);
            if is_held {
                return Claim::Refused;
            }
            self.former.retain(|former| former != instance);
        }
        let before = std::mem::replace(&mut self.present, instance.to_owned());
        if !before.is_empty() {
            self.former.push(before);
            let too_many = self.former.len().saturating_sub(MOST_FORMER);
            self.former.drain(..too_many);
        }
        Claim::Taken
    }
}

impl Node {
    /// Whether two processes go by its id, as far as is known: then what the one has applied says nothing of the other.
    pub fn is_duplicated(&self, now: Timestamp) -> bool {
        self.instances.duplicated_at.is_some_and(|at| at.plus_seconds(DUPLICATED_FOR) > now)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_comes_back_after_another_took_its_place_shows_that_there_are_two() {
        let now = Timestamp::from_seconds(1_000);
        let mut instances = Instances::default();
        assert_eq!(instances.claim("a", true, now), Claim::Taken);
        assert_eq!(instances.claim("a", true, now), Claim::Same, "the same process, on another connection");
        assert_eq!(
            instances.claim("b", true, now),
            Claim::Taken,
            "a restart: the old stream may not have ended yet"
        );
        assert_eq!(instances.duplicated_at, None);
        assert_eq!(instances.claim("a", true, now), Claim::Refused);
        assert_eq!((instances.present.as_str(), instances.duplicated_at), ("b", Some(now)));
        assert_eq!(instances.claim("a", false, now), Claim::Taken, "the other one is gone");
        assert_eq!(instances.former, ["b"]);
    }

    #[test]
    fn a_node_that_starts_again_and_again_is_one_process_and_forgets_the_oldest() {
        let now = Timestamp::from_seconds(1_000);
        let mut instances = Instances::default();
        for start in 0..100 {
            assert_eq!(instances.claim(&start.to_string(), true, now), Claim::Taken);
        }
        assert_eq!((instances.former.len(), instances.duplicated_at), (MOST_FORMER, None));
        assert_eq!(instances.former.last().map(String::as_str), Some("98"));
    }
}
