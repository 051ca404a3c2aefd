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
mod receipts;
mod settings;
mod subscriptions;
mod usage;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use forecourt_http::{Context, callers, problem::Problem, request_log};
use http::{Method, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    previews::{self, Envelope},
    table::Table,
};

/// Every endpoint, as method and path with `{parameters}`: what the matrix of who may call what is compared with.
pub fn endpoints() -> Vec<(Method, &'static str)> {
    table().rows().to_vec()
}

/// The one table that the router and [`endpoints`] come from.
fn table() -> Table {
    let one_application = "/api/applications/{id}";
    let of_application = "/api/applications/{id}/credentials";
    let one_credential = "/api/applications/{id}/credentials/{credential_id}";
    Table::default()
        .get("/healthz", async || StatusCode::OK)
        .get("/api/developers", developers::list)
        .post("/api/developers", developers::create)
        .delete("/api/developers/{developer_id}", developers::remove)
        .get("/api/api_products", products::list)
        .get("/api/api_products/{id}", products::one)
        .post("/api/api_products/{id}/subscriptions", subscriptions::create_for_product)
        .get("/api/subscriptions", subscriptions::list)
        .post("/api/subscriptions", subscriptions::create)
        .delete("/api/subscriptions/{id}", subscriptions::remove)
        .put("/api/forecourt/subscriptions/{id}/plan", subscriptions::change_plan)
        .get("/api/applications", applications::list)
        .post("/api/applications", applications::create)
        .get("/api/applications/api_calls", usage::api_calls)
        .get(one_application, applications::one)
        .put(one_application, applications::update)
        .delete(one_application, applications::remove)
        .get(of_application, credentials::list_of_application)
        .post(of_application, credentials::create)
        .get(one_credential, credentials::one)
        .put(one_credential, credentials::update)
        .delete(one_credential, credentials::remove)
        .put("/api/applications/{id}/credentials/{credential_id}/regenerate", credentials::regenerate)
        .get("/api/credentials", credentials::list)
        .get("/api/labels/{resource_type}", labels::values)
        .get("/api/dcr_providers", dcr_providers::list)
        .get("/api/system_settings/public_access", settings::public_access)
        .get("/api/system_settings/smtp_server_status", settings::smtp_server_status)
        .get("/api/forecourt/receipts/{revision}", receipts::receipt)
        .get("/api/forecourt/usage", usage::usage)
        .get("/api/approvals", approvals::list)
        .post("/api/approvals/{id}/accept", approvals::accept)
        .post("/api/approvals/{id}/reject", approvals::reject)
}

/// The Portal API's routes, under `/api` and `/healthz`.
pub fn router(context: Context) -> Router {
    table()
        .into_router()
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn_with_state(bare as Envelope, previews::answer))
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(from_fn(request_log::log))
        .layer(from_fn_with_state(context.clone(), callers::begin))
        .with_state(context)
}

const fn bare(value: serde_json::Value) -> serde_json::Value {
    value
}

/// 201 without a body.
fn created_empty() -> Response {
    StatusCode::CREATED.into_response()
}

/// 204.
fn gone() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
