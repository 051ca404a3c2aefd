//! `/api/approvals`: the inbox of a portal's own administrators, behind a front end.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    Error,
    approvals::{self, DecisionInput, Verdict},
};
use forecourt_core::{ids::ApprovalId, text};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::FrontEnd,
    lists,
    paths::Path,
    problem::Problem,
    queries::Query,
};
use serde_json::{Value, json};

use super::operations;
use crate::{
    openapi::{
        operations::Access,
        schemas::{self, Schema},
    },
    shapes,
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let listed = operations::list("List approvals", shape_schema()).access(Access::FrontEnd);
    let decide = |summary| operations::send(summary, input_schema(), shape_schema()).access(Access::FrontEnd);
    table
        .about("Approvals")
        .get("/api/approvals", list, shapes::approval_filter_schema(listed))
        .post("/api/approvals/{id}/accept", accept, decide("Accept an approval"))
        .post("/api/approvals/{id}/reject", reject, decide("Reject an approval"))
}

fn input_schema() -> Schema {
    let metadata = schemas::desc().about("Kept as it is; a JSON object in it may name the `operator_name`.");
    schemas::object().optional("metadata", metadata).optional("reason", schemas::desc())
}

fn shape_schema() -> Schema {
    schemas::named("Approval", || {
        shapes::approval_schema().example(json!({
            "id": "f09a", "created_at": "2026-08-05T11:00:00.000Z", "updated_at": "2026-08-05T11:00:00.000Z",
            "event": "api_product_subscription", "status": "pending", "resource_type": "api_product",
            "resource_id": "7f0c", "resource_name": "Orders", "applicant_id": "org-k4Tz9",
            "applicant_name": "org-k4Tz9", "applied_at": "2026-08-05T11:00:00.000Z",
        }))
    })
}

async fn list(context: State<Context>, front_end: FrontEnd, query: Query) -> Result<Response, Problem> {
    let filter = shapes::approval_filter(&query)?;
    let found = approvals::list(&context.app, &front_end.caller, filter).await?;
    Ok(lists::body(found.map(|approval| shapes::approval(&approval))).into_response())
}

async fn accept(
    context: State<Context>,
    front_end: FrontEnd,
    Path(id): Path<String>,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    decide(&context, &front_end, &id, Verdict::Accept, given).await
}

async fn reject(
    context: State<Context>,
    front_end: FrontEnd,
    Path(id): Path<String>,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    decide(&context, &front_end, &id, Verdict::Reject, given).await
}

async fn decide(
    context: &Context,
    front_end: &FrontEnd,
    id: &str,
    verdict: Verdict,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    let id = ApprovalId::parse(id).ok_or_else(Error::not_found)?;
    approvals::approval(&context.app, &front_end.caller, &id).await?;
    let given = Object::of(given?.0)?;
    let metadata = given.text("metadata")?;
    if let Some(metadata) = &metadata {
        text::free("metadata", metadata, 65_536)?;
    }
    let operator_name = metadata.as_deref().and_then(operator_name);
    let input = DecisionInput { metadata, operator_name, reason: given.text("reason")?.unwrap_or_default() };
    let approval = approvals::decide(&context.app, &front_end.caller, &id, verdict, input).await?;
    Ok(Json(shapes::approval(&approval)).into_response())
}

/// The member `operator_name` of `metadata`, where that parses as an object holding such a text.
fn operator_name(metadata: &str) -> Option<String> {
    let value: Value = serde_json::from_str(metadata).ok()?;
    let name = value.get("operator_name")?.as_str()?;
    (!name.is_empty() && !name.contains('\0')).then(|| name.to_owned())
}
