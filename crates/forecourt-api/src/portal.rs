//! The Portal API: front ends of a portal, and developers through them.
//!
//! Class P endpoints speak for the portal and take [`FrontEnd`](forecourt_http::callers::FrontEnd); classes G and D
//! take [`PortalCaller`](forecourt_http::callers::PortalCaller), and the use case tells a guest to say who they are.

mod applications;
mod approvals;
mod credentials;
mod dcr_providers;
mod developers;
mod labels;
mod products;
mod settings;
mod subscriptions;
mod usage;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{MethodRouter, delete, get, post, put},
};
use forecourt_http::{Context, callers, problem::Problem, request_log};
use http::StatusCode;
use tower_http::catch_panic::CatchPanicLayer;

/// Every path with its methods: the router is built from this, and the allow/deny matrix is compared with it.
fn routes() -> Vec<(&'static str, MethodRouter<Context>)> {
    vec![
        ("/healthz", get(async || StatusCode::OK)),
        ("/api/developers", get(developers::list).post(developers::create)),
        ("/api/developers/{developer_id}", delete(developers::remove)),
        ("/api/api_products", get(products::list)),
        ("/api/api_products/{id}", get(products::one)),
        ("/api/api_products/{id}/subscriptions", post(subscriptions::create_for_product)),
        ("/api/subscriptions", get(subscriptions::list).post(subscriptions::create)),
        ("/api/subscriptions/{id}", delete(subscriptions::remove)),
        ("/api/applications", get(applications::list).post(applications::create)),
        ("/api/applications/api_calls", get(usage::api_calls)),
        (
            "/api/applications/{id}",
            get(applications::one).put(applications::update).delete(applications::remove),
        ),
        (
            "/api/applications/{id}/credentials",
            get(credentials::list_of_application).post(credentials::create),
        ),
        (
            "/api/applications/{id}/credentials/{credential_id}",
            get(credentials::one).put(credentials::update).delete(credentials::remove),
        ),
        ("/api/applications/{id}/credentials/{credential_id}/regenerate", put(credentials::regenerate)),
        ("/api/credentials", get(credentials::list)),
        ("/api/labels/{resource_type}", get(labels::values)),
        ("/api/dcr_providers", get(dcr_providers::list)),
        ("/api/system_settings/public_access", get(settings::public_access)),
        ("/api/system_settings/smtp_server_status", get(settings::smtp_server_status)),
        ("/api/approvals", get(approvals::list)),
        ("/api/approvals/{id}/accept", post(approvals::accept)),
        ("/api/approvals/{id}/reject", post(approvals::reject)),
    ]
}

/// The Portal API's routes, under `/api` and `/healthz`.
pub fn router(context: Context) -> Router {
    let routed =
        routes().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    routed
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(from_fn(request_log::log))
        .layer(from_fn_with_state(context.clone(), callers::begin))
        .with_state(context)
}

/// 201 without a body.
fn created_empty() -> Response {
    StatusCode::CREATED.into_response()
}

/// 204.
fn gone() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
