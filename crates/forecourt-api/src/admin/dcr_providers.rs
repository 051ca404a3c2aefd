//! DCR providers of the installation. The values of headers are taken and never shown.

use axum::extract::State;
use forecourt_app::{access, dcr_providers};
use forecourt_core::{
    actors::Area,
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderInput, DcrProviderType, MASK},
    ids::DcrProviderId,
    secrets::PlainSecret,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query, times::iso,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    segments::Segments,
    table::Table,
};
use crate::shapes::{members, non_empty};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/api/dcr_providers", list)
        .post("/api/dcr_providers", create)
        .get("/api/dcr_providers/{id}", provider)
        .put("/api/dcr_providers/{id}", update)
        .delete("/api/dcr_providers/{id}", delete)
}

fn shape(provider: &DcrProvider) -> Value {
    let headers: Map<String, Value> =
        provider.headers.keys().map(|name| (name.clone(), Value::from(MASK))).collect();
    Value::Object(members([
        ("id", Some(json!(provider.id))),
        ("name", Some(json!(provider.name))),
        ("desc", non_empty(&provider.desc)),
        ("provider_type", Some(json!(provider.provider_type.name()))),
        ("issuer", non_empty(&provider.issuer)),
        ("base_url", non_empty(&provider.base_url)),
        ("headers", Some(Value::Object(headers))),
        ("created_at", Some(json!(iso(provider.created_at)))),
        ("updated_at", Some(json!(iso(provider.updated_at)))),
    ]))
}

fn input(body: &Object) -> Result<DcrProviderInput, Problem> {
    let headers = body.text_map("headers")?;
    let secret = |(name, value): (String, String)| (name, PlainSecret::presented(value));
    Ok(DcrProviderInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        provider_type: body.word("provider_type", DcrProviderType::from_name, "oidc or http_bridge")?,
        issuer: body.text("issuer")?,
        base_url: body.text("base_url")?,
        headers: headers.map(|headers| headers.into_iter().map(secret).collect()),
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = DcrProviderFilter {
        search: query.text("search").map(str::to_owned),
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = dcr_providers::administered(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|provider| shape(&provider))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::adds(&caller, Area::Installation)?;
    value(shape(&dcr_providers::create(&context.app, &caller, input(&body?)?).await?))
}

async fn provider(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(DcrProviderId::parse)?;
    value(shape(&dcr_providers::provider(&context.app, &caller, &id).await?))
}

async fn update(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(DcrProviderId::parse)?;
    dcr_providers::provider(&context.app, &caller, &id).await?;
    value(shape(&dcr_providers::update(&context.app, &caller, &id, input(&body?)?).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(DcrProviderId::parse)?;
    dcr_providers::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}
