//! Calls of the control plane to addresses that others chose: limits on time and size, no redirects, no proxies of the
//! environment, and only to addresses that the operator allows (`security.ssrf_protection` of docs/configuration.md).
//!
//! Invariant: a name is resolved once, every address of it is checked, and the connection goes to one of those that
//! were checked; each call has a connection of its own. An answer of the name service that changes in between changes
//! nothing. An error says whether the call may have reached the other side ([`CallError::may_have_arrived`]).

use std::{
    error::Error as StdError,
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use forecourt_core::addresses::{Forbidden, OutgoingRules};
use reqwest::{
    Client, Request, Response,
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderMap,
    redirect::Policy,
};
pub use reqwest::{Method, StatusCode, header};
use rustls::ClientConfig;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::OnceCell,
    time::timeout,
};
use url::{Host, Url};

use crate::trust::{self, Trust};

/// How long a whole call may take.
const TIME: Duration = Duration::from_secs(10);
/// How long one address of several may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The most bytes of an answer's body.
const SIZE: usize = 1 << 20;
/// The most bytes that are read of the body of an answer that matters by its status alone.
const GLANCE: usize = 1 << 16;
/// What we call ourselves.
const USER_AGENT: &str = concat!("forecourt/", env!("CARGO_PKG_VERSION"));

/// Whether secrets may go to `address`, which the server at `base` named: one over TLS does not send them elsewhere in
/// clear. Another host is fine (RFC 8414 §2 sets none).
pub(crate) fn is_as_protected(base: &str, address: &str) -> bool {
    let starts = |text: &str, scheme: &str| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    starts(address, "https://") || (starts(address, "http://") && !starts(base, "https://"))
}

/// Makes outgoing calls. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Outgoing(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    rules: Arc<OutgoingRules>,
    time: Duration,
    trust: Trust,
    names: Names,
    /// Made with the first call, since reading the platform's certificate authorities takes its time.
    client: OnceCell<Client>,
    /// The same for connections that are no HTTP.
    tls: OnceCell<Arc<ClientConfig>>,
}

/// A call to make.
#[derive(Debug)]
pub struct Call {
    /// How.
    pub method: Method,
    /// Where: `http` or `https`.
    pub url: Url,
    /// What goes with it.
    pub headers: HeaderMap,
    /// Its body; empty: none.
    pub body: Vec<u8>,
}

/// A whole answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its head.
    pub headers: HeaderMap,
    /// Its body, at most 1 MiB.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address cannot be called at all.
    #[error("{0}")]
    Address(String),
    /// The operator's rules, or ours, forbid it.
    #[error("{0}")]
    Forbidden(Forbidden),
    /// Nobody could be reached; nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection stood, and no whole answer came in time: the other side may have acted.
    #[error("{0}")]
    Lost(String),
}

impl CallError {
    /// Whether the other side may have received the call and acted on it.
    pub const fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl Outgoing {
    /// One that goes where these rules let it.
    pub fn new(rules: OutgoingRules) -> Self {
        Self::with_time(rules, TIME)
    }

    /// The same with another limit on the time of a whole call.
    pub fn with_time(rules: OutgoingRules, time: Duration) -> Self {
        Self::with_trust(Arc::new(rules), time, Trust::Platform)
    }

    fn with_trust(rules: Arc<OutgoingRules>, time: Duration, trust: Trust) -> Self {
        Self::with_names(rules, time, trust, Names::of_the_platform())
    }

    fn with_names(rules: Arc<OutgoingRules>, time: Duration, trust: Trust, names: Names) -> Self {
        let (client, tls) = (OnceCell::new(), OnceCell::new());
        Self(Arc::new(Parts { rules, time, trust, names, client, tls }))
    }

    /// The same, for a service whose settings say whether its certificate is verified.
    #[must_use]
    pub fn verifying(&self, verify: bool) -> Self {
        if verify {
            return self.clone();
        }
        let (rules, names) = (Arc::clone(&self.0.rules), self.0.names.clone());
        Self::with_names(rules, self.0.time, Trust::Everybody, names)
    }

    /// A connection to a service that does not speak HTTP, under the same rules. `host` is a name or an address.
    ///
    /// # Errors
    /// See [`CallError`]; nothing was sent.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, CallError> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = self.0.names.addresses(host, port).await;
        let found =
            found.map_err(|error| CallError::Unreachable(format!("the name cannot be resolved: {error}")))?;
        for address in &found {
            self.0.rules.check(host, address.ip()).map_err(CallError::Forbidden)?;
        }
        let mut last = "the name has no address".to_owned();
        for address in found {
            match timeout(CONNECT.min(self.0.time), TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = format!("no connection: {error}"),
                Err(_) => last = "no connection in time".to_owned(),
            }
        }
        Err(CallError::Unreachable(last))
    }

    /// Makes the call.
    ///
    /// # Errors
    /// See [`CallError`]. A status of any kind is an answer, a redirect among them.
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        let mut response = self.begin(call).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if body.len() + part.len() > SIZE {
                return Err(CallError::Lost("the answer is larger than 1 MiB".into()));
            }
            body.extend_from_slice(&part);
        }
        Ok(Answer { status, headers, body })
    }

    /// Refuses what is no address to call. An address that is written out is judged here, since nothing resolves it;
    /// names are judged by [`Guard`].
    fn check(&self, url: &Url) -> Result<(), CallError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(CallError::Address(format!("{} is neither http nor https", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CallError::Address("an address with a user name is not called".into()));
        }
        let address = match url.host() {
            None => return Err(CallError::Address("the address has no host".into())),
            Some(Host::Domain(_)) => return Ok(()),
            Some(Host::Ipv4(address)) => IpAddr::from(address),
            Some(Host::Ipv6(address)) => IpAddr::from(address),
        };
        self.0.rules.check(&address.to_string(), address).map_err(CallError::Forbidden)
    }

    /// Makes a call whose answer matters by its status alone: at most 64 KiB of its body are read, and none is given.
    ///
    /// # Errors
    /// See [`CallError`]. A status of any kind is an answer, a redirect among them.
    pub async fn tell(&self, call: Call) -> Result<Answer, CallError> {
        let mut response = self.begin(call).await?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut read = 0;
        // The answer stands, however its body ends.
        while let Ok(Some(part)) = response.chunk().await {
            read += part.len();
            if read > GLANCE {
                break;
            }
        }
        Ok(Answer { status, headers, body: Vec::new() })
    }

    /// The TLS of connections to services that do not speak HTTP.
    ///
    /// # Errors
    /// When the platform's certificate authorities cannot be read.
    pub async fn tls(&self) -> Result<Arc<ClientConfig>, CallError> {
        let parts = &self.0;
        let made = parts.tls.get_or_try_init(|| async {
            let trusted = parts.trust.clone();
            let made = tokio::task::spawn_blocking(move || trust::client_config(&trusted, None)).await;
            Ok::<_, String>(Arc::new(made.map_err(|_| trust::INTERRUPTED.to_owned())??))
        });
        made.await.cloned().map_err(CallError::Unreachable)
    }

    async fn begin(&self, call: Call) -> Result<Response, CallError> {
        self.check(&call.url)?;
        let mut request = Request::new(call.method, call.url);
        *request.headers_mut() = call.headers;
        if !call.body.is_empty() {
            *request.body_mut() = Some(call.body.into());
        }
        self.client().await?.execute(request).await.map_err(|error| self.failed(&error))
    }

    async fn client(&self) -> Result<&Client, CallError> {
        let parts = &self.0;
        let made = parts.client.get_or_try_init(|| async {
            let trusted = parts.trust.clone();
            let tls = tokio::task::spawn_blocking(move || trust::client_config(&trusted, None));
            let tls = tls.await.map_err(|_| trust::INTERRUPTED.to_owned())??;
            let builder = Client::builder()
                .tls_backend_preconfigured(tls)
                .dns_resolver(Guard { rules: Arc::clone(&parts.rules), names: parts.names.clone() })
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .http1_only()
                // A connection that is kept would be one that was checked for another call.
                .pool_max_idle_per_host(0)
                .connect_timeout(CONNECT.min(parts.time))
                .timeout(parts.time)
                .user_agent(USER_AGENT);
            builder.build().map_err(|error| format!("calls cannot be made: {}", cause(&error)))
        });
        made.await.map_err(CallError::Unreachable)
    }

    fn failed(&self, error: &reqwest::Error) -> CallError {
        let mut source: Option<&(dyn StdError + 'static)> = error.source();
        while let Some(inner) = source {
            if let Some(NotCalled(forbidden)) = inner.downcast_ref() {
                return CallError::Forbidden(*forbidden);
            }
            source = inner.source();
        }
        let cause = cause(error);
        match (error.is_connect(), error.is_timeout()) {
            (true, _) => CallError::Unreachable(format!("no connection: {cause}")),
            (false, true) => {
                CallError::Lost(format!("no whole answer within {} s", self.0.time.as_secs_f32()))
            }
            (false, false) => CallError::Lost(format!("no valid answer: {cause}")),
        }
    }
}

/// The innermost cause, which is what says something; never the address, which may hold a token.
fn cause(error: &dyn StdError) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// The addresses of a host, once the name service has told them.
type Telling = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The name service: a function of host and port, so that a test can be one that changes its mind.
#[derive(Clone)]
struct Names(Arc<dyn Fn(String, u16) -> Telling + Send + Sync>);

impl Names {
    fn of_the_platform() -> Self {
        Self(Arc::new(|host: String, port: u16| -> Telling {
            Box::pin(async move {
                let found: Vec<SocketAddr> = lookup_host((host.as_str(), port)).await?.collect();
                Ok::<_, io::Error>(found)
            })
        }))
    }

    fn addresses(&self, host: &str, port: u16) -> Telling {
        (self.0)(host.to_owned(), port)
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

/// Resolves names to addresses that may be called, all of them or none.
struct Guard {
    rules: Arc<OutgoingRules>,
    names: Names,
}

/// The refusal of [`Guard`], on its way through the client.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotCalled(Forbidden);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, telling) = (Arc::clone(&self.rules), self.names.addresses(name.as_str(), 0));
        Box::pin(async move {
            let found = telling.await?;
            for address in &found {
                rules.check(name.as_str(), address.ip()).map_err(NotCalled)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
#[path = "tests/outgoing.rs"]
mod tests;
