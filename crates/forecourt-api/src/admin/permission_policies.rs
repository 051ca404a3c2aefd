//! Permission policies. A document is answered as it was given; whoever names actions that do not exist is warned.

use axum::extract::State;
use forecourt_app::{access, permission_policies};
use forecourt_core::{
    ids::PermissionPolicyId,
    permission_policies::{PermissionPolicy, PermissionPolicyFilter, PermissionPolicyInput},
    permissions::{Action, Target},
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value, value_with_warning},
    segments::Segments,
    table::Table,
};
use crate::shapes::{members, non_empty};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/api/permission_policies", list)
        .post("/api/permission_policies", create)
        .get("/api/permission_policies/{id}", policy)
        .put("/api/permission_policies/{id}", update)
        .delete("/api/permission_policies/{id}", delete)
}

pub(super) fn shape(policy: &PermissionPolicy) -> Value {
    Value::Object(members([
        ("id", Some(json!(policy.id))),
        ("name", Some(json!(policy.name))),
        ("desc", non_empty(&policy.desc)),
        ("labels", Some(json!(policy.labels))),
        ("org_id", Some(json!(super::roles::ORGANIZATION))),
        ("type", Some(json!(if policy.built_in { "built_in" } else { "custom" }))),
        ("policy_document", Some(policy.document.as_json().clone())),
        ("created_at", Some(json!(policy.created_at.seconds()))),
        ("updated_at", Some(json!(policy.updated_at.seconds()))),
    ]))
}

fn input(body: &Object) -> Result<PermissionPolicyInput, Problem> {
    Ok(PermissionPolicyInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        labels: body.text_map("labels")?,
        document: body.any("policy_document"),
    })
}

/// A policy that was just saved.
fn saved(policy: &PermissionPolicy) -> Answer {
    let idle = policy.document.idle_actions();
    let warning =
        format!("these actions do not exist and neither allow nor deny anything: {}", idle.join(", "));
    value_with_warning(shape(policy), (!idle.is_empty()).then_some(warning))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = PermissionPolicyFilter {
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..PermissionPolicyFilter::default()
    };
    let found = permission_policies::list(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|policy| shape(&policy))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::CreatePermissionPolicy, Target::PermissionPolicy(None))?;
    saved(&permission_policies::create(&context.app, &caller, input(&body?)?).await?)
}

async fn policy(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(PermissionPolicyId::parse)?;
    value(shape(&permission_policies::policy(&context.app, &caller, &id).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(PermissionPolicyId::parse)?;
    permission_policies::permitted(&context.app, &caller, &id, Action::UpdatePermissionPolicy).await?;
    saved(&permission_policies::update(&context.app, &caller, &id, input(&body?)?).await?)
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(PermissionPolicyId::parse)?;
    permission_policies::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}
