//! The Admin API: administrators, scripts, declarative tools.

use axum::Router;
use forecourt_http::Context;

/// The Admin API's routes, under `/api`, `/apisix/admin` and `/healthz`.
pub fn router(context: Context) -> Router {
    Router::new().with_state(context)
}
