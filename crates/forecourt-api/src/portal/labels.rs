//! `/api/labels/{resource_type}`: a bare map of the labels in use.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::labels::{self, CatalogueLabels};
use forecourt_http::{Context, callers::PortalCaller, paths::Path, problem::Problem};
use serde_json::json;

use super::operations;
use crate::{
    openapi::{operations::Access, schemas},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let nouns = ["developer_credential", "developer_application", "api_product"];
    let in_use = schemas::map(schemas::array(schemas::text())).example(json!({ "env": ["prod", "test"] }));
    table.about("Labels").get(
        "/api/labels/{resource_type}",
        values,
        operations::one("List labels in use", in_use)
            .access(Access::Guest)
            .notes("Guests see those of API products.")
            .segment("resource_type", schemas::words(&nouns)),
    )
}

async fn values(
    context: State<Context>,
    caller: PortalCaller,
    Path(resource_type): Path<String>,
) -> Result<Response, Problem> {
    // Only products' labels are open to guests, and who calls is settled before what they ask for.
    let caller = match resource_type.as_str() {
        "api_product" => caller.0,
        _ => caller.developer()?.0,
    };
    let noun = match resource_type.as_str() {
        "api_product" => CatalogueLabels::Products,
        "developer_application" => CatalogueLabels::Applications,
        "developer_credential" => CatalogueLabels::Credentials,
        _ => {
            let message = "resource_type must be api_product, developer_application or developer_credential";
            return Err(Problem::bad_request(message));
        }
    };
    Ok(Json(labels::of_catalogue(&context.app, &caller, noun).await?).into_response())
}
