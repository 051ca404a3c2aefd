//! One log line a request: what, how it ended, how long it took. Queries are not logged: they could hold secrets.

use std::time::Instant;

use axum::{extract::Request, middleware::Next, response::Response};

use crate::callers::Call;

/// Middleware: logs the request once it is answered.
pub async fn log(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let call = request.extensions().get::<Call>().cloned();
    let response = next.run(request).await;
    let millis = started.elapsed().as_secs_f64() * 1_000.0;
    let request_id = call.as_ref().map(|call| call.request_id.to_string()).unwrap_or_default();
    tracing::info!(
        http.method = %method,
        http.path = path,
        http.status = response.status().as_u16(),
        http.ms = (millis * 10.0).round() / 10.0,
        request.id = request_id,
        "answered"
    );
    response
}
