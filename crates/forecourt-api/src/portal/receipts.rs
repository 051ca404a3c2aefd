//! `/api/forecourt/receipts/{revision}`: on how many gateway nodes a change is in force.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::receipts;
use forecourt_http::{Context, callers::FrontEnd, paths::Path, problem::Problem};
use serde_json::json;

use super::operations;
use crate::{
    openapi::{operations::Access, schemas},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let tally = schemas::object()
        .required("revision", schemas::integer().from(1))
        .required("complete", schemas::flag())
        .required("nodes", schemas::integer().from(0))
        .required("applied", schemas::integer().from(0))
        .example(json!({ "revision": 7, "complete": true, "nodes": 3, "applied": 3 }));
    table.about("Receipts").get(
        "/api/forecourt/receipts/{revision}",
        receipt,
        operations::one("Tell how many nodes enforce a revision", tally)
            .access(Access::FrontEnd)
            .segment("revision", schemas::integer().from(1)),
    )
}

async fn receipt(
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
