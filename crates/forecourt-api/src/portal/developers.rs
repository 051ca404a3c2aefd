//! `/api/developers`: the developers of a front end's portal, under the front end's own ids.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::developers;
use forecourt_core::{
    developers::{Developer, DeveloperFilter, DeveloperOrder},
    lists::Order,
};
use forecourt_http::{
    Context, bodies::Object, callers::FrontEnd, lists, paths::Path, problem::Problem, queries::Query,
    times::iso,
};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{gone, operations};
use crate::{
    openapi::{
        operations::Access,
        schemas::{self, Schema},
    },
    shapes::members,
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let body = schemas::object().required("developer_id", schemas::id());
    let ends = "Its applications, credentials and subscriptions go with it.";
    table
        .about("Developers")
        .get(
            "/api/developers",
            list,
            operations::list("List developers", shape_schema())
                .access(Access::FrontEnd)
                .ordered(&["last_active_at", "created_at"])
                .searched("id and name"),
        )
        .post(
            "/api/developers",
            create,
            operations::create("Create a developer", body, shape_schema()).access(Access::FrontEnd),
        )
        .delete(
            "/api/developers/{developer_id}",
            remove,
            operations::delete("Delete a developer").access(Access::FrontEnd).notes(ends),
        )
}

fn shape_schema() -> Schema {
    schemas::named("Developer", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("status", schemas::words(&["active", "pending"]))
            .optional("last_active_at", schemas::time())
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
            .example(json!({
                "id": "org-k4Tz9", "name": "org-k4Tz9", "status": "active",
                "created_at": "2026-08-01T08:00:00.000Z", "updated_at": "2026-08-07T09:12:44.031Z",
            }))
    })
}

async fn list(context: State<Context>, front_end: FrontEnd, query: Query) -> Result<Response, Problem> {
    let filter = DeveloperFilter {
        search: query.text("search").map(str::to_owned),
        order: order(&query)?,
        paging: query.paging()?,
        ..Default::default()
    };
    let found = developers::list(&context.app, &front_end.caller, filter).await?;
    Ok(lists::body(found.map(|developer| body(&developer))).into_response())
}

async fn create(context: State<Context>, front_end: FrontEnd, body_in: Object) -> Result<Response, Problem> {
    let name = body_in.required_text("developer_id")?;
    let developer = developers::create(&context.app, &front_end.caller, &name).await?;
    Ok((StatusCode::CREATED, Json(body(&developer))).into_response())
}

async fn remove(
    context: State<Context>,
    front_end: FrontEnd,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    developers::delete_named(&context.app, &front_end.caller, &name).await?;
    Ok(gone())
}

fn order(query: &Query) -> Result<Order<DeveloperOrder>, Problem> {
    let read = |word: &str| match word {
        "last_active_at" => Some(DeveloperOrder::LastActiveAt),
        "created_at" => Some(DeveloperOrder::CreatedAt),
        _ => None,
    };
    query.order(read, "last_active_at or created_at")
}

fn body(developer: &Developer) -> Map<String, Value> {
    members([
        ("id", Some(json!(developer.name))),
        ("name", Some(json!(developer.display_name))),
        ("status", Some(json!(developer.status.name()))),
        ("last_active_at", developer.last_active_at.map(|at| json!(iso(at)))),
        ("created_at", Some(json!(iso(developer.created_at)))),
        ("updated_at", Some(json!(iso(developer.updated_at)))),
    ])
}
