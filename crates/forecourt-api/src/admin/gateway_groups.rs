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
    segments::Segments,
    services as service_shapes,
    table::Table,
};
use crate::shapes::{members, non_empty};

/// The one type of groups.
const TYPE: &str = "api7_gateway";

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/api/gateway_groups", list)
        .post("/api/gateway_groups", create)
        .get("/api/gateway_groups/{id}", group)
        .put("/api/gateway_groups/{id}", update)
        .delete("/api/gateway_groups/{id}", delete)
        .put("/api/gateway_groups/{id}/admin_key", issue_admin_key)
        .get("/api/gateway_groups/{id}/services", list_services)
        .get("/api/gateway_groups/{id}/services/{service}", service)
        .delete("/api/gateway_groups/{id}/services/{service}", delete_service)
        .get("/api/gateway_groups/{id}/services/{service}/oas", document)
        .put("/api/gateway_groups/{id}/services/{service}/oas", replace_document)
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
