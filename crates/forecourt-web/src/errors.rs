//! The pages for what went wrong, on either site.
//!
//! They never say more than the status allows: what one may not see is not found, and internals stay in the
//! log under the request id.

use serde::Serialize;

use crate::{samples::Sample, templates::View};

/// An error page.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// What went wrong.
    pub kind: FailureKind,
    /// The request's id, to be told to support.
    pub request_id: Option<String>,
}

/// What went wrong; texts are `failure.KIND.*` in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// 404.
    NotFound,
    /// 403: an act that one may not do.
    Forbidden,
    /// 403: a form without its token, or with that of another session.
    StaleForm,
    /// 400: a form that is no text, or a refusal that belongs to no form.
    Unreadable,
    /// 405.
    MethodNotAllowed,
    /// 413.
    TooLarge,
    /// 429.
    TooMany,
    /// 500.
    Internal,
    /// 503: the database is away.
    Unavailable,
}

impl View for Failure {
    const TEMPLATE: &'static str = "failure.html";

    fn samples() -> Vec<Sample<Self>> {
        let failure = |kind| Self { kind, request_id: None };
        let internal =
            Self { kind: FailureKind::Internal, request_id: Some("req_0198c0a47f31b2c95e0d4a6f".to_owned()) };
        vec![
            Sample::developer("not_found", failure(FailureKind::NotFound)),
            Sample::developer("not_found_guest", failure(FailureKind::NotFound)).guest(),
            Sample::developer("forbidden", failure(FailureKind::Forbidden)),
            Sample::developer("stale_form", failure(FailureKind::StaleForm)).guest(),
            Sample::developer("unreadable", failure(FailureKind::Unreadable)),
            Sample::developer("method_not_allowed", failure(FailureKind::MethodNotAllowed)),
            Sample::developer("too_large", failure(FailureKind::TooLarge)),
            Sample::developer("unavailable", failure(FailureKind::Unavailable)).guest(),
            Sample::developer("too_many", failure(FailureKind::TooMany)).guest(),
            Sample::provider("internal", internal),
            Sample::provider("not_found_signed_out", failure(FailureKind::NotFound)).guest(),
        ]
    }
}
