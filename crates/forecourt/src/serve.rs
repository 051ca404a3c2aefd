//! The parts put together and started: `forecourt serve`, and what stories start in their own process.
//!
//! Invariant: [`start`] returns once every listener accepts and the gateway enforces what the database says, or with an
//! error that names what is wrong and leaves nothing running. [`Server::stop`] undoes it in the opposite order: no new
//! requests, the last answers, the last counts.

mod background;
mod bound;
mod failures;
mod gateways;

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use axum_server::tls_rustls::RustlsConfig;
pub use forecourt_app::{App, Clock};
use forecourt_core::{time::Timestamp, traces::Tracing};
use forecourt_http::{Context, InFlight, observations::Observations};
use forecourt_store::{Location, Store};
use serde::Serialize;

use self::{background::Background, bound::Bound, gateways::RunningGateway};
use crate::{
    certificates::{self, CertificateError},
    config::Settings,
    database_watch::{self, DatabaseWatch},
    faces::{self, Urls, Watching},
    jobs::{Job, Jobs},
    listeners::{GRACE, Listener, Serving},
    master_key::{self, MasterKeyError},
    metrics::Process,
    presences::{self, Presence},
    span_export::{self, Export},
    status::{self, Status},
    sync_listener::{self, Chores, SyncError, SyncListener},
};

/// Forecourt's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Where each part is reached; `None` for one that is switched off. Serialised, it is the `ready` line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Provider console and Admin API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
    /// The same over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_tls: Option<String>,
    /// Portal API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub portal_api: Option<String>,
    /// Developer Portal site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The gateway over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway_tls: Option<String>,
    /// Where gateway nodes on other machines follow, over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<String>,
    /// Health and metrics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// Why Forecourt did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("{key}: cannot listen on {address}: {source}; choose another address, or \"\" to switch it off")]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder cannot be made.
    #[error("data_dir: the folder {} cannot be made: {source}; make its parent, or name another", .path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database cannot be used.
    #[error("database {location}: {problem}; {remedy}")]
    Database {
        /// The file, or the URL without its password.
        location: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The TLS certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Gateway nodes cannot be served.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The master key cannot be used.
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    /// The operating system refuses what every program needs: random bytes, a runtime.
    #[error("the operating system refuses: {0}")]
    System(String),
}

/// A running Forecourt.
pub struct Server {
    /// Where it is reached.
    pub addresses: Addresses,
    /// The use cases.
    pub app: App,
    /// The one-time password of the first administrator, where one was made up at this start.
    pub first_password: Option<String>,
    serving: Vec<Serving>,
    in_flight: InFlight,
    gateway: Option<RunningGateway>,
    sync: Option<SyncListener>,
    _chores: Chores,
    _presence: Presence,
    _watch: DatabaseWatch,
    export: Option<Export>,
    background: Background,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// The clock of the machine.
pub fn system_clock() -> Clock {
    Arc::new(|| Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()))
}

/// Starts everything that `settings` ask for.
///
/// # Errors
/// See [`StartError`].
pub async fn start(settings: &Settings, clock: Clock) -> Result<Server, StartError> {
    start_telling(settings, clock, |_| ()).await
}

/// As [`start`]; where a one-time password was made up for the first administrator, `tell` is told of it as soon as it
/// holds: what fails afterwards does not fail at the next start, and the password is never told again.
///
/// # Errors
/// See [`StartError`].
pub async fn start_telling(
    settings: &Settings,
    clock: Clock,
    tell: impl FnOnce(&str),
) -> Result<Server, StartError> {
    let process = Process::starts(system_clock()());
    let bound = Bound::new(settings)?;
    let addresses = bound.addresses();
    let tls = admin_certificate(settings, bound.admin_tls.is_some()).await?;
    let (presence, store) = open_to_serve(settings).await?;
    let (app, first_password) = open_app(settings, store, clock.clone()).await?;
    first_password.as_deref().map(tell);
    let jobs = Arc::new(Jobs::default());
    let (tracing, export) = start_export(settings, &jobs)?;
    let watch = database_watch::start(app.clone(), Arc::clone(&jobs));
    let chores = sync_listener::start_chores(&app, &jobs);
    let gateway = match (bound.gateway, bound.gateway_tls) {
        (None, None) => None,
        listeners => Some(gateways::start(settings, &app, clock, listeners, (&jobs, &tracing)).await?),
    };
    let context = Context::new(app.clone(), http_config(settings, &addresses));
    let urls = Urls::of(&addresses);
    let background = Background::start(settings, &app, &jobs);
    let watching = Watching { is_away: watch.is_away(), observations: Observations::default(), tracing };
    let status = Status {
        app: app.clone(),
        gateway: gateway.as_ref().map(|(gateway, _)| gateway.clone()),
        database: watch.state(),
        observations: watching.observations.clone(),
        jobs: Arc::clone(&jobs),
        process,
        version: VERSION,
    };
    let sync = bound.sync.map(|listener| sync_listener::serve(listener, &settings.sync, &app, &jobs));
    let sync = sync.transpose()?;
    let mut serving = Vec::new();
    let mut serve = |listener: Option<Listener>, router: Router, tls, of: fn(&Jobs) -> &Job| {
        serving.extend(listener.map(|listener| listener.serve(router, tls, &jobs, of)));
    };
    let admin = |is_tls| faces::admin(&context, &urls, &watching, is_tls);
    serve(bound.admin, admin(false), None, |jobs| &jobs.admin_listener);
    serve(bound.admin_tls, admin(true), tls, |jobs| &jobs.admin_tls_listener);
    serve(bound.portal_api, faces::portal_api(&context, &watching), None, |jobs| &jobs.portal_api_listener);
    serve(bound.site, faces::site(&context, &urls, &watching), None, |jobs| &jobs.site_listener);
    serve(bound.status, status::router(status), None, |jobs| &jobs.status_listener);
    Ok(Server {
        addresses,
        app,
        first_password,
        serving,
        in_flight: context.in_flight.clone(),
        gateway: gateway.map(|(_, running)| running),
        sync,
        _chores: chores,
        _presence: presence,
        _watch: watch,
        export,
        background,
    })
}

/// The certificate of the console's listener for TLS; `None` where that is off.
async fn admin_certificate(settings: &Settings, is_on: bool) -> Result<Option<RustlsConfig>, StartError> {
    if !is_on {
        return Ok(None);
    }
    make_data_dir(&settings.data_folder())?;
    let host = settings.admin.tls_listen.rsplit_once(':').map_or("localhost", |(host, _)| host);
    Ok(Some(certificates::of_administrators(&settings.data_folder(), host).await?))
}

fn start_export(
    settings: &Settings,
    jobs: &Arc<Jobs>,
) -> Result<(Option<Tracing>, Option<Export>), StartError> {
    let telemetry = &settings.telemetry;
    if telemetry.otlp_endpoint.is_empty() {
        return Ok((None, None));
    }
    let started = span_export::start(&telemetry.otlp_endpoint, telemetry.sampled_percent, jobs);
    let (tracing, export) = started.map_err(StartError::System)?;
    Ok((Some(tracing), Some(export)))
}

fn http_config(settings: &Settings, addresses: &Addresses) -> forecourt_http::Config {
    forecourt_http::Config {
        trusted_proxies: settings.trusted_proxies(),
        hsts_seconds: settings.security.hsts_seconds,
        version: VERSION,
        ip_restriction: settings.security.ip_restriction.restriction(),
        sync_url: addresses.sync.clone().unwrap_or_default(),
    }
}

impl Server {
    /// Drains every listener, delivers the last counted calls, and returns when all is done: at most about
    /// [`GRACE`] later.
    pub async fn stop(self) {
        let begun = Instant::now();
        if let Some(gateway) = &self.gateway {
            gateway.stop.send_replace(true);
        }
        let sync = self.sync.map(|sync| tokio::spawn(sync.stop()));
        let faces = self.serving.into_iter().map(|serving| tokio::spawn(serving.stop()));
        let draining: Vec<_> = faces.chain(sync).collect();
        for drained in draining {
            if drained.await.is_err() {
                tracing::error!("a listener was not drained by a panic");
            }
        }
        let left = GRACE.saturating_sub(begun.elapsed()).max(Duration::from_secs(1));
        if !self.in_flight.drained(left).await {
            tracing::error!("calls whose callers hung up were not answered in time");
        }
        // The feed outlives the use cases, which wait for it.
        if let Some(gateway) = self.gateway {
            for task in gateway.tasks {
                if task.await.is_err() {
                    tracing::error!("the gateway ended early by a panic");
                }
            }
            gateway.feed.stop().await;
            gateway.delivery.stop().await;
            gateway.quotas.stop().await;
        }
        self.background.stop().await;
        if let Some(export) = self.export {
            export.stop().await;
        }
    }
}

/// Opens the database and brings its schema up to date.
///
/// # Errors
/// When the data folder cannot be made or the database cannot be used.
pub async fn open_store(settings: &Settings) -> Result<Store, StartError> {
    let location = settings.location();
    if let Location::Sqlite(_) = location {
        make_data_dir(&settings.data_folder())?;
    }
    Store::open(&location).await.map_err(|error| failures::of_database(settings, &error, Some(&error)))
}

/// The folder itself is made, its parents are not: a mistyped path is more likely than a missing tree.
pub(crate) fn make_data_dir(path: &Path) -> Result<(), StartError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|source| StartError::DataDir { path: path.to_owned(), source })
}

/// Opens the database where it is not being moved: not even its schema is touched then.
async fn open_to_serve(settings: &Settings) -> Result<(Presence, Store), StartError> {
    if let Location::Sqlite(_) = settings.location() {
        make_data_dir(&settings.data_folder())?;
    }
    let told = |error: &std::io::Error| StartError::System(error.to_string());
    let announced = presences::announce(settings);
    if let Err(error) = &announced
        && error.kind() == std::io::ErrorKind::ResourceBusy
    {
        return Err(told(error));
    }
    // What the database says of a folder that cannot be written is more to the point.
    let store = open_store(settings).await?;
    let presence = announced.map_err(|error| told(&error))?;
    Ok((presence, store))
}

async fn open_app(
    settings: &Settings,
    store: Store,
    clock: Clock,
) -> Result<(App, Option<String>), StartError> {
    let is_first = match settings.bootstrap.admin_password.as_str() {
        "" => {
            let count = store.read().administrator_count().await;
            count.map_err(|error| failures::of_database(settings, &error, Some(&error)))? == 0
        }
        _ => false,
    };
    let admin_password =
        if is_first { random_password()? } else { settings.bootstrap.admin_password.clone() };
    let known = store.read().master_key_ids().await;
    let known = known.map_err(|error| failures::of_database(settings, &error, Some(&error)))?;
    if master_key::is_own_file(settings) {
        make_data_dir(&settings.data_folder())?;
    }
    let config = forecourt_app::Config {
        master_key: master_key::of(settings, &known)?,
        admin_username: settings.bootstrap.admin_username.clone(),
        admin_password: admin_password.clone(),
        enable_passwords: settings.bootstrap.enable_passwords,
        usage_kept: settings.usage.kept(),
        audit_kept_days: settings.audit.retention_days,
        sign_in_limits: settings.security.failed_sign_ins.limits(),
        outgoing: settings.security.ssrf_protection.rules(),
        calls_providers: settings.background.outgoing,
        public_url: settings.admin.public_url.clone(),
        approval_links: settings.notifications.approval_links,
        message_time: settings.notifications.timeout(),
        ..forecourt_app::Config::default()
    };
    let app = App::open(store, &config, clock).await.map_err(|error| failures::of_app(settings, &error))?;
    let made = is_first && app.made_first_administrator();
    Ok((app, made.then_some(admin_password)))
}

/// A one-time password, 32 hex digits.
pub(crate) fn random_password() -> Result<String, StartError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
