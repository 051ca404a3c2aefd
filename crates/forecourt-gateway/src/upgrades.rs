//! Protocol upgrades (WebSocket): asked for by the caller, granted by the upstream, then bytes both ways.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
    request::Parts,
};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;

use crate::{connection_watch::Watch, connections::Connections, upstreams::Connection};

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

impl Wanted {
    /// Asks the upstream for it.
    pub(crate) fn ask(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    }

    /// Joins both connections and answers the head that tells the caller so.
    pub(crate) fn tunnel(
        self,
        response: &mut Response<Incoming>,
        connections: Arc<Connections>,
        connection: Connection,
    ) -> Response<Bytes> {
        let upstream = hyper::upgrade::on(&mut *response);
        let mut head = Response::new(Bytes::new());
        *head.status_mut() = response.status();
        *head.headers_mut() = std::mem::take(response.headers_mut());
        for name in [TRANSFER_ENCODING, CONTENT_LENGTH] {
            head.headers_mut().remove(name);
        }
        head.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        self.watch.become_tunnel();
        let caller = self.caller;
        let member = connections.join();
        tokio::spawn(async move {
            // The tunnel counts as a request of its node until it ends.
            let _connection = connection;
            let carry = async {
                if let Ok((caller, upstream)) = tokio::try_join!(caller, upstream) {
                    let (mut caller, mut upstream) = (TokioIo::new(caller), TokioIo::new(upstream));
                    // Either side may go at any time; that is how a tunnel ends.
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut upstream).await;
                }
            };
            member.attend(carry).await;
        });
        head
    }
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("upgrade"))
}
