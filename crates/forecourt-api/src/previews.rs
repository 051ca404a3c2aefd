//! `?dry_run=true`: what a call that takes something away would hit, without doing it.
//!
//! The call runs with every check and refusal that it always has, and is undone where it would be stored. Where it was
//! refused, that answer stands; where it would have changed something, its impact is answered instead. A changing call
//! that has no preview refuses the wish: carrying it out would be the worst reading of it. Who is refused is told so by
//! whatever proves who calls, since authentication comes first.

use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use forecourt_core::impacts::{Impact, Preview};
use forecourt_http::{audits::CHANGING_READ, callers::Call, problem::Problem, queries::Query};
use http::Method;
use serde_json::{Value, json};

use crate::openapi::schemas::{self, Schema};

/// How an API wraps one object.
pub(crate) type Envelope = fn(Value) -> Value;

/// Changing calls other than DELETE that take something away.
const OTHERS: [(Method, &str); 8] = [
    (Method::PUT, "/api/api_products/{id}"),
    (Method::PATCH, "/api/api_products/{id}"),
    (Method::PUT, "/api/portals/{portal}/api_products/{id}"),
    (Method::PATCH, "/api/portals/{portal}/api_products/{id}"),
    (Method::POST, "/api/forecourt/applications/{id}/suspend"),
    (Method::POST, "/api/approvals/{id}/reject"),
    (Method::POST, "/api/portals/{portal}/approvals/{id}/reject"),
    (Method::PUT, "/api/applications/{id}/credentials/{credential_id}/regenerate"),
];

/// Whether calls of this endpoint can be previewed.
pub(crate) fn is_previewed(method: &Method, path: &str) -> bool {
    *method == Method::DELETE || OTHERS.iter().any(|(own, known)| own == method && *known == path)
}

/// Middleware around each handler: answers the impact instead of the act where the request asks for it.
pub(crate) async fn answer(State(envelope): State<Envelope>, mut request: Request, next: Next) -> Response {
    match asked(&request) {
        Ok(false) => next.run(request).await,
        Err(problem) => {
            if let Some(call) = request.extensions_mut().get_mut::<Call>() {
                call.objection = Some(problem.message().to_owned());
            }
            next.run(request).await
        }
        Ok(true) => {
            let preview = Preview::default();
            if let Some(call) = request.extensions_mut().get_mut::<Call>() {
                call.preview = Some(preview.clone());
            }
            let answer = next.run(request).await;
            match preview.impact() {
                Some(impact) => Json(envelope(shape(&impact))).into_response(),
                None => answer,
            }
        }
    }
}

fn asked(request: &Request) -> Result<bool, Problem> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_read && path != Some(CHANGING_READ) {
        return Ok(false);
    }
    let raw = request.uri().query().unwrap_or_default();
    if raw.is_empty() {
        return Ok(false);
    }
    match Query::parse(raw)?.text("dry_run") {
        None | Some("false") => return Ok(false),
        Some("true") => {}
        Some(_) => return Err(Problem::bad_request("dry_run must be true or false")),
    }
    match path.is_some_and(|path| is_previewed(request.method(), path)) {
        true => Ok(true),
        false => Err(Problem::bad_request("this call has no preview; leave dry_run out to make it")),
    }
}

/// A preview as the documents describe it.
pub(crate) fn schema() -> Schema {
    schemas::named("Preview", || {
        let counts = [
            "applications",
            "subscriptions",
            "credentials",
            "approvals",
            "opened_services",
            "gateway_objects",
            "people_without_sign_in",
            "sessions",
            "callers_24h",
            "calls_24h",
        ];
        let impact = counts
            .into_iter()
            .fold(schemas::object(), |impact, count| impact.required(count, schemas::integer().from(0)));
        schemas::object().required("dry_run", schemas::flag()).required("impact", impact)
    })
}

/// What would be hit, as both APIs tell it.
pub(crate) fn shape(impact: &Impact) -> Value {
    json!({
        "dry_run": true,
        "impact": {
            "applications": impact.applications,
            "subscriptions": impact.subscriptions,
            "credentials": impact.credentials,
            "approvals": impact.approvals,
            "opened_services": impact.opened_services,
            "gateway_objects": impact.gateway_objects,
            "people_without_sign_in": impact.people,
            "sessions": impact.sessions,
            "callers_24h": impact.callers,
            "calls_24h": impact.calls,
        },
    })
}
