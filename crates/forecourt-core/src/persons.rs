//! Persons: human accounts of a portal's own site.

use unicode_normalization::UnicodeNormalization;

use crate::{
    administrators::StoredPassword,
    ids::{PersonId, PortalId},
    refusals::{Refusal, RefusalKind},
    text::{self, Invalid},
    time::Timestamp,
};

/// A human account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its id.
    pub id: PersonId,
    /// The portal whose site it signs in to.
    pub portal_id: PortalId,
    /// Lower case; unique within the portal; invited persons may have none.
    pub email: Option<String>,
    /// Whether they proved, by a link in a mail, that the address is theirs. Another address is not proved.
    pub email_verified: bool,
    /// Unique within the portal; self-registered persons have none. That of a person whom a directory made may be an
    /// e-mail address.
    pub username: Option<String>,
    /// What people call them.
    pub name: String,
    /// The password in its slow, stored form; `None`: a directory made them, and they have none.
    pub password: Option<StoredPassword>,
    /// False: a directory deactivated them, and they cannot get in.
    pub active: bool,
    /// When they registered.
    pub created_at: Timestamp,
    /// When they last changed.
    pub updated_at: Timestamp,
}

impl Person {
    /// Whether a one-time password must be changed first.
    pub fn must_change_password(&self) -> bool {
        self.password.as_ref().is_some_and(|password| password.one_time)
    }

    /// Whether they prove their address before they sign in, where mail is sent: who registered by it, and has not yet.
    /// Whoever has a user name was invited, or made by a directory.
    pub const fn must_verify(&self) -> bool {
        self.email.is_some() && self.username.is_none() && !self.email_verified
    }
}

/// The fewest characters of a password that a person chooses (NIST SP 800-63B §3.1.1).
pub const PASSWORD_LEAST: usize = 8;
/// The most characters of a password.
pub const PASSWORD_MOST: usize = 128;

/// An e-mail address, lower case: one `@`, before it something that neither begins nor ends with a dot nor has two in a
/// row (RFC 5321 §4.1.2), a dotted name after it, at most 254 bytes.
pub fn email(field: &str, address: &str) -> Result<String, Invalid> {
    let address = address.trim().to_lowercase();
    let fits = address.len() <= 254
        && !address.contains(|c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"')
        })
        && address.split_once('@').is_some_and(|(local, domain)| {
            local.split('.').all(|atom| !atom.is_empty())
                && !domain.contains('@')
                && domain.split('.').count() >= 2
                && domain.split('.').all(|label| !label.is_empty())
        });
    if fits {
        Ok(address)
    } else {
        Err(Invalid::new(field, "must be an e-mail address, such as ada@example.com"))
    }
}

/// A password that a person chooses: 8–128 characters after NFKC, not the address or name itself.
pub fn new_password(field: &str, password: &str, forbidden: &[&str]) -> Result<String, Invalid> {
    let normal: String = password.nfkc().collect();
    let length = normal.chars().count();
    if length < PASSWORD_LEAST {
        return Err(Invalid::new(field, format!("must be at least {PASSWORD_LEAST} characters")));
    }
    if length > PASSWORD_MOST {
        return Err(Invalid::new(field, format!("must be at most {PASSWORD_MOST} characters")));
    }
    let repeated = normal.chars().next().is_some_and(|first| normal.chars().all(|c| c == first));
    if repeated || forbidden.iter().any(|text| !text.is_empty() && normal.eq_ignore_ascii_case(text)) {
        return Err(Invalid::new(field, "is too easy to guess; choose another"));
    }
    text::free(field, &normal, PASSWORD_MOST)
}

/// A presented password in the form in which chosen ones are kept (NFKC).
pub fn presented_password(password: &str) -> String {
    password.nfkc().collect()
}

/// Why an account cannot be made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PersonRefusal {
    /// Addresses are unique within a portal.
    #[error("email is already registered here; sign in instead")]
    EmailTaken,
    /// User names are unique within a portal.
    #[error("username {0:?} is taken in this portal; choose another")]
    UsernameTaken(String),
    /// The portal's option says no.
    #[error("this portal does not offer self-registration; ask its provider for an invitation")]
    RegistrationClosed,
    /// The current password is asked for.
    #[error("current password is wrong")]
    WrongPassword,
    /// A password is one person's.
    #[error("nobody signs in to the portal's site as this developer, or several people do")]
    NotOnePerson,
    /// A change must change.
    #[error("new password must differ from the current password")]
    SamePassword,
}

impl Refusal for PersonRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::WrongPassword | Self::SamePassword => RefusalKind::Invalid,
            _ => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::EmailTaken => "email_taken",
            Self::UsernameTaken(_) => "username_taken",
            Self::RegistrationClosed => "registration_closed",
            Self::WrongPassword => "wrong_password",
            Self::SamePassword => "same_password",
            Self::NotOnePerson => "not_one_person",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in
            ["", "ada", "ada@", "@example.com", "ada@example", "a b@example.com", "a@b@example.com", "a@.com"]
        {
            assert!(email("email", bad).is_err(), "{bad:?}");
        }
        assert_eq!(email("email", " Ada@Example.COM ").unwrap(), "ada@example.com");
    }

    #[test]
    fn a_password_may_be_neither_short_nor_the_address_nor_one_letter() {
        for bad in ["short", "aaaaaaaaaa", "ada@example.com"] {
            assert!(new_password("password", bad, &["ada@example.com"]).is_err(), "{bad:?}");
        }
        assert!(new_password("password", "correct horse", &[]).is_ok());
    }
}
