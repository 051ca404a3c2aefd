//! `/api/forecourt/receipts/{revision}`: which gateway nodes have applied a change, and when.

use axum::extract::State;
use forecourt_app::receipts;
use forecourt_core::nodes::{NodeReceipt, RevisionReceipt};
use forecourt_http::{Context, callers::AdminCaller, times::iso};
use serde_json::{Value, json};

use super::{
    answers::{Answer, value},
    operations,
    segments::Segments,
    table::Table,
};
use crate::{
    openapi::schemas::{self, Schema},
    shapes::members,
};

pub(super) fn endpoints(table: Table) -> Table {
    table.about("Receipts").get(
        "/api/forecourt/receipts/{revision}",
        receipt,
        operations::one("Tell which nodes enforce a revision", receipt_schema())
            .segment("revision", schemas::integer().from(1)),
    )
}

fn receipt_schema() -> Schema {
    schemas::named("Receipt", || {
        let node = schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("gateway_group_id", schemas::id())
            .required("revision", schemas::integer())
            .required("applied", schemas::flag())
            .optional("applied_at", schemas::time())
            .required("lag_ms", schemas::integer());
        schemas::object()
            .required("revision", schemas::integer().from(1))
            .required("complete", schemas::flag())
            .required("nodes", schemas::array(node))
    })
}

async fn receipt(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let revision = segments.named("revision", |text| text.parse().ok())?;
    let receipt = receipts::receipt(&context.app, &caller, revision).await?;
    let now = context.app.now();
    let row = |node: &NodeReceipt| shape(node, receipts::lag(&receipt, node, now));
    let RevisionReceipt { revision, nodes, .. } = &receipt;
    value(json!({
        "revision": revision,
        "complete": receipt.is_complete(),
        "nodes": nodes.iter().map(row).collect::<Vec<_>>(),
    }))
}

fn shape(NodeReceipt { node, applied_at }: &NodeReceipt, lag_ms: i64) -> Value {
    Value::Object(members([
        ("id", Some(json!(node.id))),
        ("name", Some(json!(node.name))),
        ("gateway_group_id", Some(json!(node.gateway_group_id))),
        ("revision", Some(json!(node.revision))),
        ("applied", Some(json!(applied_at.is_some()))),
        ("applied_at", applied_at.map(|at| json!(iso(at)))),
        ("lag_ms", Some(json!(lag_ms))),
    ]))
}
