//! What nodes told and is not written down yet, as lists and receipts see it.
//!
//! Invariant: it is copied before the database is read and compared with its marks after. So what was written down in
//! between is seen, and what was told of a line of revisions that the database has left is not.

use std::collections::HashMap;

use forecourt_core::{
    ids::NodeId,
    nodes::{Node, NodeConnection},
    time::Timestamp,
};
use forecourt_store::{Applied, Reader, StoreError};

use super::live::Live;

/// What each node told, with which of its processes did.
#[derive(Debug, Default)]
pub(crate) struct Told(HashMap<NodeId, (String, Vec<Applied>)>);

impl Live {
    /// What is not written down now.
    pub(crate) fn told(&self) -> Told {
        let nodes = self.lock();
        let told = nodes.iter().filter_map(|(id, node)| {
            let unwritten = node.unwritten();
            (!unwritten.is_empty()).then(|| (id.clone(), (node.instance.clone(), unwritten.to_vec())))
        });
        Told(told.collect())
    }

    /// `node` as the database has it, with what is not written down yet.
    pub(crate) fn newest(&self, mut node: Node, told: &Told) -> Node {
        if let Some(last) = told.of(&node).last()
            && last.revision > node.revision
        {
            (node.revision, node.applied_at) = (last.revision, last.at);
        }
        if let Some(live) = self.lock().get(&node.id) {
            if live.streams > 0 {
                node.connection = NodeConnection::Connected;
                if live.instance == node.instances.present {
                    node.drift.clone_from(&live.drift);
                }
            }
            node.last_contact_at = node.last_contact_at.max(live.last_contact_at);
        }
        node
    }
}

impl Told {
    /// Without what was told of another line of revisions than `reader` is on.
    pub(crate) async fn of_line(mut self, reader: &Reader) -> Result<Self, StoreError> {
        for (_, applied) in self.0.values_mut() {
            let ours: Vec<_> = reader.of_this_line(applied).await?.into_iter().cloned().collect();
            *applied = ours;
        }
        Ok(self)
    }

    /// When the node told that it has `revision` or a later one.
    pub(crate) fn acknowledged_at(&self, node: &Node, revision: i64) -> Option<Timestamp> {
        self.of(node).iter().find(|applied| applied.revision >= revision).map(|applied| applied.at)
    }

    /// What the process told that speaks for the node.
    fn of(&self, node: &Node) -> &[Applied] {
        match self.0.get(&node.id) {
            Some((instance, applied)) if *instance == node.instances.present => applied,
            _ => &[],
        }
    }
}
