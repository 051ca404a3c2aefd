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
use serde_json::Value;

use crate::shapes;

pub(super) async fn list(
    context: State<Context>,
    front_end: FrontEnd,
    query: Query,
) -> Result<Response, Problem> {
    let filter = shapes::approval_filter(&query)?;
    let found = approvals::list(&context.app, &front_end.caller, filter).await?;
    Ok(lists::body(found.map(|approval| shapes::approval(&approval))).into_response())
}

pub(super) async fn accept(
    context: State<Context>,
    front_end: FrontEnd,
    Path(id): Path<String>,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    decide(&context, &front_end, &id, Verdict::Accept, given).await
}

pub(super) async fn reject(
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
