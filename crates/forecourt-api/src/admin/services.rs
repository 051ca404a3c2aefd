//! Gateway services under `/apisix/admin`: full replacement by PUT, unknown members kept.

use axum::extract::State;
use forecourt_app::services;
use forecourt_core::{
    ids::ServiceId,
    services::{Service, ServiceFilter, ServiceInput},
};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::AdminCaller,
    lists,
    problem::Problem,
    queries::Query,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations, schemas as gateway_schemas,
    segments::{Segments, gateway_group},
    table::Table,
    upstream_bodies, upstreams,
};
use crate::{
    json_patch::{self, Members},
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Services")
        .get(
            "/apisix/admin/services",
            list,
            operations::of_group(operations::list("List services", shape_schema()))
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .post(
            "/apisix/admin/services",
            create,
            operations::of_group(operations::send("Create a service", input_schema(), shape_schema())),
        )
        .get(
            "/apisix/admin/services/{id}",
            service,
            operations::of_group(operations::one("Get a service", shape_schema())),
        )
        .put(
            "/apisix/admin/services/{id}",
            replace,
            operations::of_group(operations::send(
                "Create or replace a service",
                input_schema(),
                shape_schema(),
            )),
        )
        .patch(
            "/apisix/admin/services/{id}",
            patch,
            operations::of_group(operations::patch("Change a service", shape_schema())),
        )
        .delete(
            "/apisix/admin/services/{id}",
            delete,
            operations::of_group(operations::delete("Delete a service")),
        )
}

fn input_schema() -> Schema {
    schemas::named("ServiceInput", || gateway_schemas::described_service(upstreams::input_schema()))
}

fn shape_schema() -> Schema {
    schemas::named("Service", members_schema)
}

/// The members of a service in answers.
pub(super) fn members_schema() -> Schema {
    gateway_schemas::described_service(upstreams::inline_schema())
        .required("id", schemas::id())
        .required("service_id", schemas::id())
        .required("labels", schemas::labels())
        .required("hosts", schemas::array(schemas::text()))
        .required("plugins", schemas::map(schemas::object()))
        .required("created_at", schemas::seconds())
        .required("updated_at", schemas::seconds())
}

/// A service as this API shows it.
pub(super) fn shape(service: &Service) -> Map<String, Value> {
    let mut shape = members([
        ("id", Some(json!(service.id))),
        ("service_id", Some(json!(service.id))),
        ("name", Some(json!(service.name))),
        ("desc", non_empty(&service.desc)),
        ("labels", Some(json!(service.labels))),
        ("type", Some(json!(if service.stream { "stream" } else { "http" }))),
        ("status", Some(json!(i32::from(service.enabled)))),
        ("hosts", Some(json!(service.hosts))),
        ("path_prefix", service.path_prefix.as_ref().map(|prefix| json!(prefix))),
        ("strip_path_prefix", Some(json!(service.strip_path_prefix))),
        ("plugins", Some(json!(service.plugins.given()))),
        (
            "upstream",
            service.upstream.as_ref().map(|upstream| Value::Object(upstream_bodies::shape(upstream))),
        ),
    ]);
    shape.extend(service.extra.clone());
    shape.insert("created_at".into(), json!(service.created_at.seconds()));
    shape.insert("updated_at".into(), json!(service.updated_at.seconds()));
    shape
}

/// Unknown members as they are kept: without those that are null.
pub(super) fn extra(body: &Object, known: &[&str]) -> Map<String, Value> {
    let mut extra = body.extra(known);
    extra.retain(|_, value| !value.is_null());
    extra
}

/// What a create or replacement gives.
pub(super) fn input(body: &Object) -> Result<ServiceInput, Problem> {
    const KNOWN: [&str; 16] = [
        "id",
        "service_id",
        "gateway_group_id",
        "gateway_group_name",
        "created_at",
        "updated_at",
        "name",
        "desc",
        "labels",
        "type",
        "status",
        "hosts",
        "path_prefix",
        "strip_path_prefix",
        "plugins",
        "upstream",
    ];
    Ok(ServiceInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        labels: body.text_map("labels")?,
        kind: body.text("type")?,
        status: body.integer("status")?,
        hosts: body.texts("hosts")?,
        path_prefix: body.text("path_prefix")?,
        strip_path_prefix: body.bool("strip_path_prefix")?,
        plugins: body.map("plugins")?,
        upstream: body.object("upstream")?.map(|upstream| upstream_bodies::input(&upstream)).transpose()?,
        extra: extra(body, &KNOWN),
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = ServiceFilter {
        gateway_group_id: gateway_group(&query)?,
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..ServiceFilter::default()
    };
    let found = services::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|service| Value::Object(shape(&service)))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let group = services::target_group(&context.app, &caller, gateway_group(&query)?).await?;
    let input = input(&body?)?;
    value(shape(&services::create(&context.app, &caller, Some(group), input).await?))
}

async fn service(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(ServiceId::parse)?, gateway_group(&query)?);
    value(shape(&services::service(&context.app, &caller, &id, group.as_ref()).await?))
}

async fn replace(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(ServiceId::parse)?;
    let group = services::put_group(&context.app, &caller, &id, gateway_group(&query)?).await?;
    let input = input(&body?)?;
    value(shape(&services::put(&context.app, &caller, id, Some(group), input).await?))
}

const MEMBERS: Members = Members {
    optional: &[
        "/desc",
        "/path_prefix",
        "/upstream",
        "/upstream/upstream_host",
        "/upstream/hash_on",
        "/upstream/key",
        "/upstream/retries",
        "/upstream/tls",
        "/upstream/tls/ca",
        "/upstream/tls/client_cert",
        "/upstream/tls/client_cert_id",
        "/upstream/tls/client_key",
        "/upstream/checks",
        "/upstream/keepalive_pool",
        "/upstream/timeout/connect",
        "/upstream/timeout/send",
        "/upstream/timeout/read",
    ],
    read_only: &["id", "service_id", "created_at", "updated_at"],
};

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let (id, group) = (segments.id(ServiceId::parse)?, gateway_group(&query)?);
    // Whether it exists is told before whether the body is any good.
    services::changeable(&context.app, &caller, &id, group.as_ref()).await?;
    let patch = body?.0;
    let edit = |service: &Service| {
        let after = json_patch::apply(&shape(service), &patch, &MEMBERS)?;
        input(&Object::of(Value::Object(after))?)
    };
    value(shape(&services::change(&context.app, &caller, &id, group.as_ref(), edit).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(ServiceId::parse)?, gateway_group(&query)?);
    services::delete(&context.app, &caller, &id, group.as_ref()).await?;
    deleted(id.as_str())
}
