//! Gateway groups, their keys, and the services that they serve.

use axum::extract::State;
use forecourt_app::{access, gateway_groups, services};
use forecourt_core::permissions::{Action, Target};
use forecourt_core::{
    gateway_groups::{GatewayGroup, GatewayGroupFilter, GatewayGroupInput},
    ids::{GatewayGroupId, ServiceId},
    services::{Service, ServiceFilter},
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::Segments,
    services as service_shapes,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

/// The one type of groups.
const TYPE: &str = "api7_gateway";

pub(super) fn endpoints(table: Table) -> Table {
    let table = table
        .about("Gateway groups")
        .get(
            "/api/gateway_groups",
            list,
            operations::list("List gateway groups", shape_schema())
                .query("name", schemas::text().about("The exact name."))
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .post(
            "/api/gateway_groups",
            create,
            operations::send(
                "Create a gateway group",
                input_schema().required("name", group_name()),
                shape_schema(),
            ),
        )
        .get("/api/gateway_groups/{id}", group, operations::one("Get a gateway group", shape_schema()))
        .put(
            "/api/gateway_groups/{id}",
            update,
            operations::send(
                "Update a gateway group",
                input_schema().optional("name", group_name()),
                shape_schema(),
            ),
        )
        .delete("/api/gateway_groups/{id}", delete, operations::delete("Delete a gateway group"))
        .put(
            "/api/gateway_groups/{id}/admin_key",
            issue_admin_key,
            operations::one(
                "Issue the admin key of a gateway group",
                schemas::object().required("key", schemas::text()),
            )
            .notes("Shown once; the earlier key is dead at once."),
        );
    published_services(table)
}

fn published_services(table: Table) -> Table {
    table
        .get(
            "/api/gateway_groups/{id}/services",
            list_services,
            operations::list("List published services", published_schema())
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .get(
            "/api/gateway_groups/{id}/services/{service}",
            service,
            operations::one("Get a published service", published_schema()),
        )
        .delete(
            "/api/gateway_groups/{id}/services/{service}",
            delete_service,
            operations::delete("Delete a published service"),
        )
        .get(
            "/api/gateway_groups/{id}/services/{service}/oas",
            document,
            operations::one("Get the OpenAPI text of a service", document_schema()),
        )
        .put(
            "/api/gateway_groups/{id}/services/{service}/oas",
            replace_document,
            operations::send("Replace the OpenAPI text of a service", document_schema(), document_schema())
                .notes("An empty text removes it."),
        )
}

fn group_name() -> Schema {
    schemas::text().long(1, 1024)
}

fn input_schema() -> Schema {
    schemas::object()
        .optional("type", schemas::words(&[TYPE]).or(TYPE))
        .optional("desc", schemas::desc())
        .optional("labels", schemas::labels())
}

fn shape_schema() -> Schema {
    schemas::named("GatewayGroup", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("type", schemas::text())
            .optional("desc", schemas::text())
            .required("labels", schemas::labels())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
            .example(json!({
                "id": "default", "name": "default", "type": TYPE, "labels": {},
                "created_at": 1_786_060_800, "updated_at": 1_786_060_800,
            }))
    })
}

fn published_schema() -> Schema {
    schemas::named("PublishedService", || {
        let group = schemas::object().required("gateway_group_id", schemas::id());
        group.required("gateway_group_name", schemas::text()).and(service_shapes::members_schema())
    })
}

fn document_schema() -> Schema {
    schemas::object().required("raw_openapi", schemas::text().about("YAML or JSON, kept byte for byte."))
}

fn shape(group: &GatewayGroup) -> Value {
    Value::Object(members([
        ("id", Some(json!(group.id))),
        ("name", Some(json!(group.name))),
        ("type", Some(json!(TYPE))),
        ("desc", non_empty(&group.desc)),
        ("labels", Some(json!(group.labels))),
        ("created_at", Some(json!(group.created_at.seconds()))),
        ("updated_at", Some(json!(group.updated_at.seconds()))),
    ]))
}

fn input(body: Object) -> Result<GatewayGroupInput, Problem> {
    let body = body.hyphened(&[("description", "desc")])?;
    body.word("type", |word| (word == TYPE).then_some(()), TYPE)?;
    Ok(GatewayGroupInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        labels: body.text_map("labels")?,
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = GatewayGroupFilter {
        text: query.text_filter(),
        name: query.text("name").map(str::to_owned),
        order: query.time_order()?,
        paging: query.paging()?,
        ..GatewayGroupFilter::default()
    };
    let found = gateway_groups::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|group| shape(&group))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::CreateGatewayGroup, Target::GatewayGroup(None))?;
    value(shape(&gateway_groups::create(&context.app, &caller, input(body?)?).await?))
}

async fn group(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(GatewayGroupId::parse)?;
    value(shape(&gateway_groups::group(&context.app, &caller, &id).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(GatewayGroupId::parse)?;
    access::permits(&caller, Action::UpdateGatewayGroup, Target::GatewayGroup(Some(&id)))?;
    gateway_groups::existing(&context.app, &id).await?;
    value(shape(&gateway_groups::update(&context.app, &caller, &id, input(body?)?).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(GatewayGroupId::parse)?;
    gateway_groups::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}

async fn issue_admin_key(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(GatewayGroupId::parse)?;
    let key = gateway_groups::issue_admin_key(&context.app, &caller, &id).await?;
    value(json!({ "key": key.reveal() }))
}

/// A published service with its group's id and name.
fn published(service: &Service, group: &GatewayGroup) -> Value {
    let mut shape = service_shapes::shape(service);
    shape.insert("gateway_group_id".into(), json!(group.id));
    shape.insert("gateway_group_name".into(), json!(group.name));
    Value::Object(shape)
}

async fn list_services(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let id = segments.id(GatewayGroupId::parse)?;
    // Whoever sees none of its services must be permitted to see the group itself.
    if access::permits_within(&caller, &id, Action::GetPublishedService).is_err() {
        gateway_groups::group(&context.app, &caller, &id).await?;
    }
    let filter = ServiceFilter {
        gateway_group_id: Some(id.clone()),
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..ServiceFilter::default()
    };
    let found = services::list(&context.app, &caller, filter).await?;
    let group = gateway_groups::existing(&context.app, &id).await?;
    Ok(lists::body(found.map(|service| published(&service, &group))))
}

/// The group and the service that a path names.
fn named(segments: &Segments) -> Result<(GatewayGroupId, ServiceId), Problem> {
    Ok((segments.id(GatewayGroupId::parse)?, segments.named("service", ServiceId::parse)?))
}

async fn service(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let (group, id) = named(&segments)?;
    let service = services::service(&context.app, &caller, &id, Some(&group)).await?;
    let group = gateway_groups::existing(&context.app, &group).await?;
    value(published(&service, &group))
}

async fn delete_service(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let (group, id) = named(&segments)?;
    services::delete(&context.app, &caller, &id, Some(&group)).await?;
    deleted(id.as_str())
}

async fn document(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let (group, id) = named(&segments)?;
    let text = services::document(&context.app, &caller, &id, Some(&group)).await?;
    value(json!({ "raw_openapi": text }))
}

async fn replace_document(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let (group, id) = named(&segments)?;
    services::changeable(&context.app, &caller, &id, Some(&group)).await?;
    let text = body?.text("raw_openapi")?;
    let text =
        text.ok_or_else(|| Problem::bad_request("raw_openapi is required; an empty one removes it"))?;
    services::replace_document(&context.app, &caller, &id, Some(&group), &text).await?;
    value(json!({ "raw_openapi": text }))
}
