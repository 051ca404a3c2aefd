//! `Strict-Transport-Security` (RFC 6797): has browsers come by TLS alone, where the operator wants that.
//!
//! Invariant: it is said only on answers that go over TLS, as our listener or a trusted proxy says.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, header};

use crate::{Context, addresses};

/// Middleware around a whole face, so that no answer of it is without.
pub async fn tell(State(context): State<Context>, request: Request, next: Next) -> Response {
    let config = &context.config;
    let is_told = config.hsts_seconds > 0
        && addresses::is_tls(request.headers(), request.extensions(), &config.trusted_proxies);
    let value = HeaderValue::try_from(format!("max-age={}", config.hsts_seconds));
    let mut response = next.run(request).await;
    if let (true, Ok(value)) = (is_told, value) {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}
