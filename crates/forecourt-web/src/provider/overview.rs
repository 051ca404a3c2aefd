//! The console's first page: what waits, what there is, what needs attention.

use serde::Serialize;

use super::approvals::{ApprovalRow, sample_rows};
use crate::{
    display::Status,
    links::{Link, provider},
    page::Tone,
    samples::Sample,
    templates::View,
};

/// `GET /portals`.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// Counts with their lists.
    pub counts: Vec<Count>,
    /// Up to five approvals that wait, oldest first.
    pub pending: Vec<ApprovalRow>,
    /// What needs a look; worst first.
    pub attention: Vec<Attention>,
    /// The gateway nodes.
    pub nodes: Vec<Node>,
}

/// One number on the overview.
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    /// What is counted.
    pub kind: CountKind,
    /// How many.
    pub count: u64,
    /// The list, where there is one.
    pub href: Option<Link>,
}

/// What is counted; texts are `overview.count.KIND` in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CountKind {
    /// Published products of all portals.
    Products,
    /// Developers.
    Developers,
    /// Applications.
    Applications,
    /// Calls of the last 24 hours.
    Calls,
    /// Calls of the last 24 hours answered with 500 and above.
    Errors,
}

/// One thing that needs a look.
#[derive(Clone, Debug, Serialize)]
pub struct Attention {
    /// How urgent it is.
    pub tone: Tone,
    /// The sentence.
    pub text: String,
    /// Where to act.
    pub href: Link,
}

/// One gateway node.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its group.
    pub group: String,
    /// Whether it runs the latest revision.
    pub status: Status,
    /// The revision that it runs.
    pub revision: u64,
}

impl View for Overview {
    const TEMPLATE: &'static str = "provider/overview.html";

    fn samples() -> Vec<Sample<Self>> {
        let count = |kind, count, href| Count { kind, count, href };
        let node = |name: &str, status, revision| Node {
            name: name.to_owned(),
            group: "default".to_owned(),
            status,
            revision,
        };
        let full = Self {
            counts: vec![
                count(CountKind::Products, 42, Some(provider::products("default"))),
                count(CountKind::Developers, 1310, Some(provider::developers("default"))),
                count(CountKind::Applications, 2907, None),
                count(CountKind::Calls, 18_204_551, None),
                count(CountKind::Errors, 214, None),
            ],
            pending: sample_rows(),
            attention: vec![
                Attention {
                    tone: Tone::Danger,
                    text: "The node edge-fra-2 has not been in contact for 14 minutes.".to_owned(),
                    href: provider::group("default"),
                },
                Attention {
                    tone: Tone::Warning,
                    text: "The token “Partner front end” expires in 3 days.".to_owned(),
                    href: provider::tokens("default"),
                },
            ],
            nodes: vec![
                node("embedded", Status::InSync, 18_204),
                node("edge-fra-1", Status::Behind, 18_199),
                node("edge-fra-2", Status::Offline, 18_020),
            ],
        };
        let fresh = Self {
            counts: full.counts.iter().map(|c| Count { count: 0, ..c.clone() }).collect(),
            pending: Vec::new(),
            attention: Vec::new(),
            nodes: vec![node("embedded", Status::InSync, 3)],
        };
        vec![Sample::provider("full", full), Sample::provider("fresh", fresh)]
    }
}
