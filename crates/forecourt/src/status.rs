//! The status listener: is the process alive, is it ready, and what does it count.

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use forecourt_app::{App, gateway_feed};
use forecourt_gateway::Gateway;
use serde_json::json;

/// What is asked about.
#[derive(Clone)]
pub struct Status {
    /// The use cases.
    pub app: App,
    /// The embedded gateway, where there is one. It is handed over once its first snapshot is in force.
    pub gateway: Option<Gateway>,
    /// Forecourt's own version.
    pub version: &'static str,
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Status").field("version", &self.version).finish_non_exhaustive()
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn router(status: Status) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readiness))
        .route("/metrics", get(metrics))
        .with_state(status)
}

async fn readiness(State(status): State<Status>) -> impl IntoResponse {
    let database = status.app.ping().await;
    let code = if database.is_ok() { 200 } else { 503 };
    let code = axum::http::StatusCode::from_u16(code).unwrap_or_default();
    let applied = status.gateway.as_ref().map(|gateway| *gateway.applied().borrow());
    let mut body = json!({
        "status": if database.is_ok() { "ready" } else { "not ready" },
        "database": match &database {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.to_string(),
        },
    });
    if let (Some(revision), Some(members)) = (applied, body.as_object_mut()) {
        members.insert("gateway_revision".into(), revision.into());
    }
    (code, Json(body))
}

/// What is told of plans.
fn limits(gateway: &Gateway) -> String {
    let mut text = format!(
        "# HELP forecourt_gateway_limits_fallback_total Calls counted on this node alone because Redis was away.\n\
         # TYPE forecourt_gateway_limits_fallback_total counter\nforecourt_gateway_limits_fallback_total {}\n\
         # HELP forecourt_gateway_limits_callers Pairs of application and product with calls that count for a limit.\n\
         # TYPE forecourt_gateway_limits_callers gauge\nforecourt_gateway_limits_callers {}\n",
        gateway.limit_fallbacks(),
        gateway.limited_callers()
    );
    if let Some(is_shared) = gateway.limits_are_shared() {
        text += &format!(
            "# HELP forecourt_gateway_limits_shared Whether the counters in Redis answer: 1 or 0.\n\
             # TYPE forecourt_gateway_limits_shared gauge\nforecourt_gateway_limits_shared {}\n",
            u8::from(is_shared)
        );
    }
    text
}

/// Prometheus' text format, version 0.0.4.
async fn metrics(State(status): State<Status>) -> impl IntoResponse {
    let mut text = metric(
        "gauge",
        "forecourt_committed_revision",
        "The latest gateway revision that this process committed or started from.",
        &gateway_feed::latest(&status.app).borrow().to_string(),
    );
    text += &metric(
        "counter",
        "forecourt_sync_diverged_total",
        "Nodes that came with a revision of another line than this database's.",
        &gateway_feed::diverged(&status.app).to_string(),
    );
    text += &match &status.gateway {
        Some(gateway) => gateway_metrics(gateway, status.version),
        None => build_info(status.version),
    };
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// One metric of this type, with its help and value.
pub(crate) fn metric(kind: &str, name: &str, help: &str, value: &str) -> String {
    format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")
}

fn build_info(version: &str) -> String {
    format!(
        "# HELP forecourt_build_info The running version.\n# TYPE forecourt_build_info gauge\n\
         forecourt_build_info{{version=\"{version}\"}} 1\n"
    )
}

/// What every gateway counts, on its own machine or in this process.
pub(crate) fn gateway_metrics(gateway: &Gateway, version: &str) -> String {
    let mut text = build_info(version);
    text += &metric(
        "gauge",
        "forecourt_gateway_applied_revision",
        "The revision that the gateway enforces.",
        &gateway.applied().borrow().to_string(),
    );
    text += "# HELP forecourt_gateway_rejected_total Requests that the gateway answered by itself, by reason.\n\
             # TYPE forecourt_gateway_rejected_total counter\n";
    for (reason, count) in gateway.rejected() {
        text += &format!("forecourt_gateway_rejected_total{{reason=\"{reason}\"}} {count}\n");
    }
    text += &metric(
        "counter",
        "forecourt_gateway_refused_connections_total",
        "Connections beyond the limit.",
        &gateway.refused_connections().to_string(),
    );
    text + &limits(gateway)
}
