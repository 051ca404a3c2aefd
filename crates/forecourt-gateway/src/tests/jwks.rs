//! Key sets: which keys count, and which key a token is verified with.

use serde_json::{Value, json};

use super::{KeySet, Signed};
use crate::{
    jwt::Token,
    tests::signing::{Signer, encoded},
};

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn asked(set: &KeySet, signer: &Signer, header: Value) -> Signed {
    let text = signer.token(&header, &json!({}));
    set.signed(&Token::read(&text).unwrap())
}

fn with(mut key: Value, member: &str, value: impl Into<Value>) -> Value {
    key[member] = value.into();
    key
}

#[test]
fn every_asymmetric_algorithm_is_verified_with_its_key() {
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
        let set = set(&[Signer::fresh("ES256").jwk("other"), signer.jwk("own")]);
        assert_eq!(asked(&set, &signer, json!({ "kid": "own" })), Signed::Yes, "{}", signer.algorithm);
        assert_eq!(asked(&set, &signer, json!({})), Signed::Yes, "{} without kid", signer.algorithm);
        assert_eq!(asked(&set, &signer, json!({ "kid": "other" })), Signed::No, "{}", signer.algorithm);
        assert_eq!(asked(&set, &signer, json!({ "kid": "new" })), Signed::UnknownKey);
    }
}

#[test]
fn a_key_for_something_else_does_not_count() {
    let signer = Signer::rsa("RS256");
    let key = signer.jwk("k");
    for (why, key, counts) in [
        ("as it is", key.clone(), true),
        ("for signatures", with(key.clone(), "use", "sig"), true),
        ("for encryption", with(key.clone(), "use", "enc"), false),
        ("for something unknown", with(key.clone(), "use", 7), false),
        ("to verify", with(key.clone(), "key_ops", json!(["verify"])), true),
        ("to encrypt", with(key.clone(), "key_ops", json!(["encrypt"])), false),
        ("operations that are no list", with(key.clone(), "key_ops", "verify"), false),
        ("its own algorithm", with(key.clone(), "alg", "RS256"), true),
        ("another algorithm", with(key.clone(), "alg", "RS512"), false),
        ("an algorithm of another type", with(key.clone(), "alg", "HS256"), false),
        ("an unknown algorithm", with(key.clone(), "alg", "RSA-OAEP"), false),
        ("another type", with(key.clone(), "kty", "EC"), false),
        ("no modulus", with(key.clone(), "n", Value::Null), false),
        ("a short modulus", with(key.clone(), "n", encoded([0xff; 128])), false),
        ("a padded modulus", with(key.clone(), "n", format!("{}=", key["n"].as_str().unwrap())), false),
        ("a kid that is no text", with(key.clone(), "kid", 7), false),
    ] {
        let expected = if counts { Signed::Yes } else { Signed::UnknownKey };
        assert_eq!(asked(&set(&[key]), &signer, json!({})), expected, "{why}");
    }
}

#[test]
fn a_public_key_cannot_be_taken_for_a_secret() {
    let rsa = Signer::rsa("RS256");
    let modulus = rsa.jwk("k")["n"].as_str().unwrap().to_owned();
    let sets = [
        set(&[rsa.jwk("k")]),
        set(&[with(rsa.jwk("k"), "alg", "HS256")]),
        set(&[Signer::shared("HS256", "secret").jwk("k")]),
        set(&[with(Signer::shared("HS256", "secret").jwk("k"), "n", modulus)]),
    ];
    for secret in [rsa.pem(), "secret".into(), String::new()] {
        let forger = Signer::shared("HS256", secret);
        for set in &sets {
            assert_ne!(asked(set, &forger, json!({ "kid": "k" })), Signed::Yes);
            assert_ne!(asked(set, &forger, json!({})), Signed::Yes);
        }
    }
}

#[test]
fn what_is_no_key_set_is_none_and_what_is_no_key_is_left_out() {
    for junk in ["", "{", "[]", "7", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, "<html>"] {
        assert!(KeySet::read(junk.as_bytes()).is_none(), "{junk}");
    }
    let deep = format!(r#"{{"keys":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(KeySet::read(deep.as_bytes()).is_none());
    let signer = Signer::fresh("ES256");
    let junk = [json!(null), json!(7), json!("key"), json!({}), json!({ "kty": "RSA" }), json!([[]])];
    let keys: Vec<_> = junk.into_iter().chain([signer.jwk("k")]).collect();
    assert_eq!(set(&keys).len(), 1);
    assert_eq!(set(&[]).len(), 0);
    let crowd: Vec<_> = (0..150).map(|n| signer.jwk(&n.to_string())).collect();
    assert_eq!(set(&crowd).len(), 100);
}

#[test]
fn a_point_of_the_wrong_length_or_off_the_curve_verifies_nothing() {
    let signer = Signer::fresh("ES256");
    for (member, bytes, counts) in [("x", 31, 0), ("y", 33, 0), ("x", 32, 1)] {
        let set = set(&[with(signer.jwk("k"), member, encoded(vec![7; bytes]))]);
        assert_eq!(set.len(), counts);
        assert_ne!(asked(&set, &signer, json!({ "kid": "k" })), Signed::Yes);
    }
}
