//! Protocol upgrades (WebSocket): asked for by the caller, granted by the upstream, then bytes both ways.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    connection_watch::Watch,
    connections::{Connections, Order},
    meter::Call,
    upstreams::{Arriving, Connection},
};

/// A caller's wish to speak another protocol.
pub(crate) struct Wanted {
    caller: OnUpgrade,
    watch: Arc<Watch>,
}

/// The upgrade that this head asks for: to WebSocket, and to nothing else. A list of protocols is none, since the
/// upstream would choose, and might choose HTTP, which the gateway does not hand to others unread.
pub(crate) fn wanted(parts: &Parts, watch: &Arc<Watch>) -> Option<Wanted> {
    if parts.version != Version::HTTP_11 || !names_upgrade(&parts.headers) || !is_to_websocket(&parts.headers)
    {
        return None;
    }
    let caller = parts.extensions.get::<OnUpgrade>()?.clone();
    Some(Wanted { caller, watch: Arc::clone(watch) })
}

/// Whether a head says that the connection goes on as WebSocket, and only that.
pub(crate) fn is_to_websocket(headers: &HeaderMap) -> bool {
    let mut protocols = headers.get_all(UPGRADE).iter();
    protocols.next().is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
        && protocols.next().is_none()
}

const WEBSOCKET: &str = "websocket";

/// Asks the upstream for it.
pub(crate) fn ask(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

impl Wanted {
    /// Joins both connections and answers the head that tells the caller so. `call` is counted when the tunnel ends.
    pub(crate) fn tunnel(
        self,
        response: &mut Response<Arriving>,
        connections: Arc<Connections>,
        connection: Connection,
        mut call: Option<Call>,
    ) -> Response<Bytes> {
        let upstream = hyper::upgrade::on(&mut *response);
        let mut head = Response::new(Bytes::new());
        *head.status_mut() = response.status();
        *head.headers_mut() = std::mem::take(response.headers_mut());
        for name in [TRANSFER_ENCODING, CONTENT_LENGTH] {
            head.headers_mut().remove(name);
        }
        head.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(call) = &mut call {
            call.answered(head.status());
            call.stop_clock();
        }
        self.watch.become_tunnel();
        let caller = self.caller;
        let member = connections.join();
        tokio::spawn(async move {
            // The tunnel counts as a request of its node until it ends.
            let _connection = connection;
            let (received, sent) = (AtomicU64::new(0), AtomicU64::new(0));
            let carry = async {
                if let Ok((caller, upstream)) = tokio::try_join!(caller, upstream) {
                    let mut caller = Counted { stream: TokioIo::new(caller), read: &received };
                    let mut upstream = Counted { stream: TokioIo::new(upstream), read: &sent };
                    // Either side may go at any time; that is how a tunnel ends.
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut upstream).await;
                }
            };
            member.until(Order::Cut, carry).await;
            if let Some(mut call) = call {
                call.received(received.load(Relaxed));
                call.sent(sent.load(Relaxed));
            }
            // Only now: whoever waits for the last member finds everything counted.
            drop(member);
        });
        head
    }
}

/// One side of a tunnel, with the bytes that were read from it. They are counted outside, since a tunnel that is cut
/// tells nothing.
struct Counted<'a, S> {
    stream: S,
    read: &'a AtomicU64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.read.fetch_add(buffer.filled().len().saturating_sub(before) as u64, Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("upgrade"))
}
