//! The parts put together and started: `forecourt serve`, and what stories start in their own process.
//!
//! Invariant: [`start`] returns once every listener accepts and the gateway enforces what the database says, or with an
//! error that names what is wrong and leaves nothing running. [`Server::stop`] undoes it in the opposite order: no new
//! requests, the last answers, the last counts.

mod bound;

use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use forecourt_app::nodes::EmbeddedNode;
pub use forecourt_app::{App, Clock};
use forecourt_core::{
    ids::{GatewayGroupId, NodeId},
    time::Timestamp,
};
use forecourt_gateway::Gateway;
use forecourt_http::Context;
use forecourt_store::{Location, Store, StoreError};
use serde::Serialize;
use tokio::{sync::watch, task::JoinHandle};

use self::bound::Bound;
use crate::{
    certificates::{self, CertificateError},
    config::{Settings, mask_password},
    dcr_removing::{self, Removing},
    embedded_gateway::{self, Feed},
    faces::{self, Urls},
    limit_counts,
    listeners::{GRACE, Listener, Serving},
    master_key::{self, MasterKeyError},
    node_folder,
    status::{self, Status},
    sync_listener::{self, Chores, SyncError, SyncListener},
    usage_delivery::{self, Delivery},
    usage_keeping::{self, Keeping},
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
    gateway: Option<RunningGateway>,
    sync: Option<SyncListener>,
    _chores: Chores,
    keeping: Keeping,
    removing: Removing,
}

struct RunningGateway {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    feed: Feed,
    delivery: Delivery,
    quotas: limit_counts::Keeper,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// The clock of the machine.
pub fn system_clock() -> Clock {
    std::sync::Arc::new(|| Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()))
}

/// Starts everything that `settings` ask for.
///
/// # Errors
/// See [`StartError`].
pub async fn start(settings: &Settings, clock: Clock) -> Result<Server, StartError> {
    let bound = Bound::new(settings)?;
    let addresses = bound.addresses();
    let tls = match &bound.admin_tls {
        Some(_) => {
            make_data_dir(&settings.data_folder())?;
            let host = settings.admin.tls_listen.rsplit_once(':').map_or("localhost", |(host, _)| host);
            Some(certificates::of_administrators(&settings.data_folder(), host).await?)
        }
        None => None,
    };
    let store = open_store(settings).await?;
    let (app, first_password) = open_app(settings, store, clock.clone()).await?;
    let chores = sync_listener::start_chores(&app);
    let gateway = match (bound.gateway, bound.gateway_tls) {
        (None, None) => None,
        listeners => Some(start_gateway(settings, &app, clock, listeners).await?),
    };
    let config = forecourt_http::Config {
        trusted_proxies: settings.trusted_proxies(),
        version: VERSION,
        ip_restriction: settings.security.ip_restriction.restriction(),
        sync_url: addresses.sync.clone().unwrap_or_default(),
    };
    let context = Context::new(app.clone(), config);
    let urls = Urls {
        gateway: addresses.gateway.clone().unwrap_or_default(),
        site: addresses.site.clone().unwrap_or_default(),
        portal_api: addresses.portal_api.clone().unwrap_or_default(),
    };
    let keeping = usage_keeping::start(app.clone());
    let removing = dcr_removing::start(app.clone());
    let status = Status {
        app: app.clone(),
        gateway: gateway.as_ref().map(|(gateway, _)| gateway.clone()),
        version: VERSION,
    };
    let faces = [
        bound.admin.map(|listener| (listener, faces::admin(&context, &urls, false), None)),
        bound.admin_tls.map(|listener| (listener, faces::admin(&context, &urls, true), tls)),
        bound.portal_api.map(|listener| (listener, faces::portal_api(&context), None)),
        bound.site.map(|listener| (listener, faces::site(&context, &urls), None)),
        bound.status.map(|listener| (listener, status::router(status), None)),
    ];
    let serving = faces.into_iter().flatten().map(|(listener, router, tls)| listener.serve(router, tls));
    let serving = serving.collect::<Result<_, _>>().map_err(|error| StartError::System(error.to_string()))?;
    let sync = bound.sync.map(|listener| sync_listener::serve(listener, &settings.sync, &app)).transpose()?;
    let gateway = gateway.map(|(_, running)| running);
    Ok(Server { addresses, app, first_password, serving, gateway, sync, _chores: chores, keeping, removing })
}

impl Server {
    /// Drains every listener, delivers the last counted calls, and returns when all is done: at most about
    /// [`GRACE`] later.
    pub async fn stop(self) {
        if let Some(gateway) = &self.gateway {
            gateway.stop.send_replace(true);
        }
        let sync = self.sync.map(|sync| tokio::spawn(sync.stop()));
        let faces = self.serving.into_iter().map(|serving| tokio::spawn(serving.stop()));
        let draining: Vec<_> = faces.chain(sync).collect();
        for drained in draining {
            if let Err(error) = drained.await {
                tracing::error!(error.cause = %error, "a listener was not drained");
            }
        }
        // The feed outlives the use cases, which wait for it.
        if let Some(gateway) = self.gateway {
            for task in gateway.tasks {
                if let Err(error) = task.await {
                    tracing::error!(error.cause = %error, "the gateway ended early");
                }
            }
            gateway.feed.stop().await;
            gateway.delivery.stop().await;
            gateway.quotas.stop().await;
        }
        self.removing.stop().await;
        self.keeping.stop().await;
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
    Store::open(&location).await.map_err(|error| database_error(settings, &error, Some(&error)))
}

/// The folder itself is made, its parents are not: a mistyped path is more likely than a missing tree.
fn make_data_dir(path: &Path) -> Result<(), StartError> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|source| StartError::DataDir { path: path.to_owned(), source })
}

async fn open_app(
    settings: &Settings,
    store: Store,
    clock: Clock,
) -> Result<(App, Option<String>), StartError> {
    let is_first = match settings.bootstrap.admin_password.as_str() {
        "" => {
            let count = store.read().administrator_count().await;
            count.map_err(|error| database_error(settings, &error, Some(&error)))? == 0
        }
        _ => false,
    };
    let admin_password =
        if is_first { random_password()? } else { settings.bootstrap.admin_password.clone() };
    let known = store.read().master_key_id().await;
    let known = known.map_err(|error| database_error(settings, &error, Some(&error)))?;
    if settings.security.master_key.is_empty() {
        make_data_dir(&settings.data_folder())?;
    }
    let config = forecourt_app::Config {
        master_key: master_key::of(settings, known.as_deref())?,
        admin_username: settings.bootstrap.admin_username.clone(),
        admin_password: admin_password.clone(),
        enable_passwords: settings.bootstrap.enable_passwords,
        usage_kept: settings.usage.kept(),
        sign_in_limits: settings.security.failed_sign_ins.limits(),
        outgoing: settings.security.ssrf_protection.rules(),
        ..forecourt_app::Config::default()
    };
    let app = App::open(store, &config, clock).await;
    let app = app.map_err(|error| app_error(settings, &error))?;
    Ok((app, is_first.then_some(admin_password)))
}

fn random_password() -> Result<String, StartError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| StartError::System(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Feeds the gateway and serves it on the listeners that are on: plain HTTP, and TLS.
async fn start_gateway(
    settings: &Settings,
    app: &App,
    clock: Clock,
    (plain, tls): (Option<Listener>, Option<Listener>),
) -> Result<(Gateway, RunningGateway), StartError> {
    let system = |error: &dyn std::fmt::Display| StartError::System(error.to_string());
    let outgoing = settings.security.ssrf_protection.rules();
    let config = settings.gateway.config(settings.trusted_proxies(), outgoing, GRACE);
    let gateway = Gateway::new(config, clock).map_err(|error| system(&error))?;
    make_data_dir(&settings.data_folder())?;
    let folder = node_folder::take(&settings.data_folder()).map_err(|error| system(&error))?;
    let embedded = embedded_node(settings, folder.node().clone(), [&plain, &tls])?;
    let feed = embedded_gateway::follow(app.clone(), gateway.clone(), embedded).await;
    let quotas = limit_counts::start(gateway.clone(), &settings.data_folder());
    let feed = feed.map_err(|error| app_error(settings, &error))?;
    let delivery = usage_delivery::start(app.clone(), gateway.clone(), folder);
    let delivery = delivery.map_err(|error| system(&error))?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    for (listener, is_tls) in [(plain, false), (tls, true)] {
        let Some(listener) = listener else { continue };
        let listener = listener.into_tokio().map_err(|error| system(&error))?;
        let (served, mut stopped) = (gateway.clone(), stopped.clone());
        tasks.push(tokio::spawn(async move {
            let shutdown = async move {
                // An error means that nobody can ask any more, which is a stop too.
                let _asked = stopped.wait_for(|stop| *stop).await;
            };
            if is_tls {
                served.serve_tls(listener, shutdown).await;
            } else {
                served.serve(listener, shutdown).await;
            }
        }));
    }
    Ok((gateway, RunningGateway { stop, tasks, feed, delivery, quotas }))
}

/// The gateway of this process as a node among others.
fn embedded_node(
    settings: &Settings,
    id: NodeId,
    listeners: [&Option<Listener>; 2],
) -> Result<EmbeddedNode, StartError> {
    let instance = forecourt_gateway::sync::random_word();
    let [plain, tls] = listeners.map(|listener| listener.as_ref().map(Listener::authority));
    let address = plain.map(|at| format!("http://{at}")).or(tls.map(|at| format!("https://{at}")));
    Ok(EmbeddedNode {
        id,
        instance: instance.map_err(|error| StartError::System(error.to_string()))?,
        name: node_folder::host_name(),
        version: VERSION.into(),
        address: address.unwrap_or_default(),
        group: GatewayGroupId::known(settings.gateway.group.as_str()),
    })
}

fn app_error(settings: &Settings, error: &forecourt_app::Error) -> StartError {
    let store = std::error::Error::source(error).and_then(|source| source.downcast_ref::<StoreError>());
    database_error(settings, error, store)
}

fn database_error(
    settings: &Settings,
    error: &(dyn std::error::Error + 'static),
    store: Option<&StoreError>,
) -> StartError {
    let (location, is_file) = match settings.location() {
        Location::Sqlite(path) => (path.display().to_string(), true),
        Location::Postgres(url) => (mask_password(&url), false),
    };
    let remedy = match store {
        Some(StoreError::Locked(_)) => "stop the other program that uses it, then start again",
        Some(StoreError::ReadOnly(_)) => "let this user write the file and its folder, then start again",
        Some(StoreError::Full(_)) => "free some space, then start again",
        Some(StoreError::Unreachable(_)) if is_file => {
            "check that its folder exists, that this user may read and write it, and that the file is SQLite's"
        }
        Some(StoreError::Unreachable(_)) => {
            "check that PostgreSQL runs there, that the database exists, and user and password in database.url"
        }
        _ => "nothing was changed",
    };
    let mut problem = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !problem.contains(&text) {
            problem = format!("{problem}: {text}");
        }
        cause = error.source();
    }
    let url = settings.database.url.as_str();
    let problem = if url.is_empty() { problem } else { problem.replace(url, &location) };
    StartError::Database { location, problem, remedy }
}
