//! `/api/labels/{resource_type}`: a bare map of the labels in use.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::labels::{self, CatalogueLabels};
use forecourt_http::{Context, callers::PortalCaller, paths::Path, problem::Problem};

pub(super) async fn values(
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
