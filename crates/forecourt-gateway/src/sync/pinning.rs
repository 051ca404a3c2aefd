//! Whom a node believes to be its control plane: whoever shows a certificate for the right name, issued by the one
//! authority that the node's token names.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::BuilderVerifierExt;
use sha2::{Digest, Sha256};

/// What a node is told about TLS.
#[derive(Clone, Debug, Default)]
pub struct NodeTls {
    /// Certificates in PEM of the only authorities to believe, in the place of the one that the token names.
    pub authorities: Option<Vec<u8>>,
    /// The node's own certificate, with its chain, and its key, both in PEM.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// The TLS of calls to a control plane.
///
/// # Errors
/// A sentence about what is wrong with the files.
pub(crate) fn client_config(tls: &NodeTls, authority: Option<[u8; 32]>) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let builder = match (&tls.authorities, authority) {
        (Some(pem), _) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(pem, "the file of the certificate authority")? {
                roots
                    .add(certificate)
                    .map_err(|error| format!("the certificate authority cannot be used: {error}"))?;
            }
            builder.with_root_certificates(roots)
        }
        (None, Some(digest)) => {
            let verifier = Arc::new(Pinned { digest, provider });
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        (None, None) => builder
            .with_platform_verifier()
            .map_err(|error| format!("the platform's certificate authorities cannot be used: {error}"))?,
    };
    let mut config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = certificates(chain, "the file of the node's certificate")?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|error| format!("the file of the node's key has no key in PEM: {error}"))?;
            let fitting = builder.with_client_auth_cert(chain, key);
            fitting.map_err(|error| format!("the node's certificate and key cannot be used: {error}"))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(pem: &[u8], file: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(format!("{file} has no certificate in PEM")),
        Err(error) => Err(format!("{file} cannot be read as PEM: {error}")),
    }
}

/// Believes one authority, which must be among the certificates that are shown.
#[derive(Debug)]
struct Pinned {
    digest: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = others.iter().find(|certificate| {
            let digest: [u8; 32] = Sha256::digest(certificate.as_ref()).into();
            digest == self.digest
        });
        let authority = authority.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider)).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(leaf, others, name, stapled, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "../tests/sync/pinning.rs"]
mod tests;
