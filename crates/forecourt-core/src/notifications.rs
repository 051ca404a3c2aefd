//! Notifications of API products: at which event whom to tell, and in which words.
//!
//! Invariant: a stored rule names contact points of its own type, and templates that [`templates`] can read. That the
//! contact points exist is asked in the transaction that stores the rule.

mod layouts;
pub mod templates;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    contact_points::ContactType,
    ids::ContactPointId,
    text::{self, Invalid},
};

use templates::Template;

named! {
    /// At what somebody is told.
    pub enum NotificationEvent {
        /// A subscription waits for an approval.
        Created = "subscription_approval_created",
        /// A subscription was accepted.
        Accepted = "subscription_approval_accepted",
        /// A subscription was rejected.
        Rejected = "subscription_approval_rejected",
        /// A subscription ended, or was withdrawn.
        Cancelled = "subscription_approval_cancelled",
    }
}

/// How many rules a product has at most.
const MOST_RULES: usize = 100;
/// How many contact points a rule names at most.
const MOST_CONTACTS: usize = 100;
/// The longest subject, in characters: a line of a mail (RFC 5322 §2.1.1) less its name.
const SUBJECT: usize = 900;

/// A rule: at which event whom to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationRule {
    /// When.
    pub event: NotificationEvent,
    /// How.
    pub contact_type: ContactType,
    /// Whom, each once.
    pub contact_point_ids: Vec<ContactPointId>,
    /// The subject's template; `None`: ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Template>,
    /// The text's template; `None`: ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Template>,
}

/// A rule as it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationRuleInput {
    /// Required.
    pub event: Option<NotificationEvent>,
    /// Required.
    pub contact_type: Option<ContactType>,
    /// Whom.
    pub contact_point_ids: Vec<String>,
    /// The subject; empty: ours.
    pub subject: Option<String>,
    /// The text; empty: ours.
    pub content: Option<String>,
}

/// The rules that `given` asks for.
///
/// # Errors
/// When a member of one breaks a rule, named by its place: `notifications[0].event`.
pub fn rules(given: Vec<NotificationRuleInput>) -> Result<Vec<NotificationRule>, Invalid> {
    if given.len() > MOST_RULES {
        return Err(Invalid::new("notifications", format!("must be at most {MOST_RULES}")));
    }
    given.into_iter().enumerate().map(|(index, given)| rule(index, given)).collect()
}

fn rule(index: usize, given: NotificationRuleInput) -> Result<NotificationRule, Invalid> {
    let path = |member: &str| format!("notifications[{index}].{member}");
    let missing = |member: &str| Invalid::new(path(member), "is required");
    let ids = given.contact_point_ids;
    if ids.len() > MOST_CONTACTS {
        return Err(Invalid::new(path("contact_point_ids"), format!("must be at most {MOST_CONTACTS}")));
    }
    let mut contact_point_ids: Vec<ContactPointId> = Vec::with_capacity(ids.len());
    for id in ids {
        let parsed = ContactPointId::parse(&id).ok_or_else(|| unknown(index, &id))?;
        if !contact_point_ids.contains(&parsed) {
            contact_point_ids.push(parsed);
        }
    }
    let subject = given.subject.filter(|text| !text.is_empty());
    let subject = subject.map(|text| text::name(&path("subject"), &text, SUBJECT)).transpose()?;
    let content = given.content.filter(|text| !text.is_empty());
    let content = content.map(|content| text::free(&path("content"), &content, text::DESC)).transpose()?;
    Ok(NotificationRule {
        event: given.event.ok_or_else(|| missing("event"))?,
        contact_type: given.contact_type.ok_or_else(|| missing("type"))?,
        contact_point_ids,
        subject: subject.map(|text| Template::parse(&path("subject"), &text)).transpose()?,
        content: content.map(|text| Template::parse(&path("content"), &text)).transpose()?,
    })
}

/// Whom a portal tells of registrations whose products have these rules: whoever is told of requests for one of them, each
/// once, in our words, since those of a product speak of it.
pub fn of_registrations(rules: &[NotificationRule]) -> Vec<NotificationRule> {
    let told = |contact_type: &ContactType| {
        let asking = rules
            .iter()
            .filter(|rule| rule.event == NotificationEvent::Created && rule.contact_type == *contact_type);
        let ids: BTreeSet<_> = asking.flat_map(|rule| rule.contact_point_ids.iter().cloned()).collect();
        NotificationRule {
            event: NotificationEvent::Created,
            contact_type: *contact_type,
            contact_point_ids: ids.into_iter().collect(),
            subject: None,
            content: None,
        }
    };
    let rules = ContactType::ALL.iter().map(told);
    rules.filter(|rule| !rule.contact_point_ids.is_empty()).collect()
}

/// What is said of a contact point that the rule at `index` names and that does not exist.
pub fn unknown(index: usize, id: &str) -> Invalid {
    let shown: String = id.chars().take(256).collect();
    Invalid::new(
        format!("notifications[{index}].contact_point_ids"),
        format!("must name contact points, and {shown:?} is none"),
    )
}

/// What is said of a contact point that the rule at `index` names and that is of another type.
pub fn of_other_type(index: usize, id: &ContactPointId, rule: &NotificationRule) -> Invalid {
    Invalid::new(
        format!("notifications[{index}].contact_point_ids"),
        format!("must name contact points of type {}, and {id} is of another", rule.contact_type.name()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations_are_told_to_whoever_is_told_of_requests_once_and_in_our_words() {
        let rule = |event, contact_type, ids: &[&str]| NotificationRule {
            event,
            contact_type,
            contact_point_ids: ids.iter().map(|id| ContactPointId::known(*id)).collect(),
            subject: Some(Template::parse("subject", "{{.ResourceName}}").unwrap()),
            content: None,
        };
        let told = of_registrations(&[
            rule(NotificationEvent::Created, ContactType::Email, &["two", "one"]),
            rule(NotificationEvent::Created, ContactType::Email, &["one"]),
            rule(NotificationEvent::Accepted, ContactType::Webhook, &["hook"]),
        ]);
        let [told] = told.as_slice() else { panic!("one rule: {told:?}") };
        assert_eq!(told.contact_point_ids, ["one", "two"].map(ContactPointId::known));
        assert_eq!((told.contact_type, &told.subject), (ContactType::Email, &None));
        assert!(of_registrations(&[]).is_empty());
    }
}
