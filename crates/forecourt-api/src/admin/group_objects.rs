//! Global rules, stream routes and the metadata of plugins under `/apisix/admin`: three collections of one shape.

use axum::extract::State;
use forecourt_app::{group_objects, services};
use forecourt_core::{
    group_objects::{GroupObject, GroupObjectFilter, GroupObjectInput, GroupObjectKind},
    ids::{GatewayGroupId, GroupObjectId},
    lists::{Order, Paging, TextFilter},
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

/// The kinds as numbers, so that each endpoint's handler is one function for each.
const RULES: u8 = 0;
const STREAMS: u8 = 1;
const METADATA: u8 = 2;

const fn kind(number: u8) -> GroupObjectKind {
    match number {
        RULES => GroupObjectKind::GlobalRule,
        STREAMS => GroupObjectKind::StreamRoute,
        _ => GroupObjectKind::PluginMetadata,
    }
}

pub(super) fn endpoints(table: Table) -> Table {
    let rules = ["/apisix/admin/global_rules", "/apisix/admin/global_rules/{id}"];
    let streams = ["/apisix/admin/stream_routes", "/apisix/admin/stream_routes/{id}"];
    let table = collection::<RULES>(table.about("Global rules"), rules, &RULE_WORDS, rule_schema);
    let table = collection::<STREAMS>(table.about("Stream routes"), streams, &STREAM_WORDS, stream_schema);
    let [of_plugins, of_plugin] = ["/apisix/admin/plugin_metadata", "/apisix/admin/plugin_metadata/{id}"];
    let any = schemas::object;
    let all = operations::one("List metadata of plugins", schemas::map(any()));
    let read = operations::one("Get the metadata of a plugin", any());
    let put = operations::send("Create or replace the metadata of a plugin", any(), any());
    let end = operations::delete("Delete the metadata of a plugin");
    table
        .about("Plugins")
        .get(of_plugins, metadata, operations::of_group(all))
        .get(of_plugin, object::<METADATA>, operations::of_group(read))
        .put(of_plugin, replace::<METADATA>, operations::of_group(put))
        .delete(of_plugin, delete::<METADATA>, operations::of_group(end))
}

/// What each endpoint of a collection does, in the order list, create, get, replace, change, delete.
type Words = [&'static str; 6];

const RULE_WORDS: Words = [
    "List global rules",
    "Create a global rule",
    "Get a global rule",
    "Create or replace a global rule",
    "Change a global rule",
    "Delete a global rule",
];
const STREAM_WORDS: Words = [
    "List stream routes",
    "Create a stream route",
    "Get a stream route",
    "Create or replace a stream route",
    "Change a stream route",
    "Delete a stream route",
];

/// The six endpoints of the collection `KIND`; `members` are those of its bodies.
fn collection<const KIND: u8>(
    table: Table,
    paths: [&'static str; 2],
    words: &Words,
    members: fn() -> Schema,
) -> Table {
    let [all, item] = paths;
    let [list_word, create_word, get_word, put_word, patch_word, delete_word] = *words;
    let answer = || {
        members()
            .required("id", schemas::id())
            .required("labels", schemas::labels())
            .required("plugins", schemas::map(schemas::object()))
            .required("created_at", schemas::seconds())
            .required("updated_at", schemas::seconds())
    };
    let read = operations::list(list_word, answer())
        .ordered_by_time()
        .searched("name, description and labels")
        .labelled();
    let make = operations::send(create_word, members(), answer());
    table
        .get(all, list::<KIND>, operations::of_group(read))
        .post(all, create::<KIND>, operations::of_group(make))
        .get(item, object::<KIND>, operations::of_group(operations::one(get_word, answer())))
        .put(item, replace::<KIND>, operations::of_group(operations::send(put_word, members(), answer())))
        .patch(item, patch::<KIND>, operations::of_group(operations::patch(patch_word, answer())))
        .delete(item, delete::<KIND>, operations::of_group(operations::delete(delete_word)))
}

fn rule_schema() -> Schema {
    schemas::object()
        .optional("name", schemas::text())
        .optional("desc", schemas::desc())
        .optional("labels", schemas::labels())
        .optional("plugins", schemas::map(schemas::object()))
}

fn stream_schema() -> Schema {
    rule_schema().optional("service_id", schemas::id())
}

fn shape(object: &GroupObject) -> Map<String, Value> {
    if object.kind == GroupObjectKind::PluginMetadata {
        return object.extra.clone();
    }
    let mut shape = members([
        ("id", Some(json!(object.id))),
        ("name", non_empty(&object.name)),
        ("desc", non_empty(&object.desc)),
        ("labels", Some(json!(object.labels))),
        ("service_id", object.service_id.as_ref().map(|id| json!(id))),
        ("plugins", Some(json!(object.plugins.given()))),
    ]);
    shape.extend(object.extra.clone());
    shape.insert("created_at".into(), json!(object.created_at.seconds()));
    shape.insert("updated_at".into(), json!(object.updated_at.seconds()));
    shape
}

/// What a create or replacement gives.
pub(super) fn input(kind: GroupObjectKind, body: &Object) -> Result<GroupObjectInput, Problem> {
    const KNOWN: [&str; 8] =
        ["id", "gateway_group_id", "created_at", "updated_at", "name", "desc", "labels", "plugins"];
    match kind {
        // All that metadata hold is the plugin's own.
        GroupObjectKind::PluginMetadata => {
            Ok(GroupObjectInput { extra: extra(body, &["id"]), ..Default::default() })
        }
        GroupObjectKind::GlobalRule | GroupObjectKind::StreamRoute => {
            let streams = kind == GroupObjectKind::StreamRoute;
            let service_id = if streams { body.text("service_id")? } else { None };
            let mut extra = extra(body, &KNOWN);
            if streams {
                extra.shift_remove("service_id");
            }
            Ok(GroupObjectInput {
                name: body.text("name")?,
                desc: body.text("desc")?,
                labels: body.text_map("labels")?,
                service_id: service_id.filter(|id| !id.is_empty()),
                plugins: body.map("plugins")?,
                extra,
            })
        }
    }
}

/// The group that a list is of.
fn listed(caller: &forecourt_core::actors::Caller, query: &Query) -> Result<GatewayGroupId, Problem> {
    Ok(services::named_group(caller, gateway_group(query)?)?)
}

async fn list<const KIND: u8>(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
) -> ListAnswer {
    let filter = GroupObjectFilter {
        kind: kind(KIND),
        gateway_group_id: listed(&caller, &query)?,
        text: query.text_filter(),
        order: query.time_order()?,
        paging: query.paging()?,
    };
    let found = group_objects::list(&context.app, &caller, &filter).await?;
    Ok(lists::body(found.map(|object| Value::Object(shape(&object)))))
}

/// The metadata of all plugins of a group, as a map by plugin name.
async fn metadata(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> Answer {
    let filter = GroupObjectFilter {
        kind: GroupObjectKind::PluginMetadata,
        gateway_group_id: listed(&caller, &query)?,
        text: TextFilter::default(),
        order: Order::default(),
        paging: Paging::All,
    };
    let found = group_objects::list(&context.app, &caller, &filter).await?;
    let by_name = found.rows.iter().map(|object| (object.id.clone(), Value::Object(shape(object))));
    value(by_name.collect::<Map<_, _>>())
}

async fn create<const KIND: u8>(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let group =
        group_objects::target_group(&context.app, &caller, kind(KIND), None, gateway_group(&query)?).await?;
    let input = input(kind(KIND), &body?)?;
    value(shape(&group_objects::create(&context.app, &caller, kind(KIND), group, input).await?))
}

async fn object<const KIND: u8>(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(GroupObjectId::parse)?, gateway_group(&query)?);
    let found = group_objects::object(&context.app, &caller, kind(KIND), id.as_str(), group.as_ref()).await?;
    value(shape(&found))
}

async fn replace<const KIND: u8>(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<Object, Problem>,
) -> Answer {
    let id = segments.id(GroupObjectId::parse)?;
    let group = group_objects::target_group(
        &context.app,
        &caller,
        kind(KIND),
        Some(id.as_str()),
        gateway_group(&query)?,
    )
    .await?;
    let input = input(kind(KIND), &body?)?;
    value(shape(&group_objects::put(&context.app, &caller, kind(KIND), id.as_str(), group, input).await?))
}

const MEMBERS: Members =
    Members { optional: &["/name", "/desc", "/service_id"], read_only: &["id", "created_at", "updated_at"] };

async fn patch<const KIND: u8>(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
    body: Result<AnyJson, Problem>,
) -> Answer {
    let (id, group) = (segments.id(GroupObjectId::parse)?, gateway_group(&query)?);
    let (kind, id) = (kind(KIND), id.as_str());
    // Whether it exists is told before whether the body is any good.
    group_objects::changeable(&context.app, &caller, kind, id, group.as_ref()).await?;
    let patch = body?.0;
    let edit = |object: &GroupObject| {
        let after = json_patch::apply(&shape(object), &patch, &MEMBERS)?;
        input(kind, &Object::of(Value::Object(after))?)
    };
    value(shape(&group_objects::change(&context.app, &caller, kind, id, group.as_ref(), edit).await?))
}

async fn delete<const KIND: u8>(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
    query: Query,
) -> Answer {
    let (id, group) = (segments.id(GroupObjectId::parse)?, gateway_group(&query)?);
    group_objects::delete(&context.app, &caller, kind(KIND), id.as_str(), group.as_ref()).await?;
    deleted(id.as_str())
}
