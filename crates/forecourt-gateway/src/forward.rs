//! Sending a permitted request to its upstream and the answer back (docs/gateway.md §1 and §5).
//!
//! Invariants: nothing is forwarded without a [`Permit`]; hop-by-hop fields go first and identity headers come
//! last, so that a caller can neither name an identity header in `Connection` nor send one of its own.

use std::{borrow::Cow, sync::Arc, time::Duration};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{
        CONNECTION, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
        UPGRADE,
    },
    request::Parts,
    uri::PathAndQuery,
};
use hyper::body::{Body, Incoming};
use tokio::time::timeout;

use crate::{
    bodies::{AnswerBody, RequestBody, Upload, UploadPhase},
    connection_watch::Watch,
    connections::{Connections, InFlight},
    identity, paths,
    rejects::Reject,
    route::Route,
    upgrades,
    uploads::{self, CallerBody},
    upstreams::{Connection, Upstream},
    verify::Permit,
};

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

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
}

/// Sends the request and answers with the upstream's answer, whose body is still on its way.
pub(crate) async fn forward(
    passage: Passage<'_>,
    mut parts: Parts,
    body: CallerBody,
    connections: Arc<Connections>,
    in_flight: InFlight,
) -> Result<Response<AnswerBody>, (Reject, InFlight)> {
    let prepared = prepare(&passage, &mut parts);
    let (upstream, node) = match prepared {
        Ok(prepared) => prepared,
        Err(reject) => return Err((reject, in_flight)),
    };
    let wanted = upgrades::wanted(&parts, passage.watch);
    strip_hop_by_hop(&mut parts.headers);
    parts.headers.remove(EXPECT);
    add_own_headers(&mut parts.headers, &passage);
    if let Some(host) = upstream.host_for(&node) {
        parts.headers.insert(HOST, host.clone());
    }
    if let Some(wanted) = &wanted {
        wanted.ask(&mut parts.headers);
    }
    parts.extensions.clear();
    let (body, upload) = if body.is_end_stream() {
        (RequestBody::Empty, None)
    } else {
        if body.size_hint().exact().is_none() {
            // Without it hyper sends a GET without its body.
            parts.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let upload = Arc::new(Upload::default());
        (RequestBody::Streaming(body, Arc::clone(&upload)), Some(upload))
    };
    let request = Request::from_parts(parts, body);
    let (mut response, connection) = match send(upstream, &node, request, upload.as_deref()).await {
        Ok(answered) => answered,
        Err(reject) => return Err((reject, in_flight)),
    };
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(wanted) = wanted else { return Err((Reject::BrokenAnswer, in_flight)) };
        let head = wanted.tunnel(&mut response, connections);
        return Ok(head.map(|body| AnswerBody::own(body, in_flight)));
    }
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    let read_timeout = upstream.read_timeout();
    Ok(response.map(|body| AnswerBody::upstream(body, connection, upload, read_timeout, in_flight)))
}

/// Chooses a node and rewrites target and credentials.
fn prepare<'a>(
    passage: &Passage<'a>,
    parts: &mut Parts,
) -> Result<(&'a Upstream, Arc<crate::upstreams::Node>), Reject> {
    let upstream = passage.route.upstream.as_deref().ok_or(Reject::NoUpstreamNode)?;
    let node = upstream.choose().ok_or(Reject::NoUpstreamNode)?;
    if upstream.is_https() {
        tracing::error!(
            service.id = passage.route.service.id.as_str(),
            "the service's upstream wants https, which this gateway cannot speak yet; use scheme http"
        );
        return Err(Reject::UnsupportedScheme);
    }
    let query = identity::hide_credentials(&passage.permit, passage.query, &mut parts.headers);
    parts.uri = target(passage, query).ok_or(Reject::BadRequest("the target cannot be forwarded"))?;
    parts.version = Version::HTTP_11;
    Ok((upstream, Arc::clone(node)))
}

/// The target that the upstream sees: the matched path, shortened if the service says so, and the query.
fn target(passage: &Passage<'_>, query: Option<Cow<'_, str>>) -> Option<Uri> {
    let path = match &passage.route.service.stripped_prefix {
        Some(prefix) => paths::strip_prefix(&passage.path, prefix),
        None => Cow::Borrowed(&*passage.path),
    };
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
    PathAndQuery::try_from(whole).ok().map(Uri::from)
}

/// Removes the fields that are meant for one connection only (RFC 9110 §7.6.1).
fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"))
        .filter_map(|name| name.parse().ok())
        .filter(|name| *name != HOST && *name != http::header::CONTENT_LENGTH)
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

fn add_own_headers(headers: &mut HeaderMap, passage: &Passage<'_>) {
    passage.watch.hop.announce(headers);
    identity::add(headers, &passage.permit);
}

/// Sends over a kept connection if there is one; a request that such a connection did not take is sent again
/// over a fresh one.
async fn send(
    upstream: &Upstream,
    node: &Arc<crate::upstreams::Node>,
    mut request: Request<RequestBody>,
    upload: Option<&Upload>,
) -> Result<(Response<Incoming>, Connection), Reject> {
    let mut fresh = false;
    loop {
        let mut connection = upstream.connect(node, fresh).await?;
        let sending = connection.sender.try_send_request(request);
        let answered = within_limits(sending, upstream, upload).await.ok_or(Reject::TimedOut)?;
        match answered {
            Ok(response) => return Ok((response, connection)),
            Err(mut error) => match error.take_message() {
                Some(unsent) if connection.reused => {
                    request = unsent;
                    fresh = true;
                }
                // Reading the caller's body failed.
                _ if error.error().is_user() => return Err(uploads::refusal(error.error())),
                _ => {
                    tracing::warn!(error = %error.error(), "the upstream sent no valid answer");
                    return Err(Reject::BrokenAnswer);
                }
            },
        }
    }
}

/// Waits for the answer's head: the read limit counts once all is sent, the send limit while a piece of the body
/// waits for the upstream. While the caller is the slow one, its own limit counts (`sockets.rs`).
async fn within_limits<T>(
    sending: impl Future<Output = T>,
    upstream: &Upstream,
    upload: Option<&Upload>,
) -> Option<T> {
    let mut sending = std::pin::pin!(sending);
    loop {
        let before = upload.map_or((UploadPhase::Done, 0), Upload::phase);
        let limit: Duration = match before.0 {
            UploadPhase::Upstream => upstream.send_timeout(),
            UploadPhase::Caller | UploadPhase::Done => upstream.read_timeout(),
        };
        match timeout(limit, sending.as_mut()).await {
            Ok(answered) => return Some(answered),
            Err(_) => {
                let after = upload.map_or((UploadPhase::Done, 0), Upload::phase);
                if after == before && after.0 != UploadPhase::Caller {
                    tracing::warn!("the upstream took too long");
                    return None;
                }
            }
        }
    }
}
