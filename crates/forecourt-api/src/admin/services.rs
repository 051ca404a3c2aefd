//! Gateway services under `/apisix/admin`: full replacement by PUT, unknown members kept.

use axum::extract::State;
use forecourt_app::services;
use forecourt_core::{
    gateway_state::UpstreamNode,
    ids::ServiceId,
    services::{
        Service, ServiceFilter, ServiceInput,
        upstreams::{Upstream, UpstreamInput, UpstreamNodeInput, UpstreamTimeout},
    },
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
    segments::{Segments, gateway_group},
    table::Table,
};
use crate::{
    json_patch::{self, Members},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/apisix/admin/services", list)
        .post("/apisix/admin/services", create)
        .get("/apisix/admin/services/{id}", service)
        .put("/apisix/admin/services/{id}", replace)
        .patch("/apisix/admin/services/{id}", patch)
        .delete("/apisix/admin/services/{id}", delete)
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
        ("plugins", Some(json!({}))),
        ("upstream", service.upstream.as_ref().map(|upstream| Value::Object(upstream_shape(upstream)))),
    ]);
    shape.extend(service.extra.clone());
    shape.insert("created_at".into(), json!(service.created_at.seconds()));
    shape.insert("updated_at".into(), json!(service.updated_at.seconds()));
    shape
}

/// An upstream as this API shows it.
pub(super) fn upstream_shape(upstream: &Upstream) -> Map<String, Value> {
    let node = |node: &UpstreamNode| json!({ "host": node.host, "port": node.port, "weight": node.weight });
    let UpstreamTimeout { connect, send, read } = upstream.timeout;
    let timeout = members(
        [("connect", connect), ("send", send), ("read", read)]
            .map(|(name, limit)| (name, limit.map(seconds))),
    );
    let mut shape = members([
        ("name", Some(json!(upstream.name))),
        ("scheme", Some(json!(upstream.scheme))),
        ("type", Some(json!(upstream.kind))),
        ("nodes", Some(upstream.nodes.iter().map(node).collect())),
        ("timeout", Some(Value::Object(timeout))),
        ("pass_host", Some(json!(upstream.pass_host))),
        ("upstream_host", non_empty(&upstream.upstream_host)),
    ]);
    shape.extend(upstream.extra.clone());
    shape
}

/// Whole seconds as whole numbers: typed clients parse nothing else.
fn seconds(limit: f64) -> Value {
    if limit.fract() == 0.0 { json!(limit as i64) } else { json!(limit) }
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
        upstream: body.object("upstream")?.map(|upstream| upstream_input(&upstream)).transpose()?,
        extra: extra(body, &KNOWN),
    })
}

/// What is given of an upstream.
pub(super) fn upstream_input(body: &Object) -> Result<UpstreamInput, Problem> {
    const KNOWN: [&str; 11] = [
        "id",
        "service_id",
        "created_at",
        "updated_at",
        "name",
        "scheme",
        "type",
        "nodes",
        "timeout",
        "pass_host",
        "upstream_host",
    ];
    let timeout = body.object("timeout")?.unwrap_or_default();
    Ok(UpstreamInput {
        name: body.text("name")?,
        scheme: body.text("scheme")?,
        kind: body.text("type")?,
        nodes: body.objects("nodes")?.unwrap_or_default().iter().map(node).collect::<Result<_, _>>()?,
        timeout: UpstreamTimeout {
            connect: timeout.number("connect")?,
            send: timeout.number("send")?,
            read: timeout.number("read")?,
        },
        pass_host: body.text("pass_host")?,
        upstream_host: body.text("upstream_host")?,
        extra: extra(body, &KNOWN),
    })
}

fn node(given: &Object) -> Result<UpstreamNodeInput, Problem> {
    if given.integer("priority")?.is_some_and(|priority| priority != 0) {
        return Err(Problem::bad_request(
            "upstream.nodes: priority is not served by this gateway yet; leave it out",
        ));
    }
    let required = |member: &str| {
        let number = given.integer(member)?;
        number
            .ok_or_else(|| Problem::bad_request(format!("upstream.nodes: {member} is required on each node")))
    };
    Ok(UpstreamNodeInput {
        host: given.required_text("host")?,
        port: required("port")?,
        weight: required("weight")?,
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = ServiceFilter {
        gateway_group_id: gateway_group(&query)?,
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
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
    let group = services::target_group(&context.app, &caller, gateway_group(&query)?).await?;
    let input = input(&body?)?;
    value(shape(&services::put(&context.app, &caller, id, Some(group), input).await?))
}

const MEMBERS: Members = Members {
    optional: &[
        "/desc",
        "/path_prefix",
        "/upstream",
        "/upstream/upstream_host",
        "/upstream/retries",
        "/upstream/tls",
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
    let service = services::service(&context.app, &caller, &id, group.as_ref()).await?;
    let after = json_patch::apply(&shape(&service), &body?.0, &MEMBERS)?;
    let input = input(&Object::of(Value::Object(after))?)?;
    value(shape(&services::put(&context.app, &caller, id, Some(service.gateway_group_id), input).await?))
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
