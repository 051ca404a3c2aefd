//! The Admin API: administrators, scripts, declarative tools.
//!
//! Invariant: every endpoint stands in one table ([`endpoints`]), from which the router is built and which the test of
//! permissions walks. One file per noun; what they share stands in `answers` and `segments`.

mod admin_tokens;
mod administrators;
mod answers;
mod applications;
mod approvals;
mod audit_exports;
mod audit_logs;
mod certificates;
mod consumer_credentials;
mod consumers;
mod contact_points;
mod dcr_providers;
mod dcr_removals;
mod deliveries;
mod deployment;
mod developers;
mod external_sign_ins;
mod gateway_groups;
mod group_objects;
mod instance_tokens;
mod labels;
mod nodes;
mod notifications;
mod operations;
mod permission_policies;
mod plans;
mod plugins;
mod portal_tokens;
mod portals;
mod product_bodies;
mod product_schemas;
mod products;
mod provisioning;
mod receipts;
mod roles;
mod routes;
mod schemas;
mod segments;
mod services;
mod sessions;
mod settings;
mod sign_in_bodies;
mod sign_in_options;
mod sign_in_schemas;
mod smtp_servers;
mod subscriptions;
mod upstream_bodies;
mod upstreams;
mod usage;
mod validation;

use std::sync::LazyLock;

use axum::{Router, middleware::from_fn_with_state, response::IntoResponse};
use forecourt_http::{Context, callers, problem::Problem, request_log, restrictions};
use tower_http::catch_panic::CatchPanicLayer;

use serde_json::json;

use crate::{
    event_types,
    openapi::{
        documents::{self, Dialect},
        operations::Access,
    },
    previews, scim,
    table::{self, Table},
};

/// The Admin API's routes, under `/api`, `/apisix/admin` and `/healthz`; SCIM's, which are no part of its table, among
/// them.
pub fn router(context: Context) -> Router {
    endpoints()
        .into_router()
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .merge(scim::router(&context))
        .layer(from_fn_with_state(context.clone(), restrictions::check))
        .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
        .layer(from_fn_with_state(context.clone(), request_log::log))
        .layer(from_fn_with_state(context.clone(), callers::begin))
        .with_state(context)
}

/// The OpenAPI document of this API, as JSON.
pub fn document() -> &'static str {
    &DOCUMENT
}

// It follows from the program alone.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| documents::text(&DIALECT, endpoints().rows()));

const DIALECT: Dialect = Dialect {
    title: "Forecourt Admin API",
    description: "What administrators, their scripts and declarative tools call. One object is answered as \
                  `{\"value\":…}`, a list as `{\"list\":[…],\"total\":n}`. Unknown members of bodies and unknown \
                  parameters are ignored, `null` counts as absent, nothing in an answer is null.",
    security_schemes: || {
        json!({
            "Token": {
                "type": "apiKey", "in": "header", "name": "X-API-KEY",
                "description": "An administrator's access token or a gateway group's admin key; a cookie of this name \
                                does as well.",
            },
            "Bearer": { "type": "http", "scheme": "bearer", "description": "The same tokens." },
            "Basic": { "type": "http", "scheme": "basic", "description": "An administrator's name and password." },
            "Session": {
                "type": "apiKey", "in": "cookie", "name": "session", "description": "From `POST /api/login`.",
            },
        })
    },
    security: |access| match access {
        Access::Open => json!([]),
        _ => json!([{ "Token": [] }, { "Bearer": [] }, { "Basic": [] }, { "Session": [] }]),
    },
    preview: || operations::enveloped(previews::schema()),
    knows_forbidden: true,
};

fn endpoints() -> Table {
    let nouns = [
        sessions::endpoints,
        external_sign_ins::endpoints,
        administrators::endpoints,
        roles::endpoints,
        permission_policies::endpoints,
        admin_tokens::endpoints,
        settings::endpoints,
        smtp_servers::endpoints,
        contact_points::endpoints,
        deliveries::endpoints,
        schemas::endpoints,
        provisioning::endpoints,
        portals::endpoints,
        portal_tokens::endpoints,
        sign_in_options::endpoints,
        products::endpoints,
        plans::endpoints,
        dcr_providers::endpoints,
        dcr_removals::endpoints,
        developers::endpoints,
        subscriptions::endpoints,
        approvals::endpoints,
        audit_logs::endpoints,
        applications::endpoints,
        gateway_groups::endpoints,
        instance_tokens::endpoints,
        deployment::endpoints,
        nodes::endpoints,
        receipts::endpoints,
        services::endpoints,
        upstreams::endpoints,
        routes::endpoints,
        certificates::endpoints,
        consumers::endpoints,
        consumer_credentials::endpoints,
        group_objects::endpoints,
        plugins::endpoints,
        validation::endpoints,
        labels::endpoints,
        usage::endpoints,
    ];
    nouns.into_iter().fold(Table::new(wrapped, event_types::OF_ADMIN), |table, noun| noun(table))
}

fn wrapped(value: serde_json::Value) -> serde_json::Value {
    serde_json::json!({ "value": value })
}

#[cfg(test)]
mod tests;
