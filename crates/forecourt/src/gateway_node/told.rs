//! What a node tells those who look after it: is it alive, is it ready, and what does it count.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use forecourt_gateway::{Gateway, sync::NodeStatus};
use serde_json::json;

use crate::{
    metrics::{
        self, Exposition, NODE_CLOCK, NODE_CONNECTED, NODE_DAMAGED, NODE_DISK_FAILING, NODE_DISK_FAILURES,
        NODE_DRIFT, NODE_DROPPED_USAGE, NODE_KEPT_REVISION, NODE_PENDING_USAGE, NODE_READY, NODE_STALENESS,
        NODE_TURNED_AWAY, Process, Sample,
    },
    serve::{VERSION, system_clock},
    status,
};

type Asked = Arc<(NodeStatus, Gateway, Process)>;

/// `/healthz`, `/readyz`, which is also `/readyz/gateway`, and `/metrics`.
pub(super) fn router(status: NodeStatus, gateway: Gateway) -> Router {
    let process = Process::starts(system_clock()());
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readiness))
        .route("/readyz/gateway", get(readiness))
        .route("/metrics", get(told))
        .with_state(Arc::new((status, gateway, process)))
}

async fn readiness(State(asked): State<Asked>) -> impl IntoResponse {
    let (status, gateway, _) = &*asked;
    let (code, word) = match (status.is_ready(), status.is_whole()) {
        (true, _) => (StatusCode::OK, "ready"),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "stale"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "waiting for its state"),
    };
    let body = json!({
        "status": word,
        "connected": status.is_connected(),
        "gateway_revision": *gateway.applied().borrow(),
        "staleness_seconds": status.staleness().as_secs(),
    });
    (code, Json(body))
}

/// Prometheus' text format, version 0.0.4.
async fn told(State(asked): State<Asked>) -> Response {
    let (status, gateway, process) = &*asked;
    let mut exposition = Exposition::default();
    metrics::of_process(&mut exposition, process, VERSION);
    metrics::of_gateway(&mut exposition, gateway);
    tell_link(&mut exposition, status);
    tell_disk(&mut exposition, status);
    status::text(exposition)
}

/// How the node stands with its control plane.
fn tell_link(exposition: &mut Exposition, status: &NodeStatus) {
    let staleness = format!("{:.3}", status.staleness().as_secs_f64());
    let offset = format!("{:.3}", status.clock_offset_ms() as f64 / 1_000.0);
    exposition.family(&NODE_READY, [flag(status.is_ready())]);
    exposition.family(&NODE_CONNECTED, [flag(status.is_connected())]);
    exposition.family(&NODE_TURNED_AWAY, [flag(status.is_turned_away())]);
    exposition.family(&NODE_STALENESS, [Sample::plain(staleness)]);
    exposition.family(&NODE_DRIFT, [Sample::plain(status.drift().len())]);
    exposition.family(&NODE_CLOCK, [Sample::plain(offset)]);
}

/// What is on the node's disk.
fn tell_disk(exposition: &mut Exposition, status: &NodeStatus) {
    let (failures, is_failing) = status.disk_failures();
    let (batches, dropped) = status.usage();
    exposition.family(&NODE_KEPT_REVISION, [Sample::plain(status.kept_revision().unwrap_or(0))]);
    exposition.family(&NODE_DISK_FAILING, [flag(is_failing)]);
    exposition.family(&NODE_DISK_FAILURES, [Sample::plain(failures)]);
    exposition.family(&NODE_DAMAGED, [Sample::plain(status.set_aside())]);
    exposition.family(&NODE_PENDING_USAGE, [Sample::plain(batches)]);
    exposition.family(&NODE_DROPPED_USAGE, [Sample::plain(dropped)]);
}

fn flag(value: bool) -> Sample {
    Sample::plain(u8::from(value))
}
