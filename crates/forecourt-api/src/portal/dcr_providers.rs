//! `/api/dcr_providers`: the installation's providers, as everybody may see them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::dcr_providers;
use forecourt_core::dcr_providers::DcrProviderFilter;
use forecourt_http::{Context, callers::PortalCaller, lists, problem::Problem, queries::Query};
use serde_json::json;

pub(super) async fn list(
    context: State<Context>,
    _caller: PortalCaller,
    query: Query,
) -> Result<Response, Problem> {
    let filter = DcrProviderFilter {
        search: query.text("search").map(str::to_owned),
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = dcr_providers::list(&context.app, &filter).await?;
    let rows = found.map(|provider| {
        json!({
            "id": provider.id,
            "name": provider.name,
            "issuer": provider.issuer,
            "provider_type": provider.provider_type.name(),
        })
    });
    Ok(lists::body(rows).into_response())
}
