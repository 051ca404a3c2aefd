//! `/api/forecourt/nodes`: gateway nodes as the control plane knows them.

use axum::extract::State;
use forecourt_app::{nodes, receipts};
use forecourt_core::{
    ids::NodeId,
    lists::List,
    nodes::{Node, NodeConnection, NodeFilter},
};
use forecourt_http::{Context, callers::AdminCaller, lists, queries::Query, times::iso};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    segments::{Segments, gateway_group},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get("/api/forecourt/nodes", list)
        .get("/api/forecourt/nodes/{id}", node)
        .delete("/api/forecourt/nodes/{id}", remove)
}

fn shape(node: &Node, lag_ms: i64) -> Value {
    json!({
        "id": node.id,
        "name": node.name,
        "gateway_group_id": node.gateway_group_id,
        "version": node.version,
        "address": node.address,
        "state": node.connection.name(),
        "revision": node.revision,
        "lag_ms": lag_ms,
        "last_contact_at": iso(node.last_contact_at),
        "drift": node.drift.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
        "created_at": iso(node.created_at),
    })
}

async fn list(State(context): State<Context>, AdminCaller(caller): AdminCaller, query: Query) -> ListAnswer {
    let filter = NodeFilter {
        gateway_group_id: gateway_group(&query)?,
        connection: query.word("state", NodeConnection::from_name, "connected or disconnected")?,
        paging: query.paging()?,
        ..NodeFilter::default()
    };
    let found = nodes::list(&context.app, &caller, filter).await?;
    let lags = receipts::lags(&context.app, &found.rows).await?;
    let rows = found.rows.iter().zip(lags).map(|(node, lag)| shape(node, lag)).collect();
    Ok(lists::body(List { rows, total: found.total }))
}

async fn node(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(NodeId::parse)?;
    let node = nodes::node(&context.app, &caller, &id).await?;
    let lag = receipts::lags(&context.app, std::slice::from_ref(&node)).await?;
    value(shape(&node, lag.first().copied().unwrap_or(0)))
}

async fn remove(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    segments: Segments,
) -> Answer {
    let id = segments.id(NodeId::parse)?;
    nodes::remove(&context.app, &caller, &id).await?;
    deleted(id.as_str())
}
