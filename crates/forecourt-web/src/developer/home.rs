//! The site's first page: who speaks, what there is, and the way in.

use serde::Serialize;

use super::products::{ProductCard, sample_cards};
use crate::{
    page::{Flash, Tone},
    samples::Sample,
    templates::View,
};

/// `GET /`.
#[derive(Clone, Debug, Serialize)]
pub struct Home {
    /// The portal's own headline; `None` for ours.
    pub headline: Option<String>,
    /// The sentence under it; `None` for ours.
    pub lead: Option<String>,
    /// Up to six products.
    pub featured: Vec<ProductCard>,
    /// How many products the viewer may see.
    pub products: u64,
}

impl View for Home {
    const TEMPLATE: &'static str = "developer/home.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = Self { headline: None, lead: None, featured: sample_cards(), products: 42 };
        let empty = Self { featured: Vec::new(), products: 0, ..full.clone() };
        let own = Self {
            headline: Some("Build on Nordwind".to_owned()),
            lead: Some("Shipping, customs and tracking for 40 countries, from one set of APIs.".to_owned()),
            ..full.clone()
        };
        let mut as_guest = full.clone();
        for card in &mut as_guest.featured {
            card.subscription = None;
        }
        let flash = Flash { tone: Tone::Good, text: "You are signed in.".to_owned(), next: None };
        vec![
            Sample::developer("guest", as_guest.clone()).guest(),
            Sample::developer("signed_in", full).flash(flash),
            Sample::developer("branded", own).guest().branded("#0f766e"),
            Sample::developer("empty", empty).guest(),
        ]
    }
}
