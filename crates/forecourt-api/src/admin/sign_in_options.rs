//! Sign-in options ("login options" on the wire): a portal's built-in one, and the administrators'.
//!
//! This version has one option in each scope, `built_in`: it can be neither deleted nor doubled, and the
//! administrators' cannot be changed either.

use axum::extract::State;
use forecourt_app::{
    access, portals,
    sign_in_options::{self, SignInOptionInput},
};
use forecourt_core::permissions::{Action, Target};
use forecourt_core::{
    actors::Caller,
    ids::SignInOptionId,
    sign_in_options::{BuiltInSignIn, SignInOption, SignInOptionFilter},
};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::AdminCaller,
    lists,
    problem::Problem,
    queries::Query,
    times::iso,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, value},
    segments::Segments,
    sign_in_schemas,
    table::Table,
};
use crate::{
    json_patch::{self, Members},
    shapes::{members, non_empty},
};

/// The id of the administrators' option.
const ADMINISTRATORS: &str = "built_in";

pub(super) fn endpoints(table: Table) -> Table {
    let collections = ["/api/portal/login_options", "/api/portals/{portal}/login_options"];
    let items = ["/api/portal/login_options/{id}", "/api/portals/{portal}/login_options/{id}"];
    let table = table
        .about("Login options")
        .get("/api/login_options", list_of_scope, sign_in_schemas::listed("List login options"))
        .post("/api/login_options", create, sign_in_schemas::created("Create a login option"));
    let table = collections.into_iter().fold(table, |table, path| {
        table.get(path, list, sign_in_schemas::listed("List login options of portals")).post(
            path,
            create,
            sign_in_schemas::created("Create a login option of a portal"),
        )
    });
    let table = items.into_iter().fold(table, |table, path| {
        table
            .get(path, option, sign_in_schemas::read("Get a login option of a portal"))
            .put(path, update, sign_in_schemas::updated("Update a login option of a portal"))
            .patch(path, patch, sign_in_schemas::patched("Change a login option of a portal"))
            .delete(path, delete, sign_in_schemas::deleted("Delete a login option of a portal"))
    });
    let item = "/api/login_options/{id}";
    table
        .get(item, option, sign_in_schemas::read("Get a login option"))
        .put(item, update, sign_in_schemas::updated("Update a login option"))
        .patch(item, patch, sign_in_schemas::patched("Change a login option"))
        .delete(item, delete, sign_in_schemas::deleted("Delete a login option"))
}

fn shape(option: &SignInOption) -> Map<String, Value> {
    let BuiltInSignIn { enable_self_registration, registration_auto_approval, login_with_email } =
        option.built_in;
    members([
        ("id", Some(json!(option.id))),
        ("portal_id", Some(json!(option.portal_id))),
        ("name", Some(json!(option.name))),
        ("logo", non_empty(&option.logo)),
        ("disable", Some(json!(option.disable))),
        ("provider_type", Some(json!("built_in"))),
        (
            "builtin_config",
            Some(json!({
                "enable_self_registration": enable_self_registration,
                "registration_auto_approval": registration_auto_approval,
                "login_with_email": login_with_email,
            })),
        ),
        ("created_at", Some(json!(iso(option.created_at)))),
        ("updated_at", Some(json!(iso(option.updated_at)))),
    ])
}

fn administrators_shape() -> Value {
    json!({ "id": ADMINISTRATORS, "name": "Built-in", "disable": false, "provider_type": "built_in", "builtin_config": {} })
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    portals_list(&context, &caller, &segments, &query).await
}

async fn portals_list(context: &Context, caller: &Caller, segments: &Segments, query: &Query) -> ListAnswer {
    let filter = SignInOptionFilter {
        portal_id: segments.portal(query)?,
        order: query.time_order()?,
        paging: query.paging()?,
        ..SignInOptionFilter::default()
    };
    let found = sign_in_options::list(&context.app, caller, &filter).await?;
    Ok(lists::body(found.map(|option| Value::Object(shape(&option)))))
}

/// With `portal_id` the portal's options, without it the administrators'.
async fn list_of_scope(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    if query.text("portal_id").is_some() {
        return portals_list(&context, &caller, &segments, &query).await;
    }
    let readable = match access::permits(&caller, Action::GetLoginOption, Target::Organization) {
        Err(error) if error.kind() == forecourt_app::ErrorKind::NotFound => false,
        permission => permission.map(|()| true)?,
    };
    Ok(lists::whole(if readable { vec![administrators_shape()] } else { Vec::new() }))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    match segments.portal(&query)? {
        // A portal's options belong to its settings.
        Some(portal) => portals::changeable(&context.app, &caller, &portal).await.map(drop)?,
        None => access::permits(&caller, Action::CreateLoginOption, Target::Organization)?,
    }
    let body = body?;
    body.required_text("name")?;
    let known =
        |word: &str| ["ldap", "saml", "oidc", "cas", "built_in"].into_iter().find(|known| *known == word);
    match body.word("provider_type", known, "ldap, saml, oidc, cas or built_in")? {
        None => Err(Problem::bad_request("provider_type is required")),
        Some("built_in") => {
            Err(Problem::bad_request("the option built_in exists already, and there is only one"))
        }
        Some(other) => Err(Problem::bad_request(format!("provider_type {other} is not served yet"))),
    }
}

/// The option that the path names; a portal that is named too must be its own.
async fn named(
    context: &Context,
    caller: &Caller,
    segments: &Segments,
    query: &Query,
    action: Action,
) -> Result<SignInOption, Problem> {
    let portal = segments.portal(query)?;
    let id = segments.id(SignInOptionId::parse)?;
    let option = sign_in_options::permitted(&context.app, caller, &id, action).await?;
    match portal {
        Some(portal) if portal != option.portal_id => Err(Problem::not_found()),
        _ => Ok(option),
    }
}

/// Whether the path names the administrators' option, to which one must be allowed to do `action`.
fn is_administrators(
    caller: &Caller,
    segments: &Segments,
    query: &Query,
    action: Action,
) -> Result<bool, Problem> {
    if segments.text("id")? != ADMINISTRATORS || segments.portal(query)?.is_some() {
        return Ok(false);
    }
    access::permits(caller, action, Target::Organization)?;
    Ok(true)
}

fn administrators_stay() -> Problem {
    Problem::bad_request("the administrators' built-in sign-in cannot be changed or deleted in this version")
}

async fn option(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    if is_administrators(&caller, &segments, &query, Action::GetLoginOption)? {
        return value(administrators_shape());
    }
    value(shape(&named(&context, &caller, &segments, &query, Action::GetPortal).await?))
}

/// What an update of `option` gives; absent members stay, within the configuration too.
fn input(option: &SignInOption, body: Object) -> Result<SignInOptionInput, Problem> {
    let body = body.hyphened(&[("config", "builtin_config")])?;
    if let Some(other) = ["oidc_config", "saml_config", "ldap_config", "cas_config"]
        .into_iter()
        .find(|config| body.has(config))
    {
        return Err(Problem::bad_request(format!("{other} does not belong to an option of type built_in")));
    }
    if body.text("provider_type")?.is_some_and(|given| given != "built_in") {
        return Err(Problem::bad_request("provider_type is fixed: this option is built_in"));
    }
    let disable = match (body.bool("disable")?, body.bool("enabled")?) {
        (Some(disable), Some(enabled)) if disable == enabled => {
            return Err(Problem::bad_request("disable and enabled contradict each other"));
        }
        (disable, enabled) => disable.or(enabled.map(|enabled| !enabled)),
    };
    let built_in = match body.object("builtin_config")? {
        None => None,
        Some(config) => {
            let BuiltInSignIn { enable_self_registration, registration_auto_approval, login_with_email } =
                option.built_in;
            let or = |member: &str, own: bool| Ok::<_, Problem>(config.bool(member)?.unwrap_or(own));
            Some(BuiltInSignIn {
                enable_self_registration: or("enable_self_registration", enable_self_registration)?,
                registration_auto_approval: or("registration_auto_approval", registration_auto_approval)?,
                login_with_email: or("login_with_email", login_with_email)?,
            })
        }
    };
    Ok(SignInOptionInput { name: body.text("name")?, logo: body.text("logo")?, disable, built_in })
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    if is_administrators(&caller, &segments, &query, Action::UpdateLoginOption)? {
        return Err(administrators_stay());
    }
    let option = named(&context, &caller, &segments, &query, Action::UpdatePortal).await?;
    let input = input(&option, body?)?;
    value(shape(&sign_in_options::update(&context.app, &caller, &option.id, input).await?))
}

const MEMBERS: Members = Members {
    optional: &["/logo", "/enabled"],
    read_only: &["id", "portal_id", "provider_type", "created_at", "updated_at"],
};

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    if is_administrators(&caller, &segments, &query, Action::UpdateLoginOption)? {
        return Err(administrators_stay());
    }
    let option = named(&context, &caller, &segments, &query, Action::UpdatePortal).await?;
    let before = shape(&option);
    let after = json_patch::apply(&before, &body?.0, &MEMBERS)?;
    let cleared = [("logo", json!("")), ("disable", json!(false))];
    let input = input(&option, json_patch::changes(&before, after, &cleared)?)?;
    value(shape(&sign_in_options::update(&context.app, &caller, &option.id, input).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    if is_administrators(&caller, &segments, &query, Action::DeleteLoginOption)? {
        return Err(administrators_stay());
    }
    named(&context, &caller, &segments, &query, Action::UpdatePortal).await?;
    Err(Problem::bad_request("the built-in option cannot be deleted; disable it instead"))
}
