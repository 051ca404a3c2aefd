//! The sync port: where gateway nodes on other machines follow this control plane, over TLS alone.
//!
//! Invariant: its certificate is signed by the installation's own authority, which nodes know by the digest in their
//! token; its key never leaves this process.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::tls_rustls::RustlsConfig;
use forecourt_api::sync;
use forecourt_app::{App, gateway_feed, sync_authority};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    config::SyncSettings,
    jobs::Jobs,
    listeners::{Listener, Serving},
    supervision,
};

/// How often the change log is looked through for what may be forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// Why nodes cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The file of client authorities cannot be used.
    #[error("sync.client_ca: {} {problem}; name a file of certificates in PEM, or \"\" to let nodes in by token alone", .path.display())]
    ClientAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No certificate could be made for this process.
    #[error("sync: {0}; check sync.names")]
    Certificate(String),
}

/// The running port.
#[derive(Debug)]
pub struct SyncListener {
    stop: watch::Sender<bool>,
    serving: Serving,
}

/// What keeps the change log in shape and hears of what other processes commit.
#[derive(Debug)]
pub struct Chores {
    /// Nobody tells them to stop.
    _stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

/// Serves nodes on `listener` until [`SyncListener::stop`].
///
/// # Errors
/// See [`SyncError`].
pub fn serve(
    listener: Listener,
    settings: &SyncSettings,
    app: &App,
    jobs: &Arc<Jobs>,
) -> Result<SyncListener, SyncError> {
    let tls = tls(settings, app)?;
    let config = sync::Config {
        heartbeat: Duration::from_millis(settings.heartbeat_ms),
        checkpoint: Duration::from_millis(settings.heartbeat_ms.saturating_mul(15)),
    };
    let (stop, stopping) = watch::channel(false);
    let router = sync::router(app.clone(), config, stopping);
    let serving = listener.serve(router, Some(tls), jobs, |jobs| &jobs.sync_listener);
    Ok(SyncListener { stop, serving })
}

impl SyncListener {
    /// Says goodbye to every node, and returns when all streams have ended.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.serving.stop().await;
    }
}

/// Starts what goes on beside: hearing of other processes' commits, and forgetting.
pub fn start_chores(app: &App, jobs: &Arc<Jobs>) -> Chores {
    let (stop, stopped) = watch::channel(false);
    let (listening, forgetting) = (app.clone(), app.clone());
    let listen = move |_, _| listen(listening.clone());
    let forget = move |jobs, _| forget(forgetting.clone(), jobs);
    let tasks = [
        supervision::start(Arc::clone(jobs), |jobs| &jobs.revision_listening, stopped.clone(), listen),
        supervision::start(Arc::clone(jobs), |jobs| &jobs.change_log_upkeep, stopped, forget),
    ];
    Chores { _stop: stop, tasks }
}

async fn listen(app: App) {
    match gateway_feed::listen(&app).await {}
}

async fn forget(app: App, jobs: Arc<Jobs>) {
    let mut turns = tokio::time::interval(FORGET_EVERY);
    loop {
        turns.tick().await;
        let outcome = gateway_feed::forget(&app).await;
        jobs.change_log_upkeep.ended(&outcome);
        if let Err(error) = outcome {
            tracing::warn!(error.cause = %error, "the change log could not be looked through");
        }
    }
}

impl Drop for Chores {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn tls(settings: &SyncSettings, app: &App) -> Result<RustlsConfig, SyncError> {
    let certificate = |error: &dyn std::fmt::Display| SyncError::Certificate(error.to_string());
    let pair = sync_authority::issue_server(app, &names(settings)).map_err(|error| certificate(&error))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pair.chain.as_bytes()).collect();
    let chain = chain.map_err(|error| certificate(&error))?;
    let key =
        PrivateKeyDer::from_pem_slice(pair.key.reveal().as_bytes()).map_err(|error| certificate(&error))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| certificate(&error))?;
    let builder = match settings.client_ca_file() {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(client_authorities(&path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable(&path, error))?)
        }
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|error| certificate(&error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}

fn client_authorities(path: &Path) -> Result<RootCertStore, SyncError> {
    let pem = fs::read(path).map_err(|error| unusable(path, format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| unusable(path, format!("is no PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(path, format!("holds an unusable certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(unusable(path, "holds no certificate"));
    }
    Ok(roots)
}

fn unusable(path: &Path, problem: impl ToString) -> SyncError {
    SyncError::ClientAuthority { path: path.to_owned(), problem: problem.to_string() }
}

/// By what nodes reach this process, as far as it can know.
fn names(settings: &SyncSettings) -> Vec<String> {
    let host = settings.listen.rsplit_once(':').map_or("", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let own = ["localhost", "127.0.0.1", "::1", host];
    let mut names: Vec<String> =
        own.into_iter().map(str::to_owned).chain(settings.names.iter().cloned()).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}
