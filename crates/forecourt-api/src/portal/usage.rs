//! Calls of a developer's own applications: `/api/applications/api_calls` by product and UTC hour, and
//! `/api/forecourt/usage` in every detail.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::usage;
use forecourt_http::{Context, callers::DeveloperCaller, lists, problem::Problem, queries::Query};
use serde_json::json;

use super::operations;
use crate::{
    openapi::schemas::{self, Schema},
    table::Table,
    usage::{described, filter, filtered, question, row_schema, shape},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Usage")
        .get(
            "/api/applications/api_calls",
            api_calls,
            filtered(operations::whole("List calls by product and hour", calls_schema())),
        )
        .get("/api/forecourt/usage", usage, described(operations::whole("List usage", row_schema())))
}

fn calls_schema() -> Schema {
    schemas::named("ApiCalls", || {
        schemas::object()
            .required("api_product_id", schemas::id())
            .required("api_product_name", schemas::text())
            .required("hour_timestamp", schemas::seconds())
            .required("api_calls", schemas::integer().from(0))
            .example(json!({
                "api_product_id": "7f0c", "api_product_name": "Orders", "hour_timestamp": 1_786_060_800,
                "api_calls": 42,
            }))
    })
}

async fn api_calls(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    query: Query,
) -> Result<Response, Problem> {
    let hours = usage::product_hours(&context.app, &caller, filter(&query)?).await?;
    let rows = hours.iter().map(|hour| {
        json!({
            "api_product_id": hour.product_id,
            "api_product_name": hour.product_name,
            "hour_timestamp": hour.hour.seconds(),
            "api_calls": hour.calls,
        })
    });
    Ok(lists::whole(rows.collect()).into_response())
}

async fn usage(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    query: Query,
) -> Result<Response, Problem> {
    let report = usage::report(&context.app, &caller, question(&query)?).await?;
    Ok(shape(&report).into_response())
}
