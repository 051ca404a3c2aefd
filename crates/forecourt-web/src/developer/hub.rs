//! The catalogue: search, filters, cards.

use serde::Serialize;

use super::products::{ProductCard, sample_cards};
use crate::{
    links::developer,
    lists::{Chip, Paging, Search},
    samples::Sample,
    templates::View,
};

/// `GET /hub`, with the query `search`, `status`, `label` (`key:value`) and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct Hub {
    /// The search field.
    pub search: Search,
    /// Filters by the viewer's subscriptions; empty for guests, who have none.
    pub statuses: Vec<Chip>,
    /// Filters by label.
    pub labels: Vec<Chip>,
    /// The products of this page.
    pub products: Vec<ProductCard>,
    /// The paging.
    pub paging: Paging,
    /// Whether any filter or search narrows the list.
    pub filtered: bool,
}

impl View for Hub {
    const TEMPLATE: &'static str = "developer/hub.html";

    fn samples() -> Vec<Sample<Self>> {
        let chip = |name: &str, value: &str, text: &str, selected| {
            Chip::new(text, developer::hub().with_query(&[(name, value)]), selected)
        };
        let page = |n: u64| developer::hub().with_query(&[("page", &n.to_string())]);
        let full = Self {
            search: Search::new(developer::hub(), "", &[]),
            statuses: vec![
                chip("status", "", "All", true),
                chip("status", "subscribed", "Subscribed", false).counting(2),
                chip("status", "wait_for_approval", "Waiting", false).counting(1),
                chip("status", "unsubscribed", "Not subscribed", false),
            ],
            labels: vec![
                chip("label", "domain:payments", "domain: payments", false),
                chip("label", "domain:logistics", "domain: logistics", false),
                chip("label", "stage:beta", "stage: beta", false),
            ],
            products: sample_cards(),
            paging: Paging::new(1, 6, 1000, page),
            filtered: false,
        };
        let found = Self {
            search: Search::new(developer::hub(), "pay", &[("label", "domain:payments")]),
            statuses: Vec::new(),
            products: sample_cards().into_iter().take(1).collect(),
            paging: Paging::new(1, 12, 1, page),
            filtered: true,
            ..full.clone()
        };
        let nothing = Self {
            products: Vec::new(),
            paging: Paging::new(1, 12, 0, page),
            search: Search::new(developer::hub(), "<script>alert(1)</script>", &[]),
            ..found.clone()
        };
        let empty =
            Self { search: Search::new(developer::hub(), "", &[]), filtered: false, ..nothing.clone() };
        vec![
            Sample::developer("full", full),
            Sample::developer("found", found).guest(),
            Sample::developer("nothing_found", nothing),
            Sample::developer("empty", Self { labels: Vec::new(), ..empty }).guest(),
        ]
    }
}
