//! DCR providers of the installation. The values of headers are taken and never shown.

use axum::extract::State;
use forecourt_app::{access, dcr_providers};
use forecourt_core::{
    dcr_providers::{DcrProvider, DcrProviderFilter, DcrProviderInput, DcrProviderType, MASK},
    ids::DcrProviderId,
    permissions::{Action, Target},
    secrets::PlainSecret,
};
use forecourt_http::{
    Context, bodies::Object, callers::AdminCaller, lists, problem::Problem, queries::Query, times::iso,
};
use serde_json::{Map, Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    let (all, one) = ("/api/dcr_providers", "/api/dcr_providers/{id}");
    table
        .about("DCR providers")
        .get(
            all,
            list,
            operations::list("List DCR providers", shape_schema()).ordered_by_time().searched("name and issuer"),
        )
        .post(
            all,
            create,
            operations::send(
                "Create a DCR provider",
                input_schema()
                    .required("name", schemas::name())
                    .optional("provider_type", types().or("oidc")),
                shape_schema(),
            )
            .notes("`issuer` is required for `oidc`, `base_url` for `http_bridge`. The provider is not contacted."),
        )
        .get(one, provider, operations::one("Get a DCR provider", shape_schema()))
        .put(
            one,
            update,
            operations::send(
                "Update a DCR provider",
                input_schema().optional("name", schemas::name()).optional("provider_type", types()),
                shape_schema(),
            )
            .notes("What is absent stays. The type is fixed."),
        )
        .delete(
            one,
            delete,
            operations::delete("Delete a DCR provider")
                .notes("Refused while a product uses it. Its OAuth credentials go with it."),
        )
}

fn types() -> Schema {
    schemas::words(&["oidc", "http_bridge"])
}

fn input_schema() -> Schema {
    let about = "Sent with every registration call. `******` leaves a value as it is.";
    schemas::object()
        .optional("desc", schemas::desc())
        .optional("issuer", schemas::text())
        .optional("base_url", schemas::text())
        .optional("headers", schemas::map(schemas::text()).about(about))
}

fn shape_schema() -> Schema {
    schemas::named("DcrProvider", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .optional("desc", schemas::text())
            .required("provider_type", types())
            .optional("issuer", schemas::text())
            .optional("base_url", schemas::text())
            .required("headers", schemas::map(schemas::text()))
            .required("created_at", schemas::time())
            .required("updated_at", schemas::time())
    })
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
        ..DcrProviderFilter::default()
    };
    let found = dcr_providers::administered(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|provider| shape(&provider))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    access::permits(&caller, Action::CreateDcrProvider, Target::DcrProvider(None))?;
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
    dcr_providers::permitted(&context.app, &caller, &id, Action::UpdateDcrProvider).await?;
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
