//! What is sealed can be opened: its data key is there, and each master key in force opens every data key.

use std::collections::BTreeSet;

use forecourt_store::SEALED_COLUMNS;

use super::{Findings, Snapshot};

/// How a sealed text begins in the JSON of its column; the id of its data key follows, and a dot.
const BEGINS: &str = "\"sealed\":\"v1.";

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let keys = snapshot.by("data_keys", "id");
    for column in &SEALED_COLUMNS {
        for row in snapshot.rows(column.table) {
            for id in row.text(column.column).split(BEGINS).skip(1) {
                let id = id.split('.').next().unwrap_or_default();
                findings.expect(keys.contains_key(id), "data key", row, || {
                    format!("{} is sealed under {id}, which is no data key", column.column)
                });
            }
        }
    }
    let wrappings = snapshot.rows("key_wrappings").iter();
    let wrapped: BTreeSet<_> =
        wrappings.map(|row| (row.text("data_key_id"), row.text("master_key"))).collect();
    let settings = snapshot.by("settings", "key");
    let current = settings.get("master_key_id").map(|row| row.text("value"));
    let masters: BTreeSet<_> = wrapped.iter().map(|(_, master)| *master).chain(current).collect();
    for row in snapshot.rows("data_keys") {
        for master in &masters {
            findings.expect(wrapped.contains(&(row.text("id"), *master)), "wrapping", row, || {
                format!("the master key {master} does not open it")
            });
        }
    }
}
