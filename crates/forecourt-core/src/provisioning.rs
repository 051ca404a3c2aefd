//! Accounts that a directory makes, changes and ends by SCIM (RFC 7643, RFC 7644), and whether it may: administrators, or
//! the people of one portal's site.
//!
//! Invariant: a directory sees every account of its kind and changes only those that it made. It gives them neither a
//! password nor a role.

use serde::{Deserialize, Serialize};

use crate::{
    administrators::{self, Administrator},
    ids::PortalId,
    persons::{self, Person},
    refusals::{Refusal, RefusalKind},
    secrets::SecretDigest,
    text::{self, Invalid},
    time::Timestamp,
};

/// Whose accounts a directory provisions. Each has its own endpoint, setting and token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// Those of administrators.
    Administrators,
    /// Those of the people of this portal's site.
    Portal(PortalId),
}

/// Whether a directory may provision accounts, and the token that it shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScimSettings {
    /// False: its endpoints are not found.
    pub enable: bool,
    /// The digest of the one token; `None`: none was made yet.
    #[serde(default)]
    pub token: Option<SecretDigest>,
}

/// An account as directories see one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionedUser {
    /// Its id, that of an administrator or of a person.
    pub id: String,
    /// The name that they sign in with; where there is none, the address that they do it with.
    pub username: String,
    /// False: they cannot get in.
    pub active: bool,
    /// The rest of what a directory may say.
    pub details: DirectoryDetails,
    /// False: the directory did not make this account, and changes nothing about it.
    pub provisioned: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a directory says about an account beyond its name and whether it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryDetails {
    /// The directory's own id, at most 256 characters; empty: none.
    pub external_id: String,
    /// How it calls them, at most 256 characters; empty: no name of that kind.
    pub display_name: String,
    /// Given name, at most 150 characters; may be empty.
    pub given_name: String,
    /// Family name, at most 150 characters; may be empty.
    pub family_name: String,
    /// Their addresses, at most [`DirectoryDetails::EMAILS`], one of them primary at most.
    pub emails: Vec<DirectoryEmail>,
}

/// One e-mail address of an account.
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

/// What a directory says about an account: the whole of what it may set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvisionedInput {
    /// The user name, by the rules of every user name of administrators.
    pub username: String,
    /// False: they cannot get in. `None`: as it is, and true for a new one.
    pub active: Option<bool>,
    /// The rest.
    pub details: DirectoryDetails,
}

/// Why a directory cannot do what it wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvisioningRefusal {
    /// It did not make this account.
    #[error("{0:?} was not made by SCIM and can only be changed in Forecourt")]
    NotProvisioned(String),
    /// People sign in to a portal by address too.
    #[error("emails: {0:?} is the name or the address of another account of this portal")]
    EmailTaken(String),
}

impl Refusal for ProvisioningRefusal {
    fn kind(&self) -> RefusalKind {
        RefusalKind::Conflict
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotProvisioned(_) => "not_provisioned",
            Self::EmailTaken(_) => "email_taken",
        }
    }
}

impl DirectoryDetails {
    /// The most addresses of one account.
    pub const EMAILS: usize = 20;

    /// The address that stands for all: the primary one, else the first; empty where there is none.
    pub fn email(&self) -> &str {
        let primary = self.emails.iter().find(|email| email.primary == Some(true));
        primary.or(self.emails.first()).map_or("", |email| &email.value)
    }

    /// What is known of an account that no directory made.
    fn known(email: &str) -> Self {
        let one = || DirectoryEmail { value: email.to_owned(), kind: String::new(), primary: None };
        let emails = if email.is_empty() { Vec::new() } else { vec![one()] };
        Self { emails, ..Self::default() }
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
            ("name.givenName", &self.details.given_name, 150),
            ("name.familyName", &self.details.family_name, 150),
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
        ProvisionedUser {
            username: self.username,
            active: self.active.unwrap_or(user.active),
            details: self.details,
            provisioned: true,
            updated_at: now,
            ..user
        }
    }

    /// The new account with this id.
    pub fn begun(self, id: String, now: Timestamp) -> ProvisionedUser {
        let blank = ProvisionedUser {
            id,
            username: String::new(),
            active: true,
            details: DirectoryDetails::default(),
            provisioned: true,
            created_at: now,
            updated_at: now,
        };
        self.applied(blank, now)
    }
}

impl ProvisionedUser {
    /// An administrator; `kept` is what is kept of one whom the directory made.
    pub fn of_administrator(administrator: Administrator, kept: Option<DirectoryDetails>) -> Self {
        let provisioned = kept.is_some();
        let details = DirectoryDetails {
            given_name: administrator.first_name,
            family_name: administrator.last_name,
            ..kept.unwrap_or_else(|| DirectoryDetails::known(&administrator.email))
        };
        Self {
            id: administrator.id.to_string(),
            username: administrator.username,
            active: administrator.active,
            details,
            provisioned,
            created_at: administrator.created_at,
            updated_at: administrator.updated_at,
        }
    }

    /// A person of a portal's site; `kept` is what is kept of one whom the directory made.
    pub fn of_person(person: Person, kept: Option<DirectoryDetails>) -> Self {
        let provisioned = kept.is_some();
        let email = person.email.unwrap_or_default();
        let known = || DirectoryDetails { display_name: person.name, ..DirectoryDetails::known(&email) };
        Self {
            id: person.id.to_string(),
            details: kept.unwrap_or_else(known),
            username: person.username.unwrap_or(email),
            active: person.active,
            provisioned,
            created_at: person.created_at,
            updated_at: person.updated_at,
        }
    }

    /// `administrator` as this says.
    pub fn onto_administrator(&self, administrator: Administrator) -> Administrator {
        Administrator {
            username: self.username.clone(),
            first_name: self.details.given_name.clone(),
            last_name: self.details.family_name.clone(),
            email: self.details.email().to_owned(),
            active: self.active,
            updated_at: self.updated_at,
            ..administrator
        }
    }

    /// `person` as this says. They sign in with the address that stands for all, where it has the form of one.
    pub fn onto_person(&self, person: Person) -> Person {
        let email = persons::email("emails.value", self.details.email()).ok();
        Person {
            username: Some(self.username.clone()),
            // That a directory gives an address proves nothing; the one that was proved stays so.
            email_verified: person.email_verified && email == person.email,
            email,
            name: self.called(),
            active: self.active,
            updated_at: self.updated_at,
            ..person
        }
    }

    /// What people call them: their display name, else given and family name, else the user name; as long as a name may
    /// be.
    fn called(&self) -> String {
        let DirectoryDetails { display_name, given_name, family_name, .. } = &self.details;
        let whole = format!("{given_name} {family_name}");
        let named = [display_name.trim(), whole.trim()].into_iter().find(|name| !name.is_empty());
        named.unwrap_or(&self.username).chars().take(text::NAME).collect()
    }

    /// Refuses to change an account that the directory did not make.
    ///
    /// # Errors
    /// Where the directory did not make it.
    pub fn changeable(&self) -> Result<(), ProvisioningRefusal> {
        if self.provisioned {
            Ok(())
        } else {
            Err(ProvisioningRefusal::NotProvisioned(self.username.clone()))
        }
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
        let mut long = with_emails(Vec::new());
        long.details.given_name = "x".repeat(151);
        assert_eq!(field(long), "name.givenName");
        assert!(with_emails(vec![email("a@example.com", Some(true))]).checked().is_ok());
    }

    fn ann(input: ProvisionedInput) -> (ProvisionedUser, Person) {
        let now = Timestamp::from_seconds(1);
        let user = input.begun("per_1".into(), now);
        let blank = Person {
            id: crate::ids::PersonId::known("per_1"),
            portal_id: PortalId::known("prt_1"),
            email: None,
            email_verified: false,
            username: None,
            name: String::new(),
            password: None,
            active: true,
            created_at: now,
            updated_at: now,
        };
        let person = user.onto_person(blank);
        (user, person)
    }

    #[test]
    fn a_person_is_called_by_the_first_name_there_is_and_signs_in_by_an_address_that_is_one() {
        let mut input = with_emails(vec![email("Ann@Example.com", None)]);
        let (user, person) = ann(input.clone());
        assert_eq!((person.name.as_str(), person.username.as_deref()), ("ann", Some("ann")));
        assert_eq!(person.email.as_deref(), Some("ann@example.com"));
        assert_eq!(ProvisionedUser::of_person(person, Some(user.details.clone())), user);
        input.details.family_name = "Lee".into();
        assert_eq!(ann(input.clone()).1.name, "Lee");
        input.details.display_name = "x".repeat(256);
        assert_eq!(ann(input.clone()).1.name.chars().count(), text::NAME);
        input.details.emails = vec![email("somewhere", None)];
        assert_eq!(ann(input).1.email, None);
    }

    #[test]
    fn an_address_stays_proved_while_the_directory_keeps_it_and_no_longer() {
        let (user, person) = ann(with_emails(vec![email("ann@example.com", None)]));
        assert!(!person.email_verified, "that a directory gives it proves nothing");
        let proved = Person { email_verified: true, ..person };
        assert!(user.onto_person(proved.clone()).email_verified);
        let (moved, _) = ann(with_emails(vec![email("ann@elsewhere.example", None)]));
        assert!(!moved.onto_person(proved).email_verified);
    }

    #[test]
    fn of_a_person_whom_no_directory_made_it_sees_name_and_address_and_changes_nothing() {
        let (_, person) = ann(with_emails(Vec::new()));
        let registered =
            Person { username: None, email: Some("bob@example.com".into()), name: "Bob".into(), ..person };
        let seen = ProvisionedUser::of_person(registered, None);
        assert_eq!((seen.username.as_str(), seen.details.display_name.as_str()), ("bob@example.com", "Bob"));
        assert_eq!(seen.details.email(), "bob@example.com");
        assert_eq!(seen.changeable(), Err(ProvisioningRefusal::NotProvisioned("bob@example.com".into())));
    }
}
