//! Reading public keys that people register, so that one that verifies nothing is refused when it is given.

use forecourt_core::gateway_state::JwtAlgorithm;
use x509_parser::{pem::parse_x509_pem, prelude::FromDer, public_key::PublicKey, x509::SubjectPublicKeyInfo};

/// The shortest modulus of an RSA key, in bits (RFC 7518 §3.3).
const SHORTEST_RSA: usize = 2_048;
/// The longest one that gateways verify with, in bits.
const LONGEST_RSA: usize = 8_192;
/// `prime256v1` (RFC 5480 §2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";
/// `id-Ed25519` (RFC 8410 §3).
const ED25519: &str = "1.3.101.112";

/// Checks that `pem` is a `SubjectPublicKeyInfo` (`-----BEGIN PUBLIC KEY-----`) that fits `algorithm`.
///
/// # Errors
/// What is wrong with it, to follow the name of the member.
pub fn check(algorithm: JwtAlgorithm, pem: &str) -> Result<(), String> {
    let wanted = match algorithm {
        JwtAlgorithm::Rs256 => "an RSA key of 2048 to 8192 bits",
        JwtAlgorithm::Es256 => "a key on the curve P-256",
        JwtAlgorithm::EdDsa => "an Ed25519 key",
        JwtAlgorithm::Hs256 | JwtAlgorithm::Hs384 | JwtAlgorithm::Hs512 => {
            return Err(format!("{} takes no public key", algorithm.name()));
        }
    };
    let unreadable = || "must be a public key in PEM (-----BEGIN PUBLIC KEY-----)".to_owned();
    let (rest, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| unreadable())?;
    if block.label != "PUBLIC KEY" || !rest.trim_ascii().is_empty() {
        return Err(unreadable());
    }
    let (_, key) = SubjectPublicKeyInfo::from_der(&block.contents).map_err(|_| unreadable())?;
    if fits(algorithm, &key) { Ok(()) } else { Err(format!("must be {wanted} with {}", algorithm.name())) }
}

fn fits(algorithm: JwtAlgorithm, key: &SubjectPublicKeyInfo<'_>) -> bool {
    let curve = || key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
    match (algorithm, key.parsed()) {
        (JwtAlgorithm::Rs256, Ok(PublicKey::RSA(rsa))) => {
            (SHORTEST_RSA..=LONGEST_RSA).contains(&rsa.key_size())
        }
        (JwtAlgorithm::Es256, Ok(PublicKey::EC(point))) => {
            // Uncompressed: a byte 4, and two coordinates.
            curve().is_some_and(|curve| curve.to_id_string() == P256) && point.data().len() == 65
        }
        (JwtAlgorithm::EdDsa, _) => {
            key.algorithm.algorithm.to_id_string() == ED25519 && key.subject_public_key.data.len() == 32
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJ9KHdBahKvKwaqSPuGSF+X8+0tXA\n\
        snzlaDKKtljpRvlH7UCdOlo4QvDnSf4A8vdIEDKr9X0Lwleh4AzrjnDj5Q==\n\
        -----END PUBLIC KEY-----\n";
    const ED25519_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAA1dBAtGOMczRJaV1JsStt6sS3SVkMzJurnHw5K0r+mM=\n-----END PUBLIC KEY-----\n";
    const RSA_2048_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA3LNyVjsRoIFfR1CCa+kU\n\
        LwmVLBwE4W8v0deVc9AkoddKQxB9+ZSIQ5bL1dC8Z+MN5iXzmRdLvMxA+X6mzDDS\n\
        kCpCgXXiLP54XRg6g7YdLVNTUHTkpX9/xXvRZFmCyxK/6pX7e3pLv89XsHKdRPkz\n\
        VjsQ00Ci6x+Gow3RSGmBoglpy/xZc2nhGhH92M7tD5eLd5ALL6DfUg+2T6Vjk9ly\n\
        JL0ejK6D7Q9k0aEt/h5YhWG1poSEt4jU2dCVBuAQudmFNPbMD1fdoy9/8rZkLz2X\n\
        lYiNji1ahcEG+p0bs9ms5vmzgzNFiUj0nIEfskzGvovolxwZjho48bQCEvzxU35O\n\
        CQIDAQAB\n\
        -----END PUBLIC KEY-----\n";
    const RSA_1024_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCctaG+L0AycqYW6N7JAPrCRmrK\n\
        zNzJkxmtXZGZsgBQctvisUARJyyk0Jp07TabhJEQkPGsZLsYqFcTVzwbtpABz6Td\n\
        MXwuk5U0GStTIE1ikhU5SE/2KC96KP/PWGp6NIcSkxGKU/EPxOGD9Kl3pk9YWBOG\n\
        vHZtzelU6CJ9eK51IwIDAQAB\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn a_key_fits_its_own_algorithm_only() {
        let keys = [
            (JwtAlgorithm::Es256, P256_KEY),
            (JwtAlgorithm::EdDsa, ED25519_KEY),
            (JwtAlgorithm::Rs256, RSA_2048_KEY),
        ];
        for (own, key) in keys {
            for algorithm in JwtAlgorithm::ALL {
                assert_eq!(check(*algorithm, key).is_ok(), *algorithm == own, "{algorithm:?} with {own:?}'s");
            }
        }
        assert!(check(JwtAlgorithm::Rs256, RSA_1024_KEY).unwrap_err().contains("2048"));
    }

    #[test]
    fn what_is_no_public_key_is_refused() {
        let private = ED25519_KEY.replace("PUBLIC", "PRIVATE");
        let twice = format!("{ED25519_KEY}{ED25519_KEY}");
        for text in
            ["", "no", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", &private, &twice]
        {
            assert!(check(JwtAlgorithm::EdDsa, text).unwrap_err().contains("PEM"), "{text}");
        }
    }
}
