//! Notices: what happened, as it is to be told, written down in the transaction that made it happen.
//!
//! Invariant: a notice holds all that is needed to tell of the event (the names, the rules, the developer's address as
//! they were), since the product or the developer may be gone when it is told. It is turned into deliveries once, and is
//! gone then.

use serde::{Deserialize, Serialize};

use crate::{
    approvals::Approval,
    contact_points::{ContactPoint, ContactTarget},
    events::EventName,
    ids::{ApprovalId, EventId, PersonId, PortalId},
    notifications::{NotificationEvent, NotificationRule, templates::Occasion},
    person_links::LinkPurpose,
    products::Product,
    subscriptions::Subscription,
    time::Timestamp,
};

named! {
    /// What somebody is told of.
    pub enum NoticeEvent {
        /// A subscription waits for an approval.
        SubscriptionRequested = "subscription_approval_created",
        /// A subscription was accepted.
        SubscriptionAccepted = "subscription_approval_accepted",
        /// A subscription was rejected.
        SubscriptionRejected = "subscription_approval_rejected",
        /// A subscription ended, or was withdrawn.
        SubscriptionCancelled = "subscription_approval_cancelled",
        /// A developer registered and waits for an approval.
        RegistrationRequested = "developer_registration_created",
        /// A registration was accepted.
        RegistrationAccepted = "developer_registration_accepted",
        /// A registration was rejected.
        RegistrationRejected = "developer_registration_rejected",
        /// A person is to prove their address.
        VerificationAsked = "email_verification_asked",
        /// Somebody registered with the address of a person who has an account.
        RegistrationRepeated = "registration_repeated",
        /// A person forgot their password.
        PasswordForgotten = "password_forgotten",
        /// A person's password was changed.
        PasswordChanged = "password_changed",
    }
}

impl NoticeEvent {
    /// What products' rules call it; `None`: no rule names it.
    pub const fn of_rules(self) -> Option<NotificationEvent> {
        match self {
            Self::SubscriptionRequested => Some(NotificationEvent::Created),
            Self::SubscriptionAccepted => Some(NotificationEvent::Accepted),
            Self::SubscriptionRejected => Some(NotificationEvent::Rejected),
            Self::SubscriptionCancelled => Some(NotificationEvent::Cancelled),
            Self::RegistrationRequested
            | Self::RegistrationAccepted
            | Self::RegistrationRejected
            | Self::VerificationAsked
            | Self::RegistrationRepeated
            | Self::PasswordForgotten
            | Self::PasswordChanged => None,
        }
    }

    /// What the link in its mail is for, where it has one of the person's own.
    pub const fn link_purpose(self) -> Option<LinkPurpose> {
        match self {
            Self::VerificationAsked => Some(LinkPurpose::Verification),
            Self::PasswordForgotten => Some(LinkPurpose::Reset),
            _ => None,
        }
    }

    /// Whether those are told who are told of requests for any product of the portal.
    pub const fn is_for_portals(self) -> bool {
        matches!(self, Self::RegistrationRequested)
    }

    /// What is told of an event of this name, if anything.
    pub const fn of(name: EventName) -> Option<Self> {
        match name {
            EventName::SubscriptionRequested => Some(Self::SubscriptionRequested),
            EventName::SubscriptionAccepted => Some(Self::SubscriptionAccepted),
            EventName::SubscriptionRejected => Some(Self::SubscriptionRejected),
            EventName::SubscriptionCancelled => Some(Self::SubscriptionCancelled),
            EventName::DeveloperActivated => Some(Self::RegistrationAccepted),
            EventName::RegistrationRejected => Some(Self::RegistrationRejected),
            _ => None,
        }
    }

    /// Whether the developer is told: of what was decided, that a registration arrived, and what concerns their account.
    pub const fn is_for_developers(self) -> bool {
        !matches!(self, Self::SubscriptionRequested | Self::SubscriptionCancelled)
    }

    /// Whether a mail about it may lead to the decision.
    pub const fn asks(self) -> bool {
        matches!(self, Self::SubscriptionRequested | Self::RegistrationRequested)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The event that it tells of.
    pub event_id: EventId,
    /// What happened.
    pub event: NoticeEvent,
    /// Whose portal it happened in.
    pub portal_id: PortalId,
    /// The approval that it is about, where there is one.
    pub approval_id: Option<ApprovalId>,
    /// Who asked.
    pub applicant_name: String,
    /// What was asked for.
    pub resource_name: String,
    /// When it was asked for.
    pub applied_at: Timestamp,
    /// Why it was decided so; empty: not said.
    pub reason: String,
    /// The rules of the product for this event; those of a portal's products are looked up when it is told.
    pub rules: Vec<NotificationRule>,
    /// The mail address of the developer who is told; `None`: nobody is, or no address is known.
    pub developer_address: Option<String>,
    /// The person whose account it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_id: Option<PersonId>,
    /// When it happened.
    pub at: Timestamp,
}

impl Notice {
    /// What is told of a subscription; `None` where nobody would be.
    ///
    /// `approval`: what it waited for; one that had to wait for none ends without.
    pub fn of_subscription(
        event_id: EventId,
        event: NoticeEvent,
        (subscription, product): (&Subscription, &Product),
        (approval, applicant_name): (Option<&Approval>, &str),
        developer_address: Option<&str>,
        at: Timestamp,
    ) -> Option<Self> {
        let rules = product.notifications.iter().filter(|rule| Some(rule.event) == event.of_rules());
        let reason = approval.and_then(|approval| approval.decision.as_ref());
        let notice = Self {
            event_id,
            event,
            portal_id: subscription.portal_id.clone(),
            approval_id: approval.map(|approval| approval.id.clone()),
            applicant_name: applicant_name.to_owned(),
            resource_name: product.name.clone(),
            applied_at: approval.map_or(subscription.created_at, |approval| approval.applied_at),
            reason: reason.map(|decision| decision.reason.clone()).unwrap_or_default(),
            rules: rules.cloned().collect(),
            developer_address: developer_address.filter(|_| event.is_for_developers()).map(str::to_owned),
            person_id: None,
            at,
        };
        notice.reaches_somebody().then_some(notice)
    }

    /// Whether anybody would be told.
    pub const fn reaches_somebody(&self) -> bool {
        !self.rules.is_empty() || self.developer_address.is_some() || self.event.is_for_portals()
    }

    /// What the variables of templates stand for; `None`: no rule names such an event.
    pub fn occasion(&self) -> Option<Occasion> {
        Some(Occasion {
            approval_id: self.approval_id.clone(),
            applicant_name: self.applicant_name.clone(),
            event: self.event.of_rules()?,
            applied_at: self.applied_at,
            resource_name: self.resource_name.clone(),
        })
    }

    /// Whom the rules name: each recipient once, with the rule that named it first. `found` are the contact points as
    /// they are now; one that is gone is left out.
    pub fn addressees<'a>(&'a self, found: &'a [ContactPoint]) -> Vec<Addressee<'a>> {
        let mut addressees: Vec<Addressee<'a>> = Vec::new();
        for rule in &self.rules {
            for id in &rule.contact_point_ids {
                let Some(contact_point) = found.iter().find(|found| found.id == *id) else { continue };
                let mut add = |address| {
                    let addressee = Addressee { rule, contact_point, address };
                    let told = |other: &Addressee<'_>| other.is_same(&addressee);
                    if !addressees.iter().any(told) {
                        addressees.push(addressee);
                    }
                };
                match &contact_point.target {
                    ContactTarget::Email(addresses) => {
                        addresses.iter().for_each(|address| add(Some(address.as_str())));
                    }
                    ContactTarget::Webhook(_) => add(None),
                }
            }
        }
        addressees
    }
}

/// One recipient of a notice.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    /// The rule that names it.
    pub rule: &'a NotificationRule,
    /// The contact point.
    pub contact_point: &'a ContactPoint,
    /// The mail address; `None`: the webhook.
    pub address: Option<&'a str>,
}

impl Addressee<'_> {
    /// Whether both are the same mailbox, or the same webhook.
    fn is_same(&self, other: &Addressee<'_>) -> bool {
        match (self.address, other.address) {
            (Some(own), Some(other)) => own == other,
            (None, None) => self.contact_point.id == other.contact_point.id,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{contact_points::ContactType, ids::ContactPointId};

    fn contact_point(id: &str, target: ContactTarget) -> ContactPoint {
        ContactPoint {
            id: ContactPointId::known(id),
            name: id.to_owned(),
            target,
            signing: None,
            gone_at: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }

    fn rule(contact_type: ContactType, ids: &[&str]) -> NotificationRule {
        NotificationRule {
            event: NotificationEvent::Created,
            contact_type,
            contact_point_ids: ids.iter().map(|id| ContactPointId::known(*id)).collect(),
            subject: None,
            content: None,
        }
    }

    #[test]
    fn each_recipient_is_told_once_however_many_rules_and_lists_name_it() {
        let notice = Notice {
            event_id: EventId::known("evt_1"),
            event: NoticeEvent::SubscriptionRequested,
            portal_id: PortalId::known("prt_1"),
            approval_id: None,
            applicant_name: "Ada".into(),
            resource_name: "Orders".into(),
            applied_at: Timestamp::default(),
            reason: String::new(),
            rules: vec![
                rule(ContactType::Email, &["one", "gone", "two"]),
                rule(ContactType::Webhook, &["hook"]),
                rule(ContactType::Webhook, &["hook", "other"]),
            ],
            developer_address: None,
            person_id: None,
            at: Timestamp::default(),
        };
        let email = |id, addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
            contact_point(id, ContactTarget::Email(addresses))
        };
        let same = "https://chat.example/hook";
        let found = [
            email("one", &["a@example.com", "b@example.com"]),
            email("two", &["b@example.com", "c@example.com"]),
            contact_point("hook", ContactTarget::Webhook(same.into())),
            contact_point("other", ContactTarget::Webhook(same.into())),
        ];
        let told: Vec<_> = notice
            .addressees(&found)
            .iter()
            .map(|told| (told.contact_point.id.as_str().to_owned(), told.address.map(str::to_owned)))
            .collect();
        let mailbox = |id: &str, address: &str| (id.to_owned(), Some(address.to_owned()));
        assert_eq!(
            told,
            [
                mailbox("one", "a@example.com"),
                mailbox("one", "b@example.com"),
                mailbox("two", "c@example.com"),
                ("hook".to_owned(), None),
                ("other".to_owned(), None),
            ]
        );
    }

    #[test]
    fn every_event_of_rules_is_told_of_under_the_same_word() {
        for event in NotificationEvent::ALL {
            let own = NoticeEvent::from_name(event.name()).unwrap();
            assert_eq!(own.of_rules(), Some(*event));
            assert_eq!(EventName::from_name(event.name()).and_then(NoticeEvent::of), Some(own));
        }
    }
}
