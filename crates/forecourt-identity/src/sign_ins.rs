//! The protocols by which other services tell who somebody is: [`oidc`], [`saml`], [`ldap`] and [`cas`]. Each speaks its protocol
//! and gives an [`ExternalPerson`](forecourt_core::external_sign_ins::ExternalPerson); whose account that is, others decide.
//!
//! Invariant: whatever is not proven is a [`SignInFault`]. Its reason is for operators: it quotes no secret, and nobody at
//! the door is told it.

pub mod cas;
pub mod ldap;
pub mod oidc;
pub mod saml;

use forecourt_core::text::Invalid;

use crate::outgoing::CallError;

/// Why nobody was signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInFault {
    /// The provider does not know them, or what it sent proves nothing.
    #[error("{0}")]
    Refused(String),
    /// The provider did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// What the provider is, or says, does not fit the settings of the option.
    #[error("{0}")]
    Misconfigured(String),
}

impl SignInFault {
    /// `call` did not come through.
    pub(crate) fn called(call: &str, error: &CallError) -> Self {
        match error {
            CallError::Unreachable(why) | CallError::Lost(why) => Self::Unreachable(format!("{call}: {why}")),
            CallError::Address(_) | CallError::Forbidden(_) => {
                Self::Misconfigured(format!("{call}: {error}"))
            }
        }
    }
}

impl From<Invalid> for SignInFault {
    /// What identifies somebody cannot be used.
    fn from(invalid: Invalid) -> Self {
        Self::Misconfigured(format!("what the provider knows them by cannot be used: {invalid}"))
    }
}

/// A word of a provider, such as an error code; anything else could be anything, and is not repeated.
pub(crate) fn word(text: &str) -> &str {
    let is_word = (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if is_word { text } else { "something else than a word" }
}
