//! The status listener of a process that serves: is it alive, is it ready, and what does it count.
//!
//! Invariant: health and readiness are answered from what is known already, so that they never wait for what may be
//! wrong.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use forecourt_app::App;
use forecourt_gateway::Gateway;
use forecourt_http::observations::Observations;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    database_watch::DatabaseState,
    jobs::Jobs,
    metrics::{self, Exposition, Process},
};

/// The jobs without which requests are better sent elsewhere: health is not known, the gateway does not hear of changes,
/// answers are not written to the audit log, and nobody is let in. The sync port is not among them: no other process is
/// nearer to the nodes that follow this one.
const NEEDED: [&str; 9] = [
    "database_watch",
    "gateway_feed",
    "audit_answers",
    "admin_listener",
    "admin_tls_listener",
    "portal_api_listener",
    "site_listener",
    "gateway_listener",
    "gateway_tls_listener",
];
/// Those without which callers of the gateway are better sent elsewhere. A gateway that does not hear of changes goes on
/// with what it knows until that is too old.
pub(crate) const NEEDED_BY_CALLERS: [&str; 2] = ["gateway_listener", "gateway_tls_listener"];

/// What is asked about.
#[derive(Clone)]
pub struct Status {
    /// The use cases.
    pub app: App,
    /// The embedded gateway, where there is one. It is handed over once its first snapshot is in force.
    pub gateway: Option<Gateway>,
    /// How the database is.
    pub database: watch::Receiver<DatabaseState>,
    /// What the faces answered.
    pub observations: Observations,
    /// What goes on in the background.
    pub jobs: Arc<Jobs>,
    /// This process.
    pub process: Process,
    /// Forecourt's own version.
    pub version: &'static str,
}

impl std::fmt::Debug for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Status").field("version", &self.version).finish_non_exhaustive()
    }
}

/// `/healthz`, `/readyz`, `/readyz/gateway` and `/metrics`.
pub fn router(status: Status) -> Router {
    Router::new()
        .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/readyz", get(readiness))
        .route("/readyz/gateway", get(gateway_readiness))
        .route("/metrics", get(told))
        .with_state(status)
}

/// Whether everything works. The schema is brought up to date before a listener accepts, so it is always so here.
async fn readiness(State(status): State<Status>) -> Response {
    let database = status.database.borrow().clone();
    let (answers, writes) = match &database {
        DatabaseState::Well => ("ok".to_owned(), "ok".to_owned()),
        DatabaseState::Unwritable(problem) => ("ok".to_owned(), problem.clone()),
        DatabaseState::Away(problem) => (problem.clone(), "unknown".to_owned()),
    };
    let is_stale = status.gateway.as_ref().is_some_and(Gateway::is_stale);
    let (jobs, is_working) = jobs(status.jobs.down(), &NEEDED);
    let mut parts = json!({ "database": answers, "writes": writes, "migrations": "ok", "jobs": jobs });
    if let (Some(gateway), Some(members)) = (&status.gateway, parts.as_object_mut()) {
        let word = if is_stale { "stale" } else { "ok" };
        members.insert("gateway".into(), word.into());
        members.insert("gateway_revision".into(), (*gateway.applied().borrow()).into());
    }
    answer(database.is_well() && !is_stale && is_working, parts)
}

/// Which jobs are down, and whether requests can be answered all the same, since none of those that are `needed` is: all
/// processes meet the same bad row, and would be taken out of service together.
pub(crate) fn jobs(down: impl Iterator<Item = &'static str>, needed: &[&str]) -> (String, bool) {
    let down: Vec<_> = down.collect();
    let is_working = !down.iter().any(|name| needed.contains(name));
    match down[..] {
        [] => ("ok".to_owned(), is_working),
        _ => (format!("broke off: {}", down.join(", ")), is_working),
    }
}

/// Whether callers of the gateway may be sent here: it goes on without its database until it knows too little.
async fn gateway_readiness(State(status): State<Status>) -> Response {
    let Some(gateway) = &status.gateway else {
        return answer(false, json!({ "gateway": "there is none in this process" }));
    };
    let is_stale = gateway.is_stale();
    let (jobs, is_working) = jobs(status.jobs.down(), &NEEDED_BY_CALLERS);
    let parts = json!({
        "gateway": if is_stale { "stale" } else { "ok" },
        "gateway_revision": *gateway.applied().borrow(),
        "jobs": jobs,
        "staleness_seconds": gateway.unheard().as_secs(),
    });
    answer(!is_stale && is_working, parts)
}

fn answer(is_ready: bool, parts: Value) -> Response {
    let (code, word) = match is_ready {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    let mut body = json!({ "status": word });
    if let (Some(members), Value::Object(parts)) = (body.as_object_mut(), parts) {
        members.extend(parts);
    }
    (code, Json(body)).into_response()
}

async fn told(State(status): State<Status>) -> Response {
    let mut exposition = Exposition::default();
    metrics::of_process(&mut exposition, &status.process, status.version);
    let database = status.database.borrow().clone();
    let Status { app, observations, jobs, .. } = &status;
    metrics::of_process_that_serves(&mut exposition, app, &database, observations, jobs).await;
    if let Some(gateway) = &status.gateway {
        metrics::of_gateway(&mut exposition, gateway);
    }
    text(exposition)
}

/// Metrics as an answer.
pub(crate) fn text(exposition: Exposition) -> Response {
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], exposition.finish()).into_response()
}

#[cfg(test)]
mod tests {
    use forecourt_app::Config;

    use super::*;
    use crate::{config::Settings, serve};

    #[tokio::test]
    async fn readiness_names_a_job_that_broke_off_until_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { data_dir: folder.path().display().to_string(), ..Settings::default() };
        let store = serve::open_store(&settings).await.unwrap();
        let app = App::open(store, &Config::default(), serve::system_clock()).await.unwrap();
        let (_found, database) = watch::channel(DatabaseState::Well);
        let gateway = Gateway::new(forecourt_gateway::Config::default(), serve::system_clock()).unwrap();
        let status = Status {
            app,
            gateway: Some(gateway),
            database,
            observations: Observations::default(),
            jobs: Arc::default(),
            process: Process::starts(serve::system_clock()()),
            version: "0",
        };
        let read = async |answer: Response| {
            let code = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await.unwrap();
            (code, serde_json::from_slice::<Value>(&body).unwrap()["jobs"].clone())
        };
        let told = async || read(readiness(State(status.clone())).await).await;
        let told_to_callers = async || read(gateway_readiness(State(status.clone())).await).await;
        assert_eq!(told().await, (StatusCode::OK, json!("ok")));
        status.jobs.delivering.broke_off();
        assert_eq!(told().await, (StatusCode::OK, json!("broke off: delivering")));
        status.jobs.audit_answers.broke_off();
        let both = json!("broke off: delivering, audit_answers");
        assert_eq!(told().await, (StatusCode::SERVICE_UNAVAILABLE, both));
        status.jobs.audit_answers.ended(&Ok::<(), ()>(()));
        status.jobs.delivering.ended(&Err::<(), ()>(()));
        assert_eq!(told().await, (StatusCode::OK, json!("ok")));
        for job in status.jobs.all() {
            job.broke_off();
            let word = json!(format!("broke off: {}", job.name()));
            let code = |is_needed| if is_needed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
            let expected = (code(NEEDED.contains(&job.name())), word.clone());
            assert_eq!(told().await, expected);
            let expected = (code(NEEDED_BY_CALLERS.contains(&job.name())), word);
            assert_eq!(told_to_callers().await, expected);
            job.goes_on();
        }
        for needed in NEEDED.iter().chain(&NEEDED_BY_CALLERS) {
            assert!(status.jobs.all().any(|job| job.name() == *needed), "{needed} is no job");
        }
    }
}
