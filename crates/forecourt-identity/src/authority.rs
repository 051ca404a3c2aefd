//! The installation's own certificate authority: what gateway nodes know their control plane by (docs/nodes.md).
//!
//! Invariant: an authority signs servers of this installation and nothing else, so that whoever holds its certificate,
//! or that certificate's digest, needs to trust no other party.

use forecourt_core::secrets::{PlainSecret, SecretDigest};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};

const NAME: &str = "Forecourt sync authority";

/// Why an authority could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A certificate could not be made.
    #[error("a certificate of the sync authority could not be made: {0}")]
    Made(#[from] rcgen::Error),
    /// What is kept is no certificate.
    #[error("the certificate of the sync authority is not in PEM")]
    Certificate,
}

/// A certificate with its private key, both PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate, or a chain with the server's own first.
    pub chain: String,
    /// The key of the first certificate.
    pub key: PlainSecret,
}

/// A fresh authority.
///
/// # Errors
/// Only where the operating system gives no randomness.
pub fn make() -> Result<Pair, AuthorityError> {
    let key = KeyPair::generate()?;
    let certificate = own_parameters()?.self_signed(&key)?;
    Ok(Pair { chain: certificate.pem(), key: PlainSecret::presented(key.serialize_pem()) })
}

/// A fresh certificate for a server that is reached as `names` (host names and IP addresses), signed by `authority`.
/// The chain ends with the authority's own certificate, so that a node that knows only its digest can check it.
///
/// # Errors
/// When a name is none that a certificate can hold, or `authority` is not what [`make`] gave.
pub fn issue_server(authority: &Pair, names: &[String]) -> Result<Pair, AuthorityError> {
    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(names)?;
    server.distinguished_name.push(DnType::CommonName, "Forecourt control plane");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let signer = Issuer::new(own_parameters()?, KeyPair::from_pem(authority.key.reveal())?);
    let signed = server.signed_by(&key, &signer)?;
    let chain = format!("{}{}", signed.pem(), authority.chain);
    Ok(Pair { chain, key: PlainSecret::presented(key.serialize_pem()) })
}

/// SHA-256 over the DER form of the first certificate in `pem`.
///
/// # Errors
/// When there is none.
pub fn digest(pem: &str) -> Result<SecretDigest, AuthorityError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| AuthorityError::Certificate)?;
    Ok(SecretDigest::of(&der))
}

/// What an authority says of itself; the same each time, since it is signed for again without reading it back. It does
/// not end, and neither does what it signs: a server's key lives no longer than its process, and a node whose clock is
/// wrong must still find its control plane.
fn own_parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut own = CertificateParams::new(Vec::new())?;
    own.distinguished_name = rcgen::DistinguishedName::new();
    own.distinguished_name.push(DnType::CommonName, NAME);
    own.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    own.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    Ok(own)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier},
        crypto::ring,
        pki_types::{ServerName, UnixTime},
    };

    use super::*;

    /// Whether a client that trusts `authority` alone accepts the server as `name`.
    fn accepts(authority: &Pair, server: &Pair, name: &str) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.chain.as_bytes()).unwrap()).unwrap();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(ring::default_provider()));
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(server.chain.as_bytes()).map(Result::unwrap).collect();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let verifier = verifier.build().unwrap();
        verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn a_server_is_known_by_its_names_to_those_who_trust_its_authority_and_to_nobody_else() {
        let (own, other) = (make().unwrap(), make().unwrap());
        let server = issue_server(&own, &["cp.example.com".into(), "127.0.0.1".into()]).unwrap();
        assert!(accepts(&own, &server, "cp.example.com"));
        assert!(accepts(&own, &server, "127.0.0.1"));
        assert!(!accepts(&own, &server, "elsewhere.example.com"));
        assert!(!accepts(&other, &server, "cp.example.com"), "another installation's");
        let second = issue_server(&own, &["second.example.com".into()]).unwrap();
        assert!(accepts(&own, &second, "second.example.com"), "another process of the same installation");
    }

    #[test]
    fn the_last_certificate_of_a_servers_chain_has_the_authoritys_digest() {
        let own = make().unwrap();
        let server = issue_server(&own, &["localhost".into()]).unwrap();
        let last = CertificateDer::pem_slice_iter(server.chain.as_bytes()).last().unwrap().unwrap();
        assert_eq!(SecretDigest::of(&last), digest(&own.chain).unwrap());
        assert_ne!(digest(&server.chain).unwrap(), digest(&own.chain).unwrap());
    }
}
