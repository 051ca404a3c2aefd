//! What a request meets, in order: head checks, route, preflight, verify, identity headers off, meter, forward,
//! cross-origin fields.
//!
//! The decision (route and verify) is taken on one consistent state; a password check, or a wait for an issuer's
//! keys, lies between two such decisions, since the state may move on while it runs.

use std::{borrow::Cow, convert::Infallible, sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header::CONNECTION, request::Parts, uri::Scheme};
use hyper::body::Incoming;

use crate::{
    Inner,
    bodies::AnswerBody,
    connection_watch::{Begun, Watch},
    connections::{Connections, InFlight},
    cors,
    forward::{self, Passage},
    grpc,
    heads::{self, Head},
    identity,
    meter::Call,
    paths,
    rejects::Reject,
    request_ids::{self, X_REQUEST_ID},
    route::Route,
    spans,
    uploads::CallerBody,
    verify::{self, Permit, Proven, Verdict, verify},
};

/// Answers one request of a connection.
pub(crate) async fn serve(
    gateway: Arc<Inner>,
    connections: Arc<Connections>,
    watch: Arc<Watch>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let arrived = Instant::now();
    let is_grpc = grpc::is_call(request.headers());
    let (in_flight, mut begun) = InFlight::begin(&watch, gateway.config.max_requests_in_flight);
    let (mut parts, body) = request.into_parts();
    begun.has_too_many_fields = parts.headers.len() > gateway.config.max_head_fields;
    if watch.is_http2 {
        heads::as_http1(&mut parts);
    }
    let id = request_ids::settle(&parts.headers, || {
        request_ids::make(watch.id_seed, begun.number, (gateway.clock)())
    });
    let tracing = gateway.config.tracing.as_ref();
    let span =
        tracing.and_then(|_| spans::begin(tracing, &parts.method, &mut parts.headers, (gateway.clock)()));
    let arrival = Arrival { at: arrived, id: &id };
    let mut response = answer(&gateway, connections, &watch, (parts, body), in_flight, begun, arrival).await;
    let status = response.status();
    response.body_mut().answers(status);
    gateway.answered.count(watch.id_seed, status);
    if let Some(span) = span {
        span.end(status.as_u16(), (gateway.clock)());
    }
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
    mut in_flight: InFlight,
    begun: Begun,
    arrival: Arrival<'_>,
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
    let (route, decision) = match decide(gateway, watch, &head(host, &path, &uri, &parts)).await {
        Ok(decided) => decided,
        Err(reject) => return gateway.refuse(reject, in_flight),
    };
    let cors = route.plugins.as_ref().and_then(|plugins| plugins.cors.as_ref());
    let fields = cors.map(|cors| cors.fields(&parts.headers));
    let mut standing = None;
    let mut answer = match decision {
        Decision::Preflight => Response::new(AnswerBody::own(Bytes::new(), in_flight)),
        Decision::Reject(reject) => gateway.refuse(reject, in_flight),
        Decision::Permit(permit) => {
            identity::clean(&mut parts.headers);
            let trusted_proxies = &gateway.config.trusted_proxies;
            if let Some(identity) = permit.identity() {
                let caller = watch.hop.caller(&parts.headers, trusted_proxies);
                // A call beyond its plan counts too: it came from somebody who may call, and is answered 429.
                in_flight.call = Some(Call::begin(identity, &route, watch, caller, arrival.at));
                standing = gateway.limits.check(identity, (gateway.clock)()).await;
            }
            match &standing {
                Some(standing) if !standing.admitted => gateway.refuse(standing.reject(), in_flight),
                _ => {
                    let query = uri.query();
                    let id = arrival.id;
                    let passage = Passage { permit, route: &route, path, query, watch, trusted_proxies, id };
                    match forward::forward(passage, parts, body, connections, in_flight).await {
                        Ok(response) => response,
                        Err((reject, in_flight)) => gateway.refuse(reject, in_flight),
                    }
                }
            }
        }
    };
    let headers = answer.headers_mut();
    if let Some(fields) = fields {
        fields.put_on(headers);
    }
    if let Some(standing) = standing {
        standing.put_on(headers);
    }
    answer
}

/// When a request came, and what it is called.
struct Arrival<'a> {
    at: Instant,
    id: &'a HeaderValue,
}

/// What is done with a request that has a route.
enum Decision {
    Permit(Permit),
    Reject(Reject),
    /// The gateway answers: it was asked what a route allows (docs/gateway.md §8).
    Preflight,
}

fn head<'a>(host: &'a str, path: &'a str, uri: &'a Uri, parts: &'a Parts) -> Head<'a> {
    Head { host, path, query: uri.query(), method: &parts.method, headers: &parts.headers, way: None }
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
        return Err(Reject::BadRequest("the head can be read in two ways"));
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

/// Route and verify, with what must be found out beside them in between. An error: there is no route.
async fn decide(gateway: &Inner, watch: &Watch, head: &Head<'_>) -> Result<(Arc<Route>, Decision), Reject> {
    let head = &Head { way: Some((&watch.hop, gateway.config.trusted_proxies.as_slice())), ..*head };
    let mut proven = Proven::default();
    let preflight = cors::requested_method(head.method, head.headers);
    loop {
        let (route, verdict) = decide_now(gateway, head, preflight.as_ref(), &proven)?;
        match verdict {
            None => return Ok((route, Decision::Preflight)),
            Some(Verdict::Permit(permit)) => return Ok((route, Decision::Permit(permit))),
            Some(Verdict::Reject(reject)) => return Ok((route, Decision::Reject(reject))),
            Some(Verdict::NeedsPasswordCheck(question)) => {
                let address = watch.hop.caller(head.headers, &gateway.config.trusted_proxies);
                match gateway.passwords.answer(question, address).await {
                    Ok(answer) => proven.add_password(answer),
                    Err(_) => return Ok((route, Decision::Reject(Reject::PasswordChecksBusy))),
                }
            }
            Some(Verdict::NeedsNewerKeys(issuer)) => {
                issuer.newer_keys(&gateway.fetcher, &gateway.clock).await;
                proven.add_newest_keys();
            }
        }
    }
}

/// Whether a request with this head would pass at first sight: nothing is sent, counted or asked.
pub(crate) fn passes(gateway: &Inner, request: &Request<()>) -> bool {
    let (uri, headers) = (request.uri(), request.headers());
    let Ok(host) = heads::host(request.method(), uri, headers, None) else { return false };
    let Some(path) = paths::normalise(uri.path()) else { return false };
    let head = Head { host, path: &path, query: uri.query(), method: request.method(), headers, way: None };
    let decided = decide_now(gateway, &head, None, &Proven::default());
    matches!(decided, Ok((_, Some(Verdict::Permit(_)))))
}

/// The route and what is said about the request; `None`: it is a preflight that the route answers.
fn decide_now(
    gateway: &Inner,
    head: &Head<'_>,
    preflight: Option<&Method>,
    proven: &Proven,
) -> Result<(Arc<Route>, Option<Verdict>), Reject> {
    let request = verify::Request {
        method: head.method,
        headers: head.headers,
        query: head.query,
        now: (gateway.clock)(),
    };
    gateway.state.consistently(|table| {
        let find = |method| table.find(&Head { method, ..*head });
        let answers_preflights =
            |route: &&Arc<Route>| route.plugins.as_ref().is_some_and(|plugins| plugins.cors.is_some());
        // The request that the preflight asks for would take this route, whatever takes OPTIONS.
        if let Some(requested) = preflight
            && let Some(route) =
                [requested, &Method::OPTIONS].into_iter().filter_map(find).find(answers_preflights)
        {
            return Ok((Arc::clone(route), None));
        }
        let route = find(head.method).ok_or(Reject::NoRoute)?;
        let verdict = if verify::asks_who_calls(route) && gateway.staleness.is_past() {
            Verdict::Reject(Reject::Stale)
        } else {
            verify(&gateway.state, table, route, &request, proven)
        };
        Ok((Arc::clone(route), Some(verdict)))
    })
}
