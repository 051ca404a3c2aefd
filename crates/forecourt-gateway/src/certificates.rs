//! Which certificate a caller is shown, by the server name that it asks for (docs/gateway.md §14).
//!
//! Rows are compiled once per change into a table that handshakes read. A row that cannot be used is left out with an
//! error in the log, but one that demands callers' certificates keeps its names: they are closed, never open. Look
//! next: `tls.rs` for the handshake.

use std::{cmp::Reverse, sync::Arc};

use forecourt_core::gateway_state::{CertificatePair, CertificateState};
use hashbrown::HashMap;
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use crate::client_chains;

/// The protocols that are offered over TLS, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// All certificates in force, by name.
#[derive(Default)]
pub(crate) struct Certificates {
    exact: HashMap<Box<str>, Arc<Served>>,
    wildcard: HashMap<Box<str>, Arc<Served>>,
    any: Option<Arc<Served>>,
    compiled: Vec<Arc<Served>>,
    demands_any: bool,
}

/// A row that is in force.
pub(crate) struct Served {
    row: Arc<CertificateState>,
    /// How to shake hands; `None`: the row cannot be used, and its names are closed.
    config: Option<Arc<ServerConfig>>,
}

impl Certificates {
    /// The table of these rows. Those of `earlier` that did not change are kept as they are, session tickets included.
    pub(crate) fn build(rows: impl Iterator<Item = Arc<CertificateState>>, earlier: &Self) -> Self {
        let mut rows: Vec<_> = rows.filter(|row| row.enabled).collect();
        rows.sort_by(|a, b| (Reverse(a.created_at), &a.id).cmp(&(Reverse(b.created_at), &b.id)));
        let mut table = Self::default();
        for row in rows {
            let known = earlier.compiled.iter().find(|served| Arc::ptr_eq(&served.row, &row));
            if let Some(served) = known.cloned().or_else(|| Served::compile(row).map(Arc::new)) {
                table.add(served);
            }
        }
        table
    }

    /// What answers this server name, in lower case; `None`: nothing does.
    pub(crate) fn find(&self, name: Option<&str>) -> Option<&Arc<Served>> {
        let named = name.and_then(|name| {
            let below = name.split_once('.').map(|(_, below)| below);
            self.exact.get(name).or_else(|| self.wildcard.get(below?))
        });
        named.or(self.any.as_ref())
    }

    /// Whether a request for `host` may come over a connection that was opened with `shown`: always, unless the host
    /// is a name whose callers must show a certificate of their own, which only such a connection made sure of.
    pub(crate) fn admits(&self, host: &str, shown: Option<&Served>) -> bool {
        if !self.demands_any {
            return true;
        }
        let Some(wanted) = self.concerned(&host.to_ascii_lowercase()) else { return true };
        wanted.row.client_ca.is_none()
            || wanted.config.is_some()
                && shown.is_some_and(|shown| {
                    shown.row.id == wanted.row.id
                        && shown.row.client_ca == wanted.row.client_ca
                        && shown.row.client_depth == wanted.row.client_depth
                })
    }

    /// The certificate that a host of a service falls under. Wildcards of services cover names at any depth, those of
    /// certificates one label: a deeper name must not lead around what its parent demands.
    fn concerned(&self, host: &str) -> Option<&Arc<Served>> {
        let parents = host.match_indices('.').filter_map(|(at, dot)| host.get(at + dot.len()..));
        let named = self.exact.get(host);
        named.or_else(|| parents.filter_map(|parent| self.wildcard.get(parent)).next()).or(self.any.as_ref())
    }

    /// Rows come newest first, so the first to claim a name has it.
    fn add(&mut self, served: Arc<Served>) {
        for name in &served.row.snis {
            let name = name.to_ascii_lowercase();
            if name == "*" {
                self.any.get_or_insert_with(|| Arc::clone(&served));
                continue;
            }
            let (names, name) = match name.strip_prefix("*.") {
                Some(below) => (&mut self.wildcard, below),
                None => (&mut self.exact, name.as_str()),
            };
            names.entry(name.into()).or_insert_with(|| Arc::clone(&served));
        }
        self.demands_any |= served.row.client_ca.is_some();
        self.compiled.push(served);
    }
}

impl Served {
    /// How to shake hands with a caller of these names; `None`: not at all.
    pub(crate) const fn config(&self) -> Option<&Arc<ServerConfig>> {
        self.config.as_ref()
    }

    fn compile(row: Arc<CertificateState>) -> Option<Self> {
        match server_config(&row) {
            Ok(config) => Some(Self { row, config: Some(Arc::new(config)) }),
            Err(problem) if row.client_ca.is_some() => {
                tracing::error!(
                    certificate.id = row.id.as_str(),
                    problem,
                    "a certificate cannot be used; its names demand callers' certificates and stay closed"
                );
                Some(Self { row, config: None })
            }
            Err(problem) => {
                tracing::error!(
                    certificate.id = row.id.as_str(),
                    problem,
                    "a certificate cannot be used and is left out"
                );
                None
            }
        }
    }
}

fn server_config(row: &CertificateState) -> Result<ServerConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let mut keys = Vec::with_capacity(row.pairs.len());
    let mut problem = "it has no pair of certificate and key".to_owned();
    for pair in &row.pairs {
        match certified_key(pair, &provider) {
            Ok(key) => keys.push(Arc::new(key)),
            Err(why) => {
                tracing::error!(certificate.id = row.id.as_str(), problem = why, "a key pair is left out");
                problem = why;
            }
        }
    }
    if keys.is_empty() {
        return Err(problem);
    }
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| error.to_string())?;
    let builder = match &row.client_ca {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
                let authority = authority.map_err(|error| format!("the client authorities: {error}"))?;
                roots.add(authority).map_err(|error| format!("the client authorities: {error}"))?;
            }
            let verifier = client_chains::verifier(roots, provider, row.client_depth);
            builder.with_client_cert_verifier(
                verifier.map_err(|problem| format!("the client authorities: {problem}"))?,
            )
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(KeyTypes(keys)));
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    // Tickets of a row are of use with this row alone, so that they never outlive what it demands.
    config.ticketer = ring::Ticketer::new().map_err(|error| error.to_string())?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn certified_key(pair: &CertificatePair, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(pair.chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("the certificate is no PEM: {error}"))?;
    if chain.is_empty() {
        return Err("the certificate is no PEM".into());
    }
    let key = pair.key.clear().ok_or("the key is sealed; the control plane must unseal it")?;
    // The reason is not repeated: it might quote the key.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| "the key is no PEM")?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the key does not fit the certificate".into(),
        other => format!("certificate or key cannot be used: {other}"),
    })
}

/// The keys of one row; the first that the caller can verify is used.
#[derive(Debug)]
struct KeyTypes(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for KeyTypes {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).or(self.0.first()).cloned()
    }
}
