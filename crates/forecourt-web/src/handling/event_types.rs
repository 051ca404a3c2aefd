//! What a form is called in the audit log, where neither a permission nor an event says it: forms that were refused.

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use forecourt_http::callers::Call;

/// Paths of forms, each with what it is called.
pub type NamedForms = &'static [(&'static str, &'static str)];

/// Middleware: tells the audit log what the form that is sent is called.
pub async fn note(State(named): State<NamedForms>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().filter(|_| request.method() == Method::POST);
    let found = path.and_then(|path| named.iter().find(|(known, _)| *known == path.as_str()));
    if let (Some((_, name)), Some(call)) = (found, request.extensions().get::<Call>()) {
        call.journal.note_event_type(name);
    }
    next.run(request).await
}
