//! Calls of a developer's own applications: `/api/applications/api_calls` by product and UTC hour, and
//! `/api/forecourt/usage` in every detail.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::usage;
use forecourt_http::{Context, callers::DeveloperCaller, lists, problem::Problem, queries::Query};
use serde_json::json;

use crate::usage::{filter, question, shape};

pub(super) async fn api_calls(
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

pub(super) async fn usage(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    query: Query,
) -> Result<Response, Problem> {
    let report = usage::report(&context.app, &caller, question(&query)?).await?;
    Ok(shape(&report).into_response())
}
