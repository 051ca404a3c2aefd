//! Administrators, called users here: lists, invitations, password resets, the roles that they hold.

use std::collections::BTreeSet;

use axum::extract::State;
use forecourt_app::{
    access,
    administrators::{self, HeldRole},
    sign_in_options,
};
use forecourt_core::{
    administrators::{Administrator, AdministratorFilter},
    ids::{AdministratorId, GatewayGroupId, RoleId},
    permissions::{Action, Target},
    roles::AssignedRole,
    sign_in_options::SignInOption,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    roles::{ORGANIZATION, SCOPE_TYPE},
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Users")
        .get(
            "/api/users",
            list,
            operations::list("List users", user_schema())
                .ordered_by_time()
                .searched("user name, e-mail address and names")
                .query("roles", schemas::array(schemas::id()))
                .query("login_option_name", schemas::array(schemas::text())),
        )
        .get("/api/users/{id}", administrator, operations::one("Get a user", user_schema()))
        .delete("/api/users/{id}", delete, operations::delete("Delete a user"))
        .post(
            "/api/invites",
            invite,
            operations::send(
                "Invite a user",
                password_schema().required("username", credential_schema()),
                user_schema(),
            )
            .notes("The password is one-time; until it is changed nothing else works."),
        )
        .put(
            "/api/users/{id}/password_reset",
            reset_password,
            operations::send("Reset the password of a user", password_schema(), user_schema()),
        )
        .put(
            "/api/users/{id}/assigned_roles",
            assign_roles,
            operations::send("Assign roles to a user", roles_schema(), user_schema())
                .notes("Replaces the whole list."),
        )
        .put(
            "/api/users/{id}/permission_boundary",
            bound,
            operations::send(
                "Bound what a user may be granted",
                schemas::object().optional("permission_policy_id", schemas::id()),
                user_schema(),
            )
            .notes("Absent: no bound."),
        )
}

/// A user name or a password.
pub(super) fn credential_schema() -> Schema {
    schemas::text().long(1, 128)
}

fn password_schema() -> Schema {
    schemas::object().required("password", credential_schema())
}

fn roles_schema() -> Schema {
    let role = schemas::object()
        .required("role_id", schemas::id())
        .optional("scopes", schemas::array(schemas::id()).about("Gateway groups that narrow the role."));
    schemas::object().required("roles", schemas::array(role))
}

/// An administrator as this API describes it.
pub(super) fn user_schema() -> Schema {
    schemas::named("User", || {
        let option = schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("provider_type", schemas::text());
        let role = schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("org_id", schemas::id())
            .required("permissions", schemas::array(schemas::id()))
            .required("scope_type", schemas::text())
            .required("scopes", schemas::array(schemas::id()));
        schemas::object()
            .required("id", schemas::id())
            .required("username", schemas::text())
            .optional("email", schemas::text())
            .optional("first_name", schemas::text())
            .optional("last_name", schemas::text())
            .required(
                "state",
                schemas::words(&["Active", "Pending", "Inactive"])
                    .about("Inactive: a directory deactivated them."),
            )
            .required("login_option", option)
            .required("roles", schemas::array(role))
            .optional("permission_boundary", schemas::id())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
            .example(json!({
                "id": "0b6e4c52", "username": "ann", "email": "ann@example.com", "state": "Active",
                "login_option": { "id": "built_in", "name": "Built-in", "provider_type": "built_in" },
                "roles": [], "created_at": 1_786_060_800, "updated_at": 1_786_060_800,
            }))
    })
}

/// An administrator as this API shows it.
pub(super) async fn user(context: &Context, administrator: &Administrator) -> Result<Value, Problem> {
    let id = &administrator.id;
    let mut held = administrators::held_roles(&context.app, std::slice::from_ref(id)).await?;
    let mut options = sign_in_options::of_administrators(&context.app, std::slice::from_ref(id)).await?;
    Ok(shape(administrator, &held.remove(id).unwrap_or_default(), options.remove(id).as_ref()))
}

fn role_shape(held: &HeldRole) -> Value {
    json!({
        "id": held.role.id, "name": held.role.name, "org_id": ORGANIZATION, "permissions": held.role.policies,
        "scope_type": SCOPE_TYPE, "scopes": held.scopes,
    })
}

fn shape(administrator: &Administrator, held: &[HeldRole], option: Option<&SignInOption>) -> Value {
    let state = match (administrator.active, administrator.activated) {
        (false, _) => "Inactive",
        (true, true) => "Active",
        (true, false) => "Pending",
    };
    let option = option.map(
        |option| json!({ "id": option.id, "name": option.name, "provider_type": option.provider_type().name() }),
    );
    Value::Object(members([
        ("id", Some(json!(administrator.id))),
        ("username", Some(json!(administrator.username))),
        ("email", non_empty(&administrator.email)),
        ("first_name", non_empty(&administrator.first_name)),
        ("last_name", non_empty(&administrator.last_name)),
        ("state", Some(json!(state))),
        ("login_option", option),
        ("roles", Some(held.iter().map(role_shape).collect())),
        ("permission_boundary", administrator.boundary.as_ref().map(|id| json!(id))),
        ("created_at", Some(json!(administrator.created_at.seconds()))),
        ("updated_at", Some(json!(administrator.updated_at.seconds()))),
    ]))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let roles = query.texts("roles");
    let options = query.texts("login_option_name");
    let roles = (!roles.is_empty()).then(|| roles.into_iter().map(RoleId::known).collect());
    let known_by = match options.is_empty() {
        true => None,
        false => Some(sign_in_options::known_by(&context.app, &options).await?),
    };
    let filter = AdministratorFilter {
        search: query.text("search").map(str::to_owned),
        roles,
        known_by,
        order: query.time_order()?,
        paging: query.paging()?,
        ..AdministratorFilter::default()
    };
    let found = administrators::list(&context.app, &caller, &filter).await?;
    let ids: Vec<_> = found.rows.iter().map(|administrator| administrator.id.clone()).collect();
    let held = administrators::held_roles(&context.app, &ids).await?;
    let held_by = |id: &AdministratorId| held.get(id).map(Vec::as_slice).unwrap_or_default();
    let options = sign_in_options::of_administrators(&context.app, &ids).await?;
    Ok(lists::body(found.map(|administrator| {
        shape(&administrator, held_by(&administrator.id), options.get(&administrator.id))
    })))
}

async fn administrator(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    value(user(&context, &administrators::administrator(&context.app, &caller, &id).await?).await?)
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    administrators::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}

async fn invite(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::InviteUser, Target::User(None))?;
    let body = body?;
    let (username, password) = (body.required_text("username")?, body.required_text("password")?);
    let invited = administrators::invite(&context.app, &caller, &username, &password).await?;
    value(user(&context, &invited).await?)
}

async fn reset_password(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    administrators::permitted(&context.app, &caller, &id, Action::ResetPassword).await?;
    let password = body?.required_text("password")?;
    let reset = administrators::reset_password(&context.app, &caller, &id, &password).await?;
    value(user(&context, &reset).await?)
}

async fn assign_roles(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    administrators::permitted(&context.app, &caller, &id, Action::UpdateUserRole).await?;
    let given = body?.objects("roles")?.ok_or_else(|| Problem::bad_request("roles is required"))?;
    let mut roles = Vec::with_capacity(given.len());
    for role in &given {
        let named = role.required_text("role_id")?;
        let unknown = || Problem::bad_request(format!("role_id {named:?} does not exist"));
        let role_id = RoleId::parse(&named).ok_or_else(unknown)?;
        let mut scopes = BTreeSet::new();
        for scope in role.texts("scopes")?.unwrap_or_default() {
            let unknown = || Problem::bad_request(format!("scopes: {scope:?} is no gateway group"));
            scopes.insert(GatewayGroupId::parse(&scope).ok_or_else(unknown)?);
        }
        roles.push(AssignedRole { role_id, scopes });
    }
    let changed = administrators::assign_roles(&context.app, &caller, &id, &roles).await?;
    value(user(&context, &changed).await?)
}

async fn bound(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    administrators::permitted(&context.app, &caller, &id, Action::UpdateUserRole).await?;
    let policy = body?.text("permission_policy_id")?.filter(|policy| !policy.is_empty());
    let changed = administrators::bound(&context.app, &caller, &id, policy.as_deref()).await?;
    value(user(&context, &changed).await?)
}
