//! Consumers under `/apisix/admin`, keyed by user name: full replacement by PUT, unknown members kept.

use axum::extract::State;
use forecourt_app::consumers::{self, ShownConsumer};
use forecourt_core::consumers::{
    Consumer, ConsumerFilter, ConsumerInput, OpenPlugins,
    auth::{OpenAuth, OpenVerifier},
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
            "/apisix/admin/consumers",
            list,
            operations::of_group(operations::list("List consumers", shape_schema()))
                .ordered_by_time()
                .searched("user name, description and labels")
                .labelled(),
        )
        .post(
            "/apisix/admin/consumers",
            create,
            operations::of_group(operations::send(
                "Create a consumer",
                members_schema().required("username", username_schema()),
                shape_schema(),
            )),
        )
        .get(
            "/apisix/admin/consumers/{username}",
            consumer,
            operations::of_group(operations::one("Get a consumer", shape_schema())),
        )
        .put(
            "/apisix/admin/consumers/{username}",
            replace,
            operations::of_group(operations::send(
                "Create or replace a consumer",
                members_schema(),
                shape_schema(),
            )),
        )
        .patch(
            "/apisix/admin/consumers/{username}",
            patch,
            operations::of_group(operations::patch("Change a consumer", shape_schema())),
        )
        .delete(
            "/apisix/admin/consumers/{username}",
            delete,
            operations::of_group(operations::delete("Delete a consumer")),
        )
}

fn username_schema() -> Schema {
    schemas::text().with("pattern", json!("^[a-zA-Z0-9_.-]+$")).long(1, 100)
}

fn members_schema() -> Schema {
    schemas::object()
        .optional("desc", schemas::desc())
        .optional("labels", schemas::labels())
        .optional("plugins", schemas::map(schemas::object()).about("Configurations by the plugin's name."))
}

fn shape_schema() -> Schema {
    schemas::named("Consumer", || {
        schemas::object()
            .required("username", schemas::text())
            .and(members_schema())
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
            .example(json!({
                "username": "ada", "labels": {}, "plugins": {},
                "created_at": 1_786_060_800, "updated_at": 1_786_060_800,
            }))
    })
}

fn shape(ShownConsumer { consumer, plugins }: &ShownConsumer) -> Map<String, Value> {
    let mut shape = members([
        ("username", Some(json!(consumer.username))),
        ("desc", non_empty(&consumer.desc)),
        ("labels", Some(json!(consumer.labels))),
        ("plugins", Some(Value::Object(plugins_shape(plugins)))),
    ]);
    shape.extend(consumer.extra.clone());
    shape.insert("created_at".into(), json!(consumer.created_at.seconds()));
    shape.insert("updated_at".into(), json!(consumer.updated_at.seconds()));
    shape
}

fn plugins_shape(plugins: &OpenPlugins) -> Map<String, Value> {
    let mut shape: Map<_, _> = plugins.auth.iter().map(auth_shape).collect();
    shape.extend(plugins.other.given().clone());
    shape
}

/// A plugin's name and its configuration; whether secrets are in clear was decided by whoever made `auth`.
pub(super) fn auth_shape(auth: &OpenAuth) -> (String, Value) {
    let configuration = match auth {
        OpenAuth::KeyAuth { key } => json!({ "key": key.reveal() }),
        OpenAuth::BasicAuth { username, password } => {
            json!({ "username": username, "password": password.reveal() })
        }
        OpenAuth::JwtAuth { key, algorithm, verifier } => {
            let (member, text) = match verifier {
                OpenVerifier::Secret(secret) => ("secret", secret.reveal()),
                OpenVerifier::PublicKey(pem) => ("public_key", pem.as_str()),
            };
            json!({ "key": key, "algorithm": algorithm.name(), member: text })
        }
    };
    (auth.plugin().to_owned(), configuration)
}

/// What a create or a replacement gives.
pub(super) fn input(body: &Object) -> Result<ConsumerInput, Problem> {
    const KNOWN: [&str; 8] =
        ["id", "gateway_group_id", "created_at", "updated_at", "username", "desc", "labels", "plugins"];
    Ok(ConsumerInput {
        username: body.text("username")?,
        desc: body.text("desc")?,
        labels: body.text_map("labels")?,
        plugins: body.map("plugins")?,
        extra: extra(body, &KNOWN),
    })
}

/// The user name of the path; what cannot be one is not found.
pub(super) fn username(segments: &Segments) -> Result<String, Problem> {
    segments.named("username", |text| Consumer::username(text).ok())
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = ConsumerFilter {
        gateway_group_id: gateway_group(&query)?,
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
        ..ConsumerFilter::default()
    };
    let found = consumers::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|consumer| Value::Object(shape(&consumer)))))
}

async fn create(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let group = consumers::target_group(&context.app, &caller, None, gateway_group(&query)?).await?;
    let input = input(&body?)?;
    value(shape(&consumers::create(&context.app, &caller, Some(group), input).await?))
}

async fn consumer(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (username, group) = (username(&segments)?, gateway_group(&query)?);
    value(shape(&consumers::consumer(&context.app, &caller, &username, group).await?))
}

async fn replace(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let username = username(&segments)?;
    let group =
        consumers::target_group(&context.app, &caller, Some(&username), gateway_group(&query)?).await?;
    let input = input(&body?)?;
    value(shape(&consumers::put(&context.app, &caller, &username, Some(group), input).await?))
}

const MEMBERS: Members =
    Members { optional: &["/desc"], read_only: &["username", "created_at", "updated_at"] };

async fn patch(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let (username, group) = (username(&segments)?, gateway_group(&query)?);
    // Whether it exists is told before whether the body is any good.
    consumers::changeable(&context.app, &caller, &username, group.clone()).await?;
    let patch = body?.0;
    let edit = |consumer: &ShownConsumer| {
        let after = json_patch::apply(&shape(consumer), &patch, &MEMBERS)?;
        input(&Object::of(Value::Object(after))?)
    };
    value(shape(&consumers::change(&context.app, &caller, &username, group, edit).await?))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (username, group) = (username(&segments)?, gateway_group(&query)?);
    consumers::delete(&context.app, &caller, &username, group).await?;
    deleted(&username)
}
