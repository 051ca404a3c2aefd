//! Keys and algorithms: each verifies its own, and nothing else.

use forecourt_core::{
    gateway_state::{JwtAlgorithm, TokenSecret},
    secrets::KeptSecret,
};

use super::{Algorithm, PublicKey, TokenVerifier};
use crate::tests::signing::Signer;

const ALL: [&str; 12] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
    "EdDSA",
];

fn public(algorithm: JwtAlgorithm, public_key: &str) -> TokenVerifier {
    TokenVerifier::new(&TokenSecret::Public { algorithm, public_key: public_key.into() }, "crd")
}

fn shared(algorithm: JwtAlgorithm, secret: KeptSecret) -> TokenVerifier {
    TokenVerifier::new(&TokenSecret::Shared { algorithm, secret }, "crd")
}

#[test]
fn only_known_algorithms_have_names_and_none_is_none() {
    ALL.into_iter().for_each(|name| assert!(Algorithm::named(name).is_some(), "{name}"));
    for name in ["none", "None", "NONE", "", "hs256", "HS1", "ES512", "ES256K", "RSA-OAEP", "HS256 "] {
        assert_eq!(Algorithm::named(name), None, "{name}");
    }
}

#[test]
fn a_public_key_verifies_the_algorithms_of_its_type_and_no_other() {
    for signer in [
        Signer::rsa("RS256"),
        Signer::rsa("RS384"),
        Signer::rsa("RS512"),
        Signer::rsa("PS256"),
        Signer::rsa("PS384"),
        Signer::rsa("PS512"),
        Signer::fresh("ES256"),
        Signer::fresh("ES384"),
        Signer::fresh("EdDSA"),
    ] {
        let key = PublicKey::from_pem(&signer.pem()).unwrap();
        let signature = signer.signature(b"message");
        for name in ALL {
            let algorithm = Algorithm::named(name).unwrap();
            let verified = key.verifies(algorithm, b"message", &signature);
            assert_eq!(verified, name == signer.algorithm, "{name} for {}", signer.algorithm);
            assert!(key.fits(algorithm) || !verified);
        }
        let algorithm = Algorithm::named(signer.algorithm).unwrap();
        assert!(!key.verifies(algorithm, b"another", &signature));
        assert!(!key.verifies(algorithm, b"message", &[]));
        assert!(!key.verifies(algorithm, b"message", &vec![0; signature.len()]));
    }
}

#[test]
fn a_credential_verifies_its_own_algorithm_only() {
    for (name, algorithm) in
        [("HS256", JwtAlgorithm::Hs256), ("HS384", JwtAlgorithm::Hs384), ("HS512", JwtAlgorithm::Hs512)]
    {
        let signer = Signer::shared(name, "secret");
        let verifier = shared(algorithm, KeptSecret::Clear("secret".into()));
        let signature = signer.signature(b"message");
        for other in ALL {
            let verified = verifier.verifies(Algorithm::named(other).unwrap(), b"message", &signature);
            assert_eq!(verified, other == name, "{other} for {name}");
        }
        assert!(!shared(algorithm, KeptSecret::Clear("secre".into())).verifies(
            Algorithm::named(name).unwrap(),
            b"message",
            &signature
        ));
    }
}

#[test]
fn a_public_key_is_never_a_shared_secret() {
    let pem = Signer::rsa("RS256").pem();
    let verifier = public(JwtAlgorithm::Rs256, &pem);
    let forged = Signer::shared("HS256", &pem).signature(b"message");
    assert!(!verifier.verifies(Algorithm::Hs256, b"message", &forged));
    assert!(!verifier.verifies(Algorithm::Rs256, b"message", &forged));
}

#[test]
fn a_secret_that_cannot_be_used_verifies_nothing() {
    let rsa = Signer::rsa("RS256");
    let signature = rsa.signature(b"message");
    let private = rsa.pem().replace("PUBLIC", "PRIVATE");
    let broken = rsa.pem().replace("MII", "MIA");
    for (why, verifier) in [
        ("sealed", shared(JwtAlgorithm::Hs256, KeptSecret::Sealed("secret".into()))),
        ("empty", shared(JwtAlgorithm::Hs256, KeptSecret::Clear(String::new()))),
        ("a shared secret for RS256", shared(JwtAlgorithm::Rs256, KeptSecret::Clear(rsa.pem()))),
        ("a public key for HS256", public(JwtAlgorithm::Hs256, &rsa.pem())),
        ("an RSA key for ES256", public(JwtAlgorithm::Es256, &rsa.pem())),
        ("a P-384 key for ES256", public(JwtAlgorithm::Es256, &Signer::fresh("ES384").pem())),
        ("no PEM", public(JwtAlgorithm::Rs256, "key")),
        ("another label", public(JwtAlgorithm::Rs256, &private)),
        ("broken DER", public(JwtAlgorithm::Rs256, &broken)),
        ("no key", public(JwtAlgorithm::Rs256, "")),
    ] {
        for name in ALL {
            let algorithm = Algorithm::named(name).unwrap();
            assert!(!verifier.accepts(algorithm), "{why}");
            assert!(!verifier.verifies(algorithm, b"message", &signature), "{why}");
            let empty = Signer::shared("HS256", "").signature(b"message");
            assert!(!verifier.verifies(algorithm, b"message", &empty), "{why}");
        }
    }
    assert!(public(JwtAlgorithm::Rs256, &rsa.pem()).verifies(Algorithm::Rs256, b"message", &signature));
}

#[test]
fn small_and_huge_rsa_keys_are_refused() {
    for (bytes, accepted) in [(128, false), (255, false), (256, true), (1_024, true), (1_025, false)] {
        assert_eq!(PublicKey::rsa(&vec![0xff; bytes], &[1, 0, 1]).is_some(), accepted, "{bytes}");
    }
    assert!(PublicKey::rsa(&[0xff; 256], &[]).is_none());
    assert!(PublicKey::rsa(&[0xff; 256], &[1; 6]).is_none());
    assert!(PublicKey::rsa(&[0; 300], &[1, 0, 1]).is_none(), "leading zeros do not count");
}

#[test]
fn a_name_that_nobody_has_costs_a_verification_of_each_algorithm() {
    for name in ALL {
        super::spend(Algorithm::named(name).unwrap(), b"message", &[0x11; 256]);
    }
    assert!(PublicKey::rsa(&[0xff; 256], &[1, 0, 1]).is_some(), "the key that is spent on");
    let on_curve =
        ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, super::P256_BASE);
    assert!(on_curve.verify(b"message", &[0x11; 64]).is_err());
}
