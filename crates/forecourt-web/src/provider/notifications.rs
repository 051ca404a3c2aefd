//! Notifications of a product: the lines on its page, and the form.

use serde::Serialize;

use crate::{
    developer::products::Choice,
    display::Reference,
    forms::Form,
    links::{Link, provider},
    samples::{Sample, id},
    templates::View,
};

/// One rule as the page of its product shows it.
#[derive(Clone, Debug, Serialize)]
pub struct NotificationShown {
    /// The event's word.
    pub event: &'static str,
    /// The names of whom it tells.
    pub contacts: Vec<String>,
}

/// `GET` and `POST` `/portals/{portal}/products/{product}/notifications`. Fields, for the rule at each place:
/// `event_0` (empty: no rule), `contacts_0` (several), `subject_0`, `content_0`.
#[derive(Clone, Debug, Serialize)]
pub struct NotificationForm {
    /// The product.
    pub product: Reference,
    /// The places of the rules and of a further one.
    pub places: Vec<usize>,
    /// The words of events.
    pub events: Vec<&'static str>,
    /// The contact points to choose from.
    pub contacts: Vec<Choice>,
    /// What was typed or is stored.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

impl View for NotificationForm {
    const TEMPLATE: &'static str = "provider/notifications/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let product = id("prd", 1);
        let contact = |value: &str, text: &str, hint: &str| Choice {
            value: value.to_owned(),
            text: text.to_owned(),
            hint: Some(hint.to_owned()),
        };
        let form = Form::new()
            .with("event_0", "subscription_approval_created")
            .with("contacts_0", "ctp_1")
            .with("subject_0", "{{.ApplicantName}} asks for {{.ResourceName}}");
        let full = Self {
            product: Reference::new("Payments", provider::product("default", &product)),
            places: vec![0, 1],
            events: vec!["subscription_approval_created", "subscription_approval_accepted"],
            contacts: vec![
                contact("ctp_1", "API operations", "E-mail"),
                contact("ctp_2", "Partner chat", "Webhook"),
            ],
            form,
            action: provider::notifications("default", &product),
        };
        let empty = Self { contacts: Vec::new(), form: Form::new(), places: vec![0], ..full.clone() };
        let refused = Self {
            form: full.form.clone().refused("content_0", "This has {{ without }}; write {{.ApplicantName}}."),
            ..full.clone()
        };
        vec![
            Sample::provider("full", full),
            Sample::provider("empty", empty),
            Sample::provider("refused", refused),
        ]
    }
}
