//! What was done is on record: each change with its event, each event with its entry in the audit log, and no entry of what
//! never happened.
//!
//! What is left open: what is dated before [`kept_from`] may lack its event or its entry, which were taken away because
//! they were old.

use std::collections::BTreeSet;

use forecourt_core::events::EventName;

use super::{Findings, Snapshot};

/// Tables whose rows are made by acts alone, and what events call them.
const MADE_BY_ACTS: &[(&str, &str)] = &[
    ("admin_tokens", "admin_token"),
    ("applications", "application"),
    ("contact_points", "contact_point"),
    ("credentials", "credential"),
    ("developers", "developer"),
    ("plans", "plan"),
    ("products", "product"),
    ("subscriptions", "subscription"),
];

/// The mark of what was taken away of the audit log because it was old.
const CHECKPOINT: &str = "checkpoint";

/// Longer than a call takes, microseconds: what it commits and is answered may be dated so much later than its record.
const LONGEST_CALL: i64 = 3_600_000_000;

/// Since when nothing was taken away because it is old, in microseconds: events are kept at least as long as there is a
/// record as old as they.
pub(super) fn kept_from(snapshot: &Snapshot) -> i64 {
    let entries = snapshot.rows("audit_entries").iter();
    let records = entries.filter(|row| row.text("kind") == "record").map(|row| row.count("at"));
    let oldest = records.min().unwrap_or(i64::MAX);
    let is_pruned = snapshot.rows("audit_marks").iter().any(|row| row.text("name") == CHECKPOINT);
    if is_pruned { oldest.saturating_add(LONGEST_CALL) } else { oldest }
}

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let kept_from = kept_from(snapshot);
    let told: BTreeSet<_> =
        snapshot.rows("events").iter().map(|row| (row.text("noun"), row.text("noun_id"))).collect();
    for (table, noun) in MADE_BY_ACTS {
        for row in snapshot.rows(table).iter().filter(|row| row.count("created_at") >= kept_from) {
            findings.expect(told.contains(&(*noun, row.text("id"))), "event of a change", row, || {
                format!("no event tells of the {noun}")
            });
        }
    }
    for row in snapshot.rows("events") {
        let name = row.text("name");
        findings
            .expect(EventName::from_name(name).is_some(), "event name", row, || format!("it is {name:?}"));
    }
    audit_log(snapshot, kept_from, findings);
}

fn audit_log(snapshot: &Snapshot, kept_from: i64, findings: &mut Findings) {
    let (mut requests, mut records) = (BTreeSet::new(), BTreeSet::new());
    let mut before: Option<i64> = None;
    for row in snapshot.rows("audit_entries") {
        let number = row.count("number");
        findings.expect(before.is_none_or(|before| number == before + 1), "audit numbers", row, || {
            format!("it follows {before:?}")
        });
        before = Some(number);
        if row.text("kind") == "record" {
            let content = row.json("content");
            requests.extend(content["request_id"].as_str().map(str::to_owned));
            findings.expect(records.insert(row.text("record_id")), "audit records", row, || {
                format!("{} is on record twice", row.text("record_id"))
            });
        } else {
            let is_there = records.contains(row.text("record_id")) || row.count("at") < kept_from;
            findings.expect(is_there, "audit records", row, || {
                format!("the record {} does not stand before it", row.text("record_id"))
            });
        }
    }
    let events = snapshot.rows("events");
    let happened: BTreeSet<_> =
        events.iter().map(|row| (row.text("name"), row.text("noun"), row.text("noun_id"))).collect();
    for row in events.iter().filter(|row| row.count("at") >= kept_from) {
        findings.expect(requests.contains(row.text("request_id")), "audit of an event", row, || {
            format!("the request {} is not on record", row.text("request_id"))
        });
    }
    for row in snapshot.rows("audit_entries").iter().filter(|row| row.count("at") >= kept_from) {
        let content = row.json("content");
        for change in content["changes"].as_array().into_iter().flatten() {
            let word = |name: &str| change[name].as_str().unwrap_or_default();
            findings.expect(
                happened.contains(&(word("event"), word("noun"), word("id"))),
                "event of an audit entry",
                row,
                || format!("{} of {} {} never happened", word("event"), word("noun"), word("id")),
            );
        }
    }
}
