//! `/api/applications/api_calls`: calls per product and UTC hour of a developer's own applications.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::usage;
use forecourt_core::{
    ids::{ApplicationId, CredentialId, ProductId},
    time::Timestamp,
    usage::UsageFilter,
};
use forecourt_http::{Context, callers::DeveloperCaller, lists, problem::Problem, queries::Query};
use serde_json::json;

pub(super) async fn api_calls(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    query: Query,
) -> Result<Response, Problem> {
    let bound = |name: &str| {
        let missing = || Problem::bad_request(format!("{name} is required: Unix seconds"));
        query.number::<i64>(name)?.ok_or_else(missing)
    };
    let (start, end) = (bound("start_at")?, bound("end_at")?);
    if end < start {
        return Err(Problem::bad_request("end_at must not lie before start_at"));
    }
    let filter = UsageFilter {
        portal_id: None,
        developer_id: None,
        start: Timestamp::from_seconds(start),
        end: Timestamp::from_seconds(end),
        applications: query.texts("application_id").into_iter().map(ApplicationId::known).collect(),
        products: query.texts("api_product_id").into_iter().map(ProductId::known).collect(),
        credentials: query.texts("credential_id").into_iter().map(CredentialId::known).collect(),
    };
    let hours = usage::product_hours(&context.app, &caller, filter).await?;
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
