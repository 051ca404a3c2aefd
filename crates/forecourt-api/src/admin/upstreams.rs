//! The upstreams of a service: the default one, which has its service's id, and further ones for its routes.

use axum::extract::State;
use forecourt_app::{services, upstreams};
use forecourt_core::{
    actors::Caller,
    ids::{ServiceId, UpstreamId},
    lists::{Direction, List, Order, TextFilter, TimeOrder},
    services::{Service, upstreams::Upstream},
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query,
};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations, schemas as gateway_schemas,
    segments::{Segments, gateway_group},
    table::Table,
    upstream_bodies,
};
use crate::openapi::schemas::{self, Schema};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Services")
        .get(
            "/apisix/admin/services/{service}/upstreams",
            list,
            operations::of_group(operations::list("List upstreams of a service", shape_schema()))
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .post(
            "/apisix/admin/services/{service}/upstreams",
            create,
            operations::of_group(operations::send("Create an upstream", input_schema(), shape_schema())),
        )
        .get(
            "/apisix/admin/services/{service}/upstreams/{id}",
            upstream,
            operations::of_group(operations::one("Get an upstream", shape_schema())),
        )
        .put(
            "/apisix/admin/services/{service}/upstreams/{id}",
            replace,
            operations::of_group(operations::send(
                "Create or replace an upstream",
                input_schema(),
                shape_schema(),
            )),
        )
        .delete(
            "/apisix/admin/services/{service}/upstreams/{id}",
            delete,
            operations::of_group(operations::delete("Delete an upstream")),
        )
}

/// An upstream as bodies give it.
pub(super) fn input_schema() -> Schema {
    schemas::named("UpstreamInput", gateway_schemas::described_upstream)
}

/// An upstream within its service.
pub(super) fn inline_schema() -> Schema {
    schemas::named("InlineUpstream", || {
        gateway_schemas::described_upstream().required("name", schemas::text())
    })
}

fn shape_schema() -> Schema {
    schemas::named("Upstream", || {
        gateway_schemas::described_upstream()
            .required("id", schemas::id())
            .required("service_id", schemas::id())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
    })
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

/// As [`named`], where the caller may change the service.
async fn changeable(
    context: &Context,
    caller: &Caller,
    segments: &Segments,
    query: &Query,
) -> Result<Service, Problem> {
    let (id, group) = (segments.named("service", ServiceId::parse)?, gateway_group(query)?);
    Ok(services::changeable(&context.app, caller, &id, group.as_ref()).await?)
}

/// Sorted and paged here: a service has few, and they lie in one row.
async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let service = named(&context, &caller, &segments, &query).await?;
    let (order, paging, text) = (query.time_order()?, query.paging()?, query.text_filter());
    let rows = sorted(&service, order, &text);
    let List { rows, total } = List::of_all(rows, paging);
    let rows = rows.into_iter().filter_map(|id| shape(&service, id)).collect();
    Ok(lists::body(List { rows, total }))
}

/// The ids of a service's upstreams that `text` finds, in the wanted order.
fn sorted<'a>(service: &'a Service, order: Order<TimeOrder>, text: &TextFilter) -> Vec<&'a str> {
    let default = service.upstream.as_ref();
    let default =
        default.map(|upstream| (service.id.as_str(), upstream, service.created_at, service.updated_at));
    let further = service.upstreams.iter();
    let further =
        further.map(|(id, further)| (id.as_str(), &further.upstream, further.created_at, further.updated_at));
    let mut rows: Vec<_> =
        default.into_iter().chain(further).filter(|(_, upstream, ..)| finds(text, upstream)).collect();
    rows.sort_by_key(|(id, _, created_at, updated_at)| {
        let by = match order.by {
            TimeOrder::UpdatedAt => *updated_at,
            TimeOrder::CreatedAt => *created_at,
        };
        (by, *created_at, *id)
    });
    if order.direction == Direction::Descending {
        rows.reverse();
    }
    rows.into_iter().map(|(id, ..)| id).collect()
}

/// Whether `text` finds an upstream. Description and labels are members that are only kept for it.
fn finds(text: &TextFilter, upstream: &Upstream) -> bool {
    let search = text.search.as_deref().unwrap_or_default().to_lowercase();
    let holds = |text: &str| text.to_lowercase().contains(&search);
    let desc = upstream.extra.get("desc").and_then(Value::as_str);
    let labels = upstream.extra.get("labels").and_then(Value::as_object);
    let label = |key: &str| labels?.get(key)?.as_str();
    let mut pairs = labels.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
    let is_named = holds(&upstream.name)
        || desc.is_some_and(holds)
        || pairs.any(|(key, value)| holds(key) || holds(value));
    is_named
        && text.labels.iter().all(|wanted| {
            label(&wanted.key).is_some_and(|value| wanted.value.as_deref().is_none_or(|other| other == value))
        })
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
    let service = changeable(&context, &caller, &segments, &query).await?;
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
    let service = changeable(&context, &caller, &segments, &query).await?;
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
