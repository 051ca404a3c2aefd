//! How a consumer proves itself: as it is given and answered ([`OpenAuth`]), and as it is kept ([`ConsumerAuth`]).
//!
//! Invariant: in the kept form every secret is sealed, digested or slowly hashed. Parsing is closed: a member that no
//! gateway heeds is refused.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    credentials::BasicSecret,
    gateway_state::{ConsumerSecret, JwtAlgorithm, TokenSecret},
    members::Members,
    secrets::{KeptSecret, PlainSecret, SecretDigest},
    text::{self, Invalid},
};

/// What stands for a secret that is not shown; given back, it means that the kept one stays.
pub const MASK: &str = "******";

/// The longest key or shared secret, bytes.
const LONGEST: usize = 4_096;
/// The longest key that names a token's credential, characters.
const TOKEN_KEY: usize = 1_024;

/// A secret as it is given and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenSecret {
    /// In clear.
    Clear(PlainSecret),
    /// As [`MASK`].
    Masked,
}

impl OpenSecret {
    /// The text that is given and answered; every use of this is a place where a secret leaves.
    pub fn reveal(&self) -> &str {
        match self {
            Self::Clear(secret) => secret.reveal(),
            Self::Masked => MASK,
        }
    }

    fn given(text: &str) -> Self {
        if text == MASK { Self::Masked } else { Self::Clear(PlainSecret::presented(text)) }
    }
}

/// A way of a consumer to prove itself, as it is given and answered.
#[derive(Clone, Debug, PartialEq)]
pub enum OpenAuth {
    /// `key-auth`
    KeyAuth {
        /// The key.
        key: OpenSecret,
    },
    /// `basic-auth`
    BasicAuth {
        /// The user name, without `:`.
        username: String,
        /// The password.
        password: OpenSecret,
    },
    /// `jwt-auth`
    JwtAuth {
        /// The claim that names this credential.
        key: String,
        /// The only accepted algorithm.
        algorithm: JwtAlgorithm,
        /// What verifies the token.
        verifier: OpenVerifier,
    },
}

/// What verifies a token, as it is given and answered.
#[derive(Clone, Debug, PartialEq)]
pub enum OpenVerifier {
    /// A shared secret.
    Secret(OpenSecret),
    /// A public key in PEM, not yet parsed.
    PublicKey(String),
}

/// A way of a consumer to prove itself, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ConsumerAuth {
    /// A key.
    KeyAuth {
        /// The key itself, sealed.
        key: KeptSecret,
        /// What gateways compare.
        digest: SecretDigest,
    },
    /// User name and password.
    BasicAuth {
        /// The user name.
        username: String,
        /// The password itself, sealed.
        password: KeptSecret,
        /// What gateways compare: argon2id in PHC string format.
        password_hash: String,
    },
    /// A signed token.
    JwtAuth {
        /// The claim that names this credential.
        key: String,
        /// What verifies it; a shared secret is sealed.
        secret: TokenSecret,
    },
}

/// What tells a gateway whose credential is shown; unique within a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The plugin's name.
    pub plugin: &'static str,
    /// A digest in hex, a user name, or a token's key.
    pub value: String,
}

impl OpenAuth {
    /// The authentication that the plugin `name` with this configuration is; `None` where it is no such plugin.
    pub fn parse(name: &str, value: &Value) -> Result<Option<Self>, Invalid> {
        let path = format!("plugins.{name}");
        Ok(Some(match name {
            "key-auth" => {
                let members = Members::closed(&path, value, &["key"])?;
                Self::KeyAuth { key: OpenSecret::given(&secret(&members, "key")?) }
            }
            "basic-auth" => basic(&Members::closed(&path, value, &["username", "password"])?)?,
            "jwt-auth" => {
                jwt(&Members::closed(&path, value, &["key", "algorithm", "secret", "public_key"])?)?
            }
            _ => return Ok(None),
        }))
    }

    /// The plugin's name.
    pub const fn plugin(&self) -> &'static str {
        match self {
            Self::KeyAuth { .. } => "key-auth",
            Self::BasicAuth { .. } => "basic-auth",
            Self::JwtAuth { .. } => "jwt-auth",
        }
    }

    /// The plugin's name and its configuration, with the secret masked.
    pub(super) fn masked(&self) -> (String, Value) {
        let configuration = match self {
            Self::KeyAuth { .. } => json!({ "key": MASK }),
            Self::BasicAuth { username, .. } => json!({ "username": username, "password": MASK }),
            Self::JwtAuth { key, algorithm, verifier: OpenVerifier::Secret(_) } => {
                json!({ "key": key, "algorithm": algorithm.name(), "secret": MASK })
            }
            Self::JwtAuth { key, algorithm, verifier: OpenVerifier::PublicKey(pem) } => {
                json!({ "key": key, "algorithm": algorithm.name(), "public_key": pem })
            }
        };
        (self.plugin().to_owned(), configuration)
    }
}

fn secret(members: &Members<'_>, member: &str) -> Result<String, Invalid> {
    let text = members.text(member)?.unwrap_or_default();
    match text.len() {
        0 => Err(members.invalid(member, "is required")),
        1..=LONGEST if !text::has_control(&text) => Ok(text),
        _ => Err(members.invalid(member, "must be at most 4096 bytes without control characters")),
    }
}

fn basic(members: &Members<'_>) -> Result<OpenAuth, Invalid> {
    let text = |member| Ok(members.text(member)?.unwrap_or_default());
    let checked = BasicSecret::new(&text("username")?, &text("password")?);
    let checked = checked.map_err(|error| Invalid::new(format!("plugins.{}", error.field), error.problem))?;
    Ok(OpenAuth::BasicAuth {
        username: checked.username,
        password: OpenSecret::given(checked.password.reveal()),
    })
}

fn jwt(members: &Members<'_>) -> Result<OpenAuth, Invalid> {
    let key = secret(members, "key")?;
    if key.chars().count() > TOKEN_KEY {
        return Err(members.invalid("key", "must be at most 1024 characters"));
    }
    let algorithm = match members.text("algorithm")? {
        None => JwtAlgorithm::Hs256,
        Some(word) => JwtAlgorithm::from_name(&word).ok_or_else(|| {
            members.invalid("algorithm", "must be HS256, HS384, HS512, RS256, ES256 or EdDSA")
        })?,
    };
    let (wanted, other) =
        if algorithm.is_symmetric() { ("secret", "public_key") } else { ("public_key", "secret") };
    if members.has(other) {
        let problem = format!("is not used with {}: give {wanted}", algorithm.name());
        return Err(members.invalid(other, problem));
    }
    let verifier = if algorithm.is_symmetric() {
        OpenVerifier::Secret(OpenSecret::given(&secret(members, "secret")?))
    } else {
        let pem = members.text("public_key")?.filter(|pem| !pem.is_empty());
        OpenVerifier::PublicKey(pem.ok_or_else(|| members.invalid("public_key", "is required"))?)
    };
    Ok(OpenAuth::JwtAuth { key, algorithm, verifier })
}

impl ConsumerAuth {
    /// The plugin's name.
    pub const fn plugin(&self) -> &'static str {
        match self {
            Self::KeyAuth { .. } => "key-auth",
            Self::BasicAuth { .. } => "basic-auth",
            Self::JwtAuth { .. } => "jwt-auth",
        }
    }

    /// The member that names who calls, for refusals.
    pub const fn member(&self) -> &'static str {
        match self {
            Self::KeyAuth { .. } => "plugins.key-auth.key",
            Self::BasicAuth { .. } => "plugins.basic-auth.username",
            Self::JwtAuth { .. } => "plugins.jwt-auth.key",
        }
    }

    /// What tells a gateway whose this is.
    pub fn identity(&self) -> Identity {
        let value = match self {
            Self::KeyAuth { digest, .. } => digest.to_hex(),
            Self::BasicAuth { username, .. } => username.clone(),
            Self::JwtAuth { key, .. } => key.clone(),
        };
        Identity { plugin: self.plugin(), value }
    }

    /// What the gateway must know.
    pub fn gateway_state(&self) -> ConsumerSecret {
        match self {
            Self::KeyAuth { digest, .. } => ConsumerSecret::KeyAuth { digest: *digest },
            Self::BasicAuth { username, password_hash, .. } => {
                ConsumerSecret::BasicAuth { username: username.clone(), password_hash: password_hash.clone() }
            }
            Self::JwtAuth { key, secret } => {
                ConsumerSecret::JwtAuth { key: key.clone(), secret: secret.clone() }
            }
        }
    }
}
