//! The receipt of a revision: on which gateway nodes it is in force.

use axum::extract::Path;
use forecourt_app::receipts;
use forecourt_core::nodes::NodeReceipt;

use super::{Answer, Console, nodes};
use crate::{
    display::{Reference, When},
    errors::FailureKind,
    links::provider,
    provider::{
        nodes::duration,
        receipts::{ReceiptPage, ReceiptRow},
    },
};

pub(super) async fn page(console: Console, Path(revision): Path<String>) -> Answer {
    let revision = revision.parse().map_err(|_| FailureKind::NotFound)?;
    let receipt = receipts::receipt(console.app(), &console.caller, revision).await?;
    let (groups, now) = (nodes::group_names(&console).await?, console.app().now());
    let row = |receipted: &NodeReceipt| {
        let NodeReceipt { node, applied_at } = receipted;
        ReceiptRow {
            node: Reference::new(node.name.clone(), provider::node(node.id.as_str())),
            group: nodes::group(&node.gateway_group_id, &groups),
            status: nodes::status(node, applied_at.is_none()),
            applied_at: applied_at.map(When::of),
            lag: duration(receipts::lag(&receipt, receipted, now)),
        }
    };
    let nodes: Vec<_> = receipt.nodes.iter().map(row).collect();
    console.visit.show(&ReceiptPage {
        revision: revision.to_string(),
        href: provider::receipt(&revision.to_string()),
        committed_at: receipt.committed_at.map(When::of),
        applied: nodes.iter().filter(|node| node.applied_at.is_some()).count() as u64,
        is_complete: receipt.is_complete(),
        nodes,
    })
}
