//! The upstreams of a service. This version serves the default one, which has its service's id.

use axum::extract::State;
use forecourt_app::services;
use forecourt_core::{actors::Caller, ids::ServiceId, services::Service};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, value},
    segments::{Segments, gateway_group},
    services::{input, shape as service_shape, upstream_input, upstream_shape},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/apisix/admin/services/{service}/upstreams", list)
        .post("/apisix/admin/services/{service}/upstreams", create)
        .get("/apisix/admin/services/{service}/upstreams/{id}", upstream)
        .put("/apisix/admin/services/{service}/upstreams/{id}", replace)
        .delete("/apisix/admin/services/{service}/upstreams/{id}", delete)
}

fn shape(service: &Service) -> Option<Value> {
    let mut shape = upstream_shape(service.upstream.as_ref()?);
    shape.insert("id".into(), json!(service.id));
    shape.insert("service_id".into(), json!(service.id));
    shape.insert("created_at".into(), json!(service.created_at.seconds()));
    shape.insert("updated_at".into(), json!(service.updated_at.seconds()));
    Some(Value::Object(shape))
}

/// The service that the path names.
async fn named(
    context: &Context,
    caller: &Caller,
    segments: &Segments,
    query: &Query,
) -> Result<Service, Problem> {
    let (id, group) = (segments.named("service", ServiceId::parse)?, gateway_group(query)?);
    Ok(services::service(&context.app, caller, &id, group.as_ref()).await?)
}

/// The service whose default upstream the path names; another upstream is not found.
async fn with_default(
    context: &Context,
    caller: &Caller,
    segments: &Segments,
    query: &Query,
) -> Result<Service, Problem> {
    let service = named(context, caller, segments, query).await?;
    let is_default = segments.text("id")? == service.id.as_str() && service.upstream.is_some();
    if is_default { Ok(service) } else { Err(Problem::not_found()) }
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let service = named(&context, &caller, &segments, &query).await?;
    Ok(lists::whole(shape(&service).into_iter().collect()))
}

async fn upstream(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let service = with_default(&context, &caller, &segments, &query).await?;
    value(shape(&service).ok_or_else(Problem::not_found)?)
}

/// Puts the upstream that `body` describes in place of the service's default one.
async fn save(context: &Context, caller: &Caller, service: &Service, body: &Object) -> Answer {
    body.required_text("name")?;
    let mut given = input(&Object::of(Value::Object(service_shape(service)))?)?;
    given.upstream = Some(upstream_input(body)?);
    let group = Some(service.gateway_group_id.clone());
    let saved = services::put(&context.app, caller, service.id.clone(), group, given).await?;
    value(shape(&saved).ok_or_else(Problem::not_found)?)
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let service = named(&context, &caller, &segments, &query).await?;
    if service.upstream.is_some() {
        return Err(Problem::bad_request(
            "this service has its upstream, and a second one is not served by this gateway yet",
        ));
    }
    save(&context, &caller, &service, &body?).await
}

async fn replace(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let service = named(&context, &caller, &segments, &query).await?;
    if segments.text("id")? != service.id.as_str() {
        return Err(Problem::bad_request(
            "only the default upstream, whose id is its service's, is served by this gateway yet",
        ));
    }
    save(&context, &caller, &service, &body?).await
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    with_default(&context, &caller, &segments, &query).await?;
    Err(Problem::bad_request("the default upstream cannot be deleted alone; delete its service"))
}
