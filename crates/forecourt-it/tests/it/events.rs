//! How long events are kept: as long as the audit log, and as what is to be told of them.

use std::time::Duration;

use forecourt_app::{audit_logs, events};
use forecourt_core::{
    actors::{Caller, Source},
    contact_points::ContactType,
    deliveries::{Delivery, DeliveryState},
    events::{Event, EventName},
    ids::{ContactPointId, DeliveryId, EventId, PortalId, RequestId},
    notices::{Notice, NoticeEvent},
    time::Timestamp,
};
use forecourt_it::{
    Forecourt, ForecourtProcess, TestDatabase,
    consistency::{Snapshot, assert_consistent, copied_with},
    deadlines::eventually,
    installations::ADMIN_PASSWORD,
    processes::{binary, command},
};
use forecourt_store::{Cell, Store};
use serde_json::json;

const EIGHT_DAYS: Duration = Duration::from_secs(8 * 86_400);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn event(id: &str, noun: &str, noun_id: &str, at: Timestamp) -> Event {
    let caller = Caller::system(Source::Job, RequestId::known("req_1"));
    Event::new(EventId::known(id), at, &caller, EventName::PortalCreated, noun, noun_id)
}

/// A delivery that ended.
fn delivery(event: &str) -> Delivery {
    Delivery {
        id: DeliveryId::known("dlv_1"),
        event: NoticeEvent::SubscriptionRequested,
        event_id: EventId::known(event),
        portal_id: PortalId::known("prt_1"),
        approval_id: None,
        contact_point_id: Some(ContactPointId::known("ctp_1")),
        contact_point_name: "Hook".into(),
        contact_type: ContactType::Webhook,
        address: String::new(),
        subject: String::new(),
        content: "{}".into(),
        link: None,
        state: DeliveryState::Dead,
        attempts: 0,
        begun_after: 0,
        begun_at: at(1),
        last_error: String::new(),
        next_attempt_at: None,
        created_at: at(1),
        updated_at: at(1),
    }
}

fn notice(event: &str) -> Notice {
    Notice {
        event_id: EventId::known(event),
        event: NoticeEvent::SubscriptionRequested,
        portal_id: PortalId::known("prt_1"),
        approval_id: None,
        applicant_name: "Ada".into(),
        resource_name: "Orders".into(),
        applied_at: at(1),
        reason: String::new(),
        rules: Vec::new(),
        developer_address: None,
        person_id: None,
        at: at(1),
    }
}

/// Takes up to so many away, and tells how many there were.
async fn take_away(store: &Store, before: Timestamp, most: u64) -> u64 {
    let ids = store.read().unneeded_events(before, most).await.unwrap();
    let tx = store.begin().await.unwrap();
    let gone = tx.delete_unneeded_events(&ids, before).await.unwrap();
    tx.commit(before).await.unwrap();
    gone
}

/// The ids of the events of `noun`, the newest first.
async fn ids(store: &Store, noun: &str, noun_id: &str) -> Vec<String> {
    let events = store.read().events_of(noun, noun_id, 50).await.unwrap();
    events.iter().map(|event| event.id.to_string()).collect()
}

async fn prune(f: &Forecourt) {
    while audit_logs::prune(&f.app()).await.unwrap() {}
    while events::prune(&f.app()).await.unwrap() {}
}

async fn make_role(f: &Forecourt, name: &str) {
    f.admin().await.post("/api/roles", json!({ "name": name })).await.expect(200);
}

/// The details of the events of roles.
async fn told_of_roles(database: &TestDatabase) -> Vec<String> {
    let snapshot = Snapshot::of(&database.location()).await;
    let events = snapshot.rows("events").iter().filter(|row| row.text("noun") == "role");
    events.map(|row| row.text("detail").to_owned()).collect()
}

#[tokio::test]
async fn events_that_nothing_needs_are_taken_away_some_at_a_time_the_oldest_first() {
    let database = TestDatabase::new();
    let store = Store::open(&database.location()).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    for second in 3..=6 {
        tx.record(event(&format!("evt_{second}"), "role", "rol_1", at(second)));
    }
    tx.record(event("evt_told", "role", "rol_1", at(2)));
    tx.record(event("evt_untold", "role", "rol_1", at(1)));
    tx.record(event("evt_first", "portal", "default", at(1)));
    tx.record(event("evt_other", "portal", "prt_2", at(5)));
    tx.insert_deliveries(&[delivery("evt_told")]).await.unwrap();
    tx.insert_notice(&notice("evt_untold")).await.unwrap();
    tx.commit(at(6)).await.unwrap();

    assert_eq!(take_away(&store, at(6), 2).await, 2);
    assert_eq!(ids(&store, "role", "rol_1").await, ["evt_6", "evt_5", "evt_told", "evt_untold"]);
    assert_eq!((take_away(&store, at(6), 5).await, take_away(&store, at(6), 5).await), (2, 0));
    assert_eq!(ids(&store, "role", "rol_1").await, ["evt_6", "evt_told", "evt_untold"]);
    assert!(ids(&store, "portal", "prt_2").await.is_empty());

    // Asked once more where the turn to write is had: what is needed stays, whoever names it.
    let tx = store.begin().await.unwrap();
    let needed = ["evt_6", "evt_told", "evt_untold", "evt_first"].map(EventId::known);
    assert_eq!(tx.delete_unneeded_events(&needed, at(6)).await.unwrap(), 0);
    drop(tx);

    // Once they are told of, and once the deliveries are old, nothing needs them.
    let tx = store.begin().await.unwrap();
    assert!(tx.delete_notice(&EventId::known("evt_untold")).await.unwrap());
    tx.commit(at(6)).await.unwrap();
    assert_eq!(take_away(&store, at(6), 5).await, 1);
    let tx = store.begin().await.unwrap();
    assert_eq!(tx.delete_ended_deliveries(at(2), 5).await.unwrap(), 1);
    tx.commit(at(6)).await.unwrap();
    assert_eq!(take_away(&store, at(6), 5).await, 1);
    assert_eq!(ids(&store, "role", "rol_1").await, ["evt_6"]);
    assert_eq!(ids(&store, "portal", "default").await, ["evt_first"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_typed_is_nowhere_once_the_audit_log_is_not_kept_as_long() {
    let f = Forecourt::start_with(|settings| settings.audit.retention_days = 7).await;
    // Of a name that no account has next to nothing is told.
    let pair = |password: &str| json!({ "username": "typed-by-eve", "password": password });
    f.admin().await.post("/api/invites", pair("the first one")).await.expect(200);
    f.guest().post("/api/login", pair("wrong")).await.refused(401, "");
    make_role(&f, "old").await;
    let is_there = async || {
        let snapshot = Snapshot::of(&f.database().location()).await;
        let mut details = snapshot.rows("events").iter().map(|row| row.text("detail"));
        let mut entries = snapshot.rows("audit_entries").iter().map(|row| row.text("content"));
        let typed = |text: &str| text.contains("typed-by-eve");
        (details.any(typed), entries.any(typed))
    };
    // Whoever reads the log has every answer put to its record: one that came later would stand behind younger ones.
    f.admin().await.get("/api/audit_logs?page=1&page_size=10").await.expect(200);
    prune(&f).await;
    assert_eq!(is_there().await, (true, true), "it is young");
    f.advance(EIGHT_DAYS);
    make_role(&f, "young").await;
    prune(&f).await;
    assert_eq!(is_there().await, (false, false), "what is old is gone");
    let left = told_of_roles(f.database()).await;
    assert!(left.len() == 1 && left[0].contains("young"), "{left:?}");
    assert_consistent(f.database(), "after what is old was taken away").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_typed_where_the_name_belongs_is_in_no_row() {
    let f = Forecourt::start().await;
    let token = format!("a7adm-{}", "Planted1".repeat(4));
    f.guest().post("/api/login", json!({ "username": token, "password": "wrong" })).await.refused(401, "");
    f.guest().with_basic(&token, "wrong").get("/api/me").await.expect(401);
    let snapshot = Snapshot::of(&f.database().location()).await;
    let failed: Vec<_> = snapshot
        .rows("events")
        .iter()
        .filter(|row| row.text("name") == EventName::AdministratorSignInFailed.name())
        .collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|row| row.json("detail")["username"] == "a******"), "{failed:?}");
    let entries = snapshot.rows("audit_entries").iter();
    assert_eq!(entries.filter(|row| row.text("content").contains("Planted1")).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_portal_that_was_deleted_long_ago_is_not_made_again() {
    let mut f = Forecourt::start_with(|settings| settings.audit.retention_days = 7).await;
    let portals = "/api/portals";
    let id = f.portal_id().await.to_owned();
    f.admin().await.delete(&format!("{portals}/{id}")).await.expect(200);
    f.advance(EIGHT_DAYS);
    prune(&f).await;
    let snapshot = Snapshot::of(&f.database().location()).await;
    assert!(snapshot.rows("events").iter().all(|row| row.text("noun_id") != id), "its own end is forgotten");
    f.restart().await;
    assert_eq!(f.admin().await.get(portals).await.expect(200)["total"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_stay_with_entries_that_are_kept_because_somebody_changed_the_log() {
    let f = Forecourt::start().await;
    make_role(&f, "evidence").await;
    let copies = [TestDatabase::new(), TestDatabase::new()];
    for (copy, is_changed) in copies.iter().zip([false, true]) {
        std::fs::copy(f.database().folder().join("master.key"), copy.folder().join("master.key")).unwrap();
        copied_with(&f.database().location(), &copy.location(), |rows| {
            if is_changed {
                let first = &mut rows.rows_mut("audit_entries")[0];
                first.set("hash", Cell::Text("0".repeat(64)));
            }
        })
        .await;
    }
    for (copy, left) in copies.into_iter().zip([0, 1]) {
        let f = Forecourt::start_on(copy, |settings| settings.audit.retention_days = 7).await;
        f.advance(EIGHT_DAYS);
        prune(&f).await;
        assert_eq!(told_of_roles(f.database()).await.len(), left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_old_events_away_and_keeps_the_others() {
    let (first, database) = (TestDatabase::new(), TestDatabase::new());
    let process = ForecourtProcess::serve(&first);
    let one_time = process.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    for name in ["old", "young"] {
        admin.post("/api/roles", json!({ "name": name })).await.expect(200);
    }
    process.stop("TERM");
    std::fs::copy(first.folder().join("master.key"), database.folder().join("master.key")).unwrap();
    copied_with(&first.location(), &database.location(), |rows| {
        let events = rows.rows_mut("events").iter_mut().filter(|row| row.text("noun") == "role");
        let mut old = events.filter(|row| row.text("detail").contains("\"old\""));
        old.next().unwrap().set("at", Cell::Integer(at(1).micros()));
    })
    .await;
    assert_eq!(told_of_roles(&database).await.len(), 2);
    let mut serve = command(&binary(), &["serve"], &database);
    serve.env("FORECOURT__AUDIT__RETENTION_DAYS", "1");
    let process = ForecourtProcess::start(serve);
    let left = eventually("the old one is taken away", || async {
        let left = told_of_roles(&database).await;
        (left.len() < 2).then_some(left)
    })
    .await;
    assert!(left.len() == 1 && left[0].contains("\"young\""), "{left:?}");
    process.stop("TERM");
}
