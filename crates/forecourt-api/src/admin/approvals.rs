//! Approvals of all portals: the inbox, and the two ways to decide.

use axum::extract::State;
use forecourt_app::{
    approvals::{self, DecisionInput, Verdict},
    portals,
};
use forecourt_core::{
    actors::Caller,
    approvals::{Approval, ApprovalFilter},
    ids::ApprovalId,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes,
};

pub(super) fn endpoints(table: Table) -> Table {
    let listed = || {
        let described = operations::of_portal(operations::list("List approvals", shape_schema()));
        shapes::approval_filter_schema(described)
    };
    table
        .about("Approvals")
        .get("/api/approvals", list, listed())
        .get("/api/portals/{portal}/approvals", list, listed())
        .get("/api/approvals/{id}", approval, operations::one("Get an approval", shape_schema()))
        .post(
            "/api/approvals/{id}/accept",
            accept,
            operations::send("Accept an approval", reason_schema(), shape_schema()),
        )
        .post(
            "/api/approvals/{id}/reject",
            reject,
            operations::send("Reject an approval", reason_schema(), shape_schema()),
        )
}

fn reason_schema() -> Schema {
    schemas::object().optional("reason", schemas::desc())
}

fn shape_schema() -> Schema {
    schemas::named("Approval", || {
        let portal = schemas::object().required("portal_id", schemas::id());
        portal.optional("portal_name", schemas::text()).and(shapes::approval_schema())
    })
}

fn shape(approval: &Approval, portal: Option<&String>) -> Value {
    let mut shape = shapes::approval(approval);
    shape.insert("portal_id".into(), json!(approval.portal_id));
    if let Some(name) = portal {
        shape.insert("portal_name".into(), json!(name));
    }
    Value::Object(shape)
}

async fn one(context: &Context, approval: &Approval) -> Answer {
    let names = portals::names(&context.app).await?;
    value(shape(approval, names.get(&approval.portal_id)))
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let filter = ApprovalFilter { portal_id: segments.portal(&query)?, ..shapes::approval_filter(&query)? };
    let found = approvals::list(&context.app, &caller, filter).await?;
    let names = portals::names(&context.app).await?;
    Ok(lists::body(found.map(|approval| shape(&approval, names.get(&approval.portal_id)))))
}

async fn approval(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(ApprovalId::parse)?;
    let found = approvals::approval(&context.app, &caller, &id).await?;
    one(&context, &found).await
}

async fn accept(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    decide(&context, &caller, &segments, Verdict::Accept, body).await
}

async fn reject(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    decide(&context, &caller, &segments, Verdict::Reject, body).await
}

/// Decides in the administrator's own name; a reason may be given, `metadata` counts for nothing here.
async fn decide(
    context: &Context,
    caller: &Caller,
    segments: &Segments,
    verdict: Verdict,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(ApprovalId::parse)?;
    approvals::decidable(&context.app, caller, &id).await?;
    let reason = body?.text("reason")?.unwrap_or_default();
    let input = DecisionInput { reason, ..DecisionInput::default() };
    let decided = approvals::decide(&context.app, caller, &id, verdict, input).await?;
    one(context, &decided).await
}
