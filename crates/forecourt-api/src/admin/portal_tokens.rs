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
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::members,
};

pub(super) fn endpoints(table: Table) -> Table {
    let collections = ["/api/portal/tokens", "/api/portals/{portal}/tokens"];
    let items = ["/api/portal/tokens/{id}", "/api/portals/{portal}/tokens/{id}"];
    let regenerated = ["/api/portal/tokens/{id}/regenerate", "/api/portals/{portal}/tokens/{id}/regenerate"];
    let table = table.about("Portal tokens");
    let table = collections.into_iter().fold(table, |table, path| {
        let read =
            operations::of_portal(operations::list("List portal tokens", shape_schema())).ordered_by_time();
        let body = name_schema().optional("expires_at", expiry_schema());
        let make = operations::in_portal(operations::send("Create a portal token", body, shape_schema()));
        let notes = "The answer shows the token; nothing shows it again.";
        table.get(path, list, read).post(path, create, make.notes(notes))
    });
    let table = items.into_iter().fold(table, |table, path| {
        let read = operations::of_portal(operations::one("Get a portal token", shape_schema()));
        let name = operations::send("Rename a portal token", name_schema(), shape_schema());
        let end = operations::of_portal(operations::delete("Delete a portal token"));
        table.get(path, token, read).put(path, rename, operations::of_portal(name)).delete(path, delete, end)
    });
    regenerated.into_iter().fold(table, |table, path| {
        let body = schemas::object().optional("expires_at", expiry_schema());
        let renew =
            operations::of_portal(operations::send("Regenerate a portal token", body, shape_schema()));
        table.put(
            path,
            regenerate,
            renew.notes("The answer shows the new token; the old one is dead at once."),
        )
    })
}

fn expiry_schema() -> Schema {
    schemas::integer().about("Unix seconds; 0 is never.")
}

fn name_schema() -> Schema {
    schemas::object().required("name", schemas::name())
}

fn shape_schema() -> Schema {
    schemas::named("PortalToken", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("portal_id", schemas::id())
            .optional("token", schemas::text().about("Only in the answer that makes it."))
            .required("expires_at", expiry_schema())
            .optional("last_used_at", schemas::seconds())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
    })
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
