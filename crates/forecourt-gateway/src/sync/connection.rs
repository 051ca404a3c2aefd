//! One HTTP/2 connection to a control plane.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use forecourt_wire::sync::Message;
use http::{
    HeaderValue, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Body, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, pki_types::ServerName};
use serde::Serialize;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;
use url::Url;

use super::token::NodeToken;

/// How long a connection may take to be made, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The most bytes of an answer that is read whole.
const MOST_ANSWER: usize = 64 << 10;
/// The most bytes of a message: a thousand rows with the largest certificates and lists that the API takes.
const MOST_LINE: usize = 64 << 20;
/// What the control plane may send before we have read it.
const WINDOW: u32 = 4 << 20;

/// Makes connections for one node.
pub(crate) struct Dialer {
    tls: Arc<ClientConfig>,
    authorization: HeaderValue,
    agent: HeaderValue,
}

/// Why a control plane did not do what it was asked.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It said so.
    Answered(StatusCode, String),
    /// It could not be asked.
    Broken(String),
}

/// A connection; it ends when this is dropped.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    agent: HeaderValue,
    driving: JoinHandle<()>,
}

impl Dialer {
    /// One that shows this token. The version is that of the program.
    pub(crate) fn new(tls: ClientConfig, token: &NodeToken, version: &str) -> Result<Self, String> {
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.secret()));
        let mut authorization = bearer.map_err(|_| "the token cannot be sent")?;
        authorization.set_sensitive(true);
        let agent = HeaderValue::from_str(&format!("forecourt-node/{version}"));
        let agent = agent.unwrap_or(HeaderValue::from_static("forecourt-node"));
        Ok(Self { tls: Arc::new(tls), authorization, agent })
    }

    /// Connects to the control plane at `url`.
    pub(crate) async fn connect(&self, url: &Url) -> Result<Connection, Refusal> {
        let connecting = timeout(CONNECT, self.try_connect(url)).await;
        let late = || Err(format!("no connection within {} s", CONNECT.as_secs()));
        connecting.unwrap_or_else(|_| late()).map_err(Refusal::Broken)
    }

    async fn try_connect(&self, url: &Url) -> Result<Connection, String> {
        let host = url.host_str().ok_or("the address has no host")?;
        let port = url.port_or_known_default().ok_or("the address has no port")?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| "the host is no name")?;
        let stream =
            TcpStream::connect((bare, port)).await.map_err(|error| format!("no connection: {error}"))?;
        // Acknowledgements are small and must not wait for each other; a socket that refuses this still works.
        let _set = stream.set_nodelay(true);
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await;
        let stream = stream.map_err(|error| format!("no TLS: {error}"))?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("it does not speak HTTP/2: is this the address of the sync port?".into());
        }
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(2 * WINDOW);
        let (sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| format!("no HTTP/2: {error}"))?;
        let driving = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error.cause = %error, "a connection to the control plane broke");
            }
        });
        let base = format!("https://{}", url.authority());
        let (authorization, agent) = (self.authorization.clone(), self.agent.clone());
        Ok(Connection { sender, base, authorization, agent, driving })
    }
}

impl Connection {
    /// Sends this as JSON and answers with the head of the answer, which is a success.
    pub(crate) async fn post(
        &self,
        path: &str,
        value: &impl Serialize,
    ) -> Result<Response<Incoming>, Refusal> {
        let broken = |error: &dyn std::fmt::Display| Refusal::Broken(error.to_string());
        let uri: Uri =
            format!("{}{path}", self.base).parse().map_err(|error: http::uri::InvalidUri| broken(&error))?;
        let body = serde_json::to_vec(value).map_err(|error| broken(&error))?;
        let request = Request::post(uri)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, self.agent.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .map_err(|error| broken(&error))?;
        let sent = timeout(ANSWER, self.sender.clone().send_request(request)).await;
        let response = sent.map_err(|_| Refusal::Broken("no answer in time".into()))?;
        let response = response.map_err(|error| broken(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = whole(response.into_body()).await.unwrap_or_default();
        Err(Refusal::Answered(status, String::from_utf8_lossy(&text).into_owned()))
    }

    /// The same, with the whole body of the answer.
    pub(crate) async fn ask(&self, path: &str, value: &impl Serialize) -> Result<Bytes, Refusal> {
        whole(self.post(path, value).await?.into_body()).await.map_err(Refusal::Broken)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

async fn whole(body: Incoming) -> Result<Bytes, String> {
    let reading = timeout(ANSWER, Limited::new(body, MOST_ANSWER).collect()).await;
    let read = reading.map_err(|_| "the answer did not end in time")?;
    Ok(read.map_err(|error| format!("the answer cannot be read: {error}"))?.to_bytes())
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answered(status, text) => {
                let text: String = text.chars().take(300).collect();
                write!(f, "it answered {status} {}", text.trim())
            }
            Self::Broken(why) => f.write_str(why),
        }
    }
}

/// The messages of a stream, one JSON value a line.
pub(crate) struct Messages<B> {
    body: B,
    read: Vec<u8>,
    /// So much of `read` has no end of a line.
    searched: usize,
}

impl<B: Body<Data = Bytes> + Unpin> Messages<B>
where
    B::Error: std::fmt::Display,
{
    /// The messages in this body.
    pub(crate) const fn new(body: B) -> Self {
        Self { body, read: Vec::new(), searched: 0 }
    }

    /// The next message; `None`: the stream ended. An error: it broke, was silent for so long, or is no such stream.
    /// May be given up and called again.
    pub(crate) async fn next(&mut self, silence: Duration) -> Result<Option<Message>, String> {
        loop {
            if let Some(line) = self.line() {
                let message = serde_json::from_slice(&line);
                return message.map(Some).map_err(|error| format!("a message cannot be read: {error}"));
            }
            if self.read.len() > MOST_LINE {
                return Err(format!("a message has more than {MOST_LINE} bytes"));
            }
            // Each piece is a sign of life.
            match timeout(silence, self.body.frame()).await {
                Err(_) => return Err(format!("it was silent for {} ms", silence.as_millis())),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(format!("the stream broke: {error}")),
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        self.read.extend_from_slice(data);
                    }
                }
            }
        }
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            let found = memchr::memchr(b'\n', self.read.get(self.searched..).unwrap_or_default());
            let Some(found) = found else {
                self.searched = self.read.len();
                return None;
            };
            let rest = self.read.split_off(self.searched + found + 1);
            let line = std::mem::replace(&mut self.read, rest);
            self.searched = 0;
            if !line.trim_ascii().is_empty() {
                return Some(line);
            }
        }
    }
}
