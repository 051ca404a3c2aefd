//! GET over HTTP or HTTPS to a provider, without trust in it: limits on time and size, no redirects, and only to
//! addresses that the operator allows (`security.ssrf_protection` of docs/configuration.md).
//!
//! Invariant: a name is resolved once, every address of it is checked, and the connection goes to one of those that
//! were checked, so an answer of the name service that changes in between changes nothing.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use forecourt_core::addresses::OutgoingRules;
use http::{
    Request, StatusCode,
    header::{ACCEPT, CONNECTION, HOST, USER_AGENT},
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, crypto::ring, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// How long a whole call may take.
const TIME: Duration = Duration::from_secs(10);
/// How long one address of several may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The most bytes of an answer's body.
const SIZE: usize = 1 << 20;
/// The most bytes of an answer's head.
const HEAD: usize = 64 << 10;

/// The addresses of a host, once the name service has told them.
type Telling = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
/// The name service: a function of host and port, so that a test can be one that changes its mind.
type Names = Arc<dyn Fn(String, u16) -> Telling + Send + Sync>;

/// Makes outgoing calls.
pub(crate) struct Fetcher {
    rules: OutgoingRules,
    time: Duration,
    /// `None`: the platform's certificate authorities.
    tls: Option<Arc<ClientConfig>>,
    names: Names,
}

impl Fetcher {
    /// One that goes where these rules let it.
    pub(crate) fn new(rules: OutgoingRules) -> Self {
        Self { rules, time: TIME, tls: None, names: platform_names() }
    }

    /// The body of the answer, which must be 200 and complete within the limits; `Err` says why there is none.
    pub(crate) async fn get(&self, url: &Url) -> Result<Bytes, String> {
        let called = timeout(self.time, self.call(url)).await;
        called.unwrap_or_else(|_| Err(format!("no answer within {} s", self.time.as_secs_f32())))
    }

    async fn call(&self, url: &Url) -> Result<Bytes, String> {
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(format!("{other} is neither http nor https")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address with a user name is not called".into());
        }
        let host = url.host().ok_or("the address has no host")?;
        let port = url.port_or_known_default().ok_or("the address has no port")?;
        let stream = self.connect(&host, port).await?;
        if !is_https {
            return exchange(stream, url).await;
        }
        let name = match &host {
            Host::Domain(name) => {
                ServerName::try_from((*name).to_owned()).map_err(|_| "the host is no name")?
            }
            Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
        };
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => platform_tls().await?,
        };
        let stream = TlsConnector::from(config).connect(name, stream).await;
        exchange(stream.map_err(|error| format!("no TLS: {error}"))?, url).await
    }

    /// Connects to an address of the host after all of them were checked.
    async fn connect(&self, host: &Host<&str>, port: u16) -> Result<TcpStream, String> {
        let addresses: Vec<SocketAddr> = match host {
            Host::Domain(name) => {
                let found = (self.names)((*name).to_owned(), port).await;
                found.map_err(|error| format!("the host cannot be resolved: {error}"))?
            }
            Host::Ipv4(address) => vec![(*address, port).into()],
            Host::Ipv6(address) => vec![(*address, port).into()],
        };
        let name = host.to_string();
        for address in &addresses {
            self.rules.check(&name, address.ip()).map_err(|refusal| refusal.to_string())?;
        }
        let mut problem = "the host has no address".to_owned();
        for address in &addresses {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => problem = format!("no connection: {error}"),
                Err(_) => problem = format!("no connection within {} s", CONNECT.as_secs()),
            }
        }
        Err(problem)
    }
}

fn platform_names() -> Names {
    Arc::new(|host: String, port: u16| -> Telling {
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((host.as_str(), port)).await?.collect();
            Ok::<_, io::Error>(found)
        })
    })
}

/// TLS with the authorities of the operating system, read anew so that changes of them count.
pub(crate) async fn platform_tls() -> Result<Arc<ClientConfig>, String> {
    let building = tokio::task::spawn_blocking(|| {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_platform_verifier()?;
        Ok::<_, rustls::Error>(Arc::new(builder.with_no_client_auth()))
    });
    let built = building.await.map_err(|error| error.to_string())?;
    built.map_err(|error| format!("the platform's certificate authorities cannot be used: {error}"))
}

async fn exchange<S>(stream: S, url: &Url) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: hyper::Error| format!("no valid answer: {error}");
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Dropped with this call, and the connection with it.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.authority();
    let request = Request::get(target)
        .header(HOST, host)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("forecourt/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(broken)?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the answer is {}, not 200", answer.status()));
    }
    let body = Limited::new(answer.into_body(), SIZE).collect().await;
    Ok(body.map_err(|error| format!("the answer cannot be read: {error}"))?.to_bytes())
}

#[cfg(test)]
#[path = "tests/fetch.rs"]
mod tests;
