//! The check of a whole installation finds what is wrong, and names it: each row here is broken by hand in a copy.

use std::time::Duration;

use forecourt_app::{audit_logs, events};
use forecourt_it::{
    Forecourt, TestDatabase, Webhook,
    consistency::{self, Snapshot, assert_consistent, copied_with, counted_calls, untold},
    deadlines::eventually,
    installations::text,
};
use forecourt_store::Cell;
use serde_json::json;

/// What is done to the rows of a copy.
type Break = fn(&mut Snapshot);

/// How a sealed text begins in its JSON.
const SEALED: &str = "\"sealed\":\"v1.";

/// The check that must notice, and what is done.
const BREAKS: [(&str, Break); 33] = [
    ("approval of a subscription", |rows| {
        rows.rows_mut("approvals").clear();
    }),
    ("audit numbers", |rows| {
        rows.rows_mut("audit_entries").remove(1);
    }),
    ("audit of an event", |rows| set(rows, "events", "request_id", "req_nobody")),
    ("audit records", |rows| {
        let answers = rows.rows_mut("audit_entries").iter_mut().filter(|row| row.text("kind") == "answer");
        answers.for_each(|row| row.set("record_id", Cell::Text("aud_nobody".into())));
    }),
    ("contact points of rules", |rows| rows.rows_mut("product_contact_points").clear()),
    ("data key", |rows| {
        let sealed = rows.rows_mut("settings").iter_mut().filter(|row| row.text("value").contains(SEALED));
        sealed.for_each(|row| {
            let value = row.text("value").replace(SEALED, &format!("{SEALED}0"));
            row.set("value", Cell::Text(value));
        });
    }),
    ("decision", |rows| put(rows, "approvals", "operated_at", Cell::Integer(1))),
    ("delivery attempts", |rows| rows.rows_mut("delivery_attempts").clear()),
    ("delivery state", |rows| put(rows, "deliveries", "next_attempt_at", Cell::Integer(1))),
    ("digests", |rows| put(rows, "gateway_digests", "live_rows", Cell::Integer(77))),
    ("document of a service", |rows| put(rows, "services", "has_openapi", Cell::Boolean(true))),
    ("event name", |rows| set(rows, "events", "name", "nothing_happened")),
    ("event of a change", |rows| rows.rows_mut("events").retain(|row| row.text("noun") != "application")),
    ("event of a delivery", |rows| set(rows, "deliveries", "event", "subscription_approval_rejected")),
    ("event of a delivery", |rows| set(rows, "deliveries", "event", "developer_registration_created")),
    ("gateway rows", |rows| put(rows, "gateway_resources", "revision", Cell::Integer(0))),
    ("label index", |rows| set(rows, "applications", "label_index", "\nteam\u{1f}red\n")),
    ("reference", |rows| set(rows, "deliveries", "event_id", "evt_nobody")),
    ("revisions", |rows| put(rows, "revision_counter", "value", Cell::Integer(0))),
    ("search text", |rows| set(rows, "developers", "search_text", "somebody else")),
    ("state", |rows| set(rows, "applications", "status", "asleep")),
    ("suspension", |rows| set(rows, "applications", "status_reason", "none")),
    ("usage batches", |rows| put(rows, "usage_spools", "last_number", Cell::Integer(0))),
    ("usage cells", |rows| put(rows, "usage_chunks", "cells", Cell::Bytes(vec![0, 2, 1]))),
    ("usage names", |rows| rows.rows_mut("usage_names").clear()),
    ("usage names", |rows| set(rows, "usage_names", "name", "something else")),
    ("usage of nothing", |rows| each(rows, "usage_series", "credential_id", "crd_nobody")),
    ("usage owner", |rows| each(rows, "usage_series", "developer_id", "dev_nobody")),
    ("usage series", |rows| put(rows, "usage_series", "grain", Cell::Integer(3))),
    ("usage steps", |rows| {
        let hours = rows.rows_mut("usage_chunks").iter_mut().filter(|row| row.count("step") == 1);
        hours.for_each(|row| row.set("cells", Cell::Bytes(Vec::new())));
    }),
    ("usage sums", |rows| {
        rows.rows_mut("usage_chunks").remove(0);
    }),
    ("usage sums", |rows| {
        // One call more than there was: the third byte of the first cell.
        let row = &mut rows.rows_mut("usage_chunks")[0];
        let mut cells = row.bytes("cells").to_vec();
        cells[2] += 1;
        row.set("cells", Cell::Bytes(cells));
    }),
    ("wrapping", |rows| rows.rows_mut("key_wrappings").clear()),
];

/// Gives the first row of a table another text.
fn set(snapshot: &mut Snapshot, table: &str, column: &str, text: &str) {
    put(snapshot, table, column, Cell::Text(text.into()));
}

/// Gives every row of a table that has a text in this column another one.
fn each(snapshot: &mut Snapshot, table: &str, column: &str, text: &str) {
    let rows = snapshot.rows_mut(table).iter_mut().filter(|row| !row.text(column).is_empty());
    rows.for_each(|row| row.set(column, Cell::Text(text.into())));
}

/// Gives the first row of a table another value.
fn put(snapshot: &mut Snapshot, table: &str, column: &str, cell: Cell) {
    snapshot.rows_mut(table)[0].set(column, cell);
}

/// An installation with something of most nouns, in which everybody was told and calls are counted.
async fn lived() -> (Forecourt, Webhook) {
    let (f, hook) = (Forecourt::start().await, Webhook::start().await);
    let body = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    let made = f.admin().await.post("/api/contact_points", body).await.expect(200);
    let rule = json!({
        "event": "subscription_approval_created", "type": "webhook",
        "contact_point_ids": [text(&made["value"]["id"])],
    });
    let members = json!({ "subscription_auto_approval": false, "notifications": [rule] });
    let waiting = f.product_with("Waiting", members).await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    application.request(&waiting).await;
    let key = application.key("prod").await;
    for _ in 0..3 {
        f.call(&orders, &key).await.expect(200);
    }
    has_secret(&f, "a secret that bob signs his tokens with").await;
    eventually("everybody is told, and calls are added up", || async {
        let snapshot = Snapshot::of(&f.database().location()).await;
        let is_counted =
            snapshot.rows("usage_inbox").is_empty() && counted_calls(&snapshot).get(&key.id) == Some(&3);
        (hook.arrived().len() == 1 && untold(&snapshot).is_empty() && is_counted).then_some(())
    })
    .await;
    (f, hook)
}

/// Gives a consumer a secret, the one that is sealed for gateways.
async fn has_secret(f: &Forecourt, secret: &str) {
    let plugins = json!({ "jwt-auth": { "key": "bob", "secret": secret } });
    let path = "/apisix/admin/consumers/bob?gateway_group_id=default";
    f.admin().await.put(path, json!({ "plugins": plugins })).await.expect(200);
}

/// The sealed text of the consumer as gateways are told of it.
#[track_caller]
fn sealed(rows: &Snapshot) -> String {
    let told = rows.rows("gateway_resources").iter().find(|row| row.text("kind") == "consumer").unwrap();
    let (_, sealed) = told.text("body").split_once("\"sealed\":\"").unwrap();
    sealed.split('"').next().unwrap().to_owned()
}

/// Has gateways be told of another sealed text of the consumer.
fn reseal(rows: &mut Snapshot, text: &str) {
    let former = sealed(rows);
    for row in rows.rows_mut("gateway_resources").iter_mut().filter(|row| row.text("kind") == "consumer") {
        row.set("body", Cell::Text(row.text("body").replace(&former, text)));
    }
}

async fn broken(f: &Forecourt, change: impl FnOnce(&mut Snapshot)) -> TestDatabase {
    let copy = TestDatabase::new();
    std::fs::copy(f.database().folder().join("master.key"), copy.folder().join("master.key")).unwrap();
    copied_with(&f.database().location(), &copy.location(), change).await;
    copy
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_by_hand_is_found_and_named() {
    let (f, _hook) = lived().await;
    assert_consistent(f.database(), "before anything is broken").await;
    for (check, change) in BREAKS {
        let copy = broken(&f, change).await;
        let found = consistency::of_rows(&Snapshot::of(&copy.location()).await);
        let named = found.iter().find(|violation| violation.check == check);
        let named = named.unwrap_or_else(|| panic!("{check} was not noticed: {found:#?}"));
        assert!(!named.row.is_empty() && !named.problem.is_empty(), "{named}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_gateways_are_told_is_held_against_the_domain() {
    let (f, _hook) = lived().await;
    let copy = broken(&f, |_| {}).await;
    assert_consistent(&copy, "a copy of everything").await;
    let forgotten = broken(&f, |rows| {
        let grants = rows.rows_mut("gateway_resources").iter_mut();
        grants
            .filter(|row| row.text("kind") == "grant")
            .for_each(|row| row.set("deleted_at", Cell::Integer(1)));
    })
    .await;
    let kept = broken(&f, |rows| rows.rows_mut("credentials").clear()).await;
    for (copy, part) in [(forgotten, "gateways are not told of it"), (kept, "told of what is not there")] {
        let found = consistency::violations(&copy).await;
        let named = found.iter().find(|violation| violation.check == "projection");
        let problem = named.map_or("", |violation| violation.problem.as_str());
        assert!(problem.contains(part), "{part}: {found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_for_gateways_opens_to_what_the_domain_holds() {
    let (f, _hook) = lived().await;
    let former = sealed(&Snapshot::of(&f.database().location()).await);
    has_secret(&f, "another secret of bob, which is as long").await;
    let now = sealed(&Snapshot::of(&f.database().location()).await);
    assert_ne!(former, now);
    // The former text is of the same place and opens too.
    let old = broken(&f, |rows| reseal(rows, &former)).await;
    let (head, _) = now.split_at(now.len() - 2);
    let cut = broken(&f, |rows| reseal(rows, head)).await;
    for (copy, check) in [(old, "projection"), (cut, "sealed secret")] {
        let found = consistency::violations(&copy).await;
        assert!(found.iter().any(|violation| violation.check == check), "{check}: {found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_log_that_was_rewritten_does_not_verify() {
    let (f, _hook) = lived().await;
    let copy = broken(&f, |rows| {
        let entry = &mut rows.rows_mut("audit_entries")[1];
        let content = entry.text("content").replacen("\"at\"", "\"at\" ", 1);
        entry.set("content", Cell::Text(content));
    })
    .await;
    let found = consistency::violations(&copy).await;
    assert!(found.iter().any(|violation| violation.check == "audit chain"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_told_is_named_until_it_is() {
    let (f, _hook) = lived().await;
    let copy = broken(&f, |rows| {
        set(rows, "deliveries", "state", "waiting");
        put(rows, "deliveries", "next_attempt_at", Cell::Integer(1));
    })
    .await;
    let found = untold(&Snapshot::of(&copy.location()).await);
    assert_eq!(found.iter().filter(|violation| violation.check == "untold").count(), 1, "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_away_because_it_is_old_is_not_missed_and_what_is_younger_is() {
    let (f, _hook) = lived().await;
    f.advance(Duration::from_secs(61 * 86_400));
    f.admin().await.post("/api/roles", json!({ "name": "the oldest of what is left" })).await.expect(200);
    f.advance(Duration::from_secs(2 * 3_600));
    let young = f.developer("grace").await.application("young").await.id;
    while audit_logs::prune(&f.app()).await.unwrap() {}
    while events::prune(&f.app()).await.unwrap() {}
    let left = Snapshot::of(&f.database().location()).await;
    let applications: Vec<_> =
        left.rows("events").iter().filter(|row| row.text("noun") == "application").collect();
    assert!(!applications.is_empty() && applications.iter().all(|row| row.text("noun_id") == young));
    assert_consistent(f.database(), "after what is old was taken away").await;

    let forgotten =
        broken(&f, |rows| rows.rows_mut("events").retain(|row| row.text("noun_id") != young)).await;
    let unrecorded = broken(&f, |rows| {
        let events = rows.rows_mut("events").iter_mut().filter(|row| row.text("noun_id") == young);
        events.for_each(|row| row.set("request_id", Cell::Text("req_nobody".into())));
    })
    .await;
    for (copy, checks) in [
        (forgotten, ["event of a change", "event of an audit entry"].as_slice()),
        (unrecorded, ["audit of an event"].as_slice()),
    ] {
        let found = consistency::of_rows(&Snapshot::of(&copy.location()).await);
        let named: Vec<_> = found.iter().map(|violation| violation.check).collect();
        assert_eq!(named, checks, "{found:#?}");
    }
}
