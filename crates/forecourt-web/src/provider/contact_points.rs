//! Contact points: the list, and the form of one. Deleting is `confirm.rs`.

use serde::Serialize;

use crate::{
    display::When,
    forms::Form,
    links::{Link, provider},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /settings/contact-points`.
#[derive(Clone, Debug, Serialize)]
pub struct ContactPointList {
    /// Every contact point, by name.
    pub contact_points: Vec<ContactPointRow>,
}

/// One contact point.
#[derive(Clone, Debug, Serialize)]
pub struct ContactPointRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `email` or `webhook`.
    pub kind: &'static str,
    /// Its addresses, or its URL without the query, which may hold a secret.
    pub target: String,
    /// When it was made.
    pub created_at: When,
}

/// `GET` and `POST` `/settings/contact-points/new` and `…/{contact_point}/edit`. Fields: `name`, `type` (new only),
/// `addresses` (one a line), `url`.
#[derive(Clone, Debug, Serialize)]
pub struct ContactPointForm {
    /// The name of the one that is edited; `None` for a new one.
    pub contact_point: Option<String>,
    /// Its id, where it is edited.
    pub id: Option<String>,
    /// Its type, where it is edited.
    pub kind: Option<&'static str>,
    /// What was typed or is stored.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

impl View for ContactPointList {
    const TEMPLATE: &'static str = "provider/contact_points/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |number, name: &str, kind, target: &str| ContactPointRow {
            id: id("ctp", number),
            name: name.to_owned(),
            kind,
            target: target.to_owned(),
            created_at: ago(86_400 * 3),
        };
        let contact_points = vec![
            row(1, "API operations", "email", "ops@nordwind.example, oncall@nordwind.example"),
            row(2, "Partner chat", "webhook", "https://chat.nordwind.example/hooks/partners"),
        ];
        let empty = Self { contact_points: Vec::new() };
        vec![Sample::provider("full", Self { contact_points }), Sample::provider("empty", empty)]
    }
}

impl View for ContactPointForm {
    const TEMPLATE: &'static str = "provider/contact_points/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let new = Self {
            contact_point: None,
            id: None,
            kind: None,
            form: Form::new().with("type", "email"),
            action: provider::new_contact_point(),
        };
        let refused = Self {
            form: new.form.clone().refused("addresses", "This must be at least one e-mail address."),
            ..new.clone()
        };
        let edit = Self {
            contact_point: Some("Partner chat".to_owned()),
            id: Some(id("ctp", 2)),
            kind: Some("webhook"),
            form: Form::new()
                .with("name", "Partner chat")
                .with("url", "https://chat.nordwind.example/hooks/partners"),
            action: provider::edit_contact_point(&id("ctp", 2)),
        };
        vec![
            Sample::provider("new", new),
            Sample::provider("refused", refused),
            Sample::provider("edit", edit),
        ]
    }
}
