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

use super::gone;
use crate::shapes::members;

pub(super) async fn list(
    context: State<Context>,
    front_end: FrontEnd,
    query: Query,
) -> Result<Response, Problem> {
    let filter = DeveloperFilter {
        search: query.text("search").map(str::to_owned),
        order: order(&query)?,
        paging: query.paging()?,
        ..Default::default()
    };
    let found = developers::list(&context.app, &front_end.caller, filter).await?;
    Ok(lists::body(found.map(|developer| body(&developer))).into_response())
}

pub(super) async fn create(
    context: State<Context>,
    front_end: FrontEnd,
    body_in: Object,
) -> Result<Response, Problem> {
    let name = body_in.required_text("developer_id")?;
    let developer = developers::create(&context.app, &front_end.caller, &name).await?;
    Ok((StatusCode::CREATED, Json(body(&developer))).into_response())
}

pub(super) async fn remove(
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
