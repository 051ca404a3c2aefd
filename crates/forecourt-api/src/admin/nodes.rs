//! `/api/forecourt/nodes`: gateway nodes as the control plane knows them.

use axum::extract::State;
use forecourt_app::{nodes, receipts};
use forecourt_core::{
    ids::NodeId,
    lists::List,
    nodes::{Node, NodeConnection, NodeFilter},
    time::Timestamp,
};
use forecourt_http::{Context, callers::AdminCaller, lists, queries::Query, times::iso};
use serde_json::{Value, json};

use super::{
    answers::{Answer, ListAnswer, deleted, value},
    operations,
    segments::{Segments, gateway_group},
    table::Table,
};
use crate::openapi::schemas::{self, Schema};

pub(super) fn endpoints(table: Table) -> Table {
    table
        .about("Gateway nodes")
        .get(
            "/api/forecourt/nodes",
            list,
            operations::of_group(operations::list("List gateway nodes", shape_schema()))
                .query("state", schemas::words(&["connected", "disconnected"])),
        )
        .get("/api/forecourt/nodes/{id}", node, operations::one("Get a gateway node", shape_schema()))
        .delete(
            "/api/forecourt/nodes/{id}",
            remove,
            operations::delete("Remove a gateway node").notes("Its token is refused from then on."),
        )
}

fn shape_schema() -> Schema {
    schemas::named("GatewayNode", || {
        schemas::object()
            .required("id", schemas::id())
            .required("name", schemas::text())
            .required("gateway_group_id", schemas::id())
            .required("version", schemas::text())
            .required("address", schemas::text())
            .required("state", schemas::words(&["connected", "disconnected"]))
            .required("revision", schemas::integer().about("The last that it acknowledged."))
            .required("lag_ms", schemas::integer())
            .required("last_contact_at", schemas::time())
            .required(
                "drift",
                schemas::array(schemas::text()).about("Kinds of which it does not hold what it should."),
            )
            .required("created_at", schemas::time())
    })
}

fn shape(node: &Node, lag_ms: i64, now: Timestamp) -> Value {
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
        "duplicated": node.is_duplicated(now),
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
    let now = context.app.now();
    let rows = found.rows.iter().zip(lags).map(|(node, lag)| shape(node, lag, now)).collect();
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
    value(shape(&node, lag.first().copied().unwrap_or(0), context.app.now()))
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
