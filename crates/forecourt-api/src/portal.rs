//! The Portal API: front ends of a portal, and developers through them.
//!
//! Class P endpoints speak for the portal and take [`FrontEnd`](forecourt_http::callers::FrontEnd); classes G and D
//! take [`PortalCaller`](forecourt_http::callers::PortalCaller), and the use case tells a guest to say who they are.

mod applications;
mod approvals;
mod credential_schemas;
mod credentials;
mod dcr_providers;
mod developers;
mod labels;
mod operations;
mod products;
mod receipts;
mod settings;
mod subscriptions;
mod usage;

use std::sync::LazyLock;

use axum::{
    Router,
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use forecourt_http::{Context, callers, problem::Problem, request_log};
use http::{Method, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;

use serde_json::json;

use crate::{
    event_types,
    openapi::{
        documents::{self, Dialect},
        operations::{Access, Operation},
    },
    previews,
    table::Table,
};

/// Every endpoint, as method and path with `{parameters}`: what the matrix of who may call what is compared with.
pub fn endpoints() -> Vec<(Method, &'static str)> {
    table().rows().iter().map(|row| (row.method.clone(), row.path)).collect()
}

/// The OpenAPI document of this API, as JSON.
pub fn document() -> &'static str {
    &DOCUMENT
}

// It follows from the program alone.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| documents::text(&DIALECT, table().rows()));

const DIALECT: Dialect = Dialect {
    title: "Forecourt Portal API",
    description: "What front ends and integrations of a portal's owner call. The token names the portal; \
                  `X-Portal-Developer-ID` names the developer for whom it acts. Unknown members of bodies and unknown \
                  parameters are ignored, `null` counts as absent, nothing in an answer is null.",
    security_schemes: || {
        json!({
            "PortalToken": { "type": "http", "scheme": "bearer", "description": "A portal's token, `a7prt-…`." },
            "Developer": {
                "type": "apiKey", "in": "header", "name": "X-Portal-Developer-ID",
                "description": "The id of the developer for whom the front end acts; nobody proves anything by it.",
            },
        })
    },
    security: |access| match access {
        Access::Open => json!([]),
        Access::Administrator | Access::FrontEnd => json!([{ "PortalToken": [] }]),
        Access::Guest => json!([{ "PortalToken": [] }, { "PortalToken": [], "Developer": [] }]),
        Access::Developer => json!([{ "PortalToken": [], "Developer": [] }]),
    },
    preview: previews::schema,
    knows_forbidden: false,
};

/// The one table that the router, [`endpoints`] and [`document`] come from.
fn table() -> Table {
    let nouns = [
        about_itself,
        developers::endpoints,
        products::endpoints,
        subscriptions::endpoints,
        applications::endpoints,
        credentials::endpoints,
        labels::endpoints,
        dcr_providers::endpoints,
        settings::endpoints,
        receipts::endpoints,
        usage::endpoints,
        approvals::endpoints,
    ];
    nouns.into_iter().fold(Table::new(bare, event_types::OF_PORTALS), |table, noun| noun(table))
}

fn about_itself(table: Table) -> Table {
    table
        .about("The API")
        .get("/healthz", async || StatusCode::OK, Operation::new("Tell whether it runs", Access::Open))
        .get("/openapi.json", async || documents::answer(document()), documents::described())
}

/// The Portal API's routes, under `/api` and `/healthz`.
pub fn router(context: Context) -> Router {
    table()
        .into_router()
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(from_fn_with_state(context.clone(), request_log::log))
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
