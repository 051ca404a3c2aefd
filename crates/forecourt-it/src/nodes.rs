//! A gateway node that speaks the sync protocol and nothing else: it keeps what it is told, and counts it.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use forecourt_core::{
    gateway_state::{Digests, Kind, Resource},
    ids::NodeId,
};
use forecourt_wire::sync::{Hello, Message, Position, SnapshotReason, WATCH};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::{Body, Frame, Incoming},
    client::conn::http2,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::deadlines::PATIENCE;

/// A connection to a sync port, over TLS and HTTP/2.
#[derive(Debug)]
pub struct SyncConnection(http2::SendRequest<BoxBody<Bytes, Infallible>>);

/// A body that begins and never goes on.
struct Endless {
    has_begun: bool,
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.has_begun {
            return Poll::Pending;
        }
        self.has_begun = true;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"{")))))
    }
}

/// An open stream with what it has told.
#[derive(Debug)]
pub struct WatchedStream {
    body: Incoming,
    unread: Vec<u8>,
    pending: Vec<Message>,
    /// The rows in force, with the revision of each.
    pub rows: BTreeMap<(Kind, String), (i64, Resource)>,
    /// Where the node is.
    pub position: Option<Position>,
    /// Why it was sent whole states.
    pub snapshots: Vec<SnapshotReason>,
    /// The most rows that came in one message.
    pub most_rows: usize,
}

impl SyncConnection {
    /// Connects to `url`, `https://HOST:PORT`, trusting the authority whose certificate is `pem` and no other;
    /// `client`: the chain and key that are shown, PEM.
    ///
    /// # Errors
    /// What TCP, TLS or HTTP/2 say.
    pub async fn open(url: &str, pem: &str, client: Option<(&str, &str)>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let place = url.strip_prefix("https://").expect("the sync port speaks TLS");
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let socket = TcpStream::connect(place).await.map_err(|error| text(&error))?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await;
        let stream = stream.map_err(|error| text(&error))?;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .map_err(|error| text(&error))?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// Posts a JSON value and returns the status and the body, which may never end.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<(StatusCode, Incoming), String> {
        self.send(path, token, Full::new(Bytes::from(body.to_string())).boxed()).await
    }

    /// Posts a body that begins and never goes on, and returns the status.
    pub async fn begin(&self, path: &str, token: &str) -> u16 {
        self.send(path, Some(token), Endless { has_begun: false }.boxed()).await.unwrap().0.as_u16()
    }

    async fn send(
        &self,
        path: &str,
        token: Option<&str>,
        body: BoxBody<Bytes, Infallible>,
    ) -> Result<(StatusCode, Incoming), String> {
        let mut request = Request::post(format!("https://localhost{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(body).unwrap();
        let answer = self.0.clone().send_request(request).await.map_err(|error| error.to_string())?;
        Ok((answer.status(), answer.into_body()))
    }

    /// Posts a JSON value and returns the status with the whole body as text.
    pub async fn ask(&self, path: &str, token: Option<&str>, body: &Value) -> (u16, String) {
        let (status, body) = self.post(path, token, body).await.unwrap();
        let body = timeout(PATIENCE, body.collect()).await.expect("an answer that ends").unwrap();
        (status.as_u16(), String::from_utf8(body.to_bytes().to_vec()).unwrap())
    }

    /// Opens the stream of `node`, which is at `position`.
    pub async fn watch(&self, token: &str, node: &NodeId, position: Option<Position>) -> WatchedStream {
        self.watch_as(token, hello(node, position)).await
    }

    /// Opens the stream of a node that says `hello`.
    pub async fn watch_as(&self, token: &str, hello: Hello) -> WatchedStream {
        let (status, body) = self.post(WATCH, Some(token), &json!(hello)).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        WatchedStream {
            body,
            unread: Vec::new(),
            pending: Vec::new(),
            rows: BTreeMap::new(),
            position: hello.position,
            snapshots: Vec::new(),
            most_rows: 0,
        }
    }
}

/// What a node says first.
pub fn hello(node: &NodeId, position: Option<Position>) -> Hello {
    Hello {
        node: node.clone(),
        name: "a node of the tests".into(),
        version: "0.0.0".into(),
        address: String::new(),
        instance: "started".into(),
        position,
        in_force: None,
        drift: Vec::new(),
    }
}

impl WatchedStream {
    /// The next message; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                let message: Message = serde_json::from_slice(&line).expect("a message of the protocol");
                self.take(&message);
                return Some(message);
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("a sign of life");
            match frame {
                Some(Ok(frame)) => self.unread.extend(frame.into_data().expect("data")),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// Reads until `wanted` gives something for a message.
    pub async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Message) -> Option<T>) -> T {
        while let Some(message) = self.next().await {
            if let Some(found) = wanted(&message) {
                return found;
            }
        }
        panic!("the stream ended before it told: {what}");
    }

    /// Reads until the node is at `revision` or beyond.
    pub async fn reach(&mut self, revision: i64) -> Position {
        let reached = |message: &Message| match message {
            Message::Reached { position, .. } if position.revision >= revision => Some(position.clone()),
            _ => None,
        };
        self.until("a revision", reached).await
    }

    /// What this node holds, counted row by row.
    pub fn digests(&self) -> Digests {
        let mut digests = Digests::new();
        for ((kind, key), (revision, _)) in &self.rows {
            digests.entry(*kind).or_default().add(*kind, key, *revision);
        }
        digests
    }

    fn take(&mut self, message: &Message) {
        match message {
            Message::Snapshot { reason } => {
                self.snapshots.push(*reason);
                self.pending = vec![message.clone()];
            }
            Message::Rows { changes } => {
                self.most_rows = self.most_rows.max(changes.len());
                self.pending.push(message.clone());
            }
            Message::Reached { position, .. } => {
                for pending in std::mem::take(&mut self.pending) {
                    self.apply(pending);
                }
                self.position = Some(position.clone());
            }
            Message::Welcome { .. } | Message::Heartbeat { .. } | Message::Goodbye { .. } => {}
        }
    }

    fn apply(&mut self, message: Message) {
        match message {
            Message::Snapshot { .. } => self.rows.clear(),
            Message::Rows { changes } => {
                for change in changes {
                    let key = (change.kind, change.key);
                    match change.resource {
                        Some(resource) => self.rows.insert(key, (change.revision, resource)),
                        None => self.rows.remove(&key),
                    };
                }
            }
            _ => {}
        }
    }
}
