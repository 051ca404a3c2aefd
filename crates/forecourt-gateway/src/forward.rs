//! Sending a permitted request to its upstream and the answer back (docs/gateway.md §1 and §5).
//!
//! Invariants: nothing is forwarded without a [`Permit`]; what a caller names in `Connection` goes before our own
//! fields are made, which come last: a caller can neither name an identity header there nor send one of its own.

use std::{borrow::Cow, sync::Arc};

use forecourt_core::{addresses::Network, gateway_state::HashOn};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
    uri::PathAndQuery,
};
use http_body::Body;

use crate::{
    bodies::{AnswerBody, RequestBody, Upload},
    connection_watch::Watch,
    connections::{Connections, InFlight},
    hop_by_hop, identity,
    own_fields::OwnFields,
    paths,
    rejects::Reject,
    request_ids::X_REQUEST_ID,
    route::Route,
    sending::{self, Errand},
    upgrades,
    uploads::CallerBody,
    upstreams::{self, Arriving, Purpose, Traits},
    verify::Permit,
};

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
    /// What the request is called.
    pub(crate) id: &'a HeaderValue,
}

/// Sends the request and answers with the upstream's answer, whose body is still on its way.
pub(crate) async fn forward(
    passage: Passage<'_>,
    mut parts: Parts,
    body: CallerBody,
    connections: Arc<Connections>,
    mut in_flight: InFlight,
) -> Result<Response<AnswerBody>, (Reject, InFlight)> {
    let upgrade = match passage.route.websocket && hop_by_hop::are_said(&parts.headers) {
        true => upgrades::wanted(&parts, passage.watch),
        false => None,
    };
    let mut errand = match prepare(&passage, &mut parts) {
        Ok(errand) => errand,
        Err(reject) => return Err((reject, in_flight)),
    };
    let upgrade = upgrade.filter(|_| errand.upstream.may_upgrade());
    parts.extensions.clear();
    let body = if body.is_end_stream() {
        RequestBody::Empty
    } else {
        let upload = Arc::new(Upload::default());
        errand.upload = Some(Arc::clone(&upload));
        if let Some(call) = &mut in_flight.call {
            call.uploads(&upload);
        }
        errand.purpose = Purpose::Body;
        RequestBody::streaming(body, upload)
    };
    if upgrade.is_some() {
        errand.purpose = Purpose::Upgrade;
    }
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
    if let Arriving::Driven(_) = response.body() {
        if can_be_misread(response.headers()) {
            let (upstream_host, upstream_port) = connection.node().name();
            tracing::warn!(
                upstream_host,
                upstream_port,
                "two readers could cut the upstream's answer differently"
            );
            errand.give_up();
            return Err((Reject::BrokenAnswer, in_flight));
        }
        hop_by_hop::strip(response.headers_mut());
    }
    *response.version_mut() = Version::HTTP_11;
    let Errand { upload, limits, .. } = errand;
    Ok(response.map(|body| AnswerBody::upstream(body, connection, upload, limits.read, in_flight)))
}

/// Whether the readers of an answer may cut it at different places (RFC 9112 §6.3), which is handed on to nobody. Our
/// own reader (`upstreams/answer_heads.rs`) has seen to it.
fn can_be_misread(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let (length, coding) = (lengths.next(), codings.next());
    let is_known = coding.is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    let is_number = length.is_none_or(|length| length.as_bytes().iter().all(u8::is_ascii_digit));
    !is_known
        || !is_number
        || (length.is_some() && coding.is_some())
        || lengths.next().is_some()
        || codings.next().is_some()
}

/// Rewrites target and credentials, and puts in one form what versions of HTTP say differently.
fn prepare<'a>(passage: &'a Passage<'a>, parts: &mut Parts) -> Result<Errand<'a>, Reject> {
    let upstream = passage.route.upstream.as_deref().ok_or(Reject::NoUpstreamNode)?;
    let key = upstream.hash_on().map_or(0, |on| {
        // It may be what requests are told apart by.
        parts.headers.insert(X_REQUEST_ID, passage.id.clone());
        key(on, passage, &parts.headers)
    });
    let query = identity::hide_credentials(&passage.permit, passage.query, &mut parts.headers);
    let target = target(passage, &parts.uri, query);
    let has_wishes = hop_by_hop::are_said(&parts.headers);
    let takes_trailers = has_wishes && sending::takes_trailers(&parts.headers);
    if has_wishes {
        hop_by_hop::strip_named(&mut parts.headers);
    }
    Ok(Errand {
        upstream,
        limits: upstream.limits(&passage.route.timeouts),
        target: target.ok_or(Reject::BadRequest("the target cannot be forwarded"))?,
        key,
        purpose: Purpose::Head,
        own: OwnFields::new(passage.id, passage.watch.hop.way(&parts.headers), &passage.permit),
        takes_trailers,
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
        // An absolute target may have no path at all before its query; an upstream must see one.
        && whole.as_str().starts_with(['/', '*'])
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
