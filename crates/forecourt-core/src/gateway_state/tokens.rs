//! JWT credentials: the algorithm is fixed by the credential, never by the token.

use serde::{Deserialize, Serialize};

use crate::secrets::KeptSecret;

named! {
    /// A JWS algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
    pub enum JwtAlgorithm {
        /// HMAC with SHA-256.
        Hs256 = "HS256",
        /// HMAC with SHA-384.
        Hs384 = "HS384",
        /// HMAC with SHA-512.
        Hs512 = "HS512",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

impl TokenSecret {
    /// The only algorithm that is accepted.
    pub const fn algorithm(&self) -> JwtAlgorithm {
        match self {
            Self::Shared { algorithm, .. } | Self::Public { algorithm, .. } => *algorithm,
        }
    }

    /// The public key in PEM, where the signer has a private one.
    pub fn public_key(&self) -> Option<&str> {
        match self {
            Self::Public { public_key, .. } => Some(public_key),
            Self::Shared { .. } => None,
        }
    }
}

impl JwtAlgorithm {
    /// Whether signer and verifier share one secret.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }
}

/// What a JWT's signature is verified with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSecret {
    /// A shared secret, with one of the HS algorithms.
    Shared {
        /// The only accepted algorithm.
        algorithm: JwtAlgorithm,
        /// The secret; its bytes are the MAC's key.
        secret: KeptSecret,
    },
    /// The signer's public key.
    Public {
        /// The only accepted algorithm.
        algorithm: JwtAlgorithm,
        /// A `SubjectPublicKeyInfo` in PEM.
        public_key: String,
    },
}
