//! Developers of a portal: the list, the invitation, and the page of one. Deleting is `confirm.rs`.

use serde::Serialize;

use super::activities::Activity;
use crate::{
    developer::credentials::Secret,
    display::{Reference, Status, When},
    forms::Form,
    links::provider,
    lists::{Chip, Paging, Search},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /portals/{portal}/developers`, with the query `search`, `status` and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct DeveloperList {
    /// The search field.
    pub search: Search,
    /// Filters by status.
    pub statuses: Vec<Chip>,
    /// The developers of this page.
    pub developers: Vec<DeveloperRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a filter or search narrows the list.
    pub filtered: bool,
}

/// One developer.
#[derive(Clone, Debug, Serialize)]
pub struct DeveloperRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its e-mail address, if known.
    pub email: Option<String>,
    /// Pending or active.
    pub status: Status,
    /// Its applications.
    pub applications: u64,
    /// When it was last seen, if ever.
    pub last_active_at: Option<When>,
    /// When it registered.
    pub created_at: When,
}

/// `GET` and `POST` `/portals/{portal}/developers/invite`. Fields: `username`, `name`.
#[derive(Clone, Debug, Serialize)]
pub struct Invite {
    /// What was typed.
    pub form: Form,
}

/// The answer to an invitation, or to a reset: the one-time password, this once. Never cached.
#[derive(Clone, Debug, Serialize)]
pub struct Invited {
    /// The developer.
    pub developer: Reference,
    /// Whether they were there before.
    pub reset: bool,
    /// Username and one-time password.
    pub secrets: Vec<Secret>,
}

/// `GET /portals/{portal}/developers/{developer}`.
#[derive(Clone, Debug, Serialize)]
pub struct DeveloperPage {
    /// The developer.
    pub developer: DeveloperRow,
    /// Whether somebody signs in to the portal's site as this developer.
    pub signs_in: bool,
    /// Whether its e-mail address is proven; `None`: it has none.
    pub email_verified: Option<bool>,
    /// Its applications.
    pub applications: Vec<DeveloperApplication>,
    /// What happened, newest first.
    pub activity: Vec<Activity>,
}

/// One application of the developer shown.
#[derive(Clone, Debug, Serialize)]
pub struct DeveloperApplication {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: Status,
    /// Its subscriptions.
    pub subscriptions: u64,
    /// When it was made.
    pub created_at: When,
}

impl View for DeveloperList {
    const TEMPLATE: &'static str = "provider/developers/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let list = provider::developers("default");
        let chip = |text: &str, status: &str, selected| {
            Chip::new(text, list.with_query(&[("status", status)]), selected)
        };
        let page = |n: u64| list.with_query(&[("page", &n.to_string())]);
        let full = Self {
            search: Search::new(list.clone(), "", &[]),
            statuses: vec![
                chip("All", "", true),
                chip("Waiting", "pending", false).counting(1),
                chip("Active", "active", false),
            ],
            developers: sample_rows(),
            paging: Paging::new(1, 20, 1310, page),
            filtered: false,
        };
        let empty = Self {
            developers: Vec::new(),
            statuses: Vec::new(),
            paging: Paging::new(1, 20, 0, page),
            ..full.clone()
        };
        let none = Self { filtered: true, ..empty.clone() };
        vec![
            Sample::provider("full", full),
            Sample::provider("empty", empty),
            Sample::provider("none_found", none),
        ]
    }
}

impl View for Invite {
    const TEMPLATE: &'static str = "provider/developers/invite.html";

    fn samples() -> Vec<Sample<Self>> {
        let refused = Form::new()
            .with("username", "ada")
            .refused("username", "Somebody has this username; choose another one.");
        vec![
            Sample::provider("plain", Self { form: Form::new() }),
            Sample::provider("refused", Self { form: refused }),
        ]
    }
}

impl View for Invited {
    const TEMPLATE: &'static str = "provider/developers/invited.html";

    fn samples() -> Vec<Sample<Self>> {
        let secret = |name: &str, env: &str, value: &str| Secret {
            name: name.to_owned(),
            env: env.to_owned(),
            value: value.to_owned(),
        };
        let developer = Reference::new("Ada Lovelace", provider::developer("default", &id("dev", 1)));
        let secrets = vec![
            secret("Username", "PORTAL_USERNAME", "ada"),
            secret("One-time password", "PORTAL_PASSWORD", "sample-velvet-harbour-71"),
        ];
        let plain = Self { developer, reset: false, secrets };
        let reset = Self { reset: true, ..plain.clone() };
        vec![Sample::provider("plain", plain), Sample::provider("reset", reset)]
    }
}

impl View for DeveloperPage {
    const TEMPLATE: &'static str = "provider/developers/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let mut rows = sample_rows().into_iter();
        let application = |number, name: &str, status| DeveloperApplication {
            id: id("app", number),
            name: name.to_owned(),
            status,
            subscriptions: 2,
            created_at: ago(86_400 * 20),
        };
        let full = rows.next().map(|developer| Self {
            developer,
            signs_in: true,
            email_verified: Some(true),
            applications: vec![
                application(1, "Checkout frontend", Status::Active),
                application(4, "Fleet telemetry", Status::Suspended),
            ],
            activity: vec![Activity::sample("developer_activated"), Activity::sample("developer_created")],
        });
        let bare = |developer: DeveloperRow| Self {
            email_verified: developer.email.as_ref().map(|_| false),
            developer,
            signs_in: false,
            applications: Vec::new(),
            activity: Vec::new(),
        };
        let [pending, held] = [rows.next(), rows.next()].map(|row| row.map(bare));
        let names = ["full", "pending", "on_hold"];
        names
            .into_iter()
            .zip([full, pending, held].into_iter().flatten())
            .map(|(n, v)| Sample::provider(n, v))
            .collect()
    }
}

fn sample_rows() -> Vec<DeveloperRow> {
    let row = |number: u32, name: &str, email: Option<&str>, status, seen: Option<i64>| DeveloperRow {
        id: id("dev", number),
        name: name.to_owned(),
        email: email.map(str::to_owned),
        status,
        applications: u64::from(number % 3) * 2,
        last_active_at: seen.map(ago),
        created_at: ago(86_400 * 30 * i64::from(number)),
    };
    vec![
        row(1, "Analytical Engines Ltd", Some("ada@analytical.example"), Status::Active, Some(300)),
        row(
            2,
            "Bertrand Maximilian von Hohenlohe-Waldenburg",
            Some("bertrand@a-very-long-domain-name.example"),
            Status::Pending,
            None,
        ),
        row(3, "tenant-7f31b2c9", None, Status::OnHold, Some(86_400 * 3)),
    ]
}
