//! Credentials: how an application proves itself. Secrets are kept only in the forms that gateways compare.

use std::collections::BTreeMap;

use crate::{
    gateway_state::{CredentialSecret, CredentialState, CredentialVersionState, JwtAlgorithm, TokenSecret},
    ids::{ApplicationId, CredentialId, CredentialVersionId, DcrProviderId, DeveloperId},
    labels::Labels,
    lists::{Order, Paging, TextFilter},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

named! {
    /// How a credential is shown at the gateway.
    pub enum CredentialType {
        /// An API key.
        KeyAuth = "key-auth",
        /// User name and password.
        BasicAuth = "basic-auth",
        /// A signed token that names the credential.
        JwtAuth = "jwt-auth",
        /// A token that a DCR provider gave to the application's OAuth client.
        Oauth = "oauth",
    }
}

/// A credential.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// The application that it belongs to.
    pub application_id: ApplicationId,
    /// 1–100 characters; need not be unique. Empty where it has none: those of type `oauth`.
    pub name: String,
    /// Free text; empty: none.
    pub desc: String,
    /// Marks to filter by.
    pub labels: Labels,
    /// What a caller must show.
    pub version: CredentialVersion,
    /// When it was last accepted.
    pub last_used_at: Option<Timestamp>,
    /// From which address.
    pub last_used_from: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The live secret of a credential; regenerating replaces it.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialVersion {
    /// Its id.
    pub id: CredentialVersionId,
    /// What a caller must show.
    pub secret: CredentialSecret,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Name, description and labels as given; absent desc and labels are cleared.
#[derive(Clone, Debug, Default)]
pub struct CredentialInput {
    /// Required, but for type `oauth`, where it is ignored.
    pub name: Option<String>,
    /// Description.
    pub desc: Option<String>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
}

/// What a list of credentials is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialOrder {
    /// By last change.
    #[default]
    UpdatedAt,
    /// By creation.
    CreatedAt,
    /// By name.
    Name,
}

/// Which credentials a list shows.
#[derive(Clone, Debug, Default)]
pub struct CredentialFilter {
    /// Only those of this developer's applications.
    pub developer_id: Option<DeveloperId>,
    /// Only those of these applications; empty: all.
    pub applications: Vec<ApplicationId>,
    /// Only this type.
    pub credential_type: Option<CredentialType>,
    /// Search covers name, description, labels.
    pub text: TextFilter,
    /// Order.
    pub order: Order<CredentialOrder>,
    /// Page.
    pub paging: Paging,
}

impl CredentialInput {
    /// Name, description and labels of a credential of this type.
    ///
    /// # Errors
    /// When one of them breaks a rule.
    pub fn checked(self, credential_type: CredentialType) -> Result<(String, String, Labels), Invalid> {
        let name = match credential_type {
            CredentialType::Oauth => String::new(),
            CredentialType::KeyAuth | CredentialType::BasicAuth | CredentialType::JwtAuth => {
                text::name("name", &self.name.unwrap_or_default(), text::NAME)?
            }
        };
        let desc = text::free("desc", &self.desc.unwrap_or_default(), text::DESC)?;
        Ok((name, desc, Labels::new(self.labels.unwrap_or_default())?))
    }
}

impl Credential {
    /// A new credential with the secret `version`.
    pub fn new(
        id: CredentialId,
        application_id: ApplicationId,
        input: CredentialInput,
        version: CredentialVersion,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        let blank = Self {
            id,
            application_id,
            name: String::new(),
            desc: String::new(),
            labels: Labels::default(),
            version,
            last_used_at: None,
            last_used_from: None,
            created_at: now,
            updated_at: now,
        };
        blank.replaced(input, now)
    }

    /// This credential with name, description and labels of `input`; the secret stays.
    pub fn replaced(mut self, input: CredentialInput, now: Timestamp) -> Result<Self, Invalid> {
        (self.name, self.desc, self.labels) = input.checked(self.credential_type())?;
        self.updated_at = now;
        Ok(self)
    }

    /// This credential with another secret of the same type: the old one is dead at once.
    pub fn regenerated(
        mut self,
        version: CredentialVersion,
        now: Timestamp,
    ) -> Result<Self, CredentialRefusal> {
        if type_of(&version.secret) != self.credential_type() {
            return Err(CredentialRefusal::OtherType(self.credential_type()));
        }
        self.version = version;
        self.updated_at = now;
        Ok(self)
    }

    /// Refuses a `type` of the wire that is not this credential's.
    pub fn expect_type(&self, given: CredentialType) -> Result<(), CredentialRefusal> {
        if given == self.credential_type() {
            Ok(())
        } else {
            Err(CredentialRefusal::OtherType(self.credential_type()))
        }
    }

    /// How it is shown at the gateway.
    pub const fn credential_type(&self) -> CredentialType {
        type_of(&self.version.secret)
    }

    /// What names a token credential in its tokens, and what verifies them.
    pub const fn token(&self) -> Option<(&String, &TokenSecret)> {
        match &self.version.secret {
            CredentialSecret::JwtAuth { key, secret } => Some((key, secret)),
            _ => None,
        }
    }

    /// The OAuth client that it is, by provider and id there.
    pub const fn oauth(&self) -> Option<(&DcrProviderId, &String)> {
        match &self.version.secret {
            CredentialSecret::Oauth { provider_id, client_id } => Some((provider_id, client_id)),
            _ => None,
        }
    }

    /// The user name of a basic credential.
    pub fn username(&self) -> Option<&str> {
        match &self.version.secret {
            CredentialSecret::BasicAuth { username, .. } => Some(username),
            _ => None,
        }
    }

    /// What the gateway must know.
    pub fn gateway_state(&self) -> CredentialState {
        CredentialState {
            id: self.id.clone(),
            application_id: self.application_id.clone(),
            created_at: self.created_at,
            versions: vec![CredentialVersionState {
                id: self.version.id.clone(),
                valid_until: None,
                secret: self.version.secret.clone(),
            }],
        }
    }
}

const fn type_of(secret: &CredentialSecret) -> CredentialType {
    match secret {
        CredentialSecret::KeyAuth { .. } => CredentialType::KeyAuth,
        CredentialSecret::BasicAuth { .. } => CredentialType::BasicAuth,
        CredentialSecret::JwtAuth { .. } => CredentialType::JwtAuth,
        CredentialSecret::Oauth { .. } => CredentialType::Oauth,
    }
}

/// A user name and password that a developer chose for an application.
#[derive(Clone, Debug)]
pub struct BasicSecret {
    /// Non-empty, at most 256 characters, neither `:` nor control characters.
    pub username: String,
    /// Non-empty, at most 1024 bytes.
    pub password: crate::secrets::PlainSecret,
}

impl BasicSecret {
    /// Checks both parts.
    pub fn new(username: &str, password: &str) -> Result<Self, Invalid> {
        if username.is_empty() {
            return Err(Invalid::new("basic-auth.username", "is required"));
        }
        if username.chars().count() > 256 || username.contains(':') || text::has_control(username) {
            return Err(Invalid::new(
                "basic-auth.username",
                "must be at most 256 characters without colons and control characters",
            ));
        }
        if password.is_empty() {
            return Err(Invalid::new("basic-auth.password", "is required"));
        }
        if password.len() > 1_024 || password.contains('\0') {
            return Err(Invalid::new("basic-auth.password", "must be at most 1024 bytes without NUL"));
        }
        let password = crate::secrets::PlainSecret::presented(password);
        Ok(Self { username: username.to_owned(), password })
    }
}

/// How an application wants to sign its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSigning {
    /// With a secret that Forecourt makes.
    Shared(JwtAlgorithm),
    /// With a private key that only the developer has.
    Public {
        /// RS256, ES256 or EdDSA.
        algorithm: JwtAlgorithm,
        /// A `SubjectPublicKeyInfo` in PEM; whether it fits the algorithm is checked where keys can be read.
        public_key: String,
    },
}

impl TokenSigning {
    /// Checks what was asked for; without an algorithm HS256, or what `before` had.
    pub fn new(
        algorithm: Option<&str>,
        public_key: Option<&str>,
        before: Option<JwtAlgorithm>,
    ) -> Result<Self, Invalid> {
        let algorithm = match algorithm {
            None => before.unwrap_or(JwtAlgorithm::Hs256),
            Some(word) => JwtAlgorithm::from_name(word).ok_or_else(|| {
                let known: Vec<_> = JwtAlgorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
                Invalid::new("jwt-auth.algorithm", format!("must be one of {}", known.join(", ")))
            })?,
        };
        match (algorithm.is_symmetric(), public_key) {
            (true, None) => Ok(Self::Shared(algorithm)),
            (true, Some(_)) => Err(Invalid::new(
                "jwt-auth.public_key",
                format!("must be absent with {}: Forecourt makes the secret", algorithm.name()),
            )),
            (false, None | Some("")) => Err(Invalid::new(
                "jwt-auth.public_key",
                format!("is required with {}: the public key in PEM", algorithm.name()),
            )),
            (false, Some(key)) if key.len() > LONGEST_PUBLIC_KEY => {
                Err(Invalid::new("jwt-auth.public_key", "must be at most 8192 bytes"))
            }
            (false, Some(key)) => Ok(Self::Public { algorithm, public_key: key.to_owned() }),
        }
    }
}

/// In bytes of PEM; an RSA key of 16,384 bits takes less than half of it.
const LONGEST_PUBLIC_KEY: usize = 8_192;

/// Why a credential cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialRefusal {
    /// The type is fixed.
    #[error("type must be {}, the type of this credential", .0.name())]
    OtherType(CredentialType),
    /// No such provider.
    #[error("oauth.dcr_provider_id {0:?} is not a DCR provider")]
    UnknownProvider(String),
    /// The provider's protocol has no such thing.
    #[error(
        "the secret of a client at a DCR provider of type oidc cannot be regenerated: make another credential and delete this one"
    )]
    FixedSecret,
}

impl Refusal for CredentialRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OtherType(_) => "credential_type_fixed",
            Self::UnknownProvider(_) => "unknown_dcr_provider",
            Self::FixedSecret => "oauth_secret_fixed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_secret_is_ours_and_a_public_key_is_the_developer_s() {
        let signing = |algorithm, key| TokenSigning::new(algorithm, key, None).map_err(|bad| bad.to_string());
        assert_eq!(signing(None, None), Ok(TokenSigning::Shared(JwtAlgorithm::Hs256)));
        assert_eq!(signing(Some("HS512"), None), Ok(TokenSigning::Shared(JwtAlgorithm::Hs512)));
        let public = TokenSigning::Public { algorithm: JwtAlgorithm::EdDsa, public_key: "pem".into() };
        assert_eq!(signing(Some("EdDSA"), Some("pem")), Ok(public));
        for (algorithm, key) in [
            (None, Some("pem")),
            (Some("HS384"), Some("")),
            (Some("RS256"), None),
            (Some("ES256"), Some("")),
            (Some("none"), None),
            (Some("hs256"), None),
            (Some(""), None),
        ] {
            let refused = signing(algorithm, key).unwrap_err();
            assert!(refused.starts_with("jwt-auth."), "{algorithm:?} {key:?}: {refused}");
        }
    }
}
