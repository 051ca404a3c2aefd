//! Calls of the control plane to addresses that others chose: limits on time and size, no redirects, no proxies of the
//! environment, and only to addresses that the operator allows (`security.ssrf_protection` of docs/configuration.md).
//!
//! Invariant: a name is resolved once, every address of it is checked, and the connection goes to one of those that
//! were checked; each call has a connection of its own. An answer of the name service that changes in between changes
//! nothing. An error says whether the call may have reached the other side ([`CallError::may_have_arrived`]).

use std::{
    error::Error as StdError,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use forecourt_core::addresses::{Forbidden, OutgoingRules};
use reqwest::{
    Client, Request,
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderMap,
    redirect::Policy,
};
pub use reqwest::{Method, StatusCode, header};
use rustls::{ClientConfig, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::{net::lookup_host, sync::OnceCell};
use url::{Host, Url};

/// How long a whole call may take.
const TIME: Duration = Duration::from_secs(10);
/// How long one address of several may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// The most bytes of an answer's body.
const SIZE: usize = 1 << 20;
/// What we call ourselves.
const USER_AGENT: &str = concat!("forecourt/", env!("CARGO_PKG_VERSION"));

/// Makes outgoing calls. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Outgoing(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    rules: Arc<OutgoingRules>,
    time: Duration,
    /// Made with the first call, since reading the platform's certificate authorities takes its time.
    client: OnceCell<Client>,
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
        Self(Arc::new(Parts { rules: Arc::new(rules), time, client: OnceCell::new() }))
    }

    /// Makes the call.
    ///
    /// # Errors
    /// See [`CallError`]. A status of any kind is an answer, a redirect among them.
    pub async fn call(&self, call: Call) -> Result<Answer, CallError> {
        self.check(&call.url)?;
        let mut request = Request::new(call.method, call.url);
        *request.headers_mut() = call.headers;
        if !call.body.is_empty() {
            *request.body_mut() = Some(call.body.into());
        }
        let mut response =
            self.client().await?.execute(request).await.map_err(|error| self.failed(&error))?;
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

    async fn client(&self) -> Result<&Client, CallError> {
        let parts = &self.0;
        let made = parts.client.get_or_try_init(|| async {
            let tls =
                tokio::task::spawn_blocking(platform_tls).await.map_err(|error| error.to_string())??;
            let builder = Client::builder()
                .tls_backend_preconfigured(tls)
                .dns_resolver(Guard(Arc::clone(&parts.rules)))
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

/// TLS with the authorities of the operating system.
fn platform_tls() -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let built = builder
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map(|builder| builder.with_no_client_auth());
    built.map_err(|error| format!("the platform's certificate authorities cannot be used: {error}"))
}

/// Resolves names to addresses that may be called, all of them or none.
struct Guard(Arc<OutgoingRules>);

/// The refusal of [`Guard`], on its way through the client.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotCalled(Forbidden);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
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
