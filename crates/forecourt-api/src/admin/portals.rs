//! Portals, and whether guests see their public products.

use axum::extract::State;
use forecourt_app::{access, portals};
use forecourt_core::permissions::{Action, Target};
use forecourt_core::{
    ids::PortalId,
    portals::{Portal, PortalFilter, PortalInput},
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
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    json_patch::{self, Members},
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    let table = table
        .about("Portals")
        .get(
            "/api/portals",
            list,
            operations::list("List portals", shape_schema())
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .post(
            "/api/portals",
            create,
            operations::send(
                "Create a portal",
                input_schema().required("name", schemas::name()),
                shape_schema(),
            ),
        )
        .get("/api/portals/{id}", portal, operations::one("Get a portal", shape_schema()))
        .put(
            "/api/portals/{id}",
            update,
            operations::send(
                "Update a portal",
                input_schema().optional("name", schemas::name()),
                shape_schema(),
            )
            .notes("Absent members stay as they are."),
        )
        .patch("/api/portals/{id}", patch, operations::patch("Change a portal", shape_schema()))
        .delete("/api/portals/{id}", delete, operations::delete("Delete a portal"));
    ["/api/portal/system_settings/public_access", "/api/portals/{portal}/system_settings/public_access"]
        .into_iter()
        .fold(table, |table, path| {
            let read = operations::in_portal(operations::one("Get public access", public_access_schema()));
            let change =
                operations::send("Set public access", public_access_schema(), public_access_schema());
            table.get(path, public_access, read).put(path, set_public_access, operations::in_portal(change))
        })
}

fn input_schema() -> Schema {
    schemas::object()
        .optional("desc", schemas::desc())
        .optional("labels", schemas::labels())
        .optional("public_url", schemas::text().about("Where developers reach it; empty clears it."))
        .optional("domain", schemas::text().about("The host name that chooses it; empty clears it."))
}

fn public_access_schema() -> Schema {
    schemas::object().required("portal_public_access", schemas::flag())
}

fn shape_schema() -> Schema {
    schemas::named("Portal", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .optional("desc", schemas::text())
            .required("labels", schemas::labels())
            .optional("public_url", schemas::text())
            .optional("domain", schemas::text())
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
            .example(json!({
                "id": "3f0a", "name": "default", "labels": { "env": "prod" },
                "public_url": "https://portal.example.com", "domain": "portal.example.com",
                "created_at": "2026-08-01T00:00:00.000Z", "updated_at": "2026-08-01T00:00:00.000Z",
            }))
    })
}

fn shape(portal: &Portal) -> Map<String, Value> {
    members([
        ("id", Some(json!(portal.id))),
        ("name", Some(json!(portal.name))),
        ("desc", non_empty(&portal.desc)),
        ("labels", Some(json!(portal.labels))),
        ("public_url", portal.public_url.as_ref().map(|url| json!(url))),
        ("domain", portal.domain.as_ref().map(|domain| json!(domain))),
        ("created_at", Some(json!(iso(portal.created_at)))),
        ("updated_at", Some(json!(iso(portal.updated_at)))),
    ])
}

fn input(body: &Object) -> Result<PortalInput, Problem> {
    Ok(PortalInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        labels: body.text_map("labels")?,
        public_url: body.text("public_url")?,
        domain: body.text("domain")?,
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = PortalFilter {
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..PortalFilter::default()
    };
    let found = portals::list(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|portal| Value::Object(shape(&portal)))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::CreatePortal, Target::Portal(None))?;
    value(shape(&portals::create(&context.app, &caller, input(&body?)?).await?))
}

async fn portal(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(PortalId::parse)?;
    value(shape(&portals::portal(&context.app, &caller, &id).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(PortalId::parse)?;
    portals::changeable(&context.app, &caller, &id).await?;
    value(shape(&portals::update(&context.app, &caller, &id, input(&body?)?).await?))
}

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<AnyJson, Problem>,
) -> Answer {
    const MEMBERS: Members = Members {
        optional: &["/desc", "/public_url", "/domain"],
        read_only: &["id", "created_at", "updated_at"],
    };
    let id = segments.id(PortalId::parse)?;
    // Whether it exists is told before whether the body is any good.
    portals::changeable(&context.app, &caller, &id).await?;
    let patch = body?.0;
    let cleared =
        [("desc", json!("")), ("labels", json!({})), ("public_url", json!("")), ("domain", json!(""))];
    let edit = |portal: &Portal| {
        let before = shape(portal);
        let after = json_patch::apply(&before, &patch, &MEMBERS)?;
        input(&json_patch::changes(&before, after, &cleared)?)
    };
    value(shape(&portals::change(&context.app, &caller, &id, edit).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(PortalId::parse)?;
    portals::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}

fn public_access_shape(portal: &Portal) -> Value {
    json!({ "portal_public_access": portal.public_access })
}

async fn public_access(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let id = segments.required_portal(&query)?;
    value(public_access_shape(&portals::portal(&context.app, &caller, &id).await?))
}

async fn set_public_access(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.required_portal(&query)?;
    portals::changeable(&context.app, &caller, &id).await?;
    let public = body?.bool("portal_public_access")?;
    let public = public.ok_or_else(|| Problem::bad_request("portal_public_access is required"))?;
    value(public_access_shape(&portals::set_public_access(&context.app, &caller, &id, public).await?))
}
