//! Administrators whom a directory makes, changes and ends by SCIM (RFC 7643, RFC 7644), and whether it may.
//!
//! Invariant: a directory sees every administrator and changes only those that it made. It gives them neither a password
//! nor a role.

use serde::{Deserialize, Serialize};

use crate::{
    administrators::{self, Administrator},
    refusals::{Refusal, RefusalKind},
    secrets::SecretDigest,
    text::{self, Invalid},
    time::Timestamp,
};

/// Whether a directory may provision administrators, and the token that it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScimSettings {
    /// False: its endpoints are not found.
    pub enable: bool,
    /// The digest of the one token; `None`: none was made yet.
    #[serde(default)]
    pub token: Option<SecretDigest>,
}

/// An administrator as directories see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionedUser {
    /// The administrator.
    pub administrator: Administrator,
    /// What the directory said beyond that; `None`: it did not make this administrator and changes nothing about them.
    pub details: Option<DirectoryDetails>,
}

/// What a directory keeps about an administrator that it made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryDetails {
    /// The directory's own id, at most 256 characters; empty: none.
    pub external_id: String,
    /// How it calls them, at most 256 characters; empty: no name of that kind.
    pub display_name: String,
    /// Their addresses, at most [`DirectoryDetails::EMAILS`], one of them primary at most.
    pub emails: Vec<DirectoryEmail>,
}

/// One e-mail address of an administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryEmail {
    /// The address.
    pub value: String,
    /// What it is for, such as `work`; empty: unsaid.
    #[serde(default)]
    pub kind: String,
    /// Whether it is the preferred one; `None`: unsaid.
    #[serde(default)]
    pub primary: Option<bool>,
}

/// What a directory says about an administrator: the whole of what it may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvisionedInput {
    /// The user name, by the rules of every user name.
    pub username: String,
    /// Given name, at most 150 characters.
    pub given_name: String,
    /// Family name, at most 150 characters.
    pub family_name: String,
    /// False: they cannot get in. `None`: as it is, and true for a new one.
    pub active: Option<bool>,
    /// The rest.
    pub details: DirectoryDetails,
}

/// Why a directory cannot do what it wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisioningRefusal {
    /// It did not make this administrator.
    #[error("{0:?} was not made by SCIM and can only be changed in Forecourt")]
    NotProvisioned(String),
}

impl Refusal for ProvisioningRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        "not_provisioned"
    }
}

impl DirectoryDetails {
    /// The most addresses of one administrator.
    pub const EMAILS: usize = 20;

    /// The address that stands for all: the primary one, else the first; empty where there is none.
    pub fn email(&self) -> &str {
        let primary = self.emails.iter().find(|email| email.primary == Some(true));
        primary.or(self.emails.first()).map_or("", |email| &email.value)
    }
}

impl ProvisionedInput {
    /// This input, where every text is as it must be.
    ///
    /// # Errors
    /// The first member that breaks a rule, by the name that SCIM gives it.
    pub fn checked(self) -> Result<Self, Invalid> {
        administrators::username("userName", &self.username)?;
        for (field, text, most) in [
            ("name.givenName", &self.given_name, 150),
            ("name.familyName", &self.family_name, 150),
            ("externalId", &self.details.external_id, 256),
            ("displayName", &self.details.display_name, 256),
        ] {
            line(field, text, most)?;
        }
        let emails = &self.details.emails;
        if emails.len() > DirectoryDetails::EMAILS {
            return Err(Invalid::new("emails", format!("must be at most {}", DirectoryDetails::EMAILS)));
        }
        for email in emails {
            text::name("emails.value", &email.value, 320)?;
            line("emails.type", &email.kind, 64)?;
        }
        if emails.iter().filter(|email| email.primary == Some(true)).count() > 1 {
            return Err(Invalid::new("emails.primary", "must be true for one address at most"));
        }
        Ok(self)
    }

    /// `user` as this input has it, from `now` on.
    pub fn applied(self, user: ProvisionedUser, now: Timestamp) -> ProvisionedUser {
        let mut administrator = user.administrator;
        administrator.username = self.username;
        administrator.first_name = self.given_name;
        administrator.last_name = self.family_name;
        administrator.email = self.details.email().to_owned();
        administrator.active = self.active.unwrap_or(administrator.active);
        administrator.updated_at = now;
        ProvisionedUser { administrator, details: Some(self.details) }
    }
}

impl ProvisionedUser {
    /// What is kept about them.
    ///
    /// # Errors
    /// Where the directory did not make them.
    pub fn changeable(&self) -> Result<&DirectoryDetails, ProvisioningRefusal> {
        let name = || ProvisioningRefusal::NotProvisioned(self.administrator.username.clone());
        self.details.as_ref().ok_or_else(name)
    }
}

/// A text on one line that may be empty.
fn line(field: &str, text: &str, most: usize) -> Result<(), Invalid> {
    if text.is_empty() { Ok(()) } else { text::name(field, text, most).map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(value: &str, primary: Option<bool>) -> DirectoryEmail {
        DirectoryEmail { value: value.into(), kind: "work".into(), primary }
    }

    fn with_emails(emails: Vec<DirectoryEmail>) -> ProvisionedInput {
        let details = DirectoryDetails { emails, ..DirectoryDetails::default() };
        ProvisionedInput { username: "ann".into(), details, ..ProvisionedInput::default() }
    }

    #[test]
    fn the_primary_address_stands_for_all_and_else_the_first() {
        let first = with_emails(vec![email("a@example.com", None), email("b@example.com", Some(true))]);
        assert_eq!(first.details.email(), "b@example.com");
        assert_eq!(with_emails(vec![email("a@example.com", None)]).details.email(), "a@example.com");
        assert_eq!(with_emails(Vec::new()).details.email(), "");
    }

    #[test]
    fn what_breaks_a_rule_is_named_as_scim_names_it() {
        let field = |input: ProvisionedInput| input.checked().unwrap_err().field;
        let two = vec![email("a@example.com", Some(true)), email("b@example.com", Some(true))];
        assert_eq!(field(with_emails(two)), "emails.primary");
        assert_eq!(field(with_emails(vec![email("", None)])), "emails.value");
        assert_eq!(field(with_emails(vec![email("a@example.com", None); 21])), "emails");
        for name in ["", "a:b", "a\nb", "a\0b"] {
            assert_eq!(field(ProvisionedInput { username: name.into(), ..Default::default() }), "userName");
        }
        let long = ProvisionedInput { given_name: "x".repeat(151), ..with_emails(Vec::new()) };
        assert_eq!(field(long), "name.givenName");
        assert!(with_emails(vec![email("a@example.com", Some(true))]).checked().is_ok());
    }
}
