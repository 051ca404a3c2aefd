//! The audit log: the list of records, and the page of one with what it changed.

use serde::Serialize;

use crate::{
    display::When,
    forms::Form,
    links::{Link, admin_api, provider},
    lists::Paging,
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /settings/audit`, with the query `event_type`, `operator_id`, `resource_id`, `from`, `to` and `page`.
#[derive(Clone, Debug, Serialize)]
pub struct AuditLog {
    /// What is asked for.
    pub filter: Form,
    /// The event types to choose from.
    pub event_types: Vec<EventTypeChoice>,
    /// The records of this page.
    pub records: Vec<AuditRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether a filter narrows the list.
    pub filtered: bool,
    /// Where the list is downloaded.
    pub export: Link,
    /// The filter as the download takes it: names and values.
    pub exported: Vec<(&'static str, String)>,
}

/// An event type to choose.
#[derive(Clone, Debug, Serialize)]
pub struct EventTypeChoice {
    /// Its word.
    pub value: String,
    /// What people call it.
    pub text: String,
}

/// One record of the list.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRow {
    /// Its id.
    pub id: String,
    /// What was asked for, for people.
    pub event: String,
    /// Who did it; empty: nobody known.
    pub operator: String,
    /// The page of whoever did it, where they have one.
    pub operator_href: Option<Link>,
    /// What it was done to: an id; may be empty.
    pub resource: String,
    /// What that is called now; empty: it is gone, or has no name.
    pub resource_name: String,
    /// Its page, where it has one.
    pub resource_href: Option<Link>,
    /// Through which door: `audit.source.*` in the catalogue.
    pub source: String,
    /// The status that was answered, where that is known.
    pub status: Option<u16>,
    /// Why it did not happen, where it did not.
    pub error: Option<String>,
    /// When.
    pub at: When,
}

/// `GET /settings/audit/{record}`.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecordPage {
    /// What the list shows of it.
    pub record: AuditRow,
    /// The operator's id; may be empty.
    pub operator_id: String,
    /// The name of the token; may be empty.
    pub token: String,
    /// The gateway group; may be empty.
    pub gateway_group: String,
    /// The client's address; may be empty.
    pub address: String,
    /// The request's id.
    pub request_id: String,
    /// Method, path and query; may be empty.
    pub request: String,
    /// What the client calls itself; may be empty.
    pub user_agent: String,
    /// The request's body as text; may be empty.
    pub request_body: String,
    /// The answer's body as text; may be empty.
    pub response_body: String,
    /// What changed.
    pub changes: Vec<AuditChangeShown>,
    /// How many things changed beyond those.
    pub more: u64,
}

/// One thing that changed.
#[derive(Clone, Debug, Serialize)]
pub struct AuditChangeShown {
    /// What happened: `happened.*` in the catalogue.
    pub event: String,
    /// The noun and its id.
    pub what: String,
    /// What is told of it beside.
    pub details: Vec<DetailShown>,
    /// The members that differ.
    pub members: Vec<MemberChange>,
}

/// Something that is told of a change.
#[derive(Clone, Debug, Serialize)]
pub struct DetailShown {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub value: String,
}

/// A member before and after; an empty text: it was not, or is not there.
#[derive(Clone, Debug, Serialize)]
pub struct MemberChange {
    /// Its name.
    pub name: String,
    /// How it was.
    pub before: String,
    /// How it is.
    pub after: String,
}

fn sample_row(number: u32, event: &str, status: u16, error: Option<&str>) -> AuditRow {
    AuditRow {
        id: id("aud", number),
        event: event.to_owned(),
        operator: "Grace Hopper".to_owned(),
        operator_href: Some(provider::administrator(&id("usr", 1))),
        resource: id("prd", number),
        resource_name: "Payments".to_owned(),
        resource_href: Some(provider::product("default", &id("prd", number))),
        source: "dashboard".to_owned(),
        status: Some(status),
        error: error.map(str::to_owned),
        at: ago(3_600 * i64::from(number)),
    }
}

impl View for AuditLog {
    const TEMPLATE: &'static str = "provider/audit_logs/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let list = provider::audit_log();
        let page = |n: u64| list.with_query(&[("page", &n.to_string())]);
        let choice =
            |value: &str, text: &str| EventTypeChoice { value: value.to_owned(), text: text.to_owned() };
        let unknown = AuditRow {
            operator: String::new(),
            operator_href: None,
            resource: String::new(),
            resource_name: String::new(),
            resource_href: None,
            ..sample_row(3, "Login", 401, Some("unauthorized"))
        };
        let job = AuditRow {
            resource_name: String::new(),
            resource_href: None,
            source: "job".to_owned(),
            status: None,
            ..sample_row(4, "Update user", 200, None)
        };
        let full = Self {
            filter: Form::new().with("event_type", "UpdateAPIProduct"),
            event_types: vec![choice("Login", "Login"), choice("UpdateAPIProduct", "Update API product")],
            records: vec![
                sample_row(1, "Update API product", 200, None),
                sample_row(2, "Delete API product", 400, Some("type <script>alert(1)</script> is not known")),
                unknown,
                job,
            ],
            paging: Paging::new(1, 20, 482, page),
            filtered: true,
            export: admin_api::audit_export(),
            exported: vec![("event_type", "UpdateAPIProduct".to_owned())],
        };
        let none = Self { records: Vec::new(), paging: Paging::new(1, 20, 0, page), ..full.clone() };
        let empty = Self { filter: Form::new(), filtered: false, exported: Vec::new(), ..none.clone() };
        let typed = Form::new().with("from", "yesterday");
        let filter = typed.refused("from", "This must be a day, such as 2026-08-07.");
        let refused = Self { filter, exported: Vec::new(), ..none.clone() };
        vec![
            Sample::provider("full", full.clone()),
            Sample::provider("refused", refused),
            Sample::provider("none_found", none),
            Sample::provider("empty", empty),
            Sample::provider("reading", full).reading(),
        ]
    }
}

fn sample_changes() -> Vec<AuditChangeShown> {
    let member = |name: &str, before: &str, after: &str| MemberChange {
        name: name.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
    };
    vec![
        AuditChangeShown {
            event: "product_updated".to_owned(),
            what: format!("product {}", id("prd", 1)),
            details: Vec::new(),
            members: vec![
                member("name", "Payment", "Payments"),
                member("desc", "", "<script>alert(1)</script>"),
            ],
        },
        AuditChangeShown {
            event: "subscription_approval_cancelled".to_owned(),
            what: format!("subscription {}", id("sub", 1)),
            details: vec![
                DetailShown { name: "product_id".to_owned(), value: id("prd", 1) },
                DetailShown { name: "reason".to_owned(), value: "<script>alert(1)</script>".to_owned() },
            ],
            members: Vec::new(),
        },
    ]
}

impl View for AuditRecordPage {
    const TEMPLATE: &'static str = "provider/audit_logs/record.html";

    fn samples() -> Vec<Sample<Self>> {
        let changed = Self {
            record: sample_row(1, "Update API product", 200, None),
            operator_id: id("usr", 1),
            token: "ci".to_owned(),
            gateway_group: "default".to_owned(),
            address: "203.0.113.7".to_owned(),
            request_id: id("req", 1),
            request: "PUT /api/api_products/prd_1?portal_id=default".to_owned(),
            user_agent: "curl/8".to_owned(),
            request_body: "{\n  \"name\": \"Payments\"\n}".to_owned(),
            response_body: "{\n  \"value\": {\n    \"name\": \"Payments\"\n  }\n}".to_owned(),
            changes: sample_changes(),
            more: 3,
        };
        let refused = Self {
            record: sample_row(2, "Delete API product", 400, Some("the product has subscriptions")),
            token: String::new(),
            gateway_group: String::new(),
            request_body: String::new(),
            response_body: String::new(),
            changes: Vec::new(),
            more: 0,
            ..changed.clone()
        };
        let bare = Self {
            record: AuditRow {
                operator: String::new(),
                operator_href: None,
                resource: String::new(),
                resource_name: String::new(),
                resource_href: None,
                source: "job".to_owned(),
                status: None,
                ..sample_row(3, "Update user", 200, None)
            },
            operator_id: String::new(),
            address: String::new(),
            request: String::new(),
            user_agent: String::new(),
            ..refused.clone()
        };
        vec![
            Sample::provider("changed", changed),
            Sample::provider("refused", refused),
            Sample::provider("bare", bare),
        ]
    }
}
