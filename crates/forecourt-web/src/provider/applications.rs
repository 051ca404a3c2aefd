//! Applications of a portal: the list, the page of one, and the form that suspends or resumes it.

use serde::Serialize;

use super::activities::Activity;
use crate::{
    display::{Impact, ImpactKind, Label, Reference, Status, When},
    forms::Form,
    links::{Link, provider},
    lists::{Chip, Paging, Search},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /portals/{portal}/applications`, with the query `search`, `status` and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationList {
    /// The search field.
    pub search: Search,
    /// Filters by status.
    pub statuses: Vec<Chip>,
    /// The applications of this page.
    pub applications: Vec<ApplicationRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a filter or search narrows the list.
    pub filtered: bool,
}

/// One application.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its developer.
    pub developer: Reference,
    /// Active or suspended.
    pub status: Status,
    /// Its subscriptions.
    pub subscriptions: u64,
    /// Whether the viewer may suspend and resume it.
    pub changeable: bool,
    /// When it was made.
    pub created_at: When,
}

/// `GET /portals/{portal}/applications/{application}`.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationPage {
    /// The application.
    pub application: ApplicationRow,
    /// Its description; may be empty.
    pub description: String,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Its callback URLs.
    pub callback_urls: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<Label>,
    /// Why it was suspended; empty where that was not said, or it is active.
    pub reason: String,
    /// Its newest subscriptions, up to fifty.
    pub subscriptions: Vec<ApplicationSubscription>,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// One subscription of the application shown.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationSubscription {
    /// The product.
    pub product: Reference,
    /// Its state.
    pub status: Status,
    /// When it was asked for.
    pub created_at: When,
}

/// `GET` and `POST` `/portals/{portal}/applications/{application}/suspend` and `…/resume`. Field: `reason`.
#[derive(Clone, Debug, Serialize)]
pub struct Suspension {
    /// Whether it is lifted.
    pub resume: bool,
    /// The application's name.
    pub name: String,
    /// What it would stop; lines with a count of 0 are left out.
    pub impact: Vec<Impact>,
    /// Where the form posts to.
    pub action: Link,
    /// Where to go instead.
    pub back: Link,
    /// What was typed.
    pub form: Form,
}

impl View for ApplicationList {
    const TEMPLATE: &'static str = "provider/applications/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let list = provider::applications("default");
        let chip = |text: &str, status: &str, selected| {
            Chip::new(text, list.with_query(&[("status", status)]), selected)
        };
        let page = |n: u64| list.with_query(&[("page", &n.to_string())]);
        let full = Self {
            search: Search::new(list.clone(), "", &[]),
            statuses: vec![
                chip("All", "", true),
                chip("Active", "active", false),
                chip("Suspended", "suspended", false),
            ],
            applications: vec![
                sample_row(1, "Checkout frontend", Status::Active),
                sample_row(
                    2,
                    "Month-end reconciliation for the subsidiaries in Northern Europe",
                    Status::Suspended,
                ),
            ],
            paging: Paging::new(1, 20, 2907, page),
            filtered: false,
        };
        let empty = Self {
            applications: Vec::new(),
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

impl View for ApplicationPage {
    const TEMPLATE: &'static str = "provider/applications/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let active = Self {
            application: sample_row(1, "Checkout frontend", Status::Active),
            description: "Takes the payments of our shop.".to_owned(),
            labels: vec![Label::new("team", "shop")],
            callback_urls: vec!["https://shop.example/signed-in".to_owned()],
            attributes: vec![Label::new("cost center", "4711")],
            reason: String::new(),
            subscriptions: vec![ApplicationSubscription {
                product: Reference::new("Payments", provider::product("default", &id("prd", 1))),
                status: Status::Subscribed,
                created_at: ago(86_400),
            }],
            activity: vec![
                Activity {
                    note: Some("Unusual traffic".to_owned()),
                    ..Activity::sample("application_suspended")
                },
                Activity { actor: None, ..Activity::sample("application_created") },
            ],
        };
        let suspended = Self {
            application: sample_row(1, "Checkout frontend", Status::Suspended),
            reason: "Unusual traffic on Friday night".to_owned(),
            ..active.clone()
        };
        let bare = Self {
            application: sample_row(3, "Batch <script>alert(1)</script>", Status::Suspended),
            description: String::new(),
            labels: Vec::new(),
            callback_urls: Vec::new(),
            attributes: Vec::new(),
            subscriptions: Vec::new(),
            activity: Vec::new(),
            ..active.clone()
        };
        vec![
            Sample::provider("active", active),
            Sample::provider("suspended", suspended),
            Sample::provider("bare", bare),
        ]
    }
}

impl View for Suspension {
    const TEMPLATE: &'static str = "provider/applications/suspension.html";

    fn samples() -> Vec<Sample<Self>> {
        let application = id("app", 1);
        let suspend = Self {
            resume: false,
            name: "Checkout frontend".to_owned(),
            impact: vec![Impact { kind: ImpactKind::Credentials, count: 3 }],
            action: provider::suspend_application("default", &application),
            back: provider::application("default", &application),
            form: Form::new(),
        };
        let resume = Self {
            resume: true,
            impact: Vec::new(),
            action: provider::resume_application("default", &application),
            ..suspend.clone()
        };
        vec![Sample::provider("suspend", suspend), Sample::provider("resume", resume)]
    }
}

fn sample_row(number: u32, name: &str, status: Status) -> ApplicationRow {
    ApplicationRow {
        changeable: true,
        id: id("app", number),
        name: name.to_owned(),
        developer: Reference::new("Analytical Engines Ltd", provider::developer("default", &id("dev", 1))),
        status,
        subscriptions: u64::from(number) * 2,
        created_at: ago(86_400 * i64::from(number)),
    }
}
