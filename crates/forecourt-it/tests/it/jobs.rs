//! The work of the background with several processes on one database: each piece is done once, or harmless when done
//! twice.
//!
//! Two applications on one database are two processes, as far as the database can tell.

use std::time::Duration;

use forecourt_app::{App, Config, audit_logs, dcr_removals, events, gateway_feed, oauth_clients, usage};
use forecourt_core::ids::NodeId;
use forecourt_identity::sealing::MasterKey;
use forecourt_it::{
    Bridge, Forecourt, TestDatabase, Trouble,
    consistency::{Snapshot, assert_consistent},
    deadlines::eventually,
    installations::text,
};
use forecourt_store::Store;
use forecourt_wire::usage::UsageBatch;
use serde_json::json;

use super::oauth_clients::register;

/// Another process on the same database.
async fn other(f: &Forecourt) -> App {
    let store = Store::open(&crate::store::location(f.database())).await.unwrap();
    let key = std::fs::read_to_string(f.database().folder().join("master.key")).unwrap();
    let config = Config { master_key: MasterKey::from_hex(&key).unwrap(), ..Config::default() };
    App::open(store, &config, f.clock().as_argument()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_make_the_schema_once() {
    let database = TestDatabase::new();
    if !database.is_postgres() {
        // A SQLite file is one process's.
        return;
    }
    let location = crate::store::location(&database);
    let starts = (0..5).map(|_| {
        let location = location.clone();
        tokio::spawn(async move { Store::open(&location).await })
    });
    for start in starts.collect::<Vec<_>>() {
        assert_eq!(start.await.unwrap().unwrap().read().revision().await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_at_its_provider_once_however_many_processes_remove() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let body = json!({ "name": "Bridge", "provider_type": "http_bridge", "base_url": bridge.base_url() });
    let made = f.admin().await.post("/api/dcr_providers", body).await.expect(200);
    let provider = text(&made["value"]["id"]);
    let application = f.developer("ada").await.application("mobile").await;
    let made = register(&application, &provider, &["https://a.example/cb"]).await.expect(201);
    let others = [other(&f).await, other(&f).await];
    // Nothing is removed until it is looked for by everybody at the same time.
    bridge.has(Trouble::Waits);
    let asked = bridge.heads().len();
    let path = format!("/api/applications/{}/credentials/{}", application.id, text(&made["id"]));
    application.api.delete(&path).await.empty(204);
    eventually("somebody asks the bridge", || async { (bridge.heads().len() > asked).then_some(()) }).await;
    let working: Vec<_> = others
        .iter()
        .cloned()
        .map(|app| {
            tokio::spawn(async move {
                for _ in 0..5 {
                    dcr_removals::work(&app).await.unwrap();
                    oauth_clients::updates::work(&app).await.unwrap();
                }
            })
        })
        .collect();
    for worked in working {
        worked.await.unwrap();
    }
    bridge.has(Trouble::None);
    eventually("the client is gone", || async { bridge.clients().is_empty().then_some(()) }).await;
    assert_eq!(bridge.heads().len(), asked + 1, "one process asked, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn upkeep_by_several_processes_at_once_takes_away_no_more_than_by_one() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let (kept, gone) = (application.key("kept").await, application.key("gone").await);
    let path = format!("/api/applications/{}/credentials/{}", application.id, gone.id);
    application.api.delete(&path).await.expect(204);
    f.advance(Duration::from_secs(40 * 24 * 3_600));
    let others = [f.app(), other(&f).await, other(&f).await];
    let working: Vec<_> = others
        .into_iter()
        .map(|app| {
            tokio::spawn(async move {
                for _ in 0..3 {
                    gateway_feed::forget(&app).await.unwrap();
                    while usage::prune(&app).await.unwrap() {}
                    while usage::add_up(&app).await.unwrap() {}
                }
            })
        })
        .collect();
    for worked in working {
        worked.await.unwrap();
    }
    f.call(&orders, &kept).await.expect(200);
    f.call(&orders, &gone).await.expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_several_processes_take_away_at_once_because_it_is_old_leaves_the_rest_whole() {
    let f = Forecourt::start_with(|settings| settings.audit.retention_days = 60).await;
    let roles = async |names: [&str; 4]| {
        for name in names {
            f.admin().await.post("/api/roles", json!({ "name": name })).await.expect(200);
        }
    };
    roles(["one", "two", "three", "four"]).await;
    f.advance(Duration::from_secs(61 * 24 * 3_600));
    roles(["five", "six", "seven", "eight"]).await;
    let working: Vec<_> = [f.app(), other(&f).await, other(&f).await]
        .into_iter()
        .map(|app| {
            tokio::spawn(async move {
                while audit_logs::prune(&app).await.unwrap() {}
                while events::prune(&app).await.unwrap() {}
            })
        })
        .collect();
    for worked in working {
        worked.await.unwrap();
    }
    let left = Snapshot::of(&f.database().location()).await;
    let made: Vec<_> = left.rows("events").iter().filter(|row| row.text("noun") == "role").collect();
    assert_eq!(made.len(), 4, "{made:?}");
    assert_consistent(f.database(), "after all of them took away").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_calls_that_two_processes_are_told_is_stored_once() {
    let f = Forecourt::start().await;
    let apps = [f.app(), other(&f).await, other(&f).await];
    let batch = |number| UsageBatch {
        node: NodeId::known("nod_twice"),
        spool: "one".into(),
        number,
        counts: Vec::new(),
    };
    for number in 1..=5 {
        let told: Vec<_> = apps
            .iter()
            .cloned()
            .map(|app| {
                let batch = batch(number);
                tokio::spawn(async move { usage::ingest(&app, &batch).await })
            })
            .collect();
        for told in told {
            told.await.unwrap().unwrap();
        }
    }
    let store = Store::open(&crate::store::location(f.database())).await.unwrap();
    assert_eq!(store.read().last_usage_batch(&NodeId::known("nod_twice"), "one").await.unwrap(), 5);
}
