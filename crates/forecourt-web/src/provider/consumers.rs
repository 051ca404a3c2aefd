//! Consumers of a gateway group and their credentials. Deleting is `confirm.rs`.

use serde::Serialize;

use crate::{
    display::{Label, Reference, When},
    forms::Form,
    links::{Link, provider},
    lists::{Chip, Paging},
    provider::activities::Activity,
    samples::{Sample, ago},
    templates::View,
};

/// `GET /gateway/groups/{group}/consumers`, with the query `page`.
#[derive(Clone, Debug, Serialize)]
pub struct ConsumerList {
    /// The group.
    pub group: Reference,
    /// Its id.
    pub group_id: String,
    /// Its consumers of this page.
    pub consumers: Vec<ConsumerRow>,
    /// The paging.
    pub paging: Paging,
}

/// One consumer.
#[derive(Clone, Debug, Serialize)]
pub struct ConsumerRow {
    /// Its user name, which is its id within the group.
    pub username: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its labels.
    pub labels: Vec<Label>,
    /// When it was last changed.
    pub updated_at: When,
}

/// `GET` and `POST` `/gateway/groups/{group}/new-consumer` and `…/consumers/{consumer}/edit`. Fields: `username` (of a
/// new one), `desc`, `labels` (`key: value`, one a line).
#[derive(Clone, Debug, Serialize)]
pub struct ConsumerForm {
    /// The group.
    pub group: Reference,
    /// The consumer that is edited; `None`: a new one.
    pub consumer: Option<Reference>,
    /// Where the form posts to.
    pub action: Link,
    /// Where to go instead.
    pub back: Link,
    /// What was typed or is stored.
    pub form: Form,
}

/// `GET /gateway/groups/{group}/consumers/{consumer}`.
#[derive(Clone, Debug, Serialize)]
pub struct ConsumerPage {
    /// The group.
    pub group: Reference,
    /// Its id.
    pub group_id: String,
    /// The consumer.
    pub consumer: ConsumerRow,
    /// The names of the plugins that lie in the consumer itself.
    pub plugins: Vec<String>,
    /// Its credentials. Never their secrets.
    pub credentials: Vec<CredentialRow>,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// One credential of a consumer.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialRow {
    /// Its id.
    pub id: String,
    /// Its name, else its id.
    pub name: String,
    /// `key-auth`, `basic-auth` or `jwt-auth`.
    pub kind: &'static str,
    /// When it was made.
    pub created_at: When,
}

/// `GET` and `POST` `/gateway/groups/{group}/consumers/{consumer}/credentials/new`, with the query `kind`. Fields:
/// `kind`, `name`; with `key-auth` `secret`; with `basic-auth` `username`, `secret`; with `jwt-auth` `key`, `algorithm`,
/// `secret`, `public_key`.
#[derive(Clone, Debug, Serialize)]
pub struct CredentialForm {
    /// The group.
    pub group: Reference,
    /// The consumer.
    pub consumer: Reference,
    /// `key-auth`, `basic-auth` or `jwt-auth`.
    pub kind: &'static str,
    /// The kinds to choose from.
    pub kinds: Vec<Chip>,
    /// The algorithms of tokens.
    pub algorithms: Vec<&'static str>,
    /// Where the form posts to.
    pub action: Link,
    /// What was typed.
    pub form: Form,
}

fn sample_group() -> Reference {
    Reference::new("default", provider::group("default"))
}

fn sample_consumer() -> ConsumerRow {
    ConsumerRow {
        username: "nightly-export".to_owned(),
        description: "Copies the orders of the day.".to_owned(),
        labels: vec![Label::new("custom_id", "42")],
        updated_at: ago(86_400),
    }
}

impl View for ConsumerList {
    const TEMPLATE: &'static str = "provider/consumers/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let page = |n: u64| provider::consumers("default").with_query(&[("page", &n.to_string())]);
        let other = ConsumerRow {
            username: "monitoring".to_owned(),
            description: String::new(),
            labels: Vec::new(),
            ..sample_consumer()
        };
        let full = Self {
            group: sample_group(),
            group_id: "default".to_owned(),
            consumers: vec![sample_consumer(), other],
            paging: Paging::new(1, 20, 2, page),
        };
        let empty = Self { consumers: Vec::new(), paging: Paging::new(1, 20, 0, page), ..full.clone() };
        vec![Sample::provider("full", full), Sample::provider("empty", empty)]
    }
}

impl View for ConsumerForm {
    const TEMPLATE: &'static str = "provider/consumers/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let plain = Self {
            group: sample_group(),
            consumer: None,
            action: provider::new_consumer("default"),
            back: provider::consumers("default"),
            form: Form::new(),
        };
        let page = provider::consumer("default", "nightly-export");
        let edited = Self {
            consumer: Some(Reference::new("nightly-export", page.clone())),
            action: provider::edit_consumer("default", "nightly-export"),
            back: page,
            form: Form::new().with("desc", "Copies the orders of the day.").with("labels", "custom_id: 42"),
            ..plain.clone()
        };
        vec![Sample::provider("plain", plain), Sample::provider("edited", edited)]
    }
}

impl View for ConsumerPage {
    const TEMPLATE: &'static str = "provider/consumers/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |number: u32, name: &str, kind| CredentialRow {
            id: format!("ccr_{number}"),
            name: name.to_owned(),
            kind,
            created_at: ago(86_400 * 3),
        };
        let full = Self {
            group: sample_group(),
            group_id: "default".to_owned(),
            consumer: sample_consumer(),
            plugins: vec!["consumer-restriction".to_owned()],
            credentials: vec![row(1, "production", "key-auth"), row(2, "laptop", "jwt-auth")],
            activity: vec![Activity::sample("consumer_created")],
        };
        let bare = Self { plugins: Vec::new(), credentials: Vec::new(), ..full.clone() };
        vec![Sample::provider("full", full), Sample::provider("bare", bare)]
    }
}

impl View for CredentialForm {
    const TEMPLATE: &'static str = "provider/consumers/credential.html";

    fn samples() -> Vec<Sample<Self>> {
        let action = || provider::new_consumer_credential("default", "nightly-export");
        let view = |kind| Self {
            group: sample_group(),
            consumer: Reference::new("nightly-export", provider::consumer("default", "nightly-export")),
            kind,
            kinds: ["key-auth", "basic-auth", "jwt-auth"]
                .into_iter()
                .map(|one| Chip::new(one, action().with_query(&[("kind", one)]), one == kind))
                .collect(),
            algorithms: vec!["HS256", "RS256"],
            action: action(),
            form: Form::new().with("kind", kind),
        };
        vec![
            Sample::provider("key", view("key-auth")),
            Sample::provider("basic", view("basic-auth")),
            Sample::provider("token", view("jwt-auth")),
        ]
    }
}
