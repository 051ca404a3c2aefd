//! Roles of administrators, and the permission policies that are attached to them.

use axum::extract::State;
use forecourt_app::{access, roles};
use forecourt_core::{
    ids::RoleId,
    permissions::{Action, Target},
    roles::{Role, RoleFilter, RoleInput},
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations, permission_policies,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

/// The one organization of an installation.
pub(super) const ORGANIZATION: &str = "default";
/// What the scopes of an assigned role are.
pub(super) const SCOPE_TYPE: &str = "gateway_group";

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Roles")
        .get(
            "/api/roles",
            list,
            operations::list("List roles", shape_schema())
                .ordered_by_time()
                .searched("name, desc and labels")
                .labelled(),
        )
        .post(
            "/api/roles",
            create,
            operations::send(
                "Create a role",
                input_schema().required("name", schemas::name()),
                shape_schema(),
            ),
        )
        .get("/api/roles/{id}", role, operations::one("Get a role", shape_schema()))
        .put(
            "/api/roles/{id}",
            update,
            operations::send(
                "Update a role",
                input_schema().required("name", schemas::name()),
                shape_schema(),
            ),
        )
        .delete(
            "/api/roles/{id}",
            delete,
            operations::delete("Delete a role").notes("Refused while somebody holds it."),
        )
        .get(
            "/api/roles/{id}/permission_policies",
            policies,
            operations::bare("List the permission policies of a role")
                .answers(schemas::list(permission_policies::shape_schema())),
        )
        .post(
            "/api/roles/{id}/attach_permission_policies",
            attach,
            operations::send("Attach permission policies to a role", policies_schema(), shape_schema()),
        )
        .post(
            "/api/roles/{id}/detach_permission_policies",
            detach,
            operations::send("Detach permission policies from a role", policies_schema(), shape_schema()),
        )
}

fn input_schema() -> Schema {
    schemas::object().optional("desc", schemas::desc()).optional("labels", schemas::labels())
}

fn policies_schema() -> Schema {
    schemas::object().required("permission_policies", schemas::array(schemas::id()))
}

fn shape_schema() -> Schema {
    schemas::named("Role", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .optional("desc", schemas::text())
            .required("labels", schemas::labels())
            .required("org_id", schemas::id())
            .required("type", schemas::words(&["built_in", "custom"]))
            .required("scope_type", schemas::text())
            .required("permissions", schemas::array(schemas::id()))
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
    })
}

fn shape(role: &Role) -> Value {
    Value::Object(members([
        ("id", Some(json!(role.id))),
        ("name", Some(json!(role.name))),
        ("desc", non_empty(&role.desc)),
        ("labels", Some(json!(role.labels))),
        ("org_id", Some(json!(ORGANIZATION))),
        ("type", Some(json!(if role.built_in { "built_in" } else { "custom" }))),
        ("scope_type", Some(json!(SCOPE_TYPE))),
        ("permissions", Some(json!(role.policies))),
        ("created_at", Some(json!(role.created_at.seconds()))),
        ("updated_at", Some(json!(role.updated_at.seconds()))),
    ]))
}

fn input(body: &Object) -> Result<RoleInput, Problem> {
    Ok(RoleInput { name: body.text("name")?, desc: body.text("desc")?, labels: body.text_map("labels")? })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = RoleFilter {
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..RoleFilter::default()
    };
    let found = roles::list(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|role| shape(&role))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::CreateCustomRole, Target::Role(None))?;
    value(shape(&roles::create(&context.app, &caller, input(&body?)?).await?))
}

async fn role(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    value(shape(&roles::role(&context.app, &caller, &segments.id(RoleId::parse)?).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(RoleId::parse)?;
    roles::permitted(&context.app, &caller, &id, Action::UpdateCustomRole).await?;
    value(shape(&roles::update(&context.app, &caller, &id, input(&body?)?).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(RoleId::parse)?;
    roles::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}

async fn policies(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> ListAnswer {
    let found = roles::policies(&context.app, &caller, &segments.id(RoleId::parse)?).await?;
    Ok(lists::whole(found.iter().map(permission_policies::shape).collect()))
}

/// The role that the path names, and the policies that the body does.
async fn asked(
    context: &Context,
    caller: &forecourt_core::actors::Caller,
    segments: &Segments,
    body: Result<Object, Problem>,
) -> Result<(RoleId, Vec<String>), Problem> {
    let id = segments.id(RoleId::parse)?;
    roles::permitted(&context.app, caller, &id, Action::UpdateCustomRole).await?;
    let policies = body?.texts("permission_policies")?;
    Ok((id, policies.ok_or_else(|| Problem::bad_request("permission_policies is required"))?))
}

async fn attach(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let (id, policies) = asked(&context, &caller, &segments, body).await?;
    value(shape(&roles::attach(&context.app, &caller, &id, &policies).await?))
}

async fn detach(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let (id, policies) = asked(&context, &caller, &segments, body).await?;
    value(shape(&roles::detach(&context.app, &caller, &id, &policies).await?))
}
