//! A gateway on a loopback port, upstreams behind it, and a client that sends any bytes it likes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use forecourt_core::time::Timestamp;
use forecourt_wire::changes::Change;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::JoinHandle,
    time::timeout,
};

use super::rows::{application, batch, credential, grant, key, product, put, route, service, upstream, user};
use crate::{Config, Gateway};

/// No test takes this long unless something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Stage {
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
    pub(crate) tls_address: SocketAddr,
    pub(crate) stop: Option<oneshot::Sender<()>>,
    pub(crate) serving: JoinHandle<()>,
    now: Arc<AtomicI64>,
}

impl Stage {
    pub(crate) async fn with(config: Config, changes: Vec<Change>) -> Self {
        let now = Arc::new(AtomicI64::new(1_000_000));
        let clock = Arc::clone(&now);
        let clock = Arc::new(move || Timestamp::from_seconds(clock.load(Ordering::SeqCst)));
        let gateway = Gateway::new(config, clock).unwrap();
        gateway.apply(&batch(changes));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls_address = tls_listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = gateway.clone();
        let serving = tokio::spawn(async move {
            let (asked, mut plain) = watch::channel(());
            let mut tls = plain.clone();
            tokio::join!(
                server.serve(listener, async move { drop(plain.changed().await) }),
                server.serve_tls(tls_listener, async move { drop(tls.changed().await) }),
                async move {
                    let _ = stopped.await;
                    drop(asked);
                },
            );
        });
        Self { gateway, address, tls_address, stop: Some(stop), serving, now }
    }

    /// An echo upstream behind the open service `open` (`/open/*`) and the protected one `s` (`/s/*`), whose
    /// product `prd` application `app` may call with key `k` or as `ada` with password `pw`.
    pub(crate) async fn protected() -> Self {
        let port = echo().await;
        Self::with(Config::default(), protected_by(port)).await
    }

    pub(crate) fn apply(&self, changes: Vec<Change>) {
        self.gateway.apply(&batch(changes));
    }

    pub(crate) fn set_clock(&self, seconds: i64) {
        self.now.store(seconds, Ordering::SeqCst);
    }

    /// Sends these bytes and reads until the gateway closes.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // A gateway that refuses early may close while we still write.
        let _ = stream.write_all(bytes.as_ref()).await;
        read_to_end(&mut stream).await
    }

    /// Sends `GET path` with these header lines and reads the answer.
    pub(crate) async fn ask(&self, path: &str, fields: &[&str]) -> String {
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let head = format!("GET {path} HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n{fields}\r\n");
        self.exchange(head).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

pub(crate) fn protected_by(port: u16) -> Vec<Change> {
    let mut open = service("open");
    open.upstream = Some(upstream(port));
    let mut shop = service("s");
    shop.upstream = Some(upstream(port));
    vec![
        put(1, open),
        put(1, route("r-open", "open", "/open/*")),
        put(1, shop),
        put(1, route("r-s", "s", "/s/*")),
        put(1, product("prd", &["s"])),
        put(1, application("app")),
        put(1, credential("crd-key", "app", &[key("k")])),
        put(1, credential("crd-user", "app", &[user("ada", "pw")])),
        put(1, grant("app", "prd")),
    ]
}

/// Only the open service, in front of this port.
pub(crate) fn open_by(port: u16) -> Vec<Change> {
    protected_by(port).into_iter().take(2).collect()
}

pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the gateway should have closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `end` has arrived.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).ends_with(end) {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("more should have come");
        match byte {
            Ok(byte) => bytes.push(byte),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An upstream that answers with what it was sent: request line, fields, an empty line, the body.
pub(crate) async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(repeat)));
        }
    });
    port
}

async fn repeat(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let mut text = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
    }
    text += "\n";
    text += &String::from_utf8_lossy(&body.collect().await?.to_bytes());
    let mut response = Response::new(Full::from(text));
    response.headers_mut().insert("keep-alive", "timeout=5".parse().unwrap());
    response.headers_mut().insert("x-upstream", "echo".parse().unwrap());
    Ok(response)
}

/// An upstream that does with each connection what `act` says.
pub(crate) async fn acting<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(stream));
        }
    });
    port
}
