//! How long the chain between a caller's certificate and its authority may be (`client.depth`, docs/gateway.md §16).
//!
//! Invariant: this only ever refuses more. Whether a certificate is any good is decided by the verifier of rustls that
//! is wrapped here, and by it alone; look in `certificates.rs` for how it is made.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

/// Demands a certificate of callers, with at most so many others between it and its authority.
#[derive(Debug)]
struct ShortChains {
    inner: Arc<dyn ClientCertVerifier>,
    authorities: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    most: usize,
}

/// What demands a certificate that one of these authorities vouches for, over at most `most` others; `None`: over as
/// many as can be verified.
///
/// # Errors
/// A sentence about the authorities.
pub(crate) fn verifier(
    authorities: RootCertStore,
    provider: Arc<CryptoProvider>,
    most: Option<u32>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let authorities = Arc::new(authorities);
    let algorithms = provider.signature_verification_algorithms;
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities), provider);
    let inner = inner.build().map_err(|error| error.to_string())?;
    match most.and_then(|most| usize::try_from(most).ok()) {
        Some(most) => Ok(Arc::new(ShortChains { inner, authorities, algorithms, most })),
        None => Ok(inner),
    }
}

impl ShortChains {
    /// Whether some way from `leaf` to an authority is short enough. Callers may send more than the way takes.
    fn is_short(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), webpki::Error> {
        if sent.len() <= self.most {
            return Ok(());
        }
        let leaf = webpki::EndEntityCert::try_from(leaf)?;
        let is_short = |path: &webpki::VerifiedPath<'_>| match path.intermediate_certificates().count() {
            count if count <= self.most => Ok(()),
            _ => Err(webpki::Error::PathLenConstraintViolated),
        };
        let usage = webpki::KeyUsage::client_auth();
        let (algorithms, roots) = (self.algorithms.all, &self.authorities.roots);
        leaf.verify_for_usage(algorithms, roots, sent, now, usage, None, Some(&is_short)).map(drop)
    }
}

impl ClientCertVerifier for ShortChains {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(leaf, sent, now)?;
        match self.is_short(leaf, sent, now) {
            Ok(()) => Ok(verified),
            // As OpenSSL tells it of a chain that is too long: to this server the authority is not known.
            Err(_) => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
