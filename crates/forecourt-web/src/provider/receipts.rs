//! On which gateway nodes a change is in force.

use serde::Serialize;

use super::nodes::duration;
use crate::{
    display::{Reference, Status, When},
    links::{Link, provider},
    samples::{Sample, ago},
    templates::View,
};

/// `GET /gateway/receipts/{revision}`.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptPage {
    /// The revision.
    pub revision: String,
    /// This page again.
    pub href: Link,
    /// When it was committed, where that is still known.
    pub committed_at: Option<When>,
    /// Every node that it concerns.
    pub nodes: Vec<ReceiptRow>,
    /// How many of them have it.
    pub applied: u64,
    /// Whether all of them have it.
    pub is_complete: bool,
}

/// One node.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptRow {
    /// The node.
    pub node: Reference,
    /// Its group.
    pub group: Reference,
    /// Up to date, behind or offline, as far as this revision goes.
    pub status: Status,
    /// When it told that it has the revision.
    pub applied_at: Option<When>,
    /// From the commit until then, or until now; such as `12 ms`.
    pub lag: String,
}

impl View for ReceiptPage {
    const TEMPLATE: &'static str = "provider/nodes/receipt.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |number: u32, status, applied_at, lag| ReceiptRow {
            node: Reference::new(format!("edge-{number}"), provider::node(&format!("nod_{number}"))),
            group: Reference::new("default", provider::group("default")),
            status,
            applied_at,
            lag: duration(lag),
        };
        let view = |nodes: Vec<ReceiptRow>| {
            let applied = nodes.iter().filter(|node| node.applied_at.is_some()).count();
            Self {
                revision: "18204".to_owned(),
                href: provider::receipt("18204"),
                committed_at: Some(ago(20)),
                is_complete: applied == nodes.len(),
                applied: applied as u64,
                nodes,
            }
        };
        let (first, second) =
            (row(1, Status::InSync, Some(ago(20)), 12), row(2, Status::InSync, Some(ago(20)), 17));
        let waiting =
            vec![first.clone(), row(2, Status::Behind, None, 20_000), row(3, Status::Offline, None, 20_000)];
        vec![
            Sample::provider("complete", view(vec![first, second])),
            Sample::provider("waiting", view(waiting)),
            Sample::provider("nobody", view(Vec::new())),
        ]
    }
}
