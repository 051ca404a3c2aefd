//! The page that a link in a mail leads to: what is asked, and the decision, without signing in.
//!
//! Looking at it changes nothing, so that programs that follow links in mails decide nothing.

use serde::Serialize;

use crate::{
    display::When,
    forms::Form,
    links::{Link, provider},
    samples::{Sample, ago},
    templates::View,
};

/// `GET` and `POST` `/approvals/links/{token}`. Fields: `verdict` (`accept` or `reject`), `reason`.
#[derive(Clone, Debug, Serialize)]
pub struct ApprovalLinkPage {
    /// Who asks.
    pub applicant: String,
    /// For which product; empty: for an account.
    pub resource: String,
    /// When it was asked.
    pub applied_at: When,
    /// How far the link is.
    pub state: LinkState,
    /// What was typed.
    pub form: Form,
    /// Where the form posts to.
    pub action: Link,
}

/// How far a link is; texts are `approval_link.STATE` in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It decides.
    Open,
    /// It has just accepted.
    Accepted,
    /// It has just rejected.
    Rejected,
    /// It was used before.
    Used,
    /// It was decided in another way.
    Decided,
    /// It is too old.
    Expired,
    /// Links decide nothing here any more.
    Disabled,
}

/// What is shown for whatever is no link of ours.
#[derive(Clone, Debug, Serialize)]
pub struct UnknownApprovalLink {}

impl View for UnknownApprovalLink {
    const TEMPLATE: &'static str = "provider/approval_links/unknown.html";

    fn samples() -> Vec<Sample<Self>> {
        vec![Sample::provider("plain", Self {}).guest()]
    }
}

impl View for ApprovalLinkPage {
    const TEMPLATE: &'static str = "provider/approval_links/page.html";

    fn samples() -> Vec<Sample<Self>> {
        let page = |state| Self {
            applicant: "Ada Lovelace <script>alert(1)</script>".to_owned(),
            resource: "Orders".to_owned(),
            applied_at: ago(4_000),
            state,
            form: Form::new(),
            action: provider::approval_link("sample-token"),
        };
        let refused =
            Form::new().with("reason", "x").refused("reason", "This must be at most 65536 characters.");
        vec![
            Sample::provider("open", page(LinkState::Open)).guest(),
            Sample::provider("refused", Self { form: refused, ..page(LinkState::Open) }).guest(),
            Sample::provider("registration", Self { resource: String::new(), ..page(LinkState::Open) })
                .guest(),
            Sample::provider("accepted", page(LinkState::Accepted)).guest(),
            Sample::provider("rejected", page(LinkState::Rejected)).guest(),
            Sample::provider("used", page(LinkState::Used)).guest(),
            Sample::provider("decided", page(LinkState::Decided)).guest(),
            Sample::provider("expired", page(LinkState::Expired)).guest(),
            Sample::provider("disabled", page(LinkState::Disabled)).guest(),
        ]
    }
}
