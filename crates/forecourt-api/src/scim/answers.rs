//! Answers in SCIM's own words (RFC 7644 §3.12): its content type, its errors.

use axum::response::{IntoResponse, Response};
use forecourt_app::Error;
use forecourt_core::text::Invalid;
use forecourt_http::problem::Problem;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/scim+json");

/// What a handler returns.
pub(super) type Answer = Result<Response, Refusal>;

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    /// RFC 7644 §3.12, table 9.
    kind: Option<&'static str>,
    detail: String,
    retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, kind: None, detail: detail.into(), retry_after: None }
    }

    /// 400 of a kind that the standard names.
    pub(super) fn bad_request(kind: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: Some(kind), ..Self::new(StatusCode::BAD_REQUEST, detail) }
    }

    /// A value that an attribute cannot have.
    pub(super) fn value(detail: impl Into<String>) -> Self {
        Self::bad_request("invalidValue", detail)
    }

    /// 404.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "resource not found")
    }

    #[cfg(test)]
    pub(super) const fn kind(&self) -> Option<&'static str> {
        self.kind
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = error.code();
        let problem = Problem::from(error);
        let kind = match (problem.status(), code) {
            (_, "username_taken" | "email_taken" | "taken") => Some("uniqueness"),
            (StatusCode::BAD_REQUEST, _) => Some("invalidValue"),
            _ => None,
        };
        // The Admin API has no 409; SCIM does.
        let status = if kind == Some("uniqueness") { StatusCode::CONFLICT } else { problem.status() };
        let detail = problem.message().to_owned();
        Self { status, kind, detail, retry_after: problem.retry_after() }
    }
}

impl From<Problem> for Refusal {
    /// A body or a query that could not even be read.
    fn from(problem: Problem) -> Self {
        let kind = (problem.status() == StatusCode::BAD_REQUEST).then_some("invalidSyntax");
        Self { kind, ..Self::new(problem.status(), problem.message()) }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::value(invalid.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.as_str(),
            "detail": self.detail,
        });
        if let (Some(kind), Some(members)) = (self.kind, body.as_object_mut()) {
            members.insert("scimType".into(), kind.into());
        }
        let mut response = answer(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// `body` with SCIM's content type.
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, CONTENT_TYPE)], body.to_string()).into_response()
}

/// Some of `total` resources, from the one at `start` (the first is 1).
pub(super) fn list(total: usize, start: usize, resources: Vec<Value>) -> Response {
    answer(
        StatusCode::OK,
        &json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": total,
            "startIndex": start,
            "itemsPerPage": resources.len(),
            "Resources": resources,
        }),
    )
}
