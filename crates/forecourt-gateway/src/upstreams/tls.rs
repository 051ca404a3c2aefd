//! TLS towards upstreams: whose certificates are believed, and which is shown.
//!
//! Invariant: a certificate that is not verified is one that the row says need not be. What is wrong with a row is
//! found when the row arrives; its requests are refused then, never sent in a weaker way.

use std::sync::{Arc, OnceLock};

use forecourt_core::gateway_state::{UpstreamState, UpstreamTls};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// The system's authorities, read when the first upstream needs them.
#[derive(Default)]
pub(crate) struct SystemRoots(OnceLock<Result<Arc<dyn ServerCertVerifier>, String>>);

impl SystemRoots {
    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, String> {
        let read = || match rustls_platform_verifier::Verifier::new(provider()) {
            Ok(verifier) => Ok(Arc::new(verifier) as Arc<dyn ServerCertVerifier>),
            Err(error) => Err(format!("the system's certificate authorities cannot be read: {error}")),
        };
        self.0.get_or_init(read).clone()
    }
}

/// How an upstream is spoken to over TLS; `None`: its row cannot be used.
pub(super) struct Tls(Option<Configs>);

struct Configs {
    /// Offers what the scheme allows.
    first: Arc<ClientConfig>,
    /// Offers HTTP/1.1 alone, for protocol upgrades.
    http1: Arc<ClientConfig>,
}

impl Tls {
    /// For requests.
    pub(super) fn new(state: &UpstreamState, http2_only: bool, roots: &SystemRoots) -> Self {
        let name = state.nodes.first().map_or("", |node| node.host.as_str());
        if !state.tls.verify {
            tracing::warn!(
                upstream.host = name,
                "the certificate of an upstream is not verified: anybody on the way can read and change its traffic"
            );
        }
        Self::made_of(&state.tls, state.tls.verify, name, http2_only, roots)
    }

    /// For probes, which may be less strict.
    pub(super) fn for_probes(state: &UpstreamState, verify: bool, roots: &SystemRoots) -> Self {
        let name = state.nodes.first().map_or("", |node| node.host.as_str());
        Self::made_of(&state.tls, verify, name, false, roots)
    }

    /// The configuration of a connection; `None`: the row cannot be used, which was logged when it came.
    pub(super) fn config(&self, needs_http1: bool) -> Option<&Arc<ClientConfig>> {
        self.0.as_ref().map(|configs| if needs_http1 { &configs.http1 } else { &configs.first })
    }

    fn made_of(tls: &UpstreamTls, verify: bool, name: &str, http2_only: bool, roots: &SystemRoots) -> Self {
        let configs = config(tls, verify, roots).map(|config| {
            let with = |protocols: &[&[u8]]| {
                let mut config = config.clone();
                config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
                Arc::new(config)
            };
            let first = if http2_only { with(&[HTTP2]) } else { with(&[HTTP2, HTTP1]) };
            Configs { first, http1: with(&[HTTP1]) }
        });
        if let Err(reason) = &configs {
            tracing::error!(upstream.host = name, reason, "the TLS settings of an upstream cannot be used");
        }
        Self(configs.ok())
    }
}

/// Whether the handshake chose HTTP/2.
pub(super) fn chose_http2(protocol: Option<&[u8]>) -> bool {
    protocol == Some(HTTP2)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn config(tls: &UpstreamTls, verify: bool, roots: &SystemRoots) -> Result<ClientConfig, String> {
    let verifier = match (verify, &tls.ca) {
        (false, _) => Arc::new(Unverified(provider())),
        (true, None) => roots.verifier()?,
        (true, Some(ca)) => authorities(ca)?,
    };
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let (chain, key) = match (&tls.client_chain, &tls.client_key) {
        (None, None) => return Ok(config.with_no_client_auth()),
        (Some(chain), Some(key)) => (chain, key),
        _ => return Err("a client certificate needs both its chain and its key".into()),
    };
    let key =
        key.clear().ok_or("the key of the client certificate is sealed; this gateway needs it in clear")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| "the key of the client certificate is no PEM of a private key")?;
    let chain = certificates(chain).ok_or("the client certificate is no PEM of certificates")?;
    config
        .with_client_auth_cert(chain, key)
        .map_err(|error| format!("the client certificate cannot be used with its key: {error}"))
}

fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok().filter(|certificates| !certificates.is_empty())
}

fn authorities(pem: &str) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let certificates = certificates(pem).ok_or("the authorities to trust are no PEM of certificates")?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(|error| format!("an authority to trust cannot be used: {error}"))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build();
    Ok(verifier.map_err(|error| error.to_string())?)
}

/// Believes every certificate, as the row asks.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
