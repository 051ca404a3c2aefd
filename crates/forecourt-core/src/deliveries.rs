//! Deliveries: one message to one recipient, until it arrived or was given up.
//!
//! Invariant: a delivery is for one recipient of one event, and what it says never changes, so that somebody who gets
//! it twice can tell by its id. Whoever tries one leases it first ([`Delivery::leased`]): nobody else tries it until the
//! lease ends. It is waiting exactly where it has a next attempt.

use crate::{
    contact_points::ContactType,
    ids::{ApprovalId, ContactPointId, DeliveryId, EventId, PortalId},
    lists::{Direction, Paging},
    notices::NoticeEvent,
    refusals::{Refusal, RefusalKind},
    secrets::KeptSecret,
    text::{self, Invalid},
    time::Timestamp,
};

named! {
    /// How far a delivery is.
    pub enum DeliveryState {
        /// It is tried, or tried again.
        Waiting = "waiting",
        /// The recipient's server took it.
        Delivered = "delivered",
        /// It was given up.
        Dead = "dead",
        /// It was not tried, since nothing is sent that way.
        Skipped = "skipped",
    }
}

/// The pause after the first attempt, seconds; each further one doubles it.
const FIRST_PAUSE: i64 = 10;
/// The longest pause between two attempts of ours, seconds.
const LONGEST_PAUSE: i64 = 12 * 3_600;
/// The longest pause that a recipient may ask for, seconds.
const LONGEST_ASKED: i64 = 24 * 3_600;
/// How long a delivery is tried, seconds: five days, as mail servers do (RFC 5321 §4.5.4.1).
const TRIED_FOR: i64 = 5 * 24 * 3_600;
/// No delivery waits longer than so, seconds: where one does, the clock was set back since.
pub const LONGEST_WAIT: i64 = LONGEST_ASKED + 3_600;
/// How many characters of an error are kept.
const ERROR: usize = 500;

/// How long settled deliveries are kept, seconds: 30 days.
pub const KEPT_FOR: i64 = 30 * 24 * 3_600;

/// The lane of all mail: it goes through one server.
const MAIL_LANE: &str = "mail";

/// A message to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which the recipient is told: `webhook-id`, and the left half of `Message-ID`.
    pub id: DeliveryId,
    /// What happened.
    pub event: NoticeEvent,
    /// The event that it tells of.
    pub event_id: EventId,
    /// Whose portal it happened in.
    pub portal_id: PortalId,
    /// The approval that it is about, where there is one.
    pub approval_id: Option<ApprovalId>,
    /// The contact point that it goes to; `None`: the developer.
    pub contact_point_id: Option<ContactPointId>,
    /// What the contact point was called; empty: the developer.
    pub contact_point_name: String,
    /// Mail, or a call.
    pub contact_type: ContactType,
    /// The mail address; empty for a webhook, whose address is looked up when it is called.
    pub address: String,
    /// The subject of a mail.
    pub subject: String,
    /// The text of a mail, or the body of a call.
    pub content: String,
    /// The token of the link with which the recipient may decide, sealed; mail of some events has one.
    pub link: Option<KeptSecret>,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: i64,
    /// How often it had been tried when it was last begun anew.
    pub begun_after: i64,
    /// When it was made, or last begun anew.
    pub begun_at: Timestamp,
    /// What the last attempt met, or why there was none; empty: nothing is wrong.
    pub last_error: String,
    /// When it is tried next.
    pub next_attempt_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One attempt, as the log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Which attempt, from 1.
    pub number: i64,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, milliseconds.
    pub millis: i64,
    /// The status of the answer: of HTTP, or of SMTP; `None`: there was none.
    pub status: Option<u16>,
    /// What went wrong; empty: it was taken.
    pub error: String,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, for people; without secrets.
    pub text: String,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// What follows from it.
    pub outlook: Outlook,
}

/// What follows from a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It may go better later, and not before so many seconds where the recipient said so.
    Later(Option<i64>),
    /// The recipient refused it for good.
    Never,
    /// Nothing is sent that way any more.
    Skip,
}

impl Failure {
    /// One after which it is tried again.
    pub fn later(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: None, outlook: Outlook::Later(None) }
    }

    /// One after which it is never tried again.
    pub fn never(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: None, outlook: Outlook::Never }
    }

    /// What of its text is kept.
    pub fn kept(&self) -> String {
        text::quoted(&self.text, ERROR)
    }
}

impl Delivery {
    /// What it shares its turn with: so many of a lane are tried at the same time, so that none holds up the others.
    pub fn lane(&self) -> String {
        match (self.contact_type, &self.contact_point_id) {
            (ContactType::Webhook, Some(id)) => id.to_string(),
            _ => MAIL_LANE.to_owned(),
        }
    }

    /// How many of its lane are tried at the same time.
    pub fn lane_width(lane: &str) -> usize {
        if lane == MAIL_LANE { 4 } else { 2 }
    }

    /// Whom it is for, as it is counted: nobody is told of one event twice.
    pub fn recipient(&self) -> String {
        match &self.contact_point_id {
            None => format!("developer:{}", self.address),
            Some(_) if self.contact_type == ContactType::Email => format!("email:{}", self.address),
            Some(id) => format!("webhook:{id}"),
        }
    }

    /// The same, taken for one attempt: for so many seconds, more than it can last, nobody else tries it.
    #[must_use]
    pub fn leased(self, now: Timestamp, seconds: i64) -> Self {
        Self {
            attempts: self.attempts.saturating_add(1),
            next_attempt_at: Some(now.plus_seconds(seconds)),
            updated_at: now,
            ..self
        }
    }

    /// The same after the recipient's server took it.
    #[must_use]
    pub fn delivered(self, now: Timestamp) -> Self {
        Self {
            state: DeliveryState::Delivered,
            next_attempt_at: None,
            last_error: String::new(),
            updated_at: now,
            ..self
        }
    }

    /// The same after an attempt that failed: tried again after a pause that grows from 10 seconds to 12 hours, for five
    /// days; or given up. `chance`, 0 to 999, spreads the pauses of many by a fifth to either side.
    #[must_use]
    pub fn failed(self, failure: &Failure, chance: u16, now: Timestamp) -> Self {
        let last_error = failure.kept();
        let ended = |state| Self {
            state,
            next_attempt_at: None,
            last_error: last_error.clone(),
            updated_at: now,
            ..self.clone()
        };
        let asked = match failure.outlook {
            Outlook::Never => return ended(DeliveryState::Dead),
            Outlook::Skip => return ended(DeliveryState::Skipped),
            Outlook::Later(asked) => asked.unwrap_or(0).clamp(0, LONGEST_ASKED),
        };
        let doublings = (self.attempts - self.begun_after - 1).clamp(0, 16);
        let pause = (FIRST_PAUSE << doublings).min(LONGEST_PAUSE);
        let pause = pause * (800 + i64::from(chance.min(999)) * 2 / 5) / 1_000;
        let next = now.plus_seconds(pause.max(asked));
        if next > self.begun_at.plus_seconds(TRIED_FOR) {
            return ended(DeliveryState::Dead);
        }
        Self { next_attempt_at: Some(next), last_error, updated_at: now, ..self }
    }

    /// The same, begun anew at once, as if it had never been tried; its log stays.
    ///
    /// # Errors
    /// While it waits, since it is tried anyway.
    pub fn again(self, now: Timestamp) -> Result<Self, DeliveryRefusal> {
        if self.state == DeliveryState::Waiting {
            return Err(DeliveryRefusal::StillWaiting);
        }
        Ok(Self {
            state: DeliveryState::Waiting,
            begun_after: self.attempts,
            begun_at: now,
            next_attempt_at: Some(now),
            updated_at: now,
            ..self
        })
    }
}

/// How much is to be delivered, and what was given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryBacklog {
    /// How many wait, for their turn or for the next attempt, 1000 at most.
    pub waiting: usize,
    /// How many were given up and are kept, 1000 at most.
    pub dead: usize,
    /// Since when the one is due, or still to be made of what happened, that is so longest; `None`: none is.
    pub due_since: Option<Timestamp>,
}

/// Which deliveries a list shows, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only those that are so far.
    pub state: Option<DeliveryState>,
    /// Only those to this contact point.
    pub contact_point_id: Option<ContactPointId>,
    /// Only those that tell of this.
    pub event: Option<NoticeEvent>,
    /// Only those that were made at or after this.
    pub start_at: Option<Timestamp>,
    /// Only those that were made before this.
    pub end_at: Option<Timestamp>,
    /// Which way they are sorted by the time at which they were made.
    pub direction: Direction,
    /// Page.
    pub paging: Paging,
}

impl DeliveryFilter {
    /// The deliveries that are to be sent again.
    ///
    /// # Errors
    /// When they are not narrowed by a state and a time, or are those that wait.
    pub fn checked_for_resending(self) -> Result<Self, DeliveryRefusal> {
        match self.state {
            None => return Err(Invalid::new("state", "is required: dead, skipped or delivered").into()),
            Some(DeliveryState::Waiting) => return Err(DeliveryRefusal::StillWaiting),
            Some(_) => {}
        }
        match (self.start_at, self.end_at) {
            (None, _) => Err(Invalid::new("start_at", "is required").into()),
            (_, None) => Err(Invalid::new("end_at", "is required").into()),
            (Some(start), Some(end)) if start >= end => {
                Err(Invalid::new("end_at", "must be later than start_at").into())
            }
            _ => Ok(self),
        }
    }
}

/// Why deliveries are not sent again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryRefusal {
    /// It is tried anyway.
    #[error("the delivery still waits and is tried by itself; only those that ended are sent again")]
    StillWaiting,
    /// A member breaks a rule.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl Refusal for DeliveryRefusal {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::StillWaiting => RefusalKind::Conflict,
            Self::Invalid(_) => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::StillWaiting => "delivery_waiting",
            Self::Invalid(_) => "invalid_field",
        }
    }
}

#[cfg(test)]
mod tests;
