//! Getting a connection to a node: a kept one, a place on a shared one, or a new one.
//!
//! Invariant: no byte of a request leaves here, so whoever fails may try another node. Connecting and the handshake
//! of TLS share one time limit.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{
    Protocol, Upstream,
    connections::{Connection, Purpose},
    exchange::Exchange,
    node::{Load, MOST_STREAMS, Node},
    reaching::reach,
    tls::chose_http2,
    wire::{Heard, Open, Stream, Wire},
};
use crate::{bodies::RequestBody, rejects::Reject};

/// Open connections per node; hyper has no cap of its own.
const MOST_OPEN: usize = 10_000;
/// The longest head of an answer, bytes.
pub(super) const LONGEST_HEAD: usize = 256 * 1_024;
/// A shared connection on which nothing comes for this long is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(30);
/// How long the sign may take.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

impl Upstream {
    /// A connection to the node within `limit`: a kept one, or one made since `newer_than`, or a new one.
    pub(crate) async fn connect(
        &self,
        node: &Arc<Node>,
        purpose: Purpose,
        newer_than: Option<Instant>,
        limit: Duration,
    ) -> Result<Connection, Reject> {
        let protocol = self.protocol.ok_or(Reject::UnsupportedScheme)?;
        let is_shared = purpose != Purpose::Upgrade
            && match protocol {
                Protocol::Http => false,
                Protocol::Https => node.chose_http2.load(Relaxed),
                Protocol::Grpc | Protocol::Grpcs => true,
            };
        if !is_shared {
            let is_driven = purpose != Purpose::Head;
            let kept = if newer_than.is_none() { node.reuse(is_driven).await } else { None };
            let connection = match kept {
                Some(connection) => connection,
                None => self.dial(node, protocol, purpose, limit).await?,
            };
            return connection.suit(purpose).await;
        }
        if let Some(connection) = node.share(newer_than) {
            return Ok(connection);
        }
        // One at a time, or a burst would make a connection for each of its requests.
        let Ok(_turn) = timeout(limit, node.dialling.lock()).await else { return Err(Reject::TimedOut) };
        match node.share(newer_than) {
            Some(connection) => Ok(connection),
            None => self.dial(node, protocol, purpose, limit).await?.suit(purpose).await,
        }
    }

    async fn dial(
        &self,
        node: &Arc<Node>,
        protocol: Protocol,
        purpose: Purpose,
        limit: Duration,
    ) -> Result<Connection, Reject> {
        let (upstream_host, upstream_port) = (node.target.host.as_str(), node.target.port);
        let Some(open) = Open::one_of(&node.open, MOST_OPEN) else {
            tracing::error!(upstream_host, upstream_port, most = MOST_OPEN, "too many connections to a node");
            return Err(Reject::UpstreamBusy);
        };
        let made = timeout(limit, self.establish(node, protocol, purpose)).await.unwrap_or_else(|_| {
            tracing::warn!(upstream_host, upstream_port, "connecting took too long");
            Err(Reject::TimedOut)
        });
        let (stream, is_http2) = made?;
        let heard = Arc::new(Heard::default());
        let wire = Wire::new(stream, Arc::clone(&heard), open);
        if is_http2 {
            shared(node, TokioIo::new(wire), heard).await
        } else {
            Ok(node.fresh(Exchange::new(wire), heard))
        }
    }

    /// The bytes' way to the node, and whether HTTP/2 is spoken on it.
    async fn establish(
        &self,
        node: &Node,
        protocol: Protocol,
        purpose: Purpose,
    ) -> Result<(Stream, bool), Reject> {
        let (upstream_host, upstream_port) = (node.target.host.as_str(), node.target.port);
        let stream = reach(upstream_host, upstream_port).await.map_err(|error| {
            tracing::warn!(upstream_host, upstream_port, %error, "cannot connect");
            Reject::Unreachable
        })?;
        // Without it small requests wait for acknowledgements; a socket that refuses it still works.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return Ok((Stream::Plain(stream), protocol == Protocol::Grpc)) };
        let config = tls.config(purpose == Purpose::Upgrade).ok_or(Reject::UnusableUpstream)?;
        let name = node.server_name.clone().ok_or(Reject::UnusableUpstream)?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, stream).await.map_err(|error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            if matches!(cause, Some(rustls::Error::InvalidCertificate(_))) {
                tracing::warn!(upstream_host, upstream_port, %error, "the certificate of an upstream is not valid");
                Reject::UntrustedUpstream
            } else {
                tracing::warn!(upstream_host, upstream_port, %error, "no TLS with an upstream");
                Reject::Unreachable
            }
        })?;
        let chosen = chose_http2(stream.get_ref().1.alpn_protocol());
        if purpose != Purpose::Upgrade {
            node.chose_http2.store(chosen, Relaxed);
        }
        // A server that knows nothing of ALPN may still speak what `grpcs` says it does.
        Ok((Stream::Tls(Box::new(stream)), chosen || protocol == Protocol::Grpcs))
    }
}

async fn shared(node: &Arc<Node>, wire: TokioIo<Wire>, heard: Arc<Heard>) -> Result<Connection, Reject> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(QUIET)
        .keep_alive_timeout(SIGN_OF_LIFE)
        .initial_max_send_streams(MOST_STREAMS as usize)
        .max_header_list_size(LONGEST_HEAD as u32);
    let handshake = builder.handshake::<_, RequestBody>(wire).await;
    let (sender, connection) = handshake.map_err(|_| Reject::Unreachable)?;
    let load = Load::of_one();
    let known = Arc::clone(&load);
    tokio::spawn(async move {
        let mut connection = pin!(connection);
        let ended = poll_fn(|cx| {
            let polled = connection.as_mut().poll(cx);
            known.allow(connection.current_max_send_streams());
            polled
        });
        if let Err(error) = ended.await {
            tracing::debug!(%error, "a shared upstream connection ended");
        }
    });
    Ok(node.fresh_shared(sender, heard, load))
}
