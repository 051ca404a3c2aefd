//! What is to be told: each notice and each delivery is of an event, none is of both, and none is told of twice.

use std::collections::BTreeSet;

use forecourt_core::{deliveries::DeliveryState, events::EventName, notices::NoticeEvent};

use super::{Findings, Row, Snapshot, Violation};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let events = snapshot.by("events", "id");
    let spread: BTreeSet<_> = snapshot.rows("deliveries").iter().map(|row| row.text("event_id")).collect();
    for row in snapshot.rows("notices") {
        let id = row.text("event_id");
        if let Some(event) = events.get(id) {
            let body = row.json("body");
            tells_of(row, body["event"].as_str().unwrap_or_default(), event, findings);
        }
        findings.expect(!spread.contains(id), "notice", row, || "deliveries were made of it already".into());
        let named = row.json("body")["event_id"].as_str().unwrap_or_default().to_owned();
        findings.expect(named == id, "notice", row, || format!("it tells of {named}"));
    }
    for row in snapshot.rows("deliveries") {
        let Some(event) = events.get(row.text("event_id")) else { continue };
        tells_of(row, row.text("event"), event, findings);
    }
}

/// Holds what is told, by its name, against the event that it is told of.
fn tells_of(row: &Row, told: &str, event: &Row, findings: &mut Findings) {
    let fits = NoticeEvent::from_name(told).is_some_and(|told| occasion(told).name() == event.text("name"));
    findings
        .expect(fits, "event of a delivery", row, || format!("it tells {told} of {}", event.text("name")));
}

/// The one event that this is told of.
const fn occasion(told: NoticeEvent) -> EventName {
    match told {
        NoticeEvent::SubscriptionRequested => EventName::SubscriptionRequested,
        NoticeEvent::SubscriptionAccepted => EventName::SubscriptionAccepted,
        NoticeEvent::SubscriptionRejected => EventName::SubscriptionRejected,
        NoticeEvent::SubscriptionCancelled => EventName::SubscriptionCancelled,
        // That a registration arrived is told of the event that made the developer.
        NoticeEvent::RegistrationRequested => EventName::DeveloperCreated,
        NoticeEvent::RegistrationAccepted => EventName::DeveloperActivated,
        NoticeEvent::RegistrationRejected => EventName::RegistrationRejected,
        NoticeEvent::VerificationAsked => EventName::PersonVerificationAsked,
        NoticeEvent::RegistrationRepeated => EventName::PersonRegistrationRepeated,
        NoticeEvent::PasswordForgotten => EventName::PersonPasswordForgotten,
        NoticeEvent::PasswordChanged => EventName::PersonPasswordChanged,
    }
}

/// What waits to be told still: nothing once who tells had the time to.
pub fn untold(snapshot: &Snapshot) -> Vec<Violation> {
    let mut findings = Findings::default();
    for row in snapshot.rows("notices") {
        findings.add("untold", row.name(), "no delivery was made of it");
    }
    let waiting = DeliveryState::Waiting.name();
    for row in snapshot.rows("deliveries").iter().filter(|row| row.text("state") == waiting) {
        findings.add("untold", row.name(), format!("it waits: {}", row.text("last_error")));
    }
    findings.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(told: &str, happened: &str) -> usize {
        let delivery =
            Row::of_texts("deliveries", &[("id", "dlv_1"), ("event_id", "evt_1"), ("event", told)]);
        let event = Row::of_texts("events", &[("id", "evt_1"), ("name", happened)]);
        let tables = [("deliveries", vec![delivery]), ("events", vec![event]), ("notices", Vec::new())];
        let mut findings = Findings::default();
        check(&Snapshot::of_tables(&tables), &mut findings);
        findings.0.len()
    }

    #[test]
    fn what_is_told_of_accounts_and_registrations_is_told_of_its_own_event_alone() {
        for (told, happened) in [
            ("developer_registration_created", "developer_created"),
            ("email_verification_asked", "person_verification_asked"),
            ("registration_repeated", "person_registration_repeated"),
            ("password_forgotten", "person_password_forgotten"),
            ("password_changed", "person_password_changed"),
        ] {
            assert_eq!(problems(told, happened), 0, "{told} of {happened}");
            assert_eq!(problems(told, "product_created"), 1, "{told}");
        }
    }
}
