//! Sign-in options: how people sign in to a portal's site, and administrators to the console ("login options" on the
//! wire). Their settings by type stand in [`configs`].
//!
//! Invariant: each scope has exactly one built-in option, and the administrators' scope always has an enabled one.

pub mod configs;

use crate::{
    ids::{PortalId, SignInOptionId},
    lists::{Order, Paging, Readable, TimeOrder},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

pub use configs::{BuiltInSignIn, GivenConfig, SignInConfig};

named! {
    /// How an option proves who somebody is; fixed after creation.
    pub enum SignInType {
        /// A password that is kept here.
        BuiltIn = "built_in",
        /// OpenID Connect.
        Oidc = "oidc",
        /// SAML 2.0.
        Saml = "saml",
        /// A directory, by LDAP.
        Ldap = "ldap",
        /// CAS.
        Cas = "cas",
    }
}

impl SignInType {
    /// The member that holds an option's settings on the wire.
    pub const fn config_member(self) -> &'static str {
        match self {
            Self::BuiltIn => "builtin_config",
            Self::Oidc => "oidc_config",
            Self::Saml => "saml_config",
            Self::Ldap => "ldap_config",
            Self::Cas => "cas_config",
        }
    }
}

/// A sign-in option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInOption {
    /// Its id.
    pub id: SignInOptionId,
    /// Whose it is; `None`: the administrators'.
    pub portal_id: Option<PortalId>,
    /// What people call it, 1–100 characters.
    pub name: String,
    /// Base64 or data URL; empty: none.
    pub logo: String,
    /// True: nobody signs in or up this way.
    pub disable: bool,
    /// Its settings.
    pub config: SignInConfig,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a create or an update gives; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct SignInOptionInput {
    /// Required on create.
    pub name: Option<String>,
    /// Base64 or data URL.
    pub logo: Option<String>,
    /// Whether the option is off.
    pub disable: Option<bool>,
    /// Required on create.
    pub provider_type: Option<SignInType>,
    /// Its settings.
    pub config: Option<GivenConfig>,
}

/// Whose options a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SignInScope {
    /// The administrators'.
    #[default]
    Administrators,
    /// This portal's.
    Portal(PortalId),
    /// Those of all portals.
    Portals,
}

/// Which options a list shows.
#[derive(Clone, Debug, Default)]
pub struct SignInOptionFilter {
    /// Whose.
    pub scope: SignInScope,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
    /// Only those of these portals: what the caller may read.
    pub readable: Readable,
}

impl SignInOption {
    /// The built-in option that a portal, or the installation, starts with.
    pub fn built_in(id: SignInOptionId, portal_id: Option<PortalId>, now: Timestamp) -> Self {
        let (name, config) = match portal_id {
            Some(_) => ("Email", BuiltInSignIn::default()),
            None => {
                let none = BuiltInSignIn { enable_self_registration: false, ..BuiltInSignIn::default() };
                ("Built-in", BuiltInSignIn { login_with_email: false, ..none })
            }
        };
        Self {
            id,
            portal_id,
            name: name.into(),
            logo: String::new(),
            disable: false,
            config: SignInConfig::BuiltIn(config),
            created_at: now,
            updated_at: now,
        }
    }

    /// A new option. Secrets are clear in it: they are sealed before it is stored.
    ///
    /// # Errors
    /// When a member breaks a rule, one that the type needs is absent, or it would be a second built-in one.
    pub fn new(
        id: SignInOptionId,
        portal_id: Option<PortalId>,
        input: SignInOptionInput,
        now: Timestamp,
    ) -> Result<Self, SignInOptionRefusal> {
        if input.name.is_none() {
            return Err(Invalid::new("name", "is required").into());
        }
        let words = "is required: ldap, saml, oidc or cas";
        let provider_type = input.provider_type.ok_or_else(|| Invalid::new("provider_type", words))?;
        if provider_type == SignInType::BuiltIn {
            return Err(SignInOptionRefusal::OneBuiltIn);
        }
        let blank = Self {
            id,
            portal_id,
            name: String::new(),
            logo: String::new(),
            disable: false,
            config: SignInConfig::blank(provider_type),
            created_at: now,
            updated_at: now,
        };
        // Without settings the required ones among them are missing, and the caller is told which.
        let members = input.config.map(|given| given.members).unwrap_or_default();
        let config = Some(GivenConfig { members, whole: true });
        blank.changed(SignInOptionInput { config, ..input }, now)
    }

    /// This option with what `input` gives. New secrets are clear in it.
    ///
    /// # Errors
    /// When a member breaks a rule, or the type would change.
    pub fn changed(mut self, input: SignInOptionInput, now: Timestamp) -> Result<Self, SignInOptionRefusal> {
        if input.provider_type.is_some_and(|given| given != self.provider_type()) {
            return Err(SignInOptionRefusal::TypeFixed(self.provider_type()));
        }
        if let Some(name) = &input.name {
            self.name = text::name("name", name, text::NAME)?;
        }
        if let Some(logo) = &input.logo {
            self.logo = text::image("logo", logo)?;
        }
        self.disable = input.disable.unwrap_or(self.disable);
        if let Some(given) = &input.config {
            self.config = self.config.changed(given)?;
        }
        self.updated_at = now;
        Ok(self)
    }

    /// How it proves who somebody is.
    pub const fn provider_type(&self) -> SignInType {
        self.config.provider_type()
    }

    /// The settings of the built-in option, where it is one and is not disabled.
    pub fn offered_built_in(&self) -> Option<BuiltInSignIn> {
        self.config.built_in().filter(|_| !self.disable)
    }

    /// Where the provider sends people back to, under the address `site` of the portal's site or of the console where
    /// the settings name none. `None` where no address is known, and for types that send nobody back.
    pub fn callback_url(&self, site: Option<&str>) -> Option<String> {
        let SignInConfig::Oidc(config) = &self.config else { return None };
        let own = Some(config.root_url.as_str()).filter(|url| !url.is_empty());
        let root = own.or(site)?.trim_end_matches('/').to_owned();
        Some(root + if self.portal_id.is_some() { "/sign-in/oidc/callback" } else { "/api/oidc/callback" })
    }

    /// The address of the service provider's `endpoint` (`acs`, `slo`, `metadata`), for SAML alone.
    pub fn saml_url(&self, endpoint: &str) -> Option<String> {
        let SignInConfig::Saml(config) = &self.config else { return None };
        let root = config.sp_root_url.trim_end_matches('/');
        let base = if self.portal_id.is_some() { "sign-in/saml" } else { "api/saml" };
        Some(format!("{root}/{base}/{}/{endpoint}", self.id))
    }
}

/// Why an option cannot be made, changed or deleted so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInOptionRefusal {
    /// A member breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Types never change.
    #[error("provider_type is fixed: this login option is {}", .0.name())]
    TypeFixed(SignInType),
    /// There is one from the start.
    #[error("the option built_in exists already, and there is only one")]
    OneBuiltIn,
    /// The built-in option stays.
    #[error("the built-in option cannot be deleted; disable it instead")]
    BuiltInStays,
    /// Administrators must be able to sign in.
    #[error("this is the last enabled login option of the administrators; enable another one first")]
    LastEnabled,
}

impl Refusal for SignInOptionRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) | Self::TypeFixed(_) => RefusalKind::Invalid,
            Self::OneBuiltIn | Self::BuiltInStays | Self::LastEnabled => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_field",
            Self::TypeFixed(_) => "sign_in_type_fixed",
            Self::OneBuiltIn => "one_built_in_sign_in",
            Self::BuiltInStays => "built_in_sign_in_stays",
            Self::LastEnabled => "last_sign_in_option",
        }
    }
}

#[cfg(test)]
#[path = "sign_in_options/tests.rs"]
mod tests;
