//! The change log agrees with itself: revisions, marks, digests and rows.

use std::collections::{BTreeMap, BTreeSet};

use forecourt_core::gateway_state::{Kind, Resource, RowsDigest};

use super::{Findings, Row, Snapshot};

/// The counter of the latest revision.
const LATEST: i64 = 1;

pub(super) fn check(snapshot: &Snapshot, findings: &mut Findings) {
    let latest = snapshot.rows("revision_counter").iter().find(|row| row.count("id") == LATEST);
    let latest = latest.map_or(0, |row| row.count("value"));
    revisions(snapshot, latest, findings);
    rows(snapshot, latest, findings);
    digests(snapshot, findings);
}

/// Revisions grow by one up to the counter, and each has a mark of its own.
fn revisions(snapshot: &Snapshot, latest: i64, findings: &mut Findings) {
    let known: Vec<_> = snapshot.rows("revisions").iter().map(|row| row.count("revision")).collect();
    if let Some(last) = known.iter().max()
        && *last != latest
    {
        findings.add(
            "revisions",
            "revision_counter",
            format!("it is {latest} and the last revision is {last}"),
        );
    }
    for pair in known.windows(2) {
        if pair[1] != pair[0] + 1 {
            findings.add("revisions", format!("revisions {}", pair[1]), format!("it follows {}", pair[0]));
        }
    }
    let mut marks = BTreeSet::new();
    for row in snapshot.rows("revisions") {
        let mark = row.text("mark");
        findings.expect(!mark.is_empty() && marks.insert(mark), "revisions", row, || {
            format!("its mark {mark:?} is none, or is another's")
        });
    }
    let oldest = known.iter().min().copied().unwrap_or(0);
    let known: BTreeSet<_> = known.into_iter().collect();
    for row in snapshot.rows("events") {
        let Some(revision) = row.number("revision").filter(|revision| *revision >= oldest) else { continue };
        findings.expect(known.contains(&revision), "revisions", row, || {
            format!("it was committed with {revision}, which is no revision")
        });
    }
}

/// A row says of itself what its key says, belongs to somebody who is there, and is no younger than the log.
fn rows(snapshot: &Snapshot, latest: i64, findings: &mut Findings) {
    let (portals, groups) = (snapshot.by("portals", "id"), snapshot.by("gateway_groups", "id"));
    for row in snapshot.rows("gateway_resources") {
        let revision = row.count("revision");
        findings.expect((1..=latest).contains(&revision), "gateway rows", row, || {
            format!("its revision is {revision} and the latest is {latest}")
        });
        let told = serde_json::from_str::<Resource>(row.text("body"));
        let told = told.as_ref().map(|told| (told.kind().name().to_owned(), told.key()));
        let own = (row.text("kind").to_owned(), row.text("key").to_owned());
        findings.expect(told.as_ref().ok() == Some(&own), "gateway rows", row, || {
            format!("its body is of {told:?}")
        });
        let scope = row.text("scope").split_once(':');
        let is_there = match scope {
            Some(("portal", id)) => portals.contains_key(id),
            Some(("group", id)) => groups.contains_key(id),
            _ => false,
        };
        findings.expect(is_there || !is_live(row), "gateway rows", row, || format!("nobody is {scope:?}"));
    }
}

/// What is kept of the digests is what the live rows add up to.
fn digests(snapshot: &Snapshot, findings: &mut Findings) {
    let mut expected: BTreeMap<(String, String), RowsDigest> = BTreeMap::new();
    for row in snapshot.rows("gateway_resources").iter().filter(|row| is_live(row)) {
        let Some(kind) = Kind::from_name(row.text("kind")) else { continue };
        let place = (row.text("scope").to_owned(), row.text("kind").to_owned());
        expected.entry(place).or_default().add(kind, row.text("key"), row.count("revision"));
    }
    for row in snapshot.rows("gateway_digests") {
        let place = (row.text("scope").to_owned(), row.text("kind").to_owned());
        let (rows, sum) = (row.count("live_rows").cast_unsigned(), row.count("digest_sum").cast_unsigned());
        let of_rows = expected.remove(&place).unwrap_or_default();
        findings.expect(RowsDigest { rows, sum } == of_rows, "digests", row, || {
            format!("it tells of {rows} rows and there are {}, or others than it tells of", of_rows.rows)
        });
    }
    for ((scope, kind), digest) in expected {
        let row = format!("gateway_digests {scope}/{kind}");
        findings.add("digests", row, format!("it is missing, and there are {} rows", digest.rows));
    }
}

pub(super) fn is_live(row: &Row) -> bool {
    row.number("deleted_at").is_none()
}
