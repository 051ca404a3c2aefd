//! Who had to be told, and was: by calls and mails as they arrived, against what is stored.

use std::collections::{BTreeMap, BTreeSet};

use forecourt_core::{deliveries::DeliveryState, events::EventName, notices::NoticeEvent};

use super::{Calls, Ground, Ledger};
use crate::{
    Mail,
    consistency::{Row, Snapshot, Violation},
    upstreams::Arrived,
};

/// What was told, and what was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Deliveries that arrived.
    pub deliveries: usize,
    /// How often one arrived that had arrived before.
    pub duplicates: usize,
    /// The calls of the storm's callers.
    pub calls: Calls,
}

/// What was told, and every promise about it that was broken. Calls are not looked at.
pub fn broken(
    snapshot: &Snapshot,
    ground: &Ground,
    ledger: &Ledger,
    arrived: (&[Arrived], &[Mail]),
) -> (Told, Vec<Violation>) {
    let mut violations = Vec::new();
    let mut add = |check: &'static str, row: String, problem: String| {
        violations.push(Violation { check, row, problem });
    };
    let stored: BTreeMap<_, _> = snapshot
        .rows("deliveries")
        .iter()
        .map(|row| ((row.text("event_id"), row.text("recipient").to_owned()), row))
        .collect();
    for event in owed(snapshot, ground) {
        for recipient in &ground.recipients {
            match stored.get(&(event.text("id"), recipient.clone())).map(|row| row.text("state")) {
                Some(state) if state == DeliveryState::Delivered.name() => {}
                found => add("event without delivery", event.name(), format!("{recipient}: {found:?}")),
            }
        }
    }
    let of_asking: BTreeSet<_> = snapshot
        .rows("events")
        .iter()
        .map(|row| (row.text("name"), row.json("detail")))
        .filter(|(_, detail)| detail["product_id"] == ground.asking.as_str())
        .map(|(name, detail)| (name, detail["application_id"].as_str().unwrap_or_default().to_owned()))
        .collect();
    for (name, application) in &ledger.promised {
        if !of_asking.contains(&(*name, application.clone())) {
            add("acknowledged without event", format!("applications {application}"), (*name).to_owned());
        }
    }
    let heard = heard(arrived);
    let deliveries = snapshot.by("deliveries", "id");
    for (id, said) in &heard {
        let Some(row) = deliveries.get(id.as_str()) else {
            add("told of what never happened", format!("deliveries {id}"), format!("{said:?}"));
            continue;
        };
        if said.iter().any(|words| words != &said[0]) {
            add("told in other words", row.name(), format!("{said:?}"));
        }
        // What a mail's body is written as is the mail's business; a call says what is stored.
        if row.text("contact_type") == "webhook" && said[0] != row.text("content") {
            add("told in other words", row.name(), format!("{said:?}"));
        }
    }
    for row in snapshot.rows("deliveries") {
        let is_delivered = row.text("state") == DeliveryState::Delivered.name();
        if is_delivered && !heard.contains_key(row.text("id")) {
            add("delivered to nobody", row.name(), format!("{} never heard of it", row.text("recipient")));
        }
    }
    let arrivals: usize = heard.values().map(Vec::len).sum();
    let (deliveries, duplicates) = (heard.len(), arrivals - heard.len());
    (Told { deliveries, duplicates, ..Told::default() }, violations)
}

/// The events that the recipients must be told of: what became of requests to the product that asks. Of a subscription
/// that ends with its application or developer only one that waited is told of.
fn owed<'a>(snapshot: &'a Snapshot, ground: &Ground) -> Vec<&'a Row> {
    let cancelled: BTreeSet<_> = snapshot
        .rows("approvals")
        .iter()
        .filter(|row| row.text("result") == "cancelled")
        .map(|row| row.text("subscription_id"))
        .collect();
    let is_owed = |row: &&Row| {
        let event = EventName::from_name(row.text("name")).and_then(NoticeEvent::of);
        let of_asking = row.json("detail")["product_id"] == ground.asking.as_str();
        of_asking
            && match event {
                Some(
                    NoticeEvent::SubscriptionRequested
                    | NoticeEvent::SubscriptionAccepted
                    | NoticeEvent::SubscriptionRejected,
                ) => true,
                Some(NoticeEvent::SubscriptionCancelled) => cancelled.contains(row.text("noun_id")),
                _ => false,
            }
    };
    snapshot.rows("events").iter().filter(is_owed).collect()
}

/// By delivery: what was said, each time.
fn heard((calls, mails): (&[Arrived], &[Mail])) -> BTreeMap<String, Vec<String>> {
    let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for call in calls {
        let id = call.headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or("no webhook-id");
        heard.entry(id.to_owned()).or_default().push(String::from_utf8_lossy(&call.body).into_owned());
    }
    for mail in mails {
        let id = mail.header("Message-ID").trim_start_matches('<');
        let id = id.split('@').next().unwrap_or_default();
        let text = mail.text.split_once("\n\n").map_or("", |(_, text)| text);
        heard.entry(id.to_owned()).or_default().push(format!("{}\n{text}", mail.header("Subject")));
    }
    heard
}
