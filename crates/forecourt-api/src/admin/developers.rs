//! Developers of all portals, and invitations.

use axum::extract::State;
use forecourt_app::{access, developers, portals};
use forecourt_core::developers::{Developer, DeveloperFilter, DeveloperOrder, DeveloperStatus};
use forecourt_core::permissions::{Action, Target};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query, times::iso,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    segments::Segments,
    table::Table,
};
use crate::shapes::members;

pub(super) fn endpoints(table: Table) -> Table {
    let items = ["/api/developers/{id}", "/api/portals/{portal}/developers/{id}"];
    let table = table
        .get("/api/developers", list)
        .get("/api/portals/{portal}/developers", list)
        .post("/api/developers/invites", invite)
        .post("/api/portals/{portal}/developers/invites", invite);
    items.into_iter().fold(table, |table, path| table.get(path, developer).delete(path, delete))
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
        // Addresses are not verified in this version.
        ("email_verified", Some(json!(false))),
        ("state", Some(json!(state))),
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
