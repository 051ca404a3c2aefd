//! Applications: the list, the form (create and edit), and the page of one.

use serde::Serialize;

use super::{
    credentials::{CredentialRow, sample_rows},
    products::Choice,
};
use crate::{
    display::{Label, Reference, Status, When},
    forms::Form,
    links::{Link, developer},
    lists::{Chip, Paging, Search},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /applications`, with the query `search`, `status` and `page`.
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

/// One application in the list.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its state.
    pub status: Status,
    /// Its subscriptions.
    pub subscriptions: u64,
    /// Its credentials.
    pub credentials: u64,
    /// The last call with one of its credentials, if any.
    pub last_call_at: Option<When>,
    /// When it was made.
    pub created_at: When,
}

/// `GET` and `POST` `/applications/new` and `/applications/{application}/edit`. Fields: `name`, `desc`,
/// `labels` and `attributes` (a line `key: value` each), `callback_urls` (one a line) and, when creating, `products`
/// (several).
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationForm {
    /// The application that is edited; `None` for a new one.
    pub application: Option<Reference>,
    /// Products to choose from; empty when editing.
    pub products: Vec<Choice>,
    /// What was typed.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// `GET /applications/{application}`.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its state.
    pub status: Status,
    /// Why it was suspended or rejected.
    pub status_reason: Option<String>,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Its callback URLs.
    pub callback_urls: Vec<String>,
    /// Its attributes.
    pub attributes: Vec<Label>,
    /// When it was made.
    pub created_at: When,
    /// When it was last changed.
    pub updated_at: When,
    /// Its subscriptions.
    pub subscriptions: Vec<SubscriptionRow>,
    /// Its credentials.
    pub credentials: Vec<CredentialRow>,
    /// Its last 24 hours.
    pub usage: Usage,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// One subscription of the application shown.
#[derive(Clone, Debug, Serialize)]
pub struct SubscriptionRow {
    /// Its id.
    pub id: String,
    /// The product.
    pub product: Reference,
    /// Its state.
    pub status: Status,
    /// Its plan's name, where it has one.
    pub plan: Option<String>,
    /// When it was asked for.
    pub created_at: When,
}

/// Usage at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct Usage {
    /// Calls per hour of the last 24, oldest first.
    pub hours: Vec<u64>,
    /// Their sum.
    pub calls: u64,
    /// The last call, if any.
    pub last_call_at: Option<When>,
}

/// One line of what happened.
#[derive(Clone, Debug, Serialize)]
pub struct Activity {
    /// The sentence.
    pub text: String,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: When,
}

impl View for ApplicationList {
    const TEMPLATE: &'static str = "developer/applications/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let row = |number: u32, name: &str, description: &str, status, seconds: Option<i64>| ApplicationRow {
            id: id("app", number),
            name: name.to_owned(),
            description: description.to_owned(),
            status,
            subscriptions: u64::from(number % 4),
            credentials: u64::from(number % 3),
            last_call_at: seconds.map(ago),
            created_at: ago(86_400 * i64::from(number) * 9),
        };
        let chip = |text: &str, status: &str, selected| {
            Chip::new(text, developer::applications().with_query(&[("status", status)]), selected)
        };
        let page = |n: u64| developer::applications().with_query(&[("page", &n.to_string())]);
        let full = Self {
            search: Search::new(developer::applications(), "", &[]),
            statuses: vec![
                chip("All", "", true),
                chip("Active", "active", false).counting(3),
                chip("Waiting", "pending", false).counting(1),
                chip("Suspended", "suspended", false).counting(1),
            ],
            applications: vec![
                row(1, "Checkout frontend", "The shop's payment step, web and app", Status::Active, Some(40)),
                row(2, "Warehouse sync", "", Status::Active, Some(9120)),
                row(3, "Month-end reconciliation", "Runs on the first working day", Status::Pending, None),
                row(
                    4,
                    "A partner integration with an unreasonably long name that goes on and on, EU-West-2_production",
                    "Migrated from the old portal",
                    Status::Suspended,
                    Some(86_400 * 17),
                ),
            ],
            paging: Paging::new(1, 4, 38, page),
            filtered: false,
        };
        let empty = Self {
            applications: Vec::new(),
            statuses: Vec::new(),
            paging: Paging::new(1, 20, 0, page),
            ..full.clone()
        };
        let none = Self {
            filtered: true,
            search: Search::new(developer::applications(), "zebra", &[]),
            ..empty.clone()
        };
        vec![
            Sample::developer("full", full),
            Sample::developer("empty", empty),
            Sample::developer("none_found", none),
        ]
    }
}

impl View for ApplicationForm {
    const TEMPLATE: &'static str = "developer/applications/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let products = vec![
            Choice::new(id("prd", 1), "Payments").hint("Needs approval"),
            Choice::new(id("prd", 2), "Shipment tracking"),
            Choice::new(id("prd", 4), "Address validation"),
        ];
        let new =
            Self { application: None, products, form: Form::new(), action: developer::new_application() };
        let form = Form::new()
            .with("name", " ")
            .with("desc", "The shop's payment step")
            .with("products", id("prd", 1))
            .refused("name", "A name is 1 to 100 characters and not only spaces.")
            .failed("Nothing was saved: one field needs another value.");
        let edited = Form::new()
            .with("name", "Checkout frontend")
            .with("labels", "team: shop\ntier: 1")
            .with("callback_urls", "https://shop.example/signed-in")
            .with("attributes", "cost center: 4711");
        let edit = Self {
            application: Some(Reference::new("Checkout frontend", developer::application(&id("app", 1)))),
            products: Vec::new(),
            form: edited,
            action: developer::edit_application(&id("app", 1)),
        };
        vec![
            Sample::developer("new", new.clone()),
            Sample::developer("refused", Self { form, ..new }),
            Sample::developer("edit", edit),
        ]
    }
}

impl View for ApplicationPage {
    const TEMPLATE: &'static str = "developer/applications/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = sample_page();
        let suspended = Self {
            status: Status::Suspended,
            status_reason: Some(
                "Calls from an unknown network since 3 August; please regenerate the keys.".to_owned(),
            ),
            ..full.clone()
        };
        let fresh = Self {
            status: Status::Pending,
            description: String::new(),
            labels: Vec::new(),
            callback_urls: Vec::new(),
            attributes: Vec::new(),
            subscriptions: Vec::new(),
            credentials: Vec::new(),
            usage: Usage { hours: vec![0; 24], calls: 0, last_call_at: None },
            activity: Vec::new(),
            ..full.clone()
        };
        vec![
            Sample::developer("full", full),
            Sample::developer("suspended", suspended),
            Sample::developer("fresh", fresh),
        ]
    }
}

fn sample_page() -> ApplicationPage {
    let subscription = |number, name: &str, status| SubscriptionRow {
        id: id("sub", number),
        product: Reference::new(name, developer::product(&id("prd", number))),
        status,
        plan: (number == 1).then(|| "Bronze".to_owned()),
        created_at: ago(86_400 * 3 * i64::from(number)),
    };
    let hours: Vec<u64> = vec![
        310, 280, 190, 120, 90, 110, 260, 480, 910, 1320, 1480, 1510, 1390, 1420, 1530, 1610, 1450, 1230,
        980, 870, 760, 640, 520, 410,
    ];
    ApplicationPage {
        id: id("app", 1),
        name: "Checkout frontend".to_owned(),
        description: "The shop's payment step, web and app".to_owned(),
        status: Status::Active,
        status_reason: None,
        labels: vec![Label::new("team", "shop"), Label::new("tier", "1")],
        callback_urls: vec![
            "https://shop.example/signed-in".to_owned(),
            "https://a-host-with-an-unreasonably-long-name.eu-west-2.staging.shop.example/oauth/callback?tenant=main"
                .to_owned(),
        ],
        attributes: vec![Label::new("cost center", "4711")],
        created_at: ago(86_400 * 200),
        updated_at: ago(7200),
        subscriptions: vec![
            subscription(1, "Payments", Status::Subscribed),
            subscription(
                3,
                "Customs and tariff classification for cross-border consignments",
                Status::WaitForApproval,
            ),
        ],
        credentials: sample_rows(),
        usage: Usage { calls: hours.iter().sum(), hours, last_call_at: Some(ago(40)) },
        activity: vec![
            Activity {
                text: "Subscribed to Payments".to_owned(),
                actor: "Ada Lovelace".to_owned(),
                at: ago(7200),
            },
            Activity {
                text: "API key “Production” created".to_owned(),
                actor: "Charles Babbage".to_owned(),
                at: ago(90_000),
            },
        ],
    }
}
