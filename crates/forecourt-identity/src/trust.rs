//! Which servers' certificates our own TLS connections believe: those of the platform's authorities, those of authorities
//! that a setting names, or all of them where a setting says so.

use std::sync::Arc;

use forecourt_core::secrets::PlainSecret;
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;

/// Why a connection has no TLS where reading its settings panicked: what it said may quote them.
pub(crate) const INTERRUPTED: &str = "the settings of TLS could not be read";

/// Whom to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The platform's authorities.
    Platform,
    /// These alone, PEM.
    Authorities(String),
    /// Everybody: a setting switched verification off.
    Everybody,
}

/// A certificate that we show, PEM, with its key.
#[derive(Clone, Debug)]
pub(crate) struct OwnCertificate {
    pub(crate) chain: String,
    pub(crate) key: PlainSecret,
}

/// The TLS of a connection. Reads the platform's authorities from disk where they are believed.
///
/// # Errors
/// A sentence about what cannot be used; it quotes nothing of a key.
pub(crate) fn client_config(trust: &Trust, own: Option<&OwnCertificate>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let builder = match trust {
        Trust::Platform => builder
            .with_platform_verifier()
            .map_err(|error| format!("the platform's certificate authorities cannot be used: {error}"))?,
        Trust::Authorities(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem).ok_or("the authorities to trust are no PEM")? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("an authority to trust cannot be used: {error}"))?;
            }
            builder.with_root_certificates(roots)
        }
        Trust::Everybody => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        }
    };
    let Some(own) = own else { return Ok(builder.with_no_client_auth()) };
    let chain = certificates(&own.chain).ok_or("the client certificate is no PEM")?;
    let key = PrivateKeyDer::from_pem_slice(own.key.reveal().as_bytes())
        .map_err(|_| "the key of the client certificate is no PEM of a private key")?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|_| "the client certificate cannot be used with its key".to_owned())
}

fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok().filter(|certificates| !certificates.is_empty())
}

/// Believes every certificate, as a setting asks.
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
