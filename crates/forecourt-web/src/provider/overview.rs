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
    /// The gateway of this process, where it runs one.
    pub gateway: Option<EmbeddedGateway>,
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
}

/// One thing that needs a look; texts are `attention.KIND` in the catalogue.
#[derive(Clone, Debug, Serialize)]
pub struct Attention {
    /// What it is.
    pub kind: AttentionKind,
    /// How urgent it is.
    pub tone: Tone,
    /// The name of what needs it.
    pub name: String,
    /// Where to act.
    pub href: Link,
}

/// What needs a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// A portal token that is refused by now.
    TokenExpired,
    /// A portal token that ends within a week.
    TokenExpiring,
    /// A published gateway product that no call can reach.
    ProductWithoutServices,
    /// The gateway of this process has not applied the latest change.
    GatewayBehind,
}

/// The gateway that runs in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct EmbeddedGateway {
    /// Whether it runs the latest revision.
    pub status: Status,
    /// The revision that it runs.
    pub revision: u64,
}

impl View for Overview {
    const TEMPLATE: &'static str = "provider/overview.html";

    fn samples() -> Vec<Sample<Self>> {
        let count = |kind, count, href| Count { kind, count, href };
        let attention = |kind, tone, name: &str, href| Attention { kind, tone, name: name.to_owned(), href };
        let full = Self {
            counts: vec![
                count(CountKind::Products, 42, Some(provider::products("default"))),
                count(CountKind::Developers, 1310, Some(provider::developers("default"))),
                count(CountKind::Applications, 2907, Some(provider::applications("default"))),
                count(CountKind::Calls, 18_204_551, None),
            ],
            pending: sample_rows(),
            attention: vec![
                attention(AttentionKind::GatewayBehind, Tone::Danger, "", provider::gateway()),
                attention(
                    AttentionKind::ProductWithoutServices,
                    Tone::Warning,
                    "Payments",
                    provider::product("default", "prd_1"),
                ),
                attention(AttentionKind::TokenExpired, Tone::Danger, "Old site", provider::tokens("default")),
                attention(
                    AttentionKind::TokenExpiring,
                    Tone::Warning,
                    "Partner front end",
                    provider::tokens("default"),
                ),
            ],
            gateway: Some(EmbeddedGateway { status: Status::Behind, revision: 18_204 }),
        };
        let fresh = Self {
            counts: full.counts.iter().map(|c| Count { count: 0, ..c.clone() }).collect(),
            pending: Vec::new(),
            attention: Vec::new(),
            gateway: Some(EmbeddedGateway { status: Status::InSync, revision: 3 }),
        };
        let apart = Self { gateway: None, ..fresh.clone() };
        vec![
            Sample::provider("full", full),
            Sample::provider("fresh", fresh),
            Sample::provider("without_gateway", apart),
        ]
    }
}
