//! Contact points: whom products' notifications reach, by e-mail or by webhook.
//!
//! Invariant: the type of a contact point is fixed, so that a notification that names it goes on fitting.

use serde::{Deserialize, Serialize};

use crate::{
    ids::ContactPointId,
    lists::{Order, Paging, TimeOrder},
    persons,
    refusals::{Refusal, RefusalKind},
    secrets::KeptSecret,
    text::{self, Invalid},
    time::Timestamp,
};

named! {
    /// How somebody is told.
    pub enum ContactType {
        /// By mail.
        Email = "email",
        /// By a call to an address of theirs.
        Webhook = "webhook",
    }
}

/// How many addresses a contact point has at most.
const MOST_ADDRESSES: usize = 100;

/// A contact point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPoint {
    /// Its id.
    pub id: ContactPointId,
    /// 1–100 characters; need not be unique.
    pub name: String,
    /// Who is told.
    pub target: ContactTarget,
    /// What calls of a webhook are signed with; `None`: mail, or a webhook from before calls were signed.
    pub signing: Option<SigningSecrets>,
    /// When a webhook said that it is gone for good: it is not called until somebody changes the contact point.
    pub gone_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What calls of a webhook are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecrets {
    /// The newest.
    pub current: KeptSecret,
    /// The one before, and until when calls are signed with it too.
    pub previous: Option<(KeptSecret, Timestamp)>,
}

/// How long the signing secret before the newest goes on, seconds: a day.
const OVERLAP: i64 = 24 * 3_600;

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactTarget {
    /// These mail addresses, 1–100 of them.
    Email(Vec<String>),
    /// Whoever answers at this address.
    Webhook(String),
}

/// What a create or an update gives; absent members stay as they are.
#[derive(Clone, Debug, Default)]
pub struct ContactPointInput {
    /// Required on create.
    pub name: Option<String>,
    /// Required on create, fixed afterwards.
    pub contact_type: Option<ContactType>,
    /// For `email` alone, and required there.
    pub addresses: Option<Vec<String>>,
    /// For `webhook` alone, and required there.
    pub url: Option<String>,
}

/// Which contact points a list shows.
#[derive(Clone, Debug, Default)]
pub struct ContactPointFilter {
    /// Case-insensitive substring of the name.
    pub search: Option<String>,
    /// Only of this type.
    pub contact_type: Option<ContactType>,
    /// Order.
    pub order: Order<TimeOrder>,
    /// Page.
    pub paging: Paging,
}

impl ContactPoint {
    /// A new contact point.
    ///
    /// # Errors
    /// When a member breaks a rule, or one that the type needs is absent.
    pub fn new(
        id: ContactPointId,
        input: ContactPointInput,
        now: Timestamp,
    ) -> Result<Self, ContactPointRefusal> {
        if input.name.is_none() {
            return Err(Invalid::new("name", "is required").into());
        }
        let contact_type =
            input.contact_type.ok_or_else(|| Invalid::new("type", "is required: email or webhook"))?;
        let target = match contact_type {
            ContactType::Email => ContactTarget::Email(Vec::new()),
            ContactType::Webhook => ContactTarget::Webhook(String::new()),
        };
        let blank = Self {
            id,
            name: String::new(),
            target,
            signing: None,
            gone_at: None,
            created_at: now,
            updated_at: now,
        };
        blank.changed(input, now)
    }

    /// This contact point, whose calls are signed with `secret` from now on, and for a day with the one before too.
    ///
    /// # Errors
    /// When it is no webhook.
    pub fn with_signing_secret(
        mut self,
        secret: KeptSecret,
        now: Timestamp,
    ) -> Result<Self, ContactPointRefusal> {
        if self.contact_type() != ContactType::Webhook {
            return Err(ContactPointRefusal::NotSigned);
        }
        let before = self.signing.map(|signing| (signing.current, now.plus_seconds(OVERLAP)));
        self.signing = Some(SigningSecrets { current: secret, previous: before });
        self.updated_at = now;
        Ok(self)
    }

    /// This contact point, which said at `now` that it is gone for good.
    #[must_use]
    pub fn gone(self, now: Timestamp) -> Self {
        Self { gone_at: Some(now), ..self }
    }

    /// The secrets that a call at `now` is signed with, the newest first.
    pub fn signed_with(&self, now: Timestamp) -> Vec<&KeptSecret> {
        let Some(signing) = &self.signing else { return Vec::new() };
        let before = signing.previous.as_ref().filter(|(_, until)| now < *until).map(|(secret, _)| secret);
        std::iter::once(&signing.current).chain(before).collect()
    }

    /// This contact point with what `input` gives.
    ///
    /// # Errors
    /// When a member breaks a rule, or the type would change.
    pub fn changed(mut self, input: ContactPointInput, now: Timestamp) -> Result<Self, ContactPointRefusal> {
        if input.contact_type.is_some_and(|given| given != self.contact_type()) {
            return Err(ContactPointRefusal::TypeFixed(self.contact_type()));
        }
        if let Some(name) = &input.name {
            self.name = text::name("name", name, text::NAME)?;
        }
        match &mut self.target {
            ContactTarget::Email(own) => {
                refuse_foreign("url", input.url.is_some(), ContactType::Webhook)?;
                if let Some(given) = input.addresses {
                    *own = addresses(&given)?;
                }
                if own.is_empty() {
                    return Err(Invalid::new("addresses", "must be at least one e-mail address").into());
                }
            }
            ContactTarget::Webhook(own) => {
                refuse_foreign("addresses", input.addresses.is_some(), ContactType::Email)?;
                if let Some(given) = input.url {
                    *own = given;
                }
                if own.is_empty() {
                    return Err(Invalid::new("url", "is required for a contact point of type webhook").into());
                }
                text::web_link("url", own)?;
            }
        }
        self.gone_at = None;
        self.updated_at = now;
        Ok(self)
    }

    /// How somebody is told.
    pub const fn contact_type(&self) -> ContactType {
        match self.target {
            ContactTarget::Email(_) => ContactType::Email,
            ContactTarget::Webhook(_) => ContactType::Webhook,
        }
    }
}

fn refuse_foreign(member: &str, given: bool, owner: ContactType) -> Result<(), Invalid> {
    if given {
        return Err(Invalid::new(
            member,
            format!("is a member of contact points of type {} only", owner.name()),
        ));
    }
    Ok(())
}

/// Each address once, as it is written down elsewhere.
fn addresses(given: &[String]) -> Result<Vec<String>, Invalid> {
    if given.len() > MOST_ADDRESSES {
        return Err(Invalid::new("addresses", format!("must be at most {MOST_ADDRESSES}")));
    }
    let mut found = Vec::with_capacity(given.len());
    for (index, address) in given.iter().enumerate() {
        let address = persons::email(&format!("addresses[{index}]"), address)?;
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Ok(found)
}

/// Why a contact point cannot be made, changed or deleted so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContactPointRefusal {
    /// A member breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Types never change.
    #[error("type is fixed: this contact point is {}", .0.name())]
    TypeFixed(ContactType),
    /// Mail is not signed.
    #[error("only contact points of type webhook have a signing secret")]
    NotSigned,
    /// A product notifies it.
    #[error("the API product {0:?} notifies this contact point; take it out of its notifications first")]
    InUse(String),
}

impl Refusal for ContactPointRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) | Self::TypeFixed(_) | Self::NotSigned => RefusalKind::Invalid,
            Self::InUse(_) => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_field",
            Self::TypeFixed(_) => "contact_point_type_fixed",
            Self::NotSigned => "contact_point_not_signed",
            Self::InUse(_) => "contact_point_in_use",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn webhook() -> ContactPoint {
        let input = ContactPointInput {
            name: Some("Chat".into()),
            contact_type: Some(ContactType::Webhook),
            url: Some("https://chat.example.com/hook".into()),
            ..ContactPointInput::default()
        };
        ContactPoint::new(ContactPointId::known("ctp_1"), input, NOW).unwrap()
    }

    fn secret(text: &str) -> KeptSecret {
        KeptSecret::Clear(text.into())
    }

    #[test]
    fn two_secrets_sign_for_a_day_after_a_new_one_was_made() {
        assert!(webhook().signed_with(NOW).is_empty());
        let first = webhook().with_signing_secret(secret("one"), NOW).unwrap();
        assert_eq!(first.signed_with(NOW), [&secret("one")]);
        let second = first.with_signing_secret(secret("two"), NOW).unwrap();
        assert_eq!(second.signed_with(NOW.plus_seconds(86_399)), [&secret("two"), &secret("one")]);
        assert_eq!(second.signed_with(NOW.plus_seconds(86_400)), [&secret("two")]);
        let third = second.with_signing_secret(secret("three"), NOW).unwrap();
        assert_eq!(third.signed_with(NOW), [&secret("three"), &secret("two")], "never three");
    }

    #[test]
    fn a_webhook_that_was_gone_is_called_again_once_somebody_changed_it() {
        let gone = ContactPoint { gone_at: Some(NOW), ..webhook() };
        assert_eq!(gone.changed(ContactPointInput::default(), NOW).unwrap().gone_at, None);
    }

    #[test]
    fn mail_has_no_signing_secret() {
        let input = ContactPointInput {
            name: Some("Ops".into()),
            contact_type: Some(ContactType::Email),
            addresses: Some(vec!["ops@example.com".into()]),
            ..ContactPointInput::default()
        };
        let mail = ContactPoint::new(ContactPointId::known("ctp_2"), input, NOW).unwrap();
        assert_eq!(mail.with_signing_secret(secret("one"), NOW), Err(ContactPointRefusal::NotSigned));
    }
}
