//! The inbox of approvals: subscriptions, registrations, applications.
//!
//! Accepting posts at once; rejecting asks for a reason on a page of its own. With script both replace the
//! list in place.

use serde::Serialize;

use crate::{
    display::{Status, When},
    forms::Form,
    links::provider,
    lists::{Chip, Paging, Search},
    samples::{Sample, ago, id},
    templates::View,
};

/// `GET /approvals`, with the query `search`, `status` (`pending`, the default, or `finished`), `event` and
/// `page`. `POST /approvals/{approval}/accept` answers with a redirect to it.
#[derive(Clone, Debug, Serialize)]
pub struct Inbox {
    /// The search field.
    pub search: Search,
    /// Pending or finished.
    pub statuses: Vec<Chip>,
    /// Filters by what is asked for.
    pub events: Vec<Chip>,
    /// The approvals of this page.
    pub approvals: Vec<ApprovalRow>,
    /// The paging.
    pub paging: Paging,
    /// Whether the finished ones are shown.
    pub finished: bool,
    /// Whether a filter or search narrows the list.
    pub filtered: bool,
}

/// One approval.
#[derive(Clone, Debug, Serialize)]
pub struct ApprovalRow {
    /// Its id.
    pub id: String,
    /// What is asked for.
    pub event: ApprovalKind,
    /// Who asks.
    pub applicant: String,
    /// For what: the product, the application, or the e-mail address.
    pub subject: String,
    /// The portal.
    pub portal: String,
    /// Pending, accepted, rejected or cancelled.
    pub status: Status,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// Whether the viewer may decide it.
    pub decidable: bool,
    /// When it was asked.
    pub created_at: When,
}

/// What is asked for; texts are `approval.KIND.*` in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalKind {
    /// A subscription to a product.
    Subscription,
    /// An account.
    Registration,
    /// An application.
    Application,
}

/// `GET` and `POST` `/approvals/{approval}/reject`. Field: `reason`.
#[derive(Clone, Debug, Serialize)]
pub struct Reject {
    /// The approval.
    pub approval: ApprovalRow,
    /// What was typed.
    pub form: Form,
}

impl View for Inbox {
    const TEMPLATE: &'static str = "provider/approvals/list.html";

    fn samples() -> Vec<Sample<Self>> {
        let chip = |name: &str, value: &str, text: &str, selected| {
            Chip::new(text, provider::approvals().with_query(&[(name, value)]), selected)
        };
        let page = |n: u64| provider::approvals().with_query(&[("page", &n.to_string())]);
        let pending = Self {
            search: Search::new(provider::approvals(), "", &[]),
            statuses: vec![
                chip("status", "pending", "Waiting", true).counting(3),
                chip("status", "finished", "Decided", false),
            ],
            events: vec![
                chip("event", "", "All requests", true),
                chip("event", "subscription", "Subscriptions", false),
                chip("event", "registration", "Registrations", false),
            ],
            approvals: sample_rows(),
            paging: Paging::new(1, 20, 3, page),
            finished: false,
            filtered: false,
        };
        let decided = |mut row: ApprovalRow, status, reason: Option<&str>| {
            row.status = status;
            row.reason = reason.map(str::to_owned);
            row.decided_by = Some("Grace Hopper".to_owned());
            row
        };
        let outcomes = [
            (Status::Accepted, None),
            (Status::Rejected, Some("Please use the address of your company.")),
            (Status::Cancelled, None),
        ];
        let approvals = sample_rows()
            .into_iter()
            .zip(outcomes)
            .map(|(row, (status, reason))| decided(row, status, reason));
        let finished = Self { finished: true, approvals: approvals.collect(), ..pending.clone() };
        let empty = Self { approvals: Vec::new(), paging: Paging::new(1, 20, 0, page), ..pending.clone() };
        vec![
            Sample::provider("pending", pending),
            Sample::provider("finished", finished.clone()),
            Sample::provider("none_found", Self { filtered: true, ..empty.clone() }),
            Sample::provider("none_finished", Self { finished: true, ..empty.clone() }),
            Sample::provider("empty", empty),
        ]
    }
}

impl View for Reject {
    const TEMPLATE: &'static str = "provider/approvals/reject.html";

    fn samples() -> Vec<Sample<Self>> {
        let views = sample_rows().into_iter().map(|approval| Self { approval, form: Form::new() });
        ["subscription", "registration", "application"]
            .into_iter()
            .zip(views)
            .map(|(name, view)| Sample::provider(name, view))
            .collect()
    }
}

/// Three approvals with real-looking data.
pub(crate) fn sample_rows() -> Vec<ApprovalRow> {
    let row = |number, event, applicant: &str, subject: &str| ApprovalRow {
        id: id("apv", number),
        event,
        applicant: applicant.to_owned(),
        subject: subject.to_owned(),
        portal: "Partners Europe".to_owned(),
        status: Status::Pending,
        reason: None,
        decided_by: None,
        decidable: true,
        created_at: ago(3600 * i64::from(number) * 5),
    };
    vec![
        row(1, ApprovalKind::Subscription, "Month-end reconciliation", "Payments"),
        row(
            2,
            ApprovalKind::Registration,
            "Bertrand Maximilian von Hohenlohe-Waldenburg",
            "bertrand@a-very-long-domain-name.example",
        ),
        row(3, ApprovalKind::Application, "Analytical Engines Ltd", "Fleet telemetry"),
    ]
}
