//! Reading certificates and their keys: what an administrator gives must work when a gateway shows it.
//!
//! Invariant: a pair that passes [`read`] can be served as it is: the key belongs to the first certificate, and each
//! further certificate issued the one before it.

use forecourt_core::{certificates::LeafFacts, secrets::PlainSecret, time::Timestamp};
use rustls::{
    Error as TlsError,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What is wrong with a chain or its key, in words to be read after the member that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    /// There is no certificate, or one that cannot be read.
    #[error("must be certificates in PEM, the one that the key belongs to first")]
    Chain,
    /// A certificate was not issued by the next one.
    #[error("must have each certificate followed by the one that issued it")]
    Order,
    /// The key cannot be read, or is of a type that is not served. Nothing of it is quoted.
    #[error(
        "must be one unencrypted private key in PEM: RSA (2048 to 4096 bits), EC P-256 or P-384, or Ed25519"
    )]
    Key,
    /// The key belongs to another certificate.
    #[error("does not fit the certificate: give the key that it was issued for")]
    Fit,
}

impl CertificateProblem {
    /// Whether it is the key that is wrong, and not the chain.
    pub const fn is_of_key(self) -> bool {
        matches!(self, Self::Key | Self::Fit)
    }
}

/// What the first certificate of `chain` (PEM) says, once `key` (PEM) was found to be its own.
///
/// # Errors
/// See [`CertificateProblem`].
pub fn read(chain: &str, key: &PlainSecret) -> Result<LeafFacts, CertificateProblem> {
    let chain = chain_of(chain)?;
    let leaf = chain.first().ok_or(CertificateProblem::Chain)?;
    let (_, parsed) = X509Certificate::from_der(leaf).map_err(|_| CertificateProblem::Chain)?;
    let facts = facts(&parsed);
    refuse_disorder(&chain)?;
    let mut keys = PrivateKeyDer::pem_slice_iter(key.reveal().as_bytes());
    let (Some(Ok(key)), None) = (keys.next(), keys.next()) else { return Err(CertificateProblem::Key) };
    let key = any_supported_type(&key).map_err(|_| CertificateProblem::Key)?;
    match CertifiedKey::new(chain, key).keys_match() {
        Ok(()) => Ok(facts),
        Err(TlsError::InconsistentKeys(_)) => Err(CertificateProblem::Fit),
        Err(_) => Err(CertificateProblem::Chain),
    }
}

/// Whether `pem` holds at least one certificate, and nothing but certificates that can be read.
pub fn are_authorities(pem: &str) -> bool {
    chain_of(pem).is_ok_and(|chain| chain.iter().all(|der| X509Certificate::from_der(der).is_ok()))
}

fn chain_of(pem: &str) -> Result<Vec<CertificateDer<'static>>, CertificateProblem> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    chain.ok().filter(|chain| !chain.is_empty()).ok_or(CertificateProblem::Chain)
}

fn refuse_disorder(chain: &[CertificateDer<'_>]) -> Result<(), CertificateProblem> {
    let mut issuer: Option<Vec<u8>> = None;
    for der in chain {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| CertificateProblem::Chain)?;
        if issuer.is_some_and(|issuer| issuer != certificate.subject().as_raw()) {
            return Err(CertificateProblem::Order);
        }
        issuer = Some(certificate.issuer().as_raw().to_vec());
    }
    Ok(())
}

fn facts(leaf: &X509Certificate<'_>) -> LeafFacts {
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let names = match alternative {
        Some(names) => names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            })
            .collect(),
        None => {
            let common = leaf.subject().iter_common_name().filter_map(|name| name.as_str().ok());
            common.map(str::to_owned).collect()
        }
    };
    let validity = leaf.validity();
    LeafFacts {
        names,
        not_before: Timestamp::from_seconds(validity.not_before.timestamp()),
        not_after: Timestamp::from_seconds(validity.not_after.timestamp()),
        not_after_text: validity.not_after.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
