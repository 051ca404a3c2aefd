//! Signatures of tokens: the algorithms, and the keys that verify them.
//!
//! Invariant: a key verifies only algorithms of its own type, whatever a token or a key set says, so that a public
//! key can never be taken for a shared secret. Tokens are read in `jwt.rs`.

use forecourt_core::{
    gateway_state::{JwtAlgorithm, TokenSecret},
    secrets::{KeptSecret, SecretDigest},
};
use ring::{
    hmac,
    signature::{self, RsaPublicKeyComponents, UnparsedPublicKey},
};
use x509_parser::{pem::parse_x509_pem, prelude::FromDer, public_key::PublicKey as Parsed, x509};

/// A JWS algorithm that this gateway verifies (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// The algorithm of this name; `none` is none.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    /// Whether signer and verifier share one secret.
    pub(crate) const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

impl From<JwtAlgorithm> for Algorithm {
    fn from(algorithm: JwtAlgorithm) -> Self {
        match algorithm {
            JwtAlgorithm::Hs256 => Self::Hs256,
            JwtAlgorithm::Hs384 => Self::Hs384,
            JwtAlgorithm::Hs512 => Self::Hs512,
            JwtAlgorithm::Rs256 => Self::Rs256,
            JwtAlgorithm::Es256 => Self::Es256,
            JwtAlgorithm::EdDsa => Self::EdDsa,
        }
    }
}

/// A signer's public key.
pub(crate) enum PublicKey {
    /// RSA of 2048 to 8192 bits: modulus and exponent, big-endian without leading zeros.
    Rsa { modulus: Box<[u8]>, exponent: Box<[u8]> },
    /// P-256: the uncompressed point.
    P256(Box<[u8]>),
    /// P-384: the uncompressed point.
    P384(Box<[u8]>),
    /// Ed25519.
    Ed25519(Box<[u8]>),
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo` in PEM; `Err` says what is wrong with it.
    pub(crate) fn from_pem(text: &str) -> Result<Self, &'static str> {
        let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| "the public key is no PEM")?;
        if pem.label != "PUBLIC KEY" {
            return Err("the public key's PEM is not labelled PUBLIC KEY");
        }
        let malformed = "the public key is no SubjectPublicKeyInfo";
        let (rest, info) = x509::SubjectPublicKeyInfo::from_der(&pem.contents).map_err(|_| malformed)?;
        if !rest.is_empty() {
            return Err(malformed);
        }
        let bits: Box<[u8]> = info.subject_public_key.data.as_ref().into();
        let curve = info.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        match (info.algorithm.algorithm.to_id_string().as_str(), info.parsed()) {
            ("1.2.840.113549.1.1.1", Ok(Parsed::RSA(rsa))) => Self::rsa(rsa.modulus, rsa.exponent)
                .ok_or("the RSA key has fewer than 2048 or more than 8192 bits"),
            ("1.2.840.10045.2.1", _) => match curve.map(|curve| curve.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") if bits.len() == 65 => Ok(Self::P256(bits)),
                Some("1.3.132.0.34") if bits.len() == 97 => Ok(Self::P384(bits)),
                _ => Err("the EC key is not an uncompressed point of P-256 or P-384"),
            },
            ("1.3.101.112", _) if bits.len() == 32 => Ok(Self::Ed25519(bits)),
            _ => Err("the public key is neither RSA, nor EC, nor Ed25519"),
        }
    }

    /// An RSA key, if it has a size that is accepted.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let [modulus, exponent] = [modulus, exponent].map(without_leading_zeros);
        let sizes = (256..=1_024).contains(&modulus.len()) && (1..=5).contains(&exponent.len());
        sizes.then(|| Self::Rsa { modulus: modulus.into(), exponent: exponent.into() })
    }

    /// Whether its type is the algorithm's.
    pub(crate) const fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        match self {
            Self::Rsa { .. } => {
                matches!(algorithm, A::Rs256 | A::Rs384 | A::Rs512 | A::Ps256 | A::Ps384 | A::Ps512)
            }
            Self::P256(_) => matches!(algorithm, A::Es256),
            Self::P384(_) => matches!(algorithm, A::Es384),
            Self::Ed25519(_) => matches!(algorithm, A::EdDsa),
        }
    }

    /// Whether this is the key owner's signature of `message` by this algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let verified = match (self, algorithm) {
            (Self::Rsa { modulus, exponent }, _) => {
                let parameters = match algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return false,
                };
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(parameters, message, signature)
            }
            (Self::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Self::P384(point), Algorithm::Es384) => {
                UnparsedPublicKey::new(&signature::ECDSA_P384_SHA384_FIXED, point).verify(message, signature)
            }
            (Self::Ed25519(point), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&signature::ED25519, point).verify(message, signature)
            }
            _ => return false,
        };
        verified.is_ok()
    }
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// What verifies the tokens that name one credential; the algorithm is part of it.
pub(crate) struct TokenVerifier {
    algorithm: Algorithm,
    key: VerifyingKey,
    source: SecretDigest,
}

enum VerifyingKey {
    Shared(Box<[u8]>),
    Public(PublicKey),
    /// It verifies nothing.
    Unusable,
}

impl TokenVerifier {
    /// Reads a credential's secret. One that cannot be used verifies nothing, and the log says why.
    pub(crate) fn new(secret: &TokenSecret, credential: &str) -> Self {
        let (algorithm, key) = match secret {
            TokenSecret::Shared { algorithm, secret } => {
                let key = match secret.clear() {
                    _ if !algorithm.is_symmetric() => Err("its algorithm needs a public key, not a secret"),
                    None => Err("its secret came sealed"),
                    Some("") => Err("its secret is empty"),
                    Some(secret) => Ok(VerifyingKey::Shared(secret.as_bytes().into())),
                };
                (Algorithm::from(*algorithm), key)
            }
            TokenSecret::Public { algorithm, public_key } => {
                let algorithm = Algorithm::from(*algorithm);
                let key = PublicKey::from_pem(public_key).and_then(|key| {
                    let fitting = key.fits(algorithm).then_some(VerifyingKey::Public(key));
                    fitting.ok_or("its public key is of another type than its algorithm")
                });
                (algorithm, key)
            }
        };
        let key = key.unwrap_or_else(|reason| {
            tracing::error!(credential, reason, "a jwt-auth credential is unusable and opens nothing");
            VerifyingKey::Unusable
        });
        Self { algorithm, key, source: digest(secret) }
    }

    /// Whether it was read from this secret.
    pub(crate) fn is(&self, secret: &TokenSecret) -> bool {
        self.source == digest(secret)
    }

    /// The digest of the secret it was read from.
    pub(crate) const fn source(&self) -> &SecretDigest {
        &self.source
    }

    /// Whether `message` was signed for this credential. A token of another algorithm never was.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        algorithm == self.algorithm
            && match &self.key {
                VerifyingKey::Shared(secret) => verifies_shared(algorithm, secret, message, signature),
                VerifyingKey::Public(key) => key.verifies(algorithm, message, signature),
                VerifyingKey::Unusable => false,
            }
    }

    /// Whether a token of this algorithm can be verified at all.
    pub(crate) fn accepts(&self, algorithm: Algorithm) -> bool {
        algorithm == self.algorithm && !matches!(self.key, VerifyingKey::Unusable)
    }
}

impl PartialEq for TokenVerifier {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// A digest of everything in it.
fn digest(secret: &TokenSecret) -> SecretDigest {
    let (algorithm, kind, secret) = match secret {
        TokenSecret::Shared { algorithm, secret: KeptSecret::Clear(secret) } => (algorithm, "clear", secret),
        TokenSecret::Shared { algorithm, secret: KeptSecret::Sealed(secret) } => {
            (algorithm, "sealed", secret)
        }
        TokenSecret::Public { algorithm, public_key } => (algorithm, "public", public_key),
    };
    SecretDigest::of(format!("{algorithm:?} {kind} {secret}").as_bytes())
}

fn verifies_shared(algorithm: Algorithm, secret: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let mac = match algorithm {
        Algorithm::Hs256 => hmac::HMAC_SHA256,
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        _ => return false,
    };
    hmac::verify(&hmac::Key::new(mac, secret), message, signature).is_ok()
}

/// The base points of P-256 and Ed25519: keys whose answers are not looked at.
const P256_BASE: [u8; 65] = *b"\x04\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";
const ED25519_BASE: [u8; 32] = *b"\x58\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66";

/// Does the work of verifying for a name that nobody has, so that time does not tell whether it exists. The
/// likeness holds for RSA keys of 2048 bits; larger ones take longer than this.
pub(crate) fn spend(algorithm: Algorithm, message: &[u8], signature: &[u8]) {
    let spent = match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            verifies_shared(algorithm, &[0; 32], message, signature)
        }
        Algorithm::Es256 => PublicKey::P256(P256_BASE.into()).verifies(algorithm, message, signature),
        Algorithm::EdDsa => PublicKey::Ed25519(ED25519_BASE.into()).verifies(algorithm, message, signature),
        _ => PublicKey::rsa(&[0xff; 256], &[1, 0, 1])
            .is_some_and(|key| key.verifies(algorithm, message, signature)),
    };
    std::hint::black_box(spent);
}

#[cfg(test)]
#[path = "tests/signatures.rs"]
mod tests;
