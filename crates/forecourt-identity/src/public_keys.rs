//! Public keys that verify tokens: whether a PEM text is one, and of the type that its algorithm needs.

use forecourt_core::gateway_state::JwtAlgorithm;
use rustls::pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};
use x509_parser::{
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_SIG_ED25519},
    prelude::{FromDer, SubjectPublicKeyInfo},
    public_key::PublicKey,
};

/// What is wrong with a public key, in words to be read after the member that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyProblem {
    /// It cannot be read.
    #[error("must be one public key in PEM, which begins with -----BEGIN PUBLIC KEY-----")]
    Form,
    /// It is of another type.
    #[error("must be {0}, as its algorithm needs")]
    Type(&'static str),
}

/// Checks that `pem` is the public key of a signer with `algorithm`.
///
/// # Errors
/// When it cannot be read, is of another type, or the algorithm has no public keys.
pub fn check(pem: &str, algorithm: JwtAlgorithm) -> Result<(), PublicKeyProblem> {
    let mut found = SubjectPublicKeyInfoDer::pem_slice_iter(pem.as_bytes());
    let (Some(Ok(der)), None) = (found.next(), found.next()) else { return Err(PublicKeyProblem::Form) };
    let (rest, key) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| PublicKeyProblem::Form)?;
    if !rest.is_empty() {
        return Err(PublicKeyProblem::Form);
    }
    let kind = &key.algorithm.algorithm;
    let (fits, wanted) = match algorithm {
        JwtAlgorithm::Rs256 => (is_strong_rsa(&key), "an RSA key of 2048 to 8192 bits"),
        JwtAlgorithm::Es256 => {
            let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            // A point in full: one byte that says so, and two coordinates of 32 bytes.
            let point = key.subject_public_key.data.len() == 65;
            let fits = *kind == OID_KEY_TYPE_EC_PUBLIC_KEY && curve == Some(OID_EC_P256) && point;
            (fits, "an EC key on P-256")
        }
        JwtAlgorithm::EdDsa => {
            (*kind == OID_SIG_ED25519 && key.subject_public_key.data.len() == 32, "an Ed25519 key")
        }
        JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512 => (false, "a shared secret"),
    };
    if fits { Ok(()) } else { Err(PublicKeyProblem::Type(wanted)) }
}

fn is_strong_rsa(key: &SubjectPublicKeyInfo<'_>) -> bool {
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => (2_048..=8_192).contains(&rsa.key_size()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData};

    use super::*;
    use crate::certificates::tests::RSA_KEY;

    fn pem(der: &[u8]) -> String {
        use base64::{Engine, engine::general_purpose::STANDARD};
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    #[test]
    fn a_public_key_is_taken_for_its_own_algorithm_only() {
        let made = |kind| pem(&KeyPair::generate_for(kind).unwrap().subject_public_key_info());
        let rsa = pem(&KeyPair::from_pem(RSA_KEY).unwrap().subject_public_key_info());
        let keys = [
            (JwtAlgorithm::Rs256, rsa),
            (JwtAlgorithm::Es256, made(&PKCS_ECDSA_P256_SHA256)),
            (JwtAlgorithm::EdDsa, made(&PKCS_ED25519)),
        ];
        for (own, key) in &keys {
            for algorithm in JwtAlgorithm::ALL {
                assert_eq!(check(key, *algorithm).is_ok(), own == algorithm, "{own:?} {algorithm:?}");
            }
        }
        let p384 = made(&PKCS_ECDSA_P384_SHA384);
        assert_eq!(check(&p384, JwtAlgorithm::Es256), Err(PublicKeyProblem::Type("an EC key on P-256")));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let own = pem(&KeyPair::generate_for(&PKCS_ED25519).unwrap().subject_public_key_info());
        let private = KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_pem();
        for text in ["", "x", &pem(b"x"), &private, &format!("{own}{own}")] {
            assert_eq!(check(text, JwtAlgorithm::EdDsa), Err(PublicKeyProblem::Form), "{text}");
        }
    }
}
