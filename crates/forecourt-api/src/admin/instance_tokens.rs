//! `/api/forecourt/instance_tokens`, and a group's way to a new one.

use axum::extract::State;
use forecourt_app::instance_tokens;
use forecourt_core::{
    ids::{GatewayGroupId, InstanceTokenId},
    instance_tokens::{InstanceToken, InstanceTokenFilter},
};
use forecourt_http::{Context, callers::AdminCaller, lists, queries::Query, times::iso};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::{Segments, gateway_group},
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::members,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Gateway nodes")
        .post(
            "/api/gateway_groups/{id}/instance_token",
            issue,
            operations::one(
                "Issue an instance token",
                schemas::object().required("id", schemas::id()).required("token_plain_text", schemas::text()),
            )
            .notes("With it a node joins the group. Shown once.")
            .query("only_token", schemas::flag().about("Changes nothing.")),
        )
        .get(
            "/api/forecourt/instance_tokens",
            list,
            operations::of_group(operations::list("List instance tokens", shape_schema())),
        )
        .delete(
            "/api/forecourt/instance_tokens/{id}",
            delete,
            operations::delete("Delete an instance token").notes("Ends the streams of its nodes at once."),
        )
}

fn shape_schema() -> Schema {
    schemas::named("InstanceToken", || {
        schemas::object()
            .required("id", schemas::id())
            .required("gateway_group_id", schemas::id())
            .optional("last_used_at", schemas::time())
            .required("created_at", schemas::time())
    })
}

fn shape(token: &InstanceToken) -> Value {
    Value::Object(members([
        ("id", Some(json!(token.id))),
        ("gateway_group_id", Some(json!(token.gateway_group_id))),
        ("last_used_at", token.last_used_at.map(|at| json!(iso(at)))),
        ("created_at", Some(json!(iso(token.created_at)))),
    ]))
}

/// `only_token` changes nothing here: the answer holds the token alone in any case.
async fn issue(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(GatewayGroupId::parse)?;
    let issued = instance_tokens::issue(&context.app, &caller, &id).await?;
    value(json!({ "id": issued.token.id, "token_plain_text": issued.text.reveal() }))
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = InstanceTokenFilter {
        gateway_group_id: gateway_group(&query)?,
        paging: query.paging()?,
        ..InstanceTokenFilter::default()
    };
    let found = instance_tokens::list(&context.app, &caller, filter).await?;
    Ok(lists::body(found.map(|token| shape(&token))))
}

async fn delete(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(InstanceTokenId::parse)?;
    instance_tokens::delete(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}
