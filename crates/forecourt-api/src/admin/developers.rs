//! Developers of all portals, and invitations.

use axum::extract::State;
use forecourt_app::{access, developers, persons, portals};
use forecourt_core::developers::{Developer, DeveloperFilter, DeveloperOrder, DeveloperStatus};
use forecourt_core::permissions::{Action, Target};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query, times::iso,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::{
        operations::Operation,
        schemas::{self, Schema},
    },
    shapes::members,
};

pub(super) fn endpoints(table: Table) -> Table {
    let lists = ["/api/developers", "/api/portals/{portal}/developers"];
    let invitations = ["/api/developers/invites", "/api/portals/{portal}/developers/invites"];
    let items = ["/api/developers/{id}", "/api/portals/{portal}/developers/{id}"];
    let table =
        lists.into_iter().fold(table.about("Developers"), |table, path| table.get(path, list, listed()));
    let table = invitations.into_iter().fold(table, |table, path| table.post(path, invite, invited()));
    let table = table.put("/api/forecourt/developers/{id}/password_reset", reset_password, reset());
    items.into_iter().fold(table, |table, path| {
        let read = operations::of_portal(operations::one("Get a developer", shape_schema()));
        let end = operations::of_portal(operations::delete("Delete a developer"));
        table.get(path, developer, read).delete(path, delete, end)
    })
}

fn listed() -> Operation {
    operations::of_portal(operations::list("List developers", shape_schema()))
        .query("state", schemas::words(&["Active", "Pending"]))
        .ordered(&["last_active_at", "created_at"])
        .searched("ids, names and e-mail address")
}

fn invited() -> Operation {
    let body = schemas::object()
        .required("username", schemas::text().long(1, 128))
        .required("password", schemas::text().long(1, 128))
        .optional("name", schemas::name().about("The user name where absent."));
    operations::in_portal(operations::send("Invite a developer", body, shape_schema()))
        .notes("The password is one-time.")
}

fn reset() -> Operation {
    let body = schemas::object().required("password", schemas::text().long(1, 128));
    operations::of_portal(operations::send("Reset the password of a developer", body, shape_schema()))
        .notes("For a developer as whom one person signs in to the portal's site. The password is one-time.")
}

fn shape_schema() -> Schema {
    schemas::named("Developer", || {
        let providers = ["portal_api", "built_in", "oidc", "saml", "ldap", "cas"];
        schemas::object()
            .required("id", schemas::id())
            .required("developer_id", schemas::id())
            .required("portal_id", schemas::id())
            .required("name", schemas::text())
            .optional("username", schemas::text())
            .optional("email", schemas::text())
            .required("email_verified", schemas::flag())
            .required("state", schemas::words(&["Active", "Pending"]))
            .optional("on_hold", schemas::flag().about("True while nobody of them may sign in; absent else."))
            .required("provider", schemas::words(&providers))
            .optional("last_active_at", schemas::time())
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
            .example(json!({
                "id": "a94c", "developer_id": "org-k4Tz9", "portal_id": "3f0a", "name": "org-k4Tz9",
                "email_verified": false, "state": "Active", "provider": "portal_api",
                "last_active_at": "2026-08-07T09:12:44.031Z",
                "created_at": "2026-08-01T08:00:00.000Z", "updated_at": "2026-08-07T09:12:44.031Z",
            }))
    })
}

fn shape(developer: &Developer) -> Value {
    let state = match developer.status {
        DeveloperStatus::Active => "Active",
        DeveloperStatus::Pending => "Pending",
    };
    Value::Object(members([
        ("id", Some(json!(developer.id))),
        ("developer_id", Some(json!(developer.name))),
        ("portal_id", Some(json!(developer.portal_id))),
        ("name", Some(json!(developer.display_name))),
        ("username", developer.username.as_ref().map(|username| json!(username))),
        ("email", developer.email.as_ref().map(|email| json!(email))),
        ("email_verified", Some(json!(developer.email_verified))),
        ("state", Some(json!(state))),
        ("on_hold", developer.on_hold.then(|| json!(true))),
        ("provider", Some(json!(developer.provider.name()))),
        ("last_active_at", developer.last_active_at.map(|at| json!(iso(at)))),
        ("created_at", Some(json!(iso(developer.created_at)))),
        ("updated_at", Some(json!(iso(developer.updated_at)))),
    ]))
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let state = |word: &str| match word {
        "Active" => Some(DeveloperStatus::Active),
        "Pending" => Some(DeveloperStatus::Pending),
        _ => None,
    };
    let order = |word: &str| match word {
        "last_active_at" => Some(DeveloperOrder::LastActiveAt),
        "created_at" => Some(DeveloperOrder::CreatedAt),
        _ => None,
    };
    let filter = DeveloperFilter {
        portal_id: segments.portal(&query)?,
        status: query.word("state", state, "Active or Pending")?,
        search: query.text("search").map(str::to_owned),
        order: query.order(order, "last_active_at or created_at")?,
        paging: query.paging()?,
        ..DeveloperFilter::default()
    };
    let found = developers::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|developer| shape(&developer))))
}

async fn developer(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let portal = segments.portal(&query)?;
    let named = segments.text("id")?;
    value(shape(&developers::developer(&context.app, &caller, named, portal.as_ref()).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let portal = segments.portal(&query)?;
    let named = segments.text("id")?;
    let gone = developers::delete(&context.app, &caller, named, portal.as_ref()).await?;
    deleted(gone.id.as_str())
}

async fn invite(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let Some(portal) = segments.portal(&query)? else {
        access::permits_somewhere(&caller, Action::InviteDeveloper)?;
        return Err(Problem::bad_request("portal_id is required"));
    };
    access::permits(&caller, Action::InviteDeveloper, Target::Developer(&portal, None))?;
    portals::must_exist(&context.app, &portal).await?;
    let body = body?;
    let (username, password) = (body.required_text("username")?, body.required_text("password")?);
    let name = body.text("name")?;
    let invited =
        developers::invite(&context.app, &caller, &portal, &username, &password, name.as_deref()).await?;
    value(shape(&invited))
}

async fn reset_password(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let portal = segments.portal(&query)?;
    let named = segments.text("id")?;
    developers::invitable(&context.app, &caller, named, portal.as_ref()).await?;
    let password = body?.required_text("password")?;
    let developer = persons::reset_password(&context.app, &caller, named, portal.as_ref(), &password).await?;
    value(shape(&developer))
}
