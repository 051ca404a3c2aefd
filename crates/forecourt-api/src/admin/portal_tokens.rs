//! Portal tokens; their text is shown once.

use axum::extract::State;
use forecourt_app::{access, portal_tokens, portals};
use forecourt_core::permissions::{Action, Target};
use forecourt_core::{
    actors::Caller,
    ids::PortalTokenId,
    portal_tokens::{PortalToken, PortalTokenFilter},
    secrets::PlainSecret,
    time::Timestamp,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    segments::Segments,
    table::Table,
};
use crate::shapes::members;

pub(super) fn endpoints(table: Table) -> Table {
    let collections = ["/api/portal/tokens", "/api/portals/{portal}/tokens"];
    let items = ["/api/portal/tokens/{id}", "/api/portals/{portal}/tokens/{id}"];
    let regenerated = ["/api/portal/tokens/{id}/regenerate", "/api/portals/{portal}/tokens/{id}/regenerate"];
    let table = collections.into_iter().fold(table, |table, path| table.get(path, list).post(path, create));
    let table = items
        .into_iter()
        .fold(table, |table, path| table.get(path, token).put(path, rename).delete(path, delete));
    regenerated.into_iter().fold(table, |table, path| table.put(path, regenerate))
}

fn shape(token: &PortalToken, text: Option<&PlainSecret>) -> Value {
    Value::Object(members([
        ("id", Some(json!(token.id))),
        ("name", Some(json!(token.name))),
        ("portal_id", Some(json!(token.portal_id))),
        ("token", text.map(|text| json!(text.reveal()))),
        ("expires_at", Some(json!(token.expires_at.map_or(0, Timestamp::seconds)))),
        ("last_used_at", token.last_used_at.map(|at| json!(at.seconds()))),
        ("created_at", Some(json!(token.created_at.seconds()))),
        ("updated_at", Some(json!(token.updated_at.seconds()))),
    ]))
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let filter = PortalTokenFilter {
        portal_id: segments.portal(&query)?,
        order: query.time_order()?,
        paging: query.paging()?,
        ..PortalTokenFilter::default()
    };
    let found = portal_tokens::administered(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|token| shape(&token, None))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let portal = segments.required_portal(&query)?;
    access::permits(&caller, Action::CreatePortalToken, Target::Portal(Some(&portal)))?;
    portals::must_exist(&context.app, &portal).await?;
    let body = body?;
    let (name, expires_at) = (body.required_text("name")?, body.integer("expires_at")?);
    let issued = portal_tokens::create(&context.app, &caller, &portal, &name, expires_at).await?;
    value(shape(&issued.token, Some(&issued.text)))
}

/// The token that the path names; a portal that is named too must be its own.
async fn named(
    context: &Context,
    caller: &Caller,
    segments: &Segments,
    query: &Query,
    action: Action,
) -> Result<PortalToken, Problem> {
    let portal = segments.portal(query)?;
    let token =
        portal_tokens::permitted(&context.app, caller, &segments.id(PortalTokenId::parse)?, action).await?;
    match portal {
        Some(portal) if portal != token.portal_id => Err(Problem::not_found()),
        _ => Ok(token),
    }
}

async fn token(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    value(shape(&named(&context, &caller, &segments, &query, Action::GetPortalToken).await?, None))
}

async fn rename(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let token = named(&context, &caller, &segments, &query, Action::UpdatePortalToken).await?;
    let name = body?.required_text("name")?;
    value(shape(&portal_tokens::rename(&context.app, &caller, &token.id, &name).await?, None))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let token = named(&context, &caller, &segments, &query, Action::DeletePortalToken).await?;
    portal_tokens::delete(&context.app, &caller, &token.id).await?;
    deleted(token.id.as_str())
}

async fn regenerate(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let token = named(&context, &caller, &segments, &query, Action::UpdatePortalToken).await?;
    let expires_at = body?.integer("expires_at")?;
    let issued = portal_tokens::regenerate(&context.app, &caller, &token.id, expires_at).await?;
    value(shape(&issued.token, Some(&issued.text)))
}
