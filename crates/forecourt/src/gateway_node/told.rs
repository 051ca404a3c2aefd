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
    jobs::Jobs,
    metrics::{
        self, Exposition, NODE_CLOCK, NODE_CONNECTED, NODE_DAMAGED, NODE_DISK_FAILING, NODE_DISK_FAILURES,
        NODE_DRIFT, NODE_DROPPED_USAGE, NODE_KEPT_REVISION, NODE_PENDING_USAGE, NODE_READY, NODE_STALENESS,
        NODE_TURNED_AWAY, Process, Sample,
    },
    serve::{VERSION, system_clock},
    status,
};

type Asked = Arc<(NodeStatus, Gateway, Arc<Jobs>, Process)>;

/// `/healthz`, `/readyz`, which is also `/readyz/gateway`, and `/metrics`.
pub(super) fn router(status: NodeStatus, gateway: Gateway, jobs: Arc<Jobs>) -> Router {
    let process = Process::starts(system_clock()());
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readiness))
        .route("/readyz/gateway", get(readiness))
        .route("/metrics", get(told))
        .with_state(Arc::new((status, gateway, jobs, process)))
}

async fn readiness(State(asked): State<Asked>) -> impl IntoResponse {
    let (status, gateway, jobs, _) = &*asked;
    let (jobs, is_working) = status::jobs(jobs.down(), &status::NEEDED_BY_CALLERS);
    let (code, word) = match word(status.is_whole(), status.is_ready(), is_working) {
        Ok(word) => (StatusCode::OK, word),
        Err(word) => (StatusCode::SERVICE_UNAVAILABLE, word),
    };
    let body = json!({
        "status": word,
        "jobs": jobs,
        "connected": status.is_connected(),
        "gateway_revision": *gateway.applied().borrow(),
        "staleness_seconds": status.staleness().as_secs(),
    });
    (code, Json(body))
}

/// How it is in a word. An error: callers are better sent elsewhere.
const fn word(is_whole: bool, is_ready: bool, is_working: bool) -> Result<&'static str, &'static str> {
    match (is_whole, is_ready, is_working) {
        (false, ..) => Err("waiting for its state"),
        (true, false, _) => Err("stale"),
        (true, true, false) => Err("not listening"),
        (true, true, true) => Ok("ready"),
    }
}

/// Prometheus' text format, version 0.0.4.
async fn told(State(asked): State<Asked>) -> Response {
    let (status, gateway, jobs, process) = &*asked;
    let mut exposition = Exposition::default();
    metrics::of_process(&mut exposition, process, VERSION);
    metrics::of_jobs(&mut exposition, || jobs.of_a_node());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_sent_to_a_node_that_has_a_state_is_fresh_and_listens() {
        let down = |broken: &[fn(&Jobs) -> &crate::jobs::Job]| {
            let jobs = Jobs::default();
            broken.iter().for_each(|of| of(&jobs).broke_off());
            status::jobs(jobs.down(), &status::NEEDED_BY_CALLERS)
        };
        let (told, is_working) = down(&[|jobs| &jobs.quota_keeping, |jobs| &jobs.gateway_feed]);
        assert_eq!(told, "broke off: gateway_feed, quota_keeping");
        assert_eq!(word(true, true, is_working), Ok("ready"));
        let (told, is_working) = down(&[|jobs| &jobs.gateway_tls_listener]);
        assert_eq!(told, "broke off: gateway_tls_listener");
        assert_eq!(word(true, true, is_working), Err("not listening"));
        assert_eq!(word(true, false, true), Err("stale"));
        assert_eq!(word(false, false, true), Err("waiting for its state"));
    }
}
