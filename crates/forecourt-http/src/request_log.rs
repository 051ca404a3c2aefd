//! One log line a request, its place in the metrics, and its span: what, how it ended, how long it took. Queries and
//! paths are told nowhere, since they could hold secrets, but the pattern of the path; a request that no pattern fits
//! has none.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use forecourt_core::traces;

use crate::{Context, callers::Call, observations::ObservedFace};

/// Middleware: logs the request once it is answered.
pub async fn log(State(context): State<Context>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    let call = request.extensions().get::<Call>().cloned();
    let face = request.extensions().get::<ObservedFace>().cloned();
    let field = request.headers().get(traces::FIELD).and_then(|field| field.to_str().ok());
    let tracing = face.as_ref().and_then(|face| face.tracing.clone());
    let span = tracing.map(|tracing| (tracing.begin(field, context.app.now()), tracing));
    let response = next.run(request).await;
    let (status, elapsed) = (response.status(), started.elapsed());
    if let Some(face) = &face {
        face.count(&method, route, status, elapsed);
        if let Some((span, tracing)) = span {
            tracing.end(span, face.face, (method.as_str(), route), status.as_u16(), context.app.now());
        }
    }
    let millis = elapsed.as_secs_f64() * 1_000.0;
    let request_id = call.as_ref().map(|call| call.request_id.to_string()).unwrap_or_default();
    tracing::info!(
        http.method = %method,
        http.route = route,
        http.status = status.as_u16(),
        http.duration_ms = (millis * 10.0).round() / 10.0,
        request.id = request_id,
        "answered"
    );
    response
}
