//! The sync port: what gateway nodes on other machines ask of the control plane (docs/nodes.md).
//!
//! Invariant: nothing is answered but to the holder of an instance token, of whom alone a body is read, and a node
//! speaks for itself alone. Wrong tokens are counted for the address that shows them. The stream itself is in
//! `sync/stream.rs`, what ends it in `sync/endings.rs`.

mod endings;
mod stream;

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    response::{IntoResponse, Response},
    routing::post,
};
use forecourt_app::{App, nodes, usage};
use forecourt_core::ids::NodeId;
use forecourt_http::{addresses, problem::Problem};
use forecourt_wire::{
    sync::{ACKNOWLEDGEMENTS, Acknowledgement, Hello, USAGE, UsageStored, WATCH},
    usage::UsageBatch,
};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, time::timeout};

use self::{endings::Streams, stream::Session};

/// The largest body of a request, bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// How long a node may take for a body. It gives up by itself before that.
const BODY_TIME: Duration = Duration::from_secs(60);

/// How nodes are told.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The longest silence of a stream.
    pub heartbeat: Duration,
    /// How often a node is told what it must hold, beside the first time.
    pub checkpoint: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(2), checkpoint: Duration::from_secs(30) }
    }
}

#[derive(Clone)]
struct Sync {
    app: App,
    config: Config,
    streams: Streams,
}

/// Everything of the sync port. Streams end once `stopping` is true.
pub fn router(app: App, config: Config, stopping: watch::Receiver<bool>) -> Router {
    let sync = Sync { app, config, streams: Streams::new(stopping) };
    Router::new()
        .route(WATCH, post(open))
        .route(ACKNOWLEDGEMENTS, post(acknowledge))
        .route(USAGE, post(store_usage))
        .fallback(async || Problem::not_found())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(sync)
}

async fn open(State(sync): State<Sync>, request: Request) -> Result<Response, Problem> {
    let (token, address) = (token(request.headers())?, address(&request));
    check(&sync.app, address.as_deref(), &token).await?;
    let hello: Hello = body(request, BODY_TIME).await?;
    let admitted = nodes::admit(&sync.app, &token, &hello).await;
    let admitted = admitted.map_err(|refusal| nodes::refused(&sync.app, address.as_deref(), refusal))?;
    tracing::info!(
        node.id = %admitted.node, node.name = hello.name, node.version = hello.version,
        gateway_group.id = %admitted.group, node.revision = hello.position.as_ref().map(|position| position.revision),
        "a node opened its stream"
    );
    let endings = sync.streams.open(&sync.app, &admitted);
    let body = Session { app: sync.app, config: sync.config, admitted, hello, endings }.start();
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

async fn acknowledge(State(sync): State<Sync>, request: Request) -> Result<StatusCode, Problem> {
    let (token, address) = (token(request.headers())?, address(&request));
    check(&sync.app, address.as_deref(), &token).await?;
    let told: Acknowledgement = body(request, BODY_TIME).await?;
    recognise(&sync.app, address.as_deref(), &token, &told.node).await?;
    nodes::acknowledge(&sync.app, &told).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn store_usage(State(sync): State<Sync>, request: Request) -> Result<Json<UsageStored>, Problem> {
    let (token, address) = (token(request.headers())?, address(&request));
    check(&sync.app, address.as_deref(), &token).await?;
    let batch: UsageBatch = body(request, BODY_TIME).await?;
    recognise(&sync.app, address.as_deref(), &token, &batch.node).await?;
    usage::ingest(&sync.app, &batch).await?;
    Ok(Json(UsageStored { number: batch.number }))
}

/// Refuses what is no live token, before anything is read of what its holder sends.
async fn check(app: &App, address: Option<&str>, token: &str) -> Result<(), Problem> {
    match nodes::check_token(app, token).await {
        Ok(()) => Ok(()),
        Err(refusal) => Err(nodes::refused(app, address, refusal).into()),
    }
}

/// Refuses who does not speak for `node`.
async fn recognise(app: &App, address: Option<&str>, token: &str, node: &NodeId) -> Result<(), Problem> {
    match nodes::recognise(app, token, node).await {
        Ok(_) => Ok(()),
        Err(refusal) => Err(nodes::refused(app, address, refusal).into()),
    }
}

/// Where a request comes from. TLS ends here, so nobody between may say something else.
fn address(request: &Request) -> Option<String> {
    addresses::client(request.headers(), request.extensions(), &[]).map(|address| address.to_string())
}

/// The instance token that a request shows.
fn token(headers: &HeaderMap) -> Result<String, Problem> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = shown
        .and_then(|shown| shown.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.map(|(_, token)| token.trim().to_owned()).filter(|token| !token.is_empty()).ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "show an instance token of the gateway group: Authorization: Bearer TOKEN",
        )
    })
}

/// A body that is one JSON value and comes within `time`, with what is wrong in words where it is not.
async fn body<T: DeserializeOwned>(request: Request, time: Duration) -> Result<T, Problem> {
    let reading = timeout(time, axum::body::to_bytes(request.into_body(), LARGEST)).await;
    let read = reading.map_err(|_| {
        let problem = format!("the body did not come within {} s", time.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, problem)
    })?;
    let bytes = read.map_err(|_| {
        Problem::bad_request("the body is larger than 16 MiB, or ended before it was complete")
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Problem::bad_request(format!("the body is not what this path takes (docs/nodes.md): {error}"))
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::{Body, Bytes};
    use futures_util::stream;
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_end_is_given_up_and_one_that_comes_is_read() {
        let time = Duration::from_millis(20);
        let endless = stream::pending::<Result<Bytes, Infallible>>();
        let refused = body::<Value>(Request::new(Body::from_stream(endless)), time).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::REQUEST_TIMEOUT);
        let whole = body::<Value>(Request::new(Body::from("{\"a\":1}")), BODY_TIME).await;
        assert_eq!(whole.unwrap(), json!({ "a": 1 }));
    }
}
