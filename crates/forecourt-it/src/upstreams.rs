//! An upstream that answers everything and remembers what it was asked.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its method.
    pub method: Method,
    /// Path and query as sent.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// The upstream; it ends with its owner.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    held: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Upstream {
    /// Starts one on a free port. It answers `hello` to everything, with 200 or the status that `x-answer-with` names.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts one that speaks HTTP/1.1 over TLS, with the certificate of `config`.
    pub async fn start_tls(config: ServerConfig) -> Self {
        Self::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let arrived: Arc<Mutex<Vec<Arrived>>> = Arc::default();
        let (held, holding) = watch::channel(false);
        let memory = Arc::clone(&arrived);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (memory, holding, tls) = (Arc::clone(&memory), holding.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, memory, holding).await,
                        // A caller that does not trust the certificate goes away.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, memory, holding).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, arrived, held, task }
    }

    /// Keeps answers back until [`Self::release`]; requests are remembered as they arrive.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Gives the answers that were kept back, and later ones at once.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that arrived so far, in order.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// Forgets what arrived so far.
    pub fn forget(&self) {
        self.arrived.lock().unwrap().clear();
    }

    /// The last request that arrived.
    #[track_caller]
    pub fn last(&self) -> Arrived {
        self.arrived().pop().expect("nothing has arrived at the upstream")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers what comes over one connection.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    memory: Arc<Mutex<Vec<Arrived>>>,
    holding: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| answer(Arc::clone(&memory), holding.clone(), request));
    // A caller that breaks off is no business of the upstream's.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    memory: Arc<Mutex<Vec<Arrived>>>,
    mut holding: watch::Receiver<bool>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let wanted = parts.headers.get("x-answer-with").and_then(|status| status.to_str().ok()?.parse().ok());
    let target = parts.uri.path_and_query().map_or(String::new(), ToString::to_string);
    memory.lock().unwrap().push(Arrived { method: parts.method, target, headers: parts.headers, body });
    // An error says that the upstream's owner is gone.
    let _owner = holding.wait_for(|held| !held).await;
    let mut answer = Response::new(Full::new(Bytes::from_static(b"hello")));
    if let Some(status) = wanted {
        *answer.status_mut() = status;
    }
    Ok(answer)
}
