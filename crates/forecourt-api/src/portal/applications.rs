//! `/api/applications`: a developer's own applications.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{Error, applications};
use forecourt_core::{
    applications::{ApplicationFilter, ApplicationInput},
    ids::ApplicationId,
    lists::List,
};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::DeveloperCaller,
    lists,
    paths::Path,
    problem::Problem,
    queries::Query,
};
use http::StatusCode;
use serde_json::json;

use super::{gone, operations};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{self, application as body},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let item = "/api/applications/{id}";
    let new =
        input_schema().optional("api_products", schemas::array(schemas::id()).about("Subscribed at once."));
    table
        .about("Applications")
        .get(
            "/api/applications",
            list,
            operations::list("List applications", listed_schema())
                .query("api_product_id", schemas::id().about("Whose `subscription_status` is told."))
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .post("/api/applications", create, operations::create("Create an application", new, shape_schema()))
        .get(item, one, operations::one("Get an application", shape_schema()))
        .put(
            item,
            update,
            operations::send("Replace an application", input_schema(), shape_schema())
                .notes(
                    "An absent description and absent labels are cleared; absent callback URLs and attributes stay \
                     as they are.",
                ),
        )
        .delete(item, remove, operations::delete("Delete an application"))
}

fn input_schema() -> Schema {
    let callback_urls = schemas::array(schemas::text().long(1, 2_048))
        .with("maxItems", json!(50))
        .about("Absolute URIs without fragment, each once.");
    let attributes = schemas::map(schemas::text().long(1, 4_096)).with("maxProperties", json!(100));
    schemas::object()
        .required("name", schemas::name())
        .optional("desc", schemas::desc())
        .optional("labels", schemas::labels())
        .optional("callback_urls", callback_urls)
        .optional("attributes", attributes)
}

fn shape_schema() -> Schema {
    schemas::named("Application", || {
        shapes::application_schema().example(json!({
            "id": "0d9b6a52", "name": "mobile app", "desc": "iOS client", "labels": { "env": "prod" },
            "status": "active", "callback_urls": ["https://app.example/cb"], "attributes": { "cost center": "4711" },
            "created_at": "2026-08-03T10:00:00.000Z", "updated_at": "2026-08-03T10:00:00.412Z",
        }))
    })
}

fn listed_schema() -> Schema {
    schemas::named("ListedApplication", || {
        shapes::application_schema().optional("subscription_status", shapes::subscription_state_schema())
    })
}

async fn list(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    query: Query,
) -> Result<Response, Problem> {
    let product = query.text("api_product_id");
    let filter = ApplicationFilter {
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..Default::default()
    };
    let found = applications::list(&context.app, &caller, filter).await?;
    let Some(product) = product else {
        return Ok(lists::body(found.map(|application| body(&application))).into_response());
    };
    let states = applications::subscription_states(&context.app, &found.rows, product).await?;
    let rows = found.rows.iter().zip(states).map(|(application, state)| {
        let mut row = body(application);
        row.insert("subscription_status".into(), json!(state.name()));
        row
    });
    Ok(lists::body(List { rows: rows.collect(), total: found.total }).into_response())
}

async fn create(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    given: Object,
) -> Result<Response, Problem> {
    let products = given.texts("api_products")?.unwrap_or_default();
    let application = applications::create(&context.app, &caller, input(&given)?, &products).await?;
    Ok((StatusCode::CREATED, Json(body(&application))).into_response())
}

async fn one(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(Json(body(&applications::application(&context.app, &caller, &parse(&id)?).await?)).into_response())
}

async fn update(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    let id = parse(&id)?;
    applications::application(&context.app, &caller, &id).await?;
    let given = Object::of(given?.0)?;
    let application = applications::update(&context.app, &caller, &id, input(&given)?).await?;
    Ok(Json(body(&application)).into_response())
}

async fn remove(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    applications::delete(&context.app, &caller, &parse(&id)?).await?;
    Ok(gone())
}

pub(super) fn parse(id: &str) -> Result<ApplicationId, Error> {
    ApplicationId::parse(id).ok_or_else(Error::not_found)
}

fn input(given: &Object) -> Result<ApplicationInput, Problem> {
    Ok(ApplicationInput {
        name: Some(given.required_text("name")?),
        desc: given.text("desc")?,
        labels: given.text_map("labels")?,
        callback_urls: given.texts("callback_urls")?,
        attributes: given.text_map("attributes")?,
    })
}
