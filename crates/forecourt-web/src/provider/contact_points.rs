//! Contact points: the list, and the form of one. Deleting is `confirm.rs`.

use serde::Serialize;

use crate::{
    developer::credentials::Secret,
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
    /// What was sent to it.
    pub deliveries: Link,
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
    /// Whether it is a webhook that said that it is gone, and is not called until it is saved.
    pub gone: bool,
    /// What was typed or is stored.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// The answer to a create of a webhook, and to `POST …/{contact_point}/signing-secret`: what its calls are signed with,
/// this once. Never cached.
#[derive(Clone, Debug, Serialize)]
pub struct SigningSecretShown {
    /// The contact point's name.
    pub name: String,
    /// The secret.
    pub secrets: Vec<Secret>,
}

impl View for SigningSecretShown {
    const TEMPLATE: &'static str = "provider/contact_points/secret.html";

    fn samples() -> Vec<Sample<Self>> {
        let secrets = vec![Secret {
            name: "Signing secret".to_owned(),
            env: "WEBHOOK_SECRET".to_owned(),
            value: "whsec_c2FtcGxlLW5vdC1hLXJlYWwtc2VjcmV0LTAxMjM0NTY=".to_owned(),
        }];
        vec![Sample::provider("plain", Self { name: "Partner chat".to_owned(), secrets })]
    }
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
            deliveries: provider::deliveries().with_query(&[("contact_point", &id("ctp", number))]),
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
            gone: false,
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
            gone: false,
            form: Form::new()
                .with("name", "Partner chat")
                .with("url", "https://chat.nordwind.example/hooks/partners"),
            action: provider::edit_contact_point(&id("ctp", 2)),
        };
        vec![
            Sample::provider("new", new),
            Sample::provider("refused", refused),
            Sample::provider("gone", Self { gone: true, ..edit.clone() }),
            Sample::provider("edit", edit),
        ]
    }
}
