//! What each changing endpoint is called in the audit log: the action that it demands, without its namespace, and words
//! of the same form where none is demanded.
//!
//! Invariant: every row of both APIs' tables that changes something stands here, once; tests compare this with the tables
//! and with the contract of permissions. Options to sign in by their id alone are left to the permission that is asked:
//! whether one is a portal's is not known before.

mod administrations;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use forecourt_http::callers::Call;
use http::Method;

pub(crate) use administrations::OF_ADMIN;

/// Endpoints, as method and path, by what they are called.
pub(crate) type Named = (&'static str, &'static [&'static str]);

/// Those of the Portal API.
pub(crate) const OF_PORTALS: &[Named] = &[
    ("CreateDeveloper", &["POST /api/developers"]),
    ("DeleteDeveloper", &["DELETE /api/developers/{developer_id}"]),
    ("CreateApplication", &["POST /api/applications"]),
    ("UpdateApplication", &["PUT /api/applications/{id}"]),
    ("DeleteApplication", &["DELETE /api/applications/{id}"]),
    ("CreateCredential", &["POST /api/applications/{id}/credentials"]),
    ("UpdateCredential", &["PUT /api/applications/{id}/credentials/{credential_id}"]),
    ("RegenerateCredential", &["PUT /api/applications/{id}/credentials/{credential_id}/regenerate"]),
    ("DeleteCredential", &["DELETE /api/applications/{id}/credentials/{credential_id}"]),
    ("CreateSubscription", &["POST /api/subscriptions", "POST /api/api_products/{id}/subscriptions"]),
    ("UpdateSubscription", &["PUT /api/forecourt/subscriptions/{id}/plan"]),
    ("DeleteSubscription", &["DELETE /api/subscriptions/{id}"]),
    ("ProcessApproval", &["POST /api/approvals/{id}/accept", "POST /api/approvals/{id}/reject"]),
];

/// What the endpoint is called among `named`; `None`: it is not there.
pub(crate) fn event_type(named: &[Named], method: &Method, path: &str) -> Option<&'static str> {
    let endpoint = format!("{method} {path}");
    named.iter().find(|(_, endpoints)| endpoints.contains(&endpoint.as_str())).map(|(name, _)| *name)
}

/// Middleware around each handler of a changing endpoint: tells the audit log what it is called.
pub(crate) async fn note(State(name): State<&'static str>, request: Request, next: Next) -> Response {
    if let Some(call) = request.extensions().get::<Call>() {
        call.journal.note_event_type(name);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changing_endpoint_of_the_portal_api_has_its_word() {
        let endpoints = crate::portal::endpoints();
        for (method, path) in &endpoints {
            let found = event_type(OF_PORTALS, method, path);
            assert_eq!(found.is_some(), *method != Method::GET, "{method} {path}");
        }
        for endpoint in OF_PORTALS.iter().flat_map(|(_, endpoints)| *endpoints) {
            let is_there = endpoints.iter().any(|(method, path)| format!("{method} {path}") == **endpoint);
            assert!(is_there, "{endpoint} is no endpoint");
        }
    }
}
