//! Gateway routes under `/apisix/admin`: full replacement by PUT, unknown members kept.

use axum::extract::State;
use forecourt_app::routes;
use forecourt_core::{
    ids::{RouteId, ServiceId},
    routes::{Route, RouteFilter, RouteInput},
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
    services::extra,
    table::Table,
    upstream_bodies,
};
use crate::{
    json_patch::{self, Members},
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Routes")
        .get(
            "/apisix/admin/routes",
            list,
            operations::of_group(operations::list("List routes", shape_schema()))
                .query("service_id", schemas::id())
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .post(
            "/apisix/admin/routes",
            create,
            operations::of_group(operations::send("Create a route", input_schema(), shape_schema())),
        )
        .get(
            "/apisix/admin/routes/{id}",
            route,
            operations::of_group(operations::one("Get a route", shape_schema())),
        )
        .put(
            "/apisix/admin/routes/{id}",
            replace,
            operations::of_group(operations::send(
                "Create or replace a route",
                input_schema(),
                shape_schema(),
            )),
        )
        .patch(
            "/apisix/admin/routes/{id}",
            patch,
            operations::of_group(operations::patch("Change a route", shape_schema())),
        )
        .delete(
            "/apisix/admin/routes/{id}",
            delete,
            operations::of_group(operations::delete("Delete a route")),
        )
}

fn input_schema() -> Schema {
    schemas::named("RouteInput", gateway_schemas::described_route)
}

fn shape_schema() -> Schema {
    schemas::named("Route", || {
        gateway_schemas::described_route()
            .required("id", schemas::id())
            .required("labels", schemas::route_labels())
            .required("priority", schemas::integer())
            .required("plugins", schemas::map(schemas::object()))
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
            .example(json!({
                "id": "8c11", "service_id": "5b1d", "name": "orders", "labels": {}, "paths": ["/orders/*"],
                "priority": 0, "plugins": {}, "created_at": 1_786_060_800, "updated_at": 1_786_060_800,
            }))
    })
}

fn shape(route: &Route) -> Map<String, Value> {
    let mut shape = members([
        ("id", Some(json!(route.id))),
        ("service_id", Some(json!(route.service_id))),
        ("name", Some(json!(route.name))),
        ("desc", non_empty(&route.desc)),
        ("labels", Some(json!(route.labels))),
        ("paths", Some(json!(route.paths))),
        ("methods", (!route.methods.is_empty()).then(|| json!(route.methods))),
        ("priority", Some(json!(route.priority))),
        ("vars", (!route.vars.given().is_empty()).then(|| json!(route.vars.given()))),
        ("plugins", Some(json!(route.plugins.given()))),
        ("upstream_id", route.upstream_id.as_ref().map(|id| json!(id))),
        ("timeout", route.timeout.map(upstream_bodies::timeout_shape)),
        ("enable_websocket", route.enable_websocket.map(|enabled| json!(enabled))),
    ]);
    shape.extend(route.extra.clone());
    shape.insert("created_at".into(), json!(route.created_at.seconds()));
    shape.insert("updated_at".into(), json!(route.updated_at.seconds()));
    shape
}

/// The id of the service, and what a create or replacement gives.
pub(super) fn input(body: Object) -> Result<(String, RouteInput), Problem> {
    const KNOWN: [&str; 19] = [
        "id",
        "route_id",
        "service_id",
        "gateway_group_id",
        "created_at",
        "updated_at",
        "name",
        "desc",
        "labels",
        "paths",
        "uri",
        "uris",
        "methods",
        "priority",
        "vars",
        "plugins",
        "upstream_id",
        "timeout",
        "enable_websocket",
    ];
    let spellings = ["paths", "uris", "uri"];
    if spellings.iter().filter(|spelling| body.has(spelling)).count() > 1 {
        return Err(Problem::bad_request("paths, uris and uri are the same member: give one of them"));
    }
    let paths = match (body.texts("paths")?, body.texts("uris")?) {
        (None, None) => body.text("uri")?.map(|uri| vec![uri]),
        (paths, uris) => paths.or(uris),
    };
    let input = RouteInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        labels: body.text_map("labels")?,
        paths,
        methods: body.texts("methods")?,
        priority: body.integer("priority")?,
        vars: body.any("vars"),
        plugins: body.map("plugins")?,
        upstream_id: body.text("upstream_id")?,
        timeout: upstream_bodies::timeout(&body)?,
        enable_websocket: body.bool("enable_websocket")?,
        extra: extra(&body, &KNOWN),
    };
    Ok((body.text("service_id")?.unwrap_or_default(), input))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = RouteFilter {
        gateway_group_id: gateway_group(&query)?,
        // Text that cannot be an id is compared all the same: it fits no row.
        service_id: query.text("service_id").map(ServiceId::known),
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..RouteFilter::default()
    };
    let found = routes::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|route| Value::Object(shape(&route)))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let group = routes::target_group(&context.app, &caller, None, gateway_group(&query)?).await?;
    let (service, input) = input(body?)?;
    value(shape(&routes::create(&context.app, &caller, Some(group), &service, input).await?))
}

async fn route(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(RouteId::parse)?, gateway_group(&query)?);
    value(shape(&routes::route(&context.app, &caller, &id, group.as_ref()).await?))
}

async fn replace(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(RouteId::parse)?;
    let group = routes::target_group(&context.app, &caller, Some(&id), gateway_group(&query)?).await?;
    let (service, input) = input(body?)?;
    value(shape(&routes::put(&context.app, &caller, id, Some(group), &service, input).await?))
}

const MEMBERS: Members = Members {
    optional: &[
        "/desc",
        "/methods",
        "/vars",
        "/upstream_id",
        "/timeout",
        "/timeout/connect",
        "/timeout/send",
        "/timeout/read",
        "/enable_websocket",
    ],
    read_only: &["id", "created_at", "updated_at"],
};

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let (id, group) = (segments.id(RouteId::parse)?, gateway_group(&query)?);
    // Whether it exists is told before whether the body is any good.
    routes::changeable(&context.app, &caller, &id, group.as_ref()).await?;
    let patch = body?.0;
    let edit = |route: &Route| {
        let after = json_patch::apply(&shape(route), &patch, &MEMBERS)?;
        input(Object::of(Value::Object(after))?)
    };
    value(shape(&routes::change(&context.app, &caller, &id, group.as_ref(), edit).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(RouteId::parse)?, gateway_group(&query)?);
    routes::delete(&context.app, &caller, &id, group.as_ref()).await?;
    deleted(id.as_str())
}
