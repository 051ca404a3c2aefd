//! Products: the list, the form (create and edit), and the page of one. Publish, unpublish and delete are
//! `confirm.rs`.

use serde::Serialize;

use super::{activities::Activity, notifications::NotificationShown};
use crate::{
    developer::products::{AuthKind, AuthMethod, Choice, ProductKind},
    display::{Label, Reference, Status, When},
    forms::Form,
    links::{Link, provider},
    lists::{Chip, Paging, Search},
    plans::{PlanShown, sample_plans},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /portals/{portal}/products`, with the query `search`, `status` and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct ProductList {
    /// The search field.
    pub search: Search,
    /// Filters by status.
    pub statuses: Vec<Chip>,
    /// The products of this page.
    pub products: Vec<ProductRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a filter or search narrows the list.
    pub filtered: bool,
}

/// One product.
#[derive(Clone, Debug, Serialize)]
pub struct ProductRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its kind.
    pub kind: ProductKind,
    /// Draft or published.
    pub status: Status,
    /// How callers prove themselves.
    pub authentication: Vec<AuthKind>,
    /// Its subscriptions.
    pub subscriptions: u64,
    /// When it was last changed.
    pub updated_at: When,
}

/// `GET` and `POST` `/portals/{portal}/products/new?kind=…` and `…/{product}/edit`. Fields: `kind` (`gateway` or
/// `external`; new only), `name`, `desc`, `labels`, `visibility` (`public` or `logged_in`),
/// `can_view_unsubscribed` (`true`); gateway: `services` (several), `auth` (several of `key_auth`, `basic_auth`),
/// `key_header`, `key_query`, `hide_credentials` (`true`), `subscription_approval` (`true`); external: `servers`
/// (one a line), `document` (the OpenAPI text).
#[derive(Clone, Debug, Serialize)]
pub struct ProductForm {
    /// The product that is edited; `None` for a new one.
    pub product: Option<Reference>,
    /// The kind.
    pub kind: ProductKind,
    /// Its own services and those that no product has.
    pub services: Vec<Choice>,
    /// Whether authentication is locked, because the product is published.
    pub locked: bool,
    /// The DCR providers whose tokens it may accept.
    pub providers: Vec<Choice>,
    /// What was typed.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// `GET /portals/{portal}/products/{product}`.
#[derive(Clone, Debug, Serialize)]
pub struct ProductPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its description; may be empty.
    pub description: String,
    /// Its kind.
    pub kind: ProductKind,
    /// Draft or published.
    pub status: Status,
    /// Its labels.
    pub labels: Vec<Label>,
    /// Whether guests may see it.
    pub public: bool,
    /// Whether subscriptions need approval.
    pub needs_approval: bool,
    /// How callers prove themselves.
    pub authentication: Vec<AuthMethod>,
    /// The linked services.
    pub services: Vec<Reference>,
    /// Its plans, the oldest first.
    pub plans: Vec<PlanShown>,
    /// Whom its subscriptions are told to, and when.
    pub notifications: Vec<NotificationShown>,
    /// Its newest subscriptions, up to ten.
    pub subscriptions: Vec<ProductSubscription>,
    /// How many there are.
    pub subscription_count: u64,
    /// When it was made.
    pub created_at: When,
    /// When it was last changed.
    pub updated_at: When,
    /// What happened to it, newest first.
    pub activity: Vec<Activity>,
}

/// One subscription to the product shown.
#[derive(Clone, Debug, Serialize)]
pub struct ProductSubscription {
    /// The application.
    pub application: Reference,
    /// Its developer.
    pub developer: Reference,
    /// Its state.
    pub status: Status,
    /// Its plan's name and where to change it, where the product has plans.
    pub plan: Option<Reference>,
    /// When it was asked for.
    pub created_at: When,
}

impl View for ProductList {
    const TEMPLATE: &'static str = "provider/products/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let row =
            |number: u32, name: &str, kind, status, authentication: &[AuthKind], subscriptions| ProductRow {
                id: id("prd", number),
                name: name.to_owned(),
                description: String::new(),
                kind,
                status,
                authentication: authentication.to_vec(),
                subscriptions,
                updated_at: ago(i64::from(number) * 40_000),
            };
        use {AuthKind::*, ProductKind::*, Status::*};
        let list = provider::products("default");
        let chip = |text: &str, status: &str, selected| {
            Chip::new(text, list.with_query(&[("status", status)]), selected)
        };
        let page = |n: u64| list.with_query(&[("page", &n.to_string())]);
        let full = Self {
            search: Search::new(list.clone(), "", &[]),
            statuses: vec![
                chip("All", "", true),
                chip("Published", "published", false).counting(42),
                chip("Draft", "draft", false).counting(3),
            ],
            products: vec![
                row(1, "Payments", Gateway, Published, &[KeyAuth, BasicAuth], 1204),
                row(2, "Shipment tracking", Gateway, Published, &[KeyAuth], 88),
                row(
                    3,
                    "Customs and tariff classification for cross-border consignments",
                    Gateway,
                    Draft,
                    &[Oauth],
                    0,
                ),
                row(5, "Exchange rates", External, Published, &[], 0),
            ],
            paging: Paging::new(1, 20, 45, page),
            filtered: false,
        };
        let empty = Self {
            products: Vec::new(),
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

impl View for ProductForm {
    const TEMPLATE: &'static str = "provider/products/form.html";

    fn samples() -> Vec<Sample<Self>> {
        let services = vec![
            Choice::new("svc_1", "payments-core").hint("default · /payments"),
            Choice::new("svc_2", "refunds").hint("default · /payments/refunds"),
        ];
        let gateway = Self {
            product: None,
            kind: ProductKind::Gateway,
            services,
            locked: false,
            providers: vec![Choice::new("dcr_1", "Keycloak")],
            form: Form::new()
                .with("visibility", "logged_in")
                .with("auth", "key_auth")
                .with("key_header", "apikey"),
            action: provider::new_product("default"),
        };
        let refused = Form::new()
            .with("name", "Payments")
            .with("services", "svc_1")
            .with("visibility", "public")
            .refused(
                "services",
                "The service payments-core belongs to the product Payments; unlink it there first.",
            );
        let external = Self {
            kind: ProductKind::External,
            services: Vec::new(),
            form: Form::new().with("visibility", "public"),
            ..gateway.clone()
        };
        let edit = Self {
            product: Some(Reference::new("Payments", provider::product("default", &id("prd", 1)))),
            locked: true,
            form: Form::new().with("name", "Payments").with("visibility", "public"),
            action: provider::edit_product("default", &id("prd", 1)),
            ..gateway.clone()
        };
        vec![
            Sample::provider("gateway", gateway.clone()),
            Sample::provider("no_services", Self { services: Vec::new(), ..gateway.clone() }),
            Sample::provider("refused", Self { form: refused, ..gateway }),
            Sample::provider("external", external),
            Sample::provider("edit", edit),
        ]
    }
}

impl View for ProductPage {
    const TEMPLATE: &'static str = "provider/products/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let full = sample_page();
        let draft = Self {
            status: Status::Draft,
            subscriptions: Vec::new(),
            subscription_count: 0,
            services: Vec::new(),
            plans: Vec::new(),
            notifications: Vec::new(),
            labels: Vec::new(),
            activity: Vec::new(),
            authentication: Vec::new(),
            description: String::new(),
            ..full.clone()
        };
        let external = Self { kind: ProductKind::External, ..draft.clone() };
        vec![
            Sample::provider("published", full),
            Sample::provider("draft", draft),
            Sample::provider("external", external),
        ]
    }
}

fn sample_page() -> ProductPage {
    let application = |name: &str| Reference::new(name, provider::application("default", &id("app", 1)));
    let plan = |name: &str| {
        Reference::new(name, provider::subscription_plan("default", &id("prd", 1), &id("sub", 1)))
    };
    let developer = || Reference::new("Analytical Engines Ltd", provider::developer("default", "org_1"));
    ProductPage {
        id: id("prd", 1),
        name: "Payments".to_owned(),
        description: "Take card and bank payments, refund them, and settle to any account.".to_owned(),
        kind: ProductKind::Gateway,
        status: Status::Published,
        labels: vec![Label::new("domain", "payments")],
        public: true,
        needs_approval: true,
        authentication: vec![AuthMethod {
            kind: AuthKind::KeyAuth,
            header: Some("apikey".to_owned()),
            query: None,
        }],
        services: vec![Reference::new("payments-core", provider::service("default", "svc_1"))],
        plans: sample_plans(),
        notifications: vec![NotificationShown {
            event: "subscription_approval_created",
            contacts: vec!["API operations".to_owned(), "Partner chat".to_owned()],
        }],
        subscriptions: vec![
            ProductSubscription {
                application: application("Checkout frontend"),
                developer: developer(),
                status: Status::Subscribed,
                plan: Some(plan("Bronze")),
                created_at: ago(86_400),
            },
            ProductSubscription {
                application: application("Month-end reconciliation"),
                developer: developer(),
                status: Status::WaitForApproval,
                plan: Some(plan("Gold")),
                created_at: ago(300),
            },
        ],
        subscription_count: 1204,
        created_at: ago(86_400 * 300),
        updated_at: ago(86_400 * 4),
        activity: vec![Activity::sample("product_published"), Activity::sample("product_created")],
    }
}
