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
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    let (all, one) = ("/api/permission_policies", "/api/permission_policies/{id}");
    table
        .about("Permission policies")
        .get(
            all,
            list,
            operations::list("List permission policies", shape_schema())
                .ordered_by_time()
                .searched("name, desc and labels")
                .labelled(),
        )
        .post(
            all,
            create,
            operations::send_with_warning(
                "Create a permission policy",
                input_schema()
                    .required("name", schemas::name())
                    .required("policy_document", document_schema()),
                shape_schema(),
            ),
        )
        .get(one, policy, operations::one("Get a permission policy", shape_schema()))
        .put(
            one,
            update,
            operations::send_with_warning(
                "Update a permission policy",
                input_schema()
                    .required("name", schemas::name())
                    .optional("policy_document", document_schema()),
                shape_schema(),
            ),
        )
        .delete(
            one,
            delete,
            operations::delete("Delete a permission policy").notes("Refused while a role or a user has it."),
        )
}

fn input_schema() -> Schema {
    schemas::object().optional("desc", schemas::desc()).optional("labels", schemas::labels())
}

/// Who may do what; closed, since a misspelt member would allow or deny other things than were meant.
fn document_schema() -> Schema {
    schemas::named("PolicyDocument", || {
        let patterns = |about| schemas::array(schemas::text().long(1, 2_048)).about(about);
        let statement = schemas::object()
            .required("effect", schemas::words(&["allow", "deny"]))
            .required("resources", patterns("`arn:api7:…`; between `<` and `>` a regular expression."))
            .required(
                "actions",
                patterns("`portal:GetPortal` and such; between `<` and `>` a regular expression."),
            )
            .optional("conditions", schemas::object());
        schemas::object().required("statement", schemas::array(statement))
    })
}

pub(super) fn shape_schema() -> Schema {
    schemas::named("PermissionPolicy", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .optional("desc", schemas::text())
            .required("labels", schemas::labels())
            .required("org_id", schemas::id())
            .required("type", schemas::words(&["built_in", "custom"]))
            .required("policy_document", document_schema())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
    })
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
