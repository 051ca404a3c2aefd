//! Labels in use, for people who filter by them.

use axum::extract::State;
use forecourt_app::labels::{self, AdministeredLabels};
use forecourt_http::{Context, callers::AdminCaller, problem::Problem, queries::Query};
use serde_json::json;

use super::{
    answers::{Answer, value},
    operations,
    segments::{Segments, gateway_group},
    table::Table,
};
use crate::openapi::schemas;

pub(super) fn endpoints(table: Table) -> Table {
    let nouns = [
        "gateway_group",
        "service",
        "route",
        "consumer",
        "ssl",
        "portal",
        "api_product",
        "role",
        "permission_policy",
    ];
    let labels_in_use =
        schemas::map(schemas::array(schemas::text())).example(json!({ "env": ["prod", "test"] }));
    table.about("Labels").get(
        "/api/labels/{type}",
        labels,
        operations::of_portal(operations::of_group(operations::one("List labels in use", labels_in_use)))
            .segment("type", schemas::words(&nouns)),
    )
}

async fn labels(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let noun = match segments.text("type")? {
        "gateway_group" => AdministeredLabels::GatewayGroups,
        "service" => AdministeredLabels::Services(gateway_group(&query)?),
        "route" => AdministeredLabels::Routes(gateway_group(&query)?),
        "ssl" => AdministeredLabels::Certificates(gateway_group(&query)?),
        "consumer" => AdministeredLabels::Consumers(gateway_group(&query)?),
        "portal" => AdministeredLabels::Portals,
        "api_product" => AdministeredLabels::Products(segments.portal(&query)?),
        "role" => AdministeredLabels::Roles,
        "permission_policy" => AdministeredLabels::PermissionPolicies,
        _ => {
            return Err(Problem::bad_request(
                "the type must be gateway_group, service, route, consumer, ssl, portal, api_product, role or permission_policy",
            ));
        }
    };
    value(json!(labels::administered(&context.app, &caller, noun).await?))
}
