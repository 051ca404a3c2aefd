//! Contact points: whom products' notifications reach, by e-mail or by webhook.
//!
//! Invariant: the type of a contact point is fixed, so that a notification that names it goes on fitting.

use crate::{
    ids::ContactPointId,
    lists::{Order, Paging, TimeOrder},
    persons,
    refusals::{Refusal, RefusalKind},
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
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

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
        let blank = Self { id, name: String::new(), target, created_at: now, updated_at: now };
        blank.changed(input, now)
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
    /// A product notifies it.
    #[error("the API product {0:?} notifies this contact point; take it out of its notifications first")]
    InUse(String),
}

impl Refusal for ContactPointRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Invalid(_) | Self::TypeFixed(_) => RefusalKind::Invalid,
            Self::InUse(_) => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_field",
            Self::TypeFixed(_) => "contact_point_type_fixed",
            Self::InUse(_) => "contact_point_in_use",
        }
    }
}
