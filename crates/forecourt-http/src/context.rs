//! What every handler is handed.

use std::sync::Arc;

use forecourt_app::App;

use crate::{InFlight, addresses::Network, restrictions::IpRestriction};

/// Marks a request that came over TLS: an extension that the listener sets. Its cookies are `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls;

/// How the HTTP faces are set up.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// For how long browsers are told to come by TLS alone; 0: they are not told.
    pub hsts_seconds: u32,
    /// Forecourt's own version, for `X-Forecourt-Version`.
    pub version: &'static str,
    /// From where the Admin API may be called at all.
    pub ip_restriction: IpRestriction,
    /// Where gateway nodes reach this process, as a URL; empty: nowhere.
    pub sync_url: String,
}

/// What every handler is handed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    /// The use cases.
    pub app: App,
    /// How the faces are set up.
    pub config: Arc<Config>,
    /// Calls that are answered whether or not anybody waits.
    pub in_flight: InFlight,
}

impl Context {
    /// A context for `app`.
    pub fn new(app: App, config: Config) -> Self {
        Self { app, config: Arc::new(config), in_flight: InFlight::default() }
    }
}
