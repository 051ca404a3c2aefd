//! The settings of sign-in options, by type; [`reading`] takes them from JSON, member by member.
//!
//! Invariant: whatever is stored passed the checks of [`reading`]. `Default` is what a new option starts from: what is
//! required is still missing in it.

mod reading;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SignInType;
use crate::secrets::KeptSecret;

/// The settings of an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInConfig {
    /// A password that is kept here.
    BuiltIn(BuiltInSignIn),
    /// OpenID Connect.
    Oidc(OidcSignIn),
    /// SAML 2.0.
    Saml(SamlSignIn),
    /// A directory.
    Ldap(LdapSignIn),
    /// CAS.
    Cas(CasSignIn),
}

/// Settings as a caller gives them, as a JSON object. They hold secrets and have no `Debug` output.
#[derive(Clone, Default)]
pub struct GivenConfig {
    /// The members.
    pub members: Map<String, Value>,
    /// True: these are all settings, and absent ones get their defaults; secrets stay nevertheless. False: absent
    /// ones stay.
    pub whole: bool,
}

impl fmt::Debug for GivenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("******")
    }
}

/// Settings of the built-in option. The administrators' has them too, where they mean nothing: nobody registers there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltInSignIn {
    /// Whether people may register themselves.
    pub enable_self_registration: bool,
    /// Whether a registration is active at once; otherwise it waits for an approval.
    pub registration_auto_approval: bool,
    /// Whether an e-mail address serves as user name.
    pub login_with_email: bool,
}

/// Settings of OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcSignIn {
    /// The issuer, where discovery begins.
    pub issuer: String,
    /// The client's id there.
    pub client_id: String,
    /// The client's secret; `None` only before it was read.
    pub client_secret: Option<KeptSecret>,
    /// The scopes that are asked for.
    pub request_scopes: Vec<String>,
    /// Where people find our site, if not at its own address; empty: there.
    pub root_url: String,
    /// Whether the provider's certificate is verified.
    pub ssl_verify: bool,
    /// Where people are sent after they signed out; empty: nowhere.
    pub logout_url: String,
    /// Which claims give `username`, `email` and `name`.
    pub attributes: BTreeMap<String, String>,
}

/// Settings of SAML 2.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamlSignIn {
    /// Where the identity provider describes itself.
    pub idp_metadata_url: String,
    /// Where people and the identity provider find our site.
    pub sp_root_url: String,
    /// Our name there; empty: the address of our metadata.
    pub entity_id: String,
    /// Whether requests are signed.
    pub sign_request: bool,
    /// Our certificate, PEM; empty: none.
    pub certificate: String,
    /// Its key, PEM.
    pub private_key: Option<KeptSecret>,
    /// Which attributes of an assertion give ours.
    pub attributes: BTreeMap<String, String>,
    /// Whether signing out ends the session at the identity provider too.
    pub logout_idp_session: bool,
}

/// Settings of a directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LdapSignIn {
    /// Host name or address.
    pub host: String,
    /// 1–65535; text on the wire.
    pub port: u16,
    /// Under which entry people are looked for.
    pub base_dn: String,
    /// As whom they are looked for.
    pub bind_dn: String,
    /// The password of `bind_dn`.
    pub bind_password: Option<KeptSecret>,
    /// The attribute that holds the user name.
    pub identifier: String,
    /// Which attributes give ours.
    pub attributes: BTreeMap<String, String>,
    /// For how long an answer is waited for, 1–300 seconds.
    pub timeout: i64,
    /// Whether the connection begins with TLS.
    pub use_ssl: bool,
    /// Whether the directory's certificate is verified.
    pub ssl_verify: bool,
    /// The authorities that are trusted, PEM; empty: those of the system.
    pub root_ca_cert: String,
    /// The certificate that we show, PEM; empty: none.
    pub client_cert: String,
    /// Its key, PEM.
    pub client_key: Option<KeptSecret>,
}

/// Settings of CAS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CasSignIn {
    /// Where the CAS server is.
    pub url: String,
    /// Whether it is told where to send people back to.
    pub send_service: bool,
    /// Whether its certificate is verified.
    pub ssl_verify: bool,
}

impl Default for BuiltInSignIn {
    fn default() -> Self {
        Self { enable_self_registration: true, registration_auto_approval: false, login_with_email: true }
    }
}

impl Default for OidcSignIn {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            request_scopes: Vec::new(),
            root_url: String::new(),
            ssl_verify: true,
            logout_url: String::new(),
            attributes: BTreeMap::new(),
        }
    }
}

impl Default for SamlSignIn {
    fn default() -> Self {
        Self {
            idp_metadata_url: String::new(),
            sp_root_url: String::new(),
            entity_id: String::new(),
            sign_request: true,
            certificate: String::new(),
            private_key: None,
            attributes: BTreeMap::new(),
            logout_idp_session: false,
        }
    }
}

impl Default for LdapSignIn {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 0,
            base_dn: String::new(),
            bind_dn: String::new(),
            bind_password: None,
            identifier: String::new(),
            attributes: BTreeMap::new(),
            timeout: 10,
            use_ssl: false,
            ssl_verify: true,
            root_ca_cert: String::new(),
            client_cert: String::new(),
            client_key: None,
        }
    }
}

impl Default for CasSignIn {
    fn default() -> Self {
        Self { url: String::new(), send_service: true, ssl_verify: true }
    }
}

impl SignInConfig {
    /// What a new option of this type starts from.
    pub(super) fn blank(provider_type: SignInType) -> Self {
        match provider_type {
            SignInType::BuiltIn => Self::BuiltIn(BuiltInSignIn::default()),
            SignInType::Oidc => Self::Oidc(OidcSignIn::default()),
            SignInType::Saml => Self::Saml(SamlSignIn::default()),
            SignInType::Ldap => Self::Ldap(LdapSignIn::default()),
            SignInType::Cas => Self::Cas(CasSignIn::default()),
        }
    }

    /// The defaults, with the secrets of these settings.
    fn reset(self) -> Self {
        match self {
            Self::Oidc(OidcSignIn { client_secret, .. }) => {
                Self::Oidc(OidcSignIn { client_secret, ..OidcSignIn::default() })
            }
            Self::Saml(SamlSignIn { private_key, .. }) => {
                Self::Saml(SamlSignIn { private_key, ..SamlSignIn::default() })
            }
            Self::Ldap(LdapSignIn { bind_password, client_key, .. }) => {
                Self::Ldap(LdapSignIn { bind_password, client_key, ..LdapSignIn::default() })
            }
            other => Self::blank(other.provider_type()),
        }
    }

    /// Of which type they are.
    pub const fn provider_type(&self) -> SignInType {
        match self {
            Self::BuiltIn(_) => SignInType::BuiltIn,
            Self::Oidc(_) => SignInType::Oidc,
            Self::Saml(_) => SignInType::Saml,
            Self::Ldap(_) => SignInType::Ldap,
            Self::Cas(_) => SignInType::Cas,
        }
    }

    /// Whether they lead to another provider than `before` did. What the one before called somebody then tells nothing:
    /// the new one may call anybody so.
    pub fn is_another_provider(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::BuiltIn(_), Self::BuiltIn(_)) => false,
            (Self::Oidc(new), Self::Oidc(old)) => new.issuer != old.issuer,
            (Self::Saml(new), Self::Saml(old)) => new.idp_metadata_url != old.idp_metadata_url,
            (Self::Ldap(new), Self::Ldap(old)) => {
                (&new.host, new.port, &new.base_dn, &new.identifier)
                    != (&old.host, old.port, &old.base_dn, &old.identifier)
            }
            (Self::Cas(new), Self::Cas(old)) => new.url != old.url,
            _ => true,
        }
    }

    /// Those of the built-in option, where they are.
    pub const fn built_in(&self) -> Option<BuiltInSignIn> {
        match self {
            Self::BuiltIn(config) => Some(*config),
            _ => None,
        }
    }

    /// The secrets that are set, each with the member that it is on the wire.
    pub fn secrets(&mut self) -> Vec<(&'static str, &mut KeptSecret)> {
        let members = match self {
            Self::Oidc(config) => vec![("client_secret", config.client_secret.as_mut())],
            Self::Saml(config) => vec![("private_key", config.private_key.as_mut())],
            Self::Ldap(config) => vec![
                ("bind_password", config.bind_password.as_mut()),
                ("client_key", config.client_key.as_mut()),
            ],
            Self::BuiltIn(_) | Self::Cas(_) => Vec::new(),
        };
        members.into_iter().filter_map(|(member, secret)| Some((member, secret?))).collect()
    }

    /// The certificates that are set, PEM, each with the member that it is on the wire.
    pub fn certificates(&self) -> Vec<(&'static str, &str)> {
        let members = match self {
            Self::Saml(config) => vec![("certificate", config.certificate.as_str())],
            Self::Ldap(config) => vec![
                ("root_ca_cert", config.root_ca_cert.as_str()),
                ("client_cert", config.client_cert.as_str()),
            ],
            Self::BuiltIn(_) | Self::Oidc(_) | Self::Cas(_) => Vec::new(),
        };
        members.into_iter().filter(|(_, pem)| !pem.is_empty()).collect()
    }
}
