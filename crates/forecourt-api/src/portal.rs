//! The Portal API: front ends of a portal, and developers through them.

use axum::Router;
use forecourt_http::Context;

/// The Portal API's routes, under `/api` and `/healthz`.
pub fn router(context: Context) -> Router {
    Router::new().with_state(context)
}
