//! Why a use case did not do what was asked. Each face turns this into its own words in exactly one place.

use forecourt_core::refusals::{Refusal, RefusalKind};
use forecourt_identity::{
    authority::AuthorityError, passwords::PasswordError, registrations::RegistrationError,
    sealing::SealError, sign_ins::SignInFault,
};
use forecourt_store::StoreError;

/// What sort of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Nobody is known to be calling, or what they showed is wrong.
    Unauthenticated,
    /// They are known, may see the thing, but may not do this.
    Forbidden,
    /// There is no such thing, as far as the caller may know.
    NotFound,
    /// What was given is wrong.
    Invalid,
    /// What was given is fine, but the state of things forbids it.
    Conflict,
    /// Too many failed attempts; right again after so many seconds.
    Limit {
        /// Seconds to wait, at least 1.
        retry_after: u64,
    },
    /// An identity provider did not do what was asked of it. Nothing was changed here.
    IdentityProvider,
    /// The database is away, locked, read-only or full, or its disk fails. Nothing was changed.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// A failure: its kind, a stable code, a sentence for people, and where it came from.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    code: &'static str,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), source: None }
    }

    /// There is no such thing, as far as the caller may know.
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, "not_found", "resource not found")
    }

    /// What the caller showed proves nothing.
    pub fn unauthenticated() -> Self {
        Self::new(ErrorKind::Unauthenticated, "unauthorized", "unauthorized")
    }

    /// What the caller showed proves nothing, for this reason.
    pub fn unauthenticated_because(message: &'static str) -> Self {
        Self::new(ErrorKind::Unauthenticated, "unauthorized", message)
    }

    /// The caller may not do this.
    pub fn forbidden(message: &'static str) -> Self {
        Self::new(ErrorKind::Forbidden, "forbidden", message)
    }

    /// The caller may not do this, for the reason that `refusal` tells.
    pub(crate) fn forbidden_because(refusal: &impl Refusal) -> Self {
        Self::new(ErrorKind::Forbidden, refusal.code(), refusal.to_string())
    }

    /// Nothing was changed, as the caller wished.
    pub(crate) fn previewed() -> Self {
        Self::new(ErrorKind::Conflict, "previewed", "nothing was changed: only a preview was asked for")
    }

    /// A provider would be called, and the operator keeps in what goes out. Nothing was changed.
    pub(crate) fn kept_in() -> Self {
        Self::new(
            ErrorKind::Conflict,
            "outgoing_off",
            "no identity provider is called about OAuth clients here: background.outgoing is off",
        )
    }

    /// What was given is wrong, in these words.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, code, message)
    }

    /// What sort of failure it is.
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// A stable word for programs and logs.
    pub const fn code(&self) -> &'static str {
        self.code
    }
}

impl Error {
    fn refused(refusal: &impl Refusal) -> Self {
        let kind = match refusal.kind() {
            RefusalKind::Invalid => ErrorKind::Invalid,
            RefusalKind::Conflict => ErrorKind::Conflict,
        };
        Self::new(kind, refusal.code(), refusal.to_string())
    }
}

/// Every noun's refusals become errors in the same way.
macro_rules! refusals {
    ($($refusal:ty),* $(,)?) => {$(
        impl From<$refusal> for Error {
            fn from(refusal: $refusal) -> Self {
                Self::refused(&refusal)
            }
        }
    )*};
}

refusals! {
    forecourt_core::admin_tokens::AdminTokenRefusal,
    forecourt_core::administrators::AdministratorRefusal,
    forecourt_core::applications::ApplicationRefusal,
    forecourt_core::approval_links::ApprovalLinkRefusal,
    forecourt_core::approvals::ApprovalRefusal,
    forecourt_core::certificates::CertificateRefusal,
    forecourt_core::consumers::ConsumerRefusal,
    forecourt_core::contact_points::ContactPointRefusal,
    forecourt_core::credentials::CredentialRefusal,
    forecourt_core::deliveries::DeliveryRefusal,
    forecourt_core::dcr_providers::DcrProviderRefusal,
    forecourt_core::developers::DeveloperRefusal,
    forecourt_core::gateway_groups::GatewayGroupRefusal,
    forecourt_core::nodes::NodeRefusal,
    forecourt_core::permission_policies::PermissionPolicyRefusal,
    forecourt_core::persons::PersonRefusal,
    forecourt_core::plans::PlanRefusal,
    forecourt_core::plugins::PluginRefusal,
    forecourt_core::portals::PortalRefusal,
    forecourt_core::products::changes::ProductRefusal,
    forecourt_core::provisioning::ProvisioningRefusal,
    forecourt_core::roles::RoleRefusal,
    forecourt_core::routes::RouteRefusal,
    forecourt_core::services::ServiceRefusal,
    forecourt_core::sign_in_options::SignInOptionRefusal,
    forecourt_core::subscriptions::SubscriptionRefusal,
    forecourt_core::text::Invalid,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (kind, code, message) = match &error {
            StoreError::Taken(_) => (
                ErrorKind::Conflict,
                "taken",
                "somebody else made the same thing at the same time; look again".to_owned(),
            ),
            StoreError::Locked(_) => (ErrorKind::Unavailable, "database_locked", error.to_string()),
            StoreError::ReadOnly(_) => (ErrorKind::Unavailable, "database_read_only", error.to_string()),
            StoreError::Full(_) => (ErrorKind::Unavailable, "database_full", error.to_string()),
            StoreError::Disk(_) => (ErrorKind::Unavailable, "database_disk", error.to_string()),
            StoreError::Unreachable(_) => (ErrorKind::Unavailable, "database_unreachable", error.to_string()),
            StoreError::Newer { .. }
            | StoreError::Reference(_)
            | StoreError::Unreadable { .. }
            | StoreError::Other(_) => (ErrorKind::Internal, "database", error.to_string()),
        };
        Self { kind, code, message, source: Some(Box::new(error)) }
    }
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        let message = error.to_string();
        if matches!(error, PasswordError::Busy) {
            return Self::new(
                ErrorKind::Limit { retry_after: 1 },
                "busy",
                "too many sign-ins at once; try again",
            );
        }
        Self { kind: ErrorKind::Internal, code: "password_hash", message, source: Some(Box::new(error)) }
    }
}

impl From<RegistrationError> for Error {
    /// What the provider said is for operators: it goes to the log, and callers are told that it failed.
    fn from(error: RegistrationError) -> Self {
        Self {
            kind: ErrorKind::IdentityProvider,
            code: "identity_provider",
            message: "identity provider request failed".into(),
            source: Some(Box::new(error)),
        }
    }
}

impl From<SignInFault> for Error {
    /// Why is for operators: it goes to the log and the audit trail, and nobody at the door learns more than this.
    fn from(fault: SignInFault) -> Self {
        match fault {
            SignInFault::Refused(_) => Self::unauthenticated(),
            SignInFault::Unreachable(_) | SignInFault::Misconfigured(_) => Self {
                kind: ErrorKind::IdentityProvider,
                code: "sign_in_provider",
                message: "this way to sign in does not work at the moment; try again later".into(),
                source: Some(Box::new(fault)),
            },
        }
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        let message = format!("a kept secret cannot be used: {error}");
        Self { kind: ErrorKind::Internal, code: "sealed_secret", message, source: Some(Box::new(error)) }
    }
}

impl From<AuthorityError> for Error {
    fn from(error: AuthorityError) -> Self {
        let message = error.to_string();
        Self { kind: ErrorKind::Internal, code: "sync_authority", message, source: Some(Box::new(error)) }
    }
}
