//! Sending a permitted request to its upstream and the answer back (docs/gateway.md §1 and §5).
//!
//! Invariants: nothing is forwarded without a [`Permit`]; hop-by-hop fields go first and identity headers come
//! last, so that a caller can neither name an identity header in `Connection` nor send one of its own.

use std::{borrow::Cow, sync::Arc};

use forecourt_core::{addresses::Network, gateway_state::HashOn};
use http::{
    HeaderMap, HeaderName, Request, Response, StatusCode, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING},
    request::Parts,
    uri::PathAndQuery,
};
use http_body::Body;

use crate::{
    bodies::{AnswerBody, RequestBody, Upload},
    connection_watch::Watch,
    connections::{Connections, InFlight},
    identity, paths,
    rejects::Reject,
    request_ids::X_REQUEST_ID,
    route::Route,
    sending::{self, Errand},
    upgrades,
    uploads::CallerBody,
    upstreams::{self, Purpose, Traits},
    verify::Permit,
};

/// What [`add_own_headers`] puts on at most, so that the map grows once.
const MOST_OWN_HEADERS: usize = 8;

/// A request on its way: what was matched and who let it pass.
pub(crate) struct Passage<'a> {
    /// Leave to forward.
    pub(crate) permit: Permit,
    /// The route that it takes.
    pub(crate) route: &'a Route,
    /// The path that was matched.
    pub(crate) path: Cow<'a, str>,
    /// The query as it was sent.
    pub(crate) query: Option<&'a str>,
    /// The caller's connection.
    pub(crate) watch: &'a Arc<Watch>,
    /// Peers whose word about the caller's address counts.
    pub(crate) trusted_proxies: &'a [Network],
}

/// Sends the request and answers with the upstream's answer, whose body is still on its way.
pub(crate) async fn forward(
    passage: Passage<'_>,
    mut parts: Parts,
    body: CallerBody,
    connections: Arc<Connections>,
    mut in_flight: InFlight,
) -> Result<Response<AnswerBody>, (Reject, InFlight)> {
    let mut errand = match prepare(&passage, &mut parts) {
        Ok(errand) => errand,
        Err(reject) => return Err((reject, in_flight)),
    };
    let upgrade = upgrades::wanted(&parts, passage.watch)
        .filter(|_| passage.route.websocket && errand.upstream.may_upgrade());
    strip_hop_by_hop(&mut parts.headers);
    parts.headers.remove(EXPECT);
    add_own_headers(&mut parts.headers, &passage);
    if let Some(upgrade) = &upgrade {
        upgrade.ask(&mut parts.headers);
        errand.purpose = Purpose::Upgrade;
    }
    parts.extensions.clear();
    let body = if body.is_end_stream() {
        RequestBody::Empty
    } else {
        let upload = Arc::new(Upload::default());
        errand.upload = Some(Arc::clone(&upload));
        if let Some(call) = &mut in_flight.call {
            call.uploads(&upload);
        }
        RequestBody::Streaming(body, upload)
    };
    let (mut response, connection) = match errand.run(Request::from_parts(parts, body)).await {
        Ok(answered) => answered,
        Err(reject) => return Err((reject, in_flight)),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(upgrade) = upgrade.filter(|_| upgrades::is_to_websocket(response.headers())) else {
            tracing::warn!("the upstream changed to another protocol, which nobody asked for");
            errand.give_up();
            return Err((Reject::BrokenAnswer, in_flight));
        };
        let head = upgrade.tunnel(&mut response, connections, connection, in_flight.call.take());
        return Ok(head.map(|body| AnswerBody::own(body, in_flight)));
    }
    if has_two_lengths(response.headers()) {
        let (upstream_host, upstream_port) = connection.node().name();
        tracing::warn!(
            upstream_host,
            upstream_port,
            "the upstream's answer has both Content-Length and Transfer-Encoding"
        );
        errand.give_up();
        return Err((Reject::BrokenAnswer, in_flight));
    }
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    let Errand { upload, limits, .. } = errand;
    Ok(response.map(|body| AnswerBody::upstream(body, connection, upload, limits.read, in_flight)))
}

/// An answer that its readers may cut at different places (RFC 9112 §6.3) is handed on to nobody.
fn has_two_lengths(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

/// Rewrites target and credentials, and puts in one form what versions of HTTP say differently.
fn prepare<'a>(passage: &Passage<'a>, parts: &mut Parts) -> Result<Errand<'a>, Reject> {
    let upstream = passage.route.upstream.as_deref().ok_or(Reject::NoUpstreamNode)?;
    let key = upstream.hash_on().map_or(0, |on| key(on, passage, &parts.headers));
    let query = identity::hide_credentials(&passage.permit, passage.query, &mut parts.headers);
    let target = target(passage, &parts.uri, query);
    Ok(Errand {
        upstream,
        limits: upstream.limits(&passage.route.timeouts),
        target: target.ok_or(Reject::BadRequest("the target cannot be forwarded"))?,
        key,
        purpose: Purpose::Request,
        takes_trailers: sending::takes_trailers(&parts.headers),
        upload: None,
    })
}

/// What decides the request's node.
fn key(on: &HashOn, passage: &Passage<'_>, headers: &HeaderMap) -> u64 {
    let consumer = match on {
        HashOn::Consumer => identity::name(&passage.permit),
        _ => None,
    };
    let traits = Traits {
        address: passage.watch.hop.caller(headers, passage.trusted_proxies),
        path: &passage.path,
        query: passage.query,
        headers,
        consumer: consumer.as_deref(),
    };
    upstreams::key(on, &traits)
}

/// The target that the upstream sees: the matched path, shortened if the service says so, and the query.
fn target(passage: &Passage<'_>, asked: &Uri, query: Option<Cow<'_, str>>) -> Option<PathAndQuery> {
    let path = match &passage.route.service.stripped_prefix {
        Some(prefix) => paths::strip_prefix(&passage.path, prefix),
        None => Cow::Borrowed(&*passage.path),
    };
    if let Some(whole) = asked.path_and_query()
        && whole.path() == path
        && whole.query() == query.as_deref()
    {
        // Most targets go on as they came: nothing to write, nothing to check.
        return Some(whole.clone());
    }
    let whole = match query {
        Some(query) => {
            let mut whole = String::with_capacity(path.len() + 1 + query.len());
            whole.push_str(&path);
            whole.push('?');
            whole.push_str(&query);
            whole
        }
        None => path.into_owned(),
    };
    PathAndQuery::try_from(whole).ok()
}

/// Removes the fields that are meant for one connection only (RFC 9110 §7.6.1).
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // Most heads have none: one look at each field is cheaper than a search for each of the names.
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let mut gone: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter_map(|name| name.parse().ok())
        .filter(|name| ![HOST, CONTENT_LENGTH, X_REQUEST_ID].contains(name))
        .collect();
    gone.extend(headers.keys().filter(|name| is_hop_by_hop(name)).cloned());
    for name in gone {
        headers.remove(name);
    }
}

/// Whether fields of this name concern one connection. `Trailer` does not: it announces what comes after the body,
/// which is passed on.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn add_own_headers(headers: &mut HeaderMap, passage: &Passage<'_>) {
    headers.reserve(MOST_OWN_HEADERS);
    passage.watch.hop.announce(headers);
    identity::add(headers, &passage.permit);
}
