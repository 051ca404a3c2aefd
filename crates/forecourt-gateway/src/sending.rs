//! Getting one request answered: which node, which connection, and what is tried again.
//!
//! Invariants: a request is tried again only while no byte of an answer came. One that no node has taken may go to
//! another node, whatever its method; one that a kept connection swallowed goes once more over another connection,
//! if it may be repeated (RFC 9110 §9.2.2) and has no body. One that an HTTP/2 peer says it has not processed goes
//! once more over another connection, whatever its method, if nothing of its body was read.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use http::{
    HeaderMap, HeaderValue, Request, Response, Uri, Version,
    header::{CONNECTION, EXPECT, HOST, TE, TRANSFER_ENCODING},
    uri::{Authority, PathAndQuery, Scheme},
};
use hyper::body::Body;

use crate::{
    bodies::{BodyError, RequestBody, Upload, UploadPhase},
    hop_by_hop,
    own_fields::OwnFields,
    rejects::Reject,
    spares::{self, Spare},
    upgrades,
    upstreams::{
        Alarm, Arriving, Choice, Connection, Limits, Node, Outcome, Protocol, Purpose, RequestHead,
        Unanswered, Upstream,
    },
};

/// How often a request that kept connections swallowed is sent again. After the first time an HTTP/1.1 connection is
/// a new one, so once; servers of HTTP/2 end shared ones under many requests at a time, and a new one is soon old.
const MOST_REPEATS: u32 = 3;
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// A request on its way to an upstream.
pub(crate) struct Errand<'a> {
    /// Where it goes.
    pub(crate) upstream: &'a Upstream,
    /// How long things may take.
    pub(crate) limits: Limits,
    /// What the upstream sees as path and query.
    pub(crate) target: PathAndQuery,
    /// What decides the node, where requests are told apart.
    pub(crate) key: u64,
    /// What the connection must be able to do.
    pub(crate) purpose: Purpose,
    /// What we say ourselves.
    pub(crate) own: OwnFields<'a>,
    /// Whether the caller takes trailers.
    pub(crate) takes_trailers: bool,
    /// How far the body is, if there is one.
    pub(crate) upload: Option<Arc<Upload>>,
}

/// What came of asking over one connection.
enum Asked {
    Answered(Response<Arriving>),
    TimedOut,
    Broken(Broken),
    /// The request cannot be asked so.
    Refused(Reject),
}

/// No answer came.
struct Broken {
    error: BodyError,
    /// The request, if it may be sent once more.
    again: Option<Request<RequestBody>>,
    /// Whether nobody has taken it.
    is_unsent: bool,
}

/// A node did not answer.
struct Failure {
    reject: Reject,
    /// The request, if no node has taken it.
    unsent: Option<Request<RequestBody>>,
}

impl Errand<'_> {
    /// The head of the answer, and the connection that its body comes over.
    pub(crate) async fn run(
        &self,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Arriving>, Connection), Reject> {
        self.upstream.begin_probes();
        let mut tried = Vec::new();
        let mut reject = Reject::NoUpstreamNode;
        let mut retries = self.upstream.retries();
        while let Some(choice) = self.upstream.choose(self.key, &tried) {
            let place = choice.place;
            let failure = match self.attempt(choice, request).await {
                Ok(answered) => return Ok(answered),
                Err(failure) => failure,
            };
            reject = failure.reject;
            match failure.unsent {
                Some(unsent) if retries > 0 => {
                    request = unsent;
                    retries -= 1;
                    tried.push(place);
                }
                _ => break,
            }
        }
        self.give_up();
        Err(reject)
    }

    /// Ends the upload: nobody is going to read it.
    pub(crate) fn give_up(&self) {
        if let Some(upload) = &self.upload {
            upload.stop();
        }
    }

    /// Asks one node, over a kept connection if there is one.
    async fn attempt(
        &self,
        choice: Choice<'_>,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Arriving>, Connection), Failure> {
        let Choice { node, mut lease, .. } = choice;
        let mut failed_at = None;
        let mut repeats = 0;
        loop {
            let mut connection =
                match self.upstream.connect(node, self.purpose, failed_at, self.limits.connect).await {
                    Ok(connection) => connection,
                    Err(reject) => {
                        self.upstream.note_unconnected(node, &reject);
                        return Err(Failure { reject, unsent: Some(request) });
                    }
                };
            let may_repeat = connection.reused && repeats < MOST_REPEATS;
            let asked = match connection.is_direct() {
                true => self.ask(&mut connection, node, request, may_repeat).await,
                false => self.send(&mut connection, node, request, may_repeat).await,
            };
            let broken = match asked {
                Asked::Answered(response) => {
                    self.upstream.note(node, Outcome::Status(response.status().as_u16()));
                    let upload = self.upload.as_ref();
                    if upload.is_some_and(|upload| upload.phase().0 != UploadPhase::Done) {
                        // A caller may go on sending for long before it reads the answer.
                        connection.detach();
                    }
                    connection.lease = lease.take();
                    return Ok((response, connection));
                }
                Asked::Broken(broken) => broken,
                Asked::Refused(reject) => return Err(Failure { reject, unsent: None }),
                Asked::TimedOut => {
                    let (upstream_host, upstream_port) = node.name();
                    tracing::warn!(upstream_host, upstream_port, "the upstream took too long");
                    self.upstream.note(node, Outcome::TimedOut);
                    if connection.is_silent() {
                        connection.retire();
                    }
                    return Err(Failure { reject: Reject::TimedOut, unsent: None });
                }
            };
            connection.retire();
            match broken.again {
                // A connection that ended before it took anything may be followed by a better one.
                Some(again) if may_repeat || (broken.is_unsent && repeats == 0) => {
                    repeats += 1;
                    request = again;
                    failed_at = Some(Instant::now());
                }
                unsent => return Err(self.failure(node, &broken.error, unsent)),
            }
        }
    }

    /// Asks over a connection on which we speak ourselves: the request stays here.
    async fn ask(
        &self,
        connection: &mut Connection,
        node: &Node,
        request: Request<RequestBody>,
        may_repeat: bool,
    ) -> Asked {
        let answered = {
            let Some(host) = self.host(&request, node) else {
                return Asked::Refused(Reject::BadRequest("the host cannot be forwarded"));
            };
            let head = RequestHead {
                method: request.method(),
                target: &self.target,
                host: &host,
                headers: request.headers(),
                own: &self.own,
                takes_trailers: self.takes_trailers,
            };
            match connection.ask(&head) {
                Some((asking, alarm)) => within_limits(asking, alarm, &self.limits, None).await,
                None => Some(Err("the connection carries requests of another kind".into())),
            }
        };
        let error = match answered {
            Some(Ok(response)) => return Asked::Answered(response),
            Some(Err(error)) => error,
            None => return Asked::TimedOut,
        };
        let is_unsent = connection.has_said_nothing();
        let is_wanted =
            is_unsent || (may_repeat && spares::is_repeatable(&request) && !connection.was_answered());
        Asked::Broken(Broken { error, again: is_wanted.then_some(request), is_unsent })
    }

    /// Sends over a connection on which hyper speaks.
    async fn send(
        &self,
        connection: &mut Connection,
        node: &Node,
        mut request: Request<RequestBody>,
        may_repeat: bool,
    ) -> Asked {
        if let Err(reject) = self.address(&mut request, node, connection.is_http2()) {
            return Asked::Refused(reject);
        }
        let may_be_wanted = connection.is_http2() || (may_repeat && spares::is_repeatable(&request));
        let spare = may_be_wanted.then(|| Spare::of(&request));
        let (sending, alarm) = connection.send(request);
        let answered = within_limits(sending, alarm, &self.limits, self.upload.as_deref()).await;
        let Unanswered { error, unsent, is_refused } = match answered {
            Some(Ok(response)) => return Asked::Answered(response),
            Some(Err(unanswered)) => unanswered,
            None => return Asked::TimedOut,
        };
        let is_unsent = unsent.is_some() || is_refused;
        let again = unsent.or_else(|| match spare? {
            spare if is_refused => spare.unpack(self.upload.as_ref()),
            spare if may_repeat && spare.is_repeatable && !connection.was_answered() => spare.unpack(None),
            _ => None,
        });
        Asked::Broken(Broken { error, again, is_unsent })
    }

    fn failure(&self, node: &Node, error: &BodyError, unsent: Option<Request<RequestBody>>) -> Failure {
        if let Some(reject) = self.upload.as_ref().and_then(|upload| upload.refusal()) {
            return Failure { reject, unsent: None };
        }
        let (upstream_host, upstream_port) = node.name();
        tracing::warn!(upstream_host, upstream_port, %error, "the upstream sent no valid answer");
        self.upstream.note(node, Outcome::Unreachable);
        Failure { reject: Reject::BrokenAnswer, unsent }
    }

    /// The `Host` that this node is to see.
    fn host<'r>(&'r self, request: &'r Request<RequestBody>, node: &'r Node) -> Option<Cow<'r, HeaderValue>> {
        let known = self.upstream.host_for(node).or_else(|| request.headers().get(HOST));
        known.map(Cow::Borrowed).or_else(|| {
            // A node that spoke HTTP/2 was asked before.
            HeaderValue::from_str(request.uri().authority()?.as_str()).ok().map(Cow::Owned)
        })
    }

    /// Writes target, `Host`, our own fields and what else depends on the version of HTTP that the connection speaks.
    fn address(&self, request: &mut Request<RequestBody>, node: &Node, is_http2: bool) -> Result<(), Reject> {
        hop_by_hop::strip(request.headers_mut());
        request.headers_mut().remove(EXPECT);
        self.own.put_on(request.headers_mut());
        if is_http2 {
            let host = self.host(request, node);
            let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
            let is_tls = self.upstream.protocol().is_some_and(Protocol::is_tls);
            let uri = Uri::builder()
                .scheme(if is_tls { Scheme::HTTPS } else { Scheme::HTTP })
                .authority(authority.ok_or(Reject::BadRequest("the host cannot be forwarded"))?)
                .path_and_query(self.target.clone());
            *request.uri_mut() =
                uri.build().map_err(|_| Reject::BadRequest("the target cannot be forwarded"))?;
            *request.version_mut() = Version::HTTP_2;
            for name in [HOST, TRANSFER_ENCODING, CONNECTION] {
                request.headers_mut().remove(name);
            }
        } else {
            if let Some(host) = self.host(request, node).map(Cow::into_owned) {
                request.headers_mut().insert(HOST, host);
            }
            *request.uri_mut() = Uri::from(self.target.clone());
            *request.version_mut() = Version::HTTP_11;
            if !request.body().is_end_stream() && request.body().size_hint().exact().is_none() {
                // Without it hyper sends a GET without its body.
                request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
        }
        if self.takes_trailers {
            request.headers_mut().insert(TE, TRAILERS);
            if !is_http2 {
                request.headers_mut().insert(CONNECTION, HeaderValue::from_static("te"));
            }
        }
        if self.purpose == Purpose::Upgrade {
            upgrades::ask(request.headers_mut());
        }
        Ok(())
    }
}

/// Whether the caller takes trailers, which it says for its own connection.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let values = headers.get_all(TE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Waits for the answer's head: the read limit counts once all is sent, the send limit while a piece of the body
/// waits for the upstream. While the caller is the slow one, its own limit counts (`sockets.rs`).
async fn within_limits<T>(
    sending: impl Future<Output = T>,
    alarm: &mut Alarm,
    limits: &Limits,
    upload: Option<&Upload>,
) -> Option<T> {
    let mut sending = std::pin::pin!(sending);
    loop {
        let before = upload.map_or((UploadPhase::Done, 0), Upload::phase);
        let limit: Duration = match before.0 {
            // A caller who is the slow one now may not be so for long: it is looked at again as soon.
            UploadPhase::Upstream | UploadPhase::Caller => limits.send,
            UploadPhase::Done => limits.read,
        };
        match alarm.within(limit, sending.as_mut()).await {
            Some(answered) => return Some(answered),
            None => {
                let after = upload.map_or((UploadPhase::Done, 0), Upload::phase);
                if after == before && after.0 != UploadPhase::Caller {
                    return None;
                }
            }
        }
    }
}
