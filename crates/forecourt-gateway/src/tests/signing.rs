//! Signers of tokens: what a developer or a provider does on its own side.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        KeyPair, RsaKeyPair,
    },
};
use serde_json::{Value, json};

/// Somebody who signs tokens, always with the same algorithm.
pub(crate) struct Signer {
    pub(crate) algorithm: &'static str,
    key: Key,
}

enum Key {
    Shared(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub(crate) fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(crate) fn shared(algorithm: &'static str, secret: impl AsRef<[u8]>) -> Self {
        Self { algorithm, key: Key::Shared(secret.as_ref().to_vec()) }
    }

    /// One of 2048 bits; the same key every time.
    pub(crate) fn rsa(algorithm: &'static str) -> Self {
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("rsa_test_key.p8")).unwrap();
        Self { algorithm, key: Key::Rsa(Box::new(pair)) }
    }

    /// `ES256`, `ES384` or `EdDSA` with a fresh key.
    pub(crate) fn fresh(algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let ecdsa = |kind| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            Key::Ecdsa(EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap())
        };
        let key = match algorithm {
            "ES256" => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Key::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
            other => panic!("{other}"),
        };
        Self { algorithm, key }
    }

    /// A token with these claims, and these header members beside `alg`.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let mut whole = json!({ "alg": self.algorithm });
        whole.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        self.token_of(&whole.to_string(), &claims.to_string())
    }

    /// A token with exactly these texts as header and claims.
    pub(crate) fn token_of(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        format!("{signed}.{}", encoded(self.signature(signed.as_bytes())))
    }

    pub(crate) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.key {
            Key::Shared(secret) => {
                let mac = match self.algorithm {
                    "HS256" => hmac::HMAC_SHA256,
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    other => panic!("{other}"),
                };
                hmac::sign(&hmac::Key::new(mac, secret), message).as_ref().to_vec()
            }
            Key::Rsa(pair) => {
                let encoding: &dyn signature::RsaEncoding = match self.algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("{other}"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Key::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// Its public key as a JWK.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let point = |curve: &str, bytes: &[u8]| {
            let (x, y) = bytes[1..].split_at((bytes.len() - 1) / 2);
            json!({ "kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y) })
        };
        let mut key = match &self.key {
            Key::Shared(secret) => json!({ "kty": "oct", "k": encoded(secret) }),
            Key::Rsa(pair) => {
                let public: signature::RsaPublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({ "kty": "RSA", "n": encoded(public.n), "e": encoded(public.e) })
            }
            Key::Ecdsa(pair) => match pair.public_key().as_ref() {
                bytes if bytes.len() == 65 => point("P-256", bytes),
                bytes => point("P-384", bytes),
            },
            Key::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encoded(pair.public_key()) })
            }
        };
        key["kid"] = kid.into();
        key
    }

    /// Its public key as a `SubjectPublicKeyInfo` in PEM.
    pub(crate) fn pem(&self) -> String {
        let info = match &self.key {
            Key::Shared(_) => panic!("a shared secret has no public key"),
            Key::Rsa(pair) => {
                let start = hex::decode("30820122300d06092a864886f70d01010105000382010f00").unwrap();
                [&start, pair.public_key().as_ref()].concat()
            }
            Key::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                let start = match point.len() {
                    65 => "3059301306072a8648ce3d020106082a8648ce3d030107034200",
                    _ => "3076301006072a8648ce3d020106052b81040022036200",
                };
                [&hex::decode(start).unwrap(), point].concat()
            }
            Key::Ed25519(pair) => {
                [&hex::decode("302a300506032b6570032100").unwrap(), pair.public_key().as_ref()].concat()
            }
        };
        let text = BASE64_STANDARD.encode(info);
        let lines: Vec<_> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }
}
