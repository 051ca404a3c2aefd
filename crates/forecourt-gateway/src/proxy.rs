//! What a request meets, in order: head checks, route, identity headers off, verify, meter, forward.
//!
//! The decision (route and verify) is taken on one consistent state; a password check lies between two such
//! decisions, since the state may move on while it runs.

use std::{borrow::Cow, convert::Infallible, sync::Arc};

use http::{HeaderMap, Method, Request, Response, Uri, header::CONNECTION, request::Parts, uri::Scheme};
use hyper::body::Incoming;

use crate::{
    Inner,
    bodies::AnswerBody,
    connection_watch::{Begun, Watch},
    connections::{Connections, InFlight},
    forward::{self, Passage},
    grpc, heads, paths,
    rejects::Reject,
    request_ids::{self, X_REQUEST_ID},
    route::Route,
    uploads::CallerBody,
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
    let (in_flight, mut begun) = InFlight::begin(&watch, gateway.config.max_requests_in_flight);
    let (mut parts, body) = request.into_parts();
    begun.has_too_many_fields = parts.headers.len() > gateway.config.max_head_fields;
    if watch.is_http2 {
        heads::as_http1(&mut parts);
    }
    let id = request_ids::settle(&mut parts.headers, || {
        request_ids::make(watch.id_seed, begun.number, (gateway.clock)())
    });
    let mut response = answer(&gateway, connections, &watch, (parts, body), in_flight, begun).await;
    if is_grpc && response.body().is_own() {
        grpc::explain(&mut response);
    }
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id);
    if watch.is_http2 {
        headers.remove(CONNECTION);
    }
    Ok(response)
}

async fn answer(
    gateway: &Inner,
    connections: Arc<Connections>,
    watch: &Arc<Watch>,
    (mut parts, body): (Parts, Incoming),
    in_flight: InFlight,
    begun: Begun,
) -> Response<AnswerBody> {
    let uri = parts.uri.clone();
    let checked = check_head(gateway, watch, &begun, &uri, &parts).and_then(|(host, path)| {
        let body = CallerBody::new(body, gateway.config.max_request_body_bytes, begun.stream.clone())?;
        Ok((host, path, body))
    });
    let (host, path, body) = match checked {
        Ok(checked) => checked,
        Err(reject) => return gateway.refuse(reject, in_flight),
    };
    let head = Head { host, path: &path, query: uri.query(), method: &parts.method, headers: &parts.headers };
    let (route, permit) = match decide(gateway, &head).await {
        Ok(decided) => decided,
        Err(reject) => return gateway.refuse(reject, in_flight),
    };
    forward::clean_identity(&mut parts.headers);
    if let Some(identity) = permit.identity() {
        let caller = watch.hop.caller(&parts.headers, &gateway.config.trusted_proxies);
        gateway.meter.count(identity, (gateway.clock)(), caller);
    }
    let trusted_proxies = &gateway.config.trusted_proxies;
    let passage = Passage { permit, route: &route, path, query: uri.query(), watch, trusted_proxies };
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
    gateway: &Inner,
    watch: &Watch,
    begun: &Begun,
    uri: &'u Uri,
    parts: &'p Parts,
) -> Result<(&'p str, Cow<'u, str>), Reject> {
    if begun.is_too_many {
        return Err(Reject::TooManyInFlight);
    }
    if begun.has_too_many_fields {
        return Err(Reject::HeadTooLarge);
    }
    if begun.is_ambiguous {
        return Err(Reject::BadRequest("the length of the body is said twice"));
    }
    let scheme = match watch.is_http2 {
        // It need not be the connection's own: a proxy in front hands on what its caller used (RFC 9113 §8.3.1).
        true => None,
        false if watch.hop.is_tls => Some(&Scheme::HTTPS),
        false => Some(&Scheme::HTTP),
    };
    let host = heads::host(&parts.method, uri, &parts.headers, scheme).map_err(Reject::BadRequest)?;
    if !gateway.state.certificates.load().admits(host, watch.shown.as_deref()) {
        return Err(Reject::Misdirected);
    }
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
