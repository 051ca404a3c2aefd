//! Subscribe an application to products, from the application's side. Cancelling is `confirm.rs`.

use serde::Serialize;

use super::products::Choice;
use crate::{
    display::Reference,
    forms::Form,
    links::developer,
    samples::{Sample, id},
    templates::View,
};

/// `GET` and `POST` `/applications/{application}/subscriptions/new`. Field: `products` (several).
#[derive(Clone, Debug, Serialize)]
pub struct Subscribe {
    /// The application.
    pub application: Reference,
    /// Its id.
    pub application_id: String,
    /// Products without a subscription of this application.
    pub products: Vec<Choice>,
    /// What was chosen.
    pub form: Form,
}

impl View for Subscribe {
    const TEMPLATE: &'static str = "developer/subscriptions.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = Self {
            application: Reference::new("Checkout frontend", developer::application(&id("app", 1))),
            application_id: id("app", 1),
            products: vec![
                Choice::new(id("prd", 2), "Shipment tracking"),
                Choice::new(id("prd", 3), "Customs and tariff classification for cross-border consignments")
                    .hint("Needs approval"),
                Choice::new(id("prd", 4), "Address validation"),
            ],
            form: Form::new(),
        };
        let refused =
            Self { form: Form::new().refused("products", "Choose at least one product."), ..full.clone() };
        let nothing = Self { products: Vec::new(), ..full.clone() };
        vec![
            Sample::developer("full", full),
            Sample::developer("refused", refused),
            Sample::developer("nothing_left", nothing),
        ]
    }
}
