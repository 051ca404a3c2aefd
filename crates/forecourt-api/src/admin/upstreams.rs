//! The upstreams of a service: the default one, which has its service's id, and further ones for its routes.

use axum::extract::State;
use forecourt_app::{services, upstreams};
use forecourt_core::{
    actors::Caller,
    ids::{ServiceId, UpstreamId},
    services::Service,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    segments::{Segments, gateway_group},
    table::Table,
    upstream_bodies,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/apisix/admin/services/{service}/upstreams", list)
        .post("/apisix/admin/services/{service}/upstreams", create)
        .get("/apisix/admin/services/{service}/upstreams/{id}", upstream)
        .put("/apisix/admin/services/{service}/upstreams/{id}", replace)
        .delete("/apisix/admin/services/{service}/upstreams/{id}", delete)
}

/// The upstream of `service` with this id.
fn shape(service: &Service, id: &str) -> Option<Value> {
    let (upstream, created_at, updated_at) = if id == service.id.as_str() {
        (service.upstream.as_ref()?, service.created_at, service.updated_at)
    } else {
        let further = service.upstreams.get(id)?;
        (&further.upstream, further.created_at, further.updated_at)
    };
    let mut shape = upstream_bodies::shape(upstream);
    shape.insert("id".into(), json!(id));
    shape.insert("service_id".into(), json!(service.id));
    shape.insert("created_at".into(), json!(created_at.seconds()));
    shape.insert("updated_at".into(), json!(updated_at.seconds()));
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

/// All of them, the default one first; a service has too few to be paged.
async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let service = named(&context, &caller, &segments, &query).await?;
    let ids = std::iter::once(service.id.as_str()).chain(service.upstreams.keys().map(String::as_str));
    Ok(lists::whole(ids.filter_map(|id| shape(&service, id)).collect()))
}

async fn upstream(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let service = named(&context, &caller, &segments, &query).await?;
    value(shape(&service, segments.text("id")?).ok_or_else(Problem::not_found)?)
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let service = named(&context, &caller, &segments, &query).await?;
    let body = body?;
    body.required_text("name")?;
    let (input, group) = (upstream_bodies::input(&body)?, Some(&service.gateway_group_id));
    let (saved, id) = upstreams::create(&context.app, &caller, &service.id, group, input).await?;
    value(shape(&saved, &id).ok_or_else(Problem::not_found)?)
}

async fn replace(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let service = named(&context, &caller, &segments, &query).await?;
    let id = segments.id(UpstreamId::parse)?;
    let body = body?;
    body.required_text("name")?;
    let (input, group) = (upstream_bodies::input(&body)?, Some(&service.gateway_group_id));
    let saved = upstreams::put(&context.app, &caller, &service.id, group, &id, input).await?;
    value(shape(&saved, id.as_str()).ok_or_else(Problem::not_found)?)
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (service, group) = (segments.named("service", ServiceId::parse)?, gateway_group(&query)?);
    let id = segments.text("id")?;
    upstreams::delete(&context.app, &caller, &service, group.as_ref(), id).await?;
    deleted(id)
}
