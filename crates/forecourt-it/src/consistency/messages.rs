//! What is to be told: each notice and each delivery is of an event, none is of both, and none is told of twice.

use std::collections::BTreeSet;

use forecourt_core::{deliveries::DeliveryState, events::EventName, notices::NoticeEvent};

use super::{Findings, Snapshot, Violation};

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let events = snapshot.by("events", "id");
    let spread: BTreeSet<_> = snapshot.rows("deliveries").iter().map(|row| row.text("event_id")).collect();
    for row in snapshot.rows("notices") {
        let id = row.text("event_id");
        findings.expect(!spread.contains(id), "notice", row, || "deliveries were made of it already".into());
        let named = row.json("body")["event_id"].as_str().unwrap_or_default().to_owned();
        findings.expect(named == id, "notice", row, || format!("it tells of {named}"));
    }
    for row in snapshot.rows("deliveries") {
        let Some(event) = events.get(row.text("event_id")) else { continue };
        let told = EventName::from_name(event.text("name")).and_then(NoticeEvent::of).map(NoticeEvent::name);
        // That a registration arrived is told of the event that made the developer.
        let is_told =
            told == Some(row.text("event")) || row.text("event") == NoticeEvent::RegistrationRequested.name();
        findings.expect(is_told, "event of a delivery", row, || {
            format!("it tells {} of {}", row.text("event"), event.text("name"))
        });
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
