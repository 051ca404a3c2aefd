//! What a request meets, in order: head checks, route, identity headers off, verify, meter, forward.
//!
//! The decision (route and verify) is taken on one consistent state; a password check lies between two such
//! decisions, since the state may move on while it runs.

use std::{borrow::Cow, convert::Infallible, sync::Arc};

use http::{HeaderMap, Method, Request, Response, Uri, request::Parts};
use hyper::body::Incoming;

use crate::{
    Inner,
    bodies::AnswerBody,
    connections::{Connections, InFlight},
    forward::{self, Passage},
    grpc, heads, paths,
    rejects::Reject,
    route::Route,
    sockets::Watch,
    verify::{Permit, Proven, Verdict, verify},
};

/// Answers one request of a connection.
pub(crate) async fn serve(
    gateway: Arc<Inner>,
    connections: Arc<Connections>,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let is_grpc = grpc::is_call(request.headers());
    let mut response = answer(gateway, connections, watch, request).await;
    if is_grpc && response.body().is_own() {
        grpc::explain(&mut response);
    }
    Ok(response)
}

async fn answer(
    gateway: Arc<Inner>,
    connections: Arc<Connections>,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let is_ambiguous = watch.begin_request();
    let in_flight = InFlight::new(Arc::clone(&watch));
    let (mut parts, body) = request.into_parts();
    let uri = parts.uri.clone();

    let (host, path) = match check_head(is_ambiguous, &uri, &parts) {
        Ok(checked) => checked,
        Err(reject) => return gateway.refuse(reject, in_flight),
    };
    let head = Head { host, path: &path, query: uri.query(), method: &parts.method, headers: &parts.headers };
    let (route, permit) = match decide(&gateway, &head).await {
        Ok(decided) => decided,
        Err(reject) => return gateway.refuse(reject, in_flight),
    };
    forward::clean_identity(&mut parts.headers);
    if let Some(identity) = permit.identity() {
        gateway.meter.count(identity, (gateway.clock)(), watch.peer);
    }
    let passage = Passage { permit, route: &route, path, query: uri.query(), watch: &watch };
    match forward::forward(passage, parts, body, connections, in_flight).await {
        Ok(response) => response,
        Err((reject, in_flight)) => gateway.refuse(reject, in_flight),
    }
}

struct Head<'a> {
    host: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    method: &'a Method,
    headers: &'a HeaderMap,
}

/// Host and normal path of an acceptable head.
fn check_head<'p, 'u>(
    is_ambiguous: bool,
    uri: &'u Uri,
    parts: &'p Parts,
) -> Result<(&'p str, Cow<'u, str>), Reject> {
    if is_ambiguous {
        return Err(Reject::BadRequest("both Content-Length and Transfer-Encoding"));
    }
    let host = heads::host(&parts.method, uri, &parts.headers).map_err(Reject::BadRequest)?;
    let path = paths::normalise(uri.path()).ok_or(Reject::BadRequest("a malformed escape in the path"))?;
    Ok((host, path))
}

/// Route and verify, with a password check in between if one is needed.
async fn decide(gateway: &Inner, head: &Head<'_>) -> Result<(Arc<Route>, Permit), Reject> {
    let mut proven = None;
    loop {
        let (route, verdict) = decide_now(gateway, head, proven.as_ref())?;
        match verdict {
            Verdict::Permit(permit) => return Ok((route, permit)),
            Verdict::Reject(reject) => return Err(reject),
            Verdict::NeedsPasswordCheck(question) => {
                let answer = gateway.passwords.answer(question).await;
                proven = Some(answer.map_err(|_| Reject::PasswordChecksBusy)?);
            }
        }
    }
}

fn decide_now(
    gateway: &Inner,
    head: &Head<'_>,
    proven: Option<&Proven>,
) -> Result<(Arc<Route>, Verdict), Reject> {
    let now = (gateway.clock)();
    gateway.state.consistently(|table| {
        let route = table.find(head.host, head.path, head.method).ok_or(Reject::NoRoute)?;
        let verdict =
            verify(&gateway.state, &route.service.protection, head.headers, head.query, now, proven);
        Ok((Arc::clone(route), verdict))
    })
}
