//! What the check makes of sums that are right, of those that a running installation comes to, and of wrong ones.

use forecourt_core::{
    gateway_state::ApplicationState,
    ids::{ApplicationId, CredentialId, DeveloperId, DeveloperName, PortalId, ProductId, RouteId},
    time::Timestamp,
    usage::{StatusClass, Totals},
};
use forecourt_store::Cell;

use super::*;
use crate::consistency::Violation;

/// 2026-08-07T09:00:00Z.
const HOUR: i64 = 1_786_093_200 / 3_600;
const NOW: i64 = HOUR * 3_600 + 60;
/// Two months later.
const LATER: i64 = NOW + 60 * 86_400;

/// A row of texts and numbers; the first text is its key.
fn row(table: &str, texts: &[(&str, &str)], numbers: &[(&str, i64)]) -> Row {
    let placeholders = numbers.iter().map(|(column, _)| (*column, ""));
    let all: Vec<_> = texts.iter().copied().chain(placeholders).collect();
    let mut row = Row::of_texts(table, &all);
    numbers.iter().for_each(|(column, number)| row.set(column, Cell::Integer(*number)));
    row
}

/// A cell of so many calls, of one microsecond each.
fn cell(place: u8, calls: u8) -> Vec<u8> {
    vec![place, 2, calls, 0, 0, 0, 1, 1, calls, 1, 0, calls]
}

fn series(id: i64, grain: &Grain) -> Row {
    let kept = |column: &'static str, value: &'static str| {
        let tells = match column {
            "developer_id" => grain.told.contains(&"application_id"),
            _ => grain.told.contains(&column),
        };
        (column, if tells { value } else { "" })
    };
    let texts = [
        ("subject", ""),
        ("portal_id", "prt_1"),
        kept("developer_id", "dev_1"),
        kept("application_id", "app_1"),
        kept("product_id", "prd_1"),
        kept("credential_id", "crd_1"),
        kept("route_id", "rte_1"),
    ];
    let mut row = row("usage_series", &texts, &[("id", id), ("grain", grain.number)]);
    row.set("subject", Cell::Text(grain.subject(&row)));
    row
}

fn chunk(series: i64, step: i64, chunk: i64, cells: Vec<u8>) -> Row {
    let mut row =
        row("usage_chunks", &[("cells", "")], &[("series", series), ("step", step), ("chunk", chunk)]);
    row.set("cells", Cell::Bytes(cells));
    row
}

/// Three calls in the first minute of the hour, as they lie in every series and step.
fn counted() -> Snapshot {
    let grains: Vec<_> = (1..).zip(COARSER.iter().chain([&DETAIL])).collect();
    let chunks = grains.iter().flat_map(|(id, _)| {
        let place = |number: i64| u8::try_from(number).unwrap();
        let day = HOUR.div_euclid(24);
        [
            chunk(*id, 0, HOUR, cell(0, 3)),
            chunk(*id, 1, day, cell(place(HOUR.rem_euclid(24)), 3)),
            chunk(*id, 2, day.div_euclid(32), cell(place(day.rem_euclid(32)), 3)),
        ]
    });
    let state = Resource::Application(ApplicationState {
        id: ApplicationId::known("app_1"),
        portal_id: PortalId::known("prt_1"),
        developer_id: DeveloperId::known("dev_1"),
        developer_name: DeveloperName::known("ada"),
        active: false,
    });
    let body = serde_json::to_string(&state).unwrap();
    let event = |noun: &str, id: &str| row("events", &[("id", id), ("noun", noun), ("noun_id", id)], &[]);
    let name = |kind: &str, id: &str| row("usage_names", &[("id", id), ("kind", kind), ("name", id)], &[]);
    Snapshot::of_tables(&[
        ("usage_series", grains.iter().map(|(id, grain)| series(*id, grain)).collect()),
        ("usage_chunks", chunks.collect()),
        ("usage_inbox", Vec::new()),
        (
            "usage_spools",
            vec![row(
                "usage_spools",
                &[("node", "nod_1"), ("spool", "ab")],
                &[("last_number", 1), ("stored_at", 1)],
            )],
        ),
        ("usage_names", vec![name("product", "prd_1"), name("application", "app_1")]),
        (
            "gateway_resources",
            vec![row(
                "gateway_resources",
                &[("key", "app_1"), ("kind", "application"), ("body", body.as_str())],
                &[],
            )],
        ),
        (
            "events",
            vec![event("application", "app_1"), event("credential", "crd_1"), event("route", "rte_1")],
        ),
        ("audit_entries", vec![row("audit_entries", &[("kind", "record")], &[("at", HOUR * 3_600_000_000)])]),
        ("audit_marks", Vec::new()),
        ("portals", vec![row("portals", &[("id", "prt_1")], &[])]),
        ("products", vec![row("products", &[("id", "prd_1"), ("name", "prd_1")], &[])]),
        ("applications", Vec::new()),
        ("credentials", Vec::new()),
        ("routes", Vec::new()),
    ])
}

/// What is found at this moment after a change.
fn found(now: i64, change: impl FnOnce(&mut Snapshot)) -> Vec<&'static str> {
    let mut snapshot = counted();
    change(&mut snapshot);
    let mut findings = Findings::default();
    check_at(&snapshot, now, &mut findings);
    let mut checks: Vec<_> = findings.0.iter().map(|Violation { check, .. }| *check).collect();
    checks.dedup();
    checks
}

fn without(snapshot: &mut Snapshot, is_gone: impl Fn(&Row) -> bool) {
    snapshot.rows_mut("usage_chunks").retain(|row| !is_gone(row));
}

/// A piece of the inbox with one count of two calls, that says how many counts it holds.
fn piece(counts: i64) -> Row {
    let mut totals = Totals { calls: 2, ..Totals::default() };
    [5, 7].into_iter().for_each(|micros| totals.times.record(micros));
    let count = UsageCount {
        product_id: ProductId::known("prd_1"),
        application_id: ApplicationId::known("app_1"),
        credential_id: CredentialId::known("crd_1"),
        route_id: RouteId::known("rte_1"),
        minute: Timestamp::from_seconds(HOUR * 3_600),
        status_class: StatusClass::of(200),
        totals,
        last_used_at: Timestamp::from_seconds(HOUR * 3_600),
        last_used_from: String::new(),
    };
    let body = serde_json::to_string(&[count]).unwrap();
    row("usage_inbox", &[("body", body.as_str())], &[("number", 1), ("counts", counts)])
}

#[test]
fn sums_that_are_right_are_right_at_any_time() {
    for now in [NOW, LATER] {
        assert!(found(now, |_| {}).is_empty());
        assert!(found(now, |rows| rows.rows_mut("usage_inbox").push(piece(1))).is_empty());
    }
    let mut snapshot = counted();
    snapshot.rows_mut("usage_inbox").push(piece(1));
    assert_eq!(counted_calls(&snapshot), BTreeMap::from([("crd_1".to_owned(), 5)]));
}

#[test]
fn what_was_taken_away_because_it_is_old_is_not_missed_and_what_is_young_is() {
    for step in [0, 1] {
        let gone = |rows: &mut Snapshot| without(rows, |row| row.count("step") <= step);
        assert!(found(LATER, gone).is_empty(), "{step}");
        assert_eq!(found(NOW, gone), ["usage steps"], "{step}");
    }
    assert!(found(LATER, |rows| without(rows, |_| true)).is_empty());
    let late = |rows: &mut Snapshot| {
        // Calls that came when minutes were not kept any more.
        for row in rows.rows_mut("usage_chunks").iter_mut().filter(|row| row.count("step") > 0) {
            let place = row.bytes("cells")[0];
            row.set("cells", Cell::Bytes(cell(place, 4)));
        }
    };
    assert!(found(LATER, late).is_empty());
    assert_eq!(found(NOW, late), ["usage steps"]);
    let early = |rows: &mut Snapshot| {
        for row in rows.rows_mut("usage_chunks").iter_mut().filter(|row| row.count("step") == 0) {
            row.set("cells", Cell::Bytes(cell(0, 4)));
        }
    };
    assert_eq!(found(LATER, early), ["usage steps"], "an hour never holds less than its minutes");
}

#[test]
fn a_sum_that_lacks_a_call_or_has_one_twice_is_found_in_every_grain() {
    for id in 1..=6 {
        let of_one = |row: &Row| row.count("series") == id;
        assert!(found(LATER, |rows| without(rows, of_one)).contains(&"usage sums"), "{id}");
        let doubled = found(LATER, |rows| {
            for row in rows.rows_mut("usage_chunks").iter_mut().filter(|row| of_one(row)) {
                let place = row.bytes("cells")[0];
                row.set("cells", Cell::Bytes(cell(place, 6)));
            }
        });
        assert_eq!(doubled, ["usage sums"], "{id}");
    }
}

#[test]
fn routes_that_an_earlier_version_did_not_add_up_wait_to_be_begun() {
    let nothing_begun = |rows: &mut Snapshot| {
        let route = rows.rows("usage_series").iter().find(|row| row.count("grain") == ROUTE).unwrap();
        let id = route.count("id");
        rows.rows_mut("usage_series").retain(|row| row.count("id") != id);
        without(rows, |row| row.count("series") == id);
    };
    assert!(found(NOW, nothing_begun).is_empty());
}

#[test]
fn what_was_called_before_the_oldest_record_may_have_no_event_any_more() {
    let forget = |rows: &mut Snapshot| rows.rows_mut("events").retain(|row| row.text("noun") != "credential");
    assert_eq!(found(NOW, forget), ["usage of nothing"]);
    let long_ago = |rows: &mut Snapshot| {
        forget(rows);
        rows.rows_mut("audit_entries")[0].set("at", Cell::Integer((HOUR + 1) * 3_600_000_000));
    };
    assert!(found(NOW, long_ago).is_empty());
}

#[test]
fn what_waits_to_be_added_up_holds_as_many_counts_as_it_says() {
    assert_eq!(found(NOW, |rows| rows.rows_mut("usage_inbox").push(piece(2))), ["usage inbox"]);
    let torn = |rows: &mut Snapshot| {
        let mut torn = piece(1);
        torn.set("body", Cell::Text("[{".into()));
        rows.rows_mut("usage_inbox").push(torn);
    };
    assert_eq!(found(NOW, torn), ["usage inbox"]);
}

#[test]
fn cells_that_cannot_be_are_told() {
    let mut longer = cell(0, 3);
    longer.extend(cell(0, 3));
    let mut errors = cell(0, 3);
    errors[3] = 4;
    for cells in [cell(60, 3), cell(0, 0), longer, errors, cell(0, 3)[..5].to_vec()] {
        let checks = found(LATER, |rows| {
            let rows = rows.rows_mut("usage_chunks").iter_mut();
            rows.filter(|row| row.count("step") == 0)
                .for_each(|row| row.set("cells", Cell::Bytes(cells.clone())));
        });
        assert!(checks.contains(&"usage cells"), "{cells:?}: {checks:?}");
    }
}
