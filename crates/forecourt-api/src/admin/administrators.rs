//! Administrators, called users here: lists, invitations, password resets, the role `super-admin`.

use axum::extract::State;
use forecourt_app::{access, administrators};
use forecourt_core::{
    actors::Area,
    administrators::{Administrator, AdministratorFilter},
    ids::AdministratorId,
    lists::List,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

/// The one role of this version: it may do everything.
const SUPER_ADMIN: &str = "super-admin";
/// How administrators sign in.
const BUILT_IN: &str = "Built-in";

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
            .required("state", schemas::words(&["Active", "Pending"]))
            .required("login_option", option)
            .required("roles", schemas::array(role))
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
pub(super) fn user(administrator: &Administrator) -> Value {
    let state = if administrator.activated { "Active" } else { "Pending" };
    let role = json!({
        "id": SUPER_ADMIN, "name": "Super Admin", "org_id": "default",
        "permissions": ["super-admin-permission-policy"], "scope_type": "gateway_group", "scopes": [],
    });
    let roles = if administrator.super_admin { vec![role] } else { Vec::new() };
    let option = json!({ "id": "built_in", "name": BUILT_IN, "provider_type": "built_in" });
    Value::Object(members([
        ("id", Some(json!(administrator.id))),
        ("username", Some(json!(administrator.username))),
        ("email", non_empty(&administrator.email)),
        ("first_name", non_empty(&administrator.first_name)),
        ("last_name", non_empty(&administrator.last_name)),
        ("state", Some(json!(state))),
        ("login_option", Some(option)),
        ("roles", Some(json!(roles))),
        ("created_at", Some(json!(administrator.created_at.seconds()))),
        ("updated_at", Some(json!(administrator.updated_at.seconds()))),
    ]))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let roles = query.texts("roles");
    let options = query.texts("login_option_name");
    let filter = AdministratorFilter {
        search: query.text("search").map(str::to_owned),
        super_admin: (!roles.is_empty()).then_some(true),
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = administrators::list(&context.app, &caller, &filter).await?;
    // Nobody has another role or another way to sign in.
    let nobody = !roles.is_empty() && !roles.contains(&SUPER_ADMIN)
        || !options.is_empty() && !options.contains(&BUILT_IN);
    let found = if nobody { List { rows: Vec::new(), total: 0 } } else { found };
    Ok(lists::body(found.map(|administrator| user(&administrator))))
}

async fn administrator(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    value(user(&administrators::administrator(&context.app, &caller, &id).await?))
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
    access::adds(&caller, Area::Installation)?;
    let body = body?;
    let (username, password) = (body.required_text("username")?, body.required_text("password")?);
    value(user(&administrators::invite(&context.app, &caller, &username, &password).await?))
}

async fn reset_password(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    administrators::administrator(&context.app, &caller, &id).await?;
    let password = body?.required_text("password")?;
    value(user(&administrators::reset_password(&context.app, &caller, &id, &password).await?))
}

async fn assign_roles(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(AdministratorId::parse)?;
    administrators::administrator(&context.app, &caller, &id).await?;
    let roles = body?.objects("roles")?.ok_or_else(|| Problem::bad_request("roles is required"))?;
    for role in &roles {
        let named = role.required_text("role_id")?;
        if named != SUPER_ADMIN {
            return Err(Problem::bad_request(format!(
                "role_id {named:?} is not a role; known is {SUPER_ADMIN}"
            )));
        }
        if role.texts("scopes")?.is_some_and(|scopes| !scopes.is_empty()) {
            return Err(Problem::bad_request(
                "scopes are not served yet: the role super-admin covers every group",
            ));
        }
    }
    let holds = !roles.is_empty();
    value(user(&administrators::assign_super_admin(&context.app, &caller, &id, holds).await?))
}
