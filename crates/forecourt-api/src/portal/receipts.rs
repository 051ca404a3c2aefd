//! `/api/forecourt/receipts/{revision}`: on how many gateway nodes a change is in force.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::receipts;
use forecourt_http::{Context, callers::FrontEnd, paths::Path, problem::Problem};
use serde_json::json;

pub(super) async fn receipt(
    context: State<Context>,
    front_end: FrontEnd,
    Path(revision): Path<i64>,
) -> Result<Response, Problem> {
    let tally = receipts::tally(&context.app, &front_end.caller, revision).await?;
    let body = json!({
        "revision": revision,
        "complete": tally.is_complete(),
        "nodes": tally.nodes,
        "applied": tally.applied,
    });
    Ok(Json(body).into_response())
}
