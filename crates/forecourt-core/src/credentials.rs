//! Credentials: how an application proves itself. Secrets are kept only in the forms that gateways compare.

use std::collections::BTreeMap;

use crate::{
    gateway_state::{CredentialSecret, CredentialState, CredentialVersionState},
    ids::{ApplicationId, CredentialId, CredentialVersionId, DeveloperId},
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
    /// 1–100 characters; need not be unique.
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
    /// Required.
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
        self.name = text::name("name", &input.name.unwrap_or_default(), text::NAME)?;
        self.desc = text::free("desc", &input.desc.unwrap_or_default(), text::DESC)?;
        self.labels = Labels::new(input.labels.unwrap_or_default())?;
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

/// Why a credential cannot do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialRefusal {
    /// The type is fixed.
    #[error("type must be {}, the type of this credential", .0.name())]
    OtherType(CredentialType),
}

impl Refusal for CredentialRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Invalid
    }

    fn code(&self) -> &'static str {
        "credential_type_fixed"
    }
}
