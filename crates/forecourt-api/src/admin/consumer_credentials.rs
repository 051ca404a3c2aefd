//! Credentials of consumers under `/apisix/admin`: full replacement by PUT, unknown members kept.

use axum::extract::State;
use forecourt_app::consumer_credentials::{self, ShownCredential};
use forecourt_core::permissions::Action;
use forecourt_core::{
    consumer_credentials::{ConsumerCredentialFilter, ConsumerCredentialInput},
    ids::ConsumerCredentialId,
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
    consumers::{auth_shape, username},
    operations,
    segments::{Segments, gateway_group},
    services::extra,
    table::Table,
};
use crate::{
    json_patch::{self, Members},
    openapi::schemas::{self, Schema},
    shapes::{members, non_empty},
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Consumers")
        .get(
            "/apisix/admin/consumers/{username}/credentials",
            list,
            operations::of_group(operations::list("List credentials of a consumer", shape_schema()))
                .ordered_by_time()
                .searched("name, description and labels")
                .labelled(),
        )
        .post(
            "/apisix/admin/consumers/{username}/credentials",
            create,
            operations::of_group(operations::send(
                "Create a credential of a consumer",
                input_schema(),
                shape_schema(),
            )),
        )
        .get(
            "/apisix/admin/consumers/{username}/credentials/{id}",
            credential,
            operations::of_group(operations::one("Get a credential of a consumer", shape_schema())),
        )
        .put(
            "/apisix/admin/consumers/{username}/credentials/{id}",
            replace,
            operations::of_group(operations::send(
                "Create or replace a credential of a consumer",
                input_schema(),
                shape_schema(),
            )),
        )
        .patch(
            "/apisix/admin/consumers/{username}/credentials/{id}",
            patch,
            operations::of_group(operations::patch("Change a credential of a consumer", shape_schema())),
        )
        .delete(
            "/apisix/admin/consumers/{username}/credentials/{id}",
            delete,
            operations::of_group(operations::delete("Delete a credential of a consumer")),
        )
}

fn input_schema() -> Schema {
    schemas::named("ConsumerCredentialInput", || {
        let plugins =
            schemas::map(schemas::object()).with("minProperties", json!(1)).with("maxProperties", json!(1));
        schemas::object()
            .optional("name", schemas::text())
            .optional("desc", schemas::desc())
            .optional("labels", schemas::labels())
            .required(
                "plugins",
                plugins.about("One of key-auth, basic-auth and jwt-auth, with its configuration."),
            )
    })
}

fn shape_schema() -> Schema {
    schemas::named("ConsumerCredential", || {
        schemas::object()
            .required("id", schemas::id())
            .optional("name", schemas::text())
            .optional("desc", schemas::text())
            .required("labels", schemas::labels())
            .required("plugins", schemas::map(schemas::object()))
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
            .example(json!({
                "id": "mobile", "labels": {}, "plugins": { "key-auth": { "key": "******" } },
                "created_at": 1_786_060_800, "updated_at": 1_786_060_800,
            }))
    })
}

fn shape(ShownCredential { credential, auth }: &ShownCredential) -> Map<String, Value> {
    let plugins: Map<_, _> = std::iter::once(auth_shape(auth)).collect();
    let mut shape = members([
        ("id", Some(json!(credential.id))),
        ("name", non_empty(&credential.name)),
        ("desc", non_empty(&credential.desc)),
        ("labels", Some(json!(credential.labels))),
        ("plugins", Some(Value::Object(plugins))),
    ]);
    shape.extend(credential.extra.clone());
    shape.insert("created_at".into(), json!(credential.created_at.seconds()));
    shape.insert("updated_at".into(), json!(credential.updated_at.seconds()));
    shape
}

/// What a create or a replacement gives.
fn input(body: &Object) -> Result<ConsumerCredentialInput, Problem> {
    const KNOWN: [&str; 8] =
        ["id", "gateway_group_id", "created_at", "updated_at", "name", "desc", "labels", "plugins"];
    Ok(ConsumerCredentialInput {
        name: body.text("name")?,
        desc: body.text("desc")?,
        labels: body.text_map("labels")?,
        plugins: body.map("plugins")?,
        extra: extra(body, &KNOWN),
    })
}

async fn list(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> ListAnswer {
    let (username, group) = (username(&segments)?, gateway_group(&query)?);
    let consumer =
        consumer_credentials::consumer(&context.app, &caller, &username, group, Action::GetConsumer).await?;
    let filter = ConsumerCredentialFilter {
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = consumer_credentials::list(&context.app, &caller, &consumer, &filter).await?;
    Ok(lists::body(found.map(|credential| Value::Object(shape(&credential)))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let (username, group) = (username(&segments)?, gateway_group(&query)?);
    let consumer =
        consumer_credentials::consumer(&context.app, &caller, &username, group, Action::CreateConsumer)
            .await?;
    let input = input(&body?)?;
    value(shape(&consumer_credentials::create(&context.app, &caller, &consumer, input).await?))
}

async fn credential(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (username, id) = (username(&segments)?, segments.id(ConsumerCredentialId::parse)?);
    let group = gateway_group(&query)?;
    let found = consumer_credentials::credential(&context.app, &caller, &username, &id, group).await?;
    value(shape(&found))
}

async fn replace(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let (username, id) = (username(&segments)?, segments.id(ConsumerCredentialId::parse)?);
    let group = gateway_group(&query)?;
    let consumer = consumer_credentials::target(&context.app, &caller, &username, &id, group).await?;
    let input = input(&body?)?;
    let place = (&consumer.gateway_group_id, username.as_str());
    value(shape(&consumer_credentials::put(&context.app, &caller, place, id, input).await?))
}

const MEMBERS: Members =
    Members { optional: &["/name", "/desc"], read_only: &["id", "created_at", "updated_at"] };

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let (username, id) = (username(&segments)?, segments.id(ConsumerCredentialId::parse)?);
    let group = gateway_group(&query)?;
    // Whether it exists is told before whether the body is any good.
    consumer_credentials::changeable(&context.app, &caller, &username, &id, group.clone()).await?;
    let patch = body?.0;
    let edit = |credential: &ShownCredential| {
        let after = json_patch::apply(&shape(credential), &patch, &MEMBERS)?;
        input(&Object::of(Value::Object(after))?)
    };
    value(shape(&consumer_credentials::change(&context.app, &caller, &username, &id, group, edit).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (username, id) = (username(&segments)?, segments.id(ConsumerCredentialId::parse)?);
    let group = gateway_group(&query)?;
    consumer_credentials::delete(&context.app, &caller, &username, &id, group).await?;
    deleted(id.as_str())
}
