//! `/api/dcr_providers`: the installation's providers, as everybody may see them.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::dcr_providers;
use forecourt_core::dcr_providers::DcrProviderFilter;
use forecourt_http::{Context, callers::PortalCaller, lists, problem::Problem, queries::Query};
use serde_json::json;

use super::operations;
use crate::{
    openapi::{
        operations::Access,
        schemas::{self, Schema},
    },
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    table.about("DCR providers").get(
        "/api/dcr_providers",
        list,
        operations::list("List DCR providers", shape_schema())
            .access(Access::Guest)
            .ordered_by_time()
            .searched("name and issuer"),
    )
}

fn shape_schema() -> Schema {
    schemas::named("DcrProvider", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("issuer", schemas::text())
            .required("provider_type", schemas::words(&["oidc", "http_bridge"]))
            .example(json!({
                "id": "d2c7", "name": "Keycloak", "issuer": "https://id.example.com/realms/dev",
                "provider_type": "oidc",
            }))
    })
}

async fn list(context: State<Context>, _caller: PortalCaller, query: Query) -> Result<Response, Problem> {
    let filter = DcrProviderFilter {
        search: query.text("search").map(str::to_owned),
        order: query.time_order()?,
        paging: query.paging()?,
        ..Default::default()
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
