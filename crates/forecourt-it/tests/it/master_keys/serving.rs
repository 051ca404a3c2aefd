//! Those who call, read and write while the master key is changed notice nothing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use forecourt_app::{
    gateway_feed::{Following, Held, diverged},
    master_keys::{self, Rotation},
};
use forecourt_core::{
    gateway_state::{Digests, JwtAlgorithm},
    ids::GatewayGroupId,
    secrets::PlainSecret,
};
use forecourt_identity::tokens::signed;
use forecourt_it::{
    Client, Forecourt, ForecourtProcess, TestDatabase, deadlines::eventually, installations::ADMIN_PASSWORD,
    processes::run,
};
use forecourt_store::Store;
use serde_json::json;

use super::{master, new, old, sealed, with};
use crate::{
    certificates::{pair, ssl, status},
    services::{admin_path, put_consumer, put_credential, put_service},
    store::location,
};

const SECRET: &str = "a secret of thirty-two bytes, and more";

/// What a node that holds everything counts.
async fn digests(f: &Forecourt) -> Digests {
    let group = GatewayGroupId::default_group();
    let mut following = Following::begin(&f.app(), &group, Held::default()).await.unwrap();
    while !following.next(&f.app()).await.unwrap().is_empty() {}
    following.checkpoint(&f.app()).await.unwrap().unwrap().digests
}

/// Calls in turn until it is told to stop; those that were not let through.
async fn calling(
    calls: Vec<(Client, &'static str)>,
    goes_on: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut failed = Vec::new();
    while goes_on.load(Ordering::Relaxed) {
        for (client, path) in &calls {
            let answer = client.get(path).await;
            if answer.status != 200 {
                failed.push(format!("{path}: {answer:?}"));
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    failed
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_fails_and_no_node_drifts_while_the_master_key_is_changed() {
    let f = Forecourt::start_with(|settings| {
        settings.security.master_key = old();
        settings.gateway.tls_listen = "127.0.0.1:0".into();
    })
    .await;
    put_service(&f, "shop", json!({})).await;
    put_service(&f, "keyed", json!({ "plugins": { "key-auth": {} } })).await;
    put_service(&f, "signed", json!({ "plugins": { "jwt-auth": {} } })).await;
    put_consumer(&f, "bob", json!({ "plugins": { "key-auth": { "key": "bob-key" } } })).await;
    put_consumer(&f, "ada", json!({})).await;
    put_credential(&f, "ada", "one", json!({ "key-auth": { "key": "ada-key" } })).await;
    put_credential(&f, "ada", "two", json!({ "jwt-auth": { "key": "ada", "secret": SECRET } })).await;
    let certificate = pair("a.example");
    f.admin().await.put(&admin_path("ssls/one"), ssl(&certificate)).await.expect(200);
    let ends = f.clock().now().plus_seconds(3_600);
    let token = signed(JwtAlgorithm::Hs256, "ada", &PlainSecret::presented(SECRET), ends).unwrap();
    let calls = vec![
        (f.gateway().with("apikey", "bob-key"), "/keyed/a"),
        (f.gateway().with("apikey", "ada-key"), "/keyed/a"),
        (f.gateway().with_bearer(token.reveal()), "/signed/a"),
    ];
    let (goes_on, done) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let calls = tokio::spawn(calling(calls, Arc::clone(&goes_on), Arc::clone(&done)));
    let shown = f.admin().await.get(&admin_path("consumers/ada/credentials/two")).await.expect(200);

    let store = Store::open(&location(f.database())).await.unwrap();
    let now = f.clock().now();
    let before = digests(&f).await;
    let begun = master_keys::rotate(&store, &master(&old()), &master(&new()), now).await.unwrap();
    assert_eq!(begun, Rotation::Begun);
    // Whatever the process that serves has done of it by now.
    let secret = f.admin().await.get(&admin_path("consumers/ada/credentials/two")).await.expect(200);
    assert_eq!(secret, shown, "no failure, and no stars");
    let first = master(&old()).id();
    let data_keys = store.read().data_keys().await.unwrap();
    assert_ne!(data_keys[0].id, first, "a fresh installation has a key of its own");
    eventually("the process that serves seals everything anew", || async {
        let found = sealed(&location(f.database())).await;
        assert_eq!(status(&f, "a.example", &certificate).await, Some(200));
        found.iter().all(|(_, id)| *id == data_keys[1].id).then_some(())
    })
    .await;
    assert_eq!(digests(&f).await, before, "gateways hear of nothing");
    assert_eq!(diverged(&f.app()), 0);

    put_credential(&f, "ada", "three", json!({ "key-auth": { "key": "a newer key" } })).await;
    f.gateway().with("apikey", "a newer key").get("/keyed/a").await.expect(200);
    let turns = done.load(Ordering::Relaxed);
    eventually("calls go on", || async { (done.load(Ordering::Relaxed) > turns).then_some(()) }).await;
    goes_on.store(false, Ordering::Relaxed);
    assert_eq!(calls.await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_on_one_database_each_opens_at_once_what_the_other_seals_after_a_change() {
    let database = TestDatabase::new();
    if !database.is_postgres() {
        // A SQLite file is one process's.
        return;
    }
    let serve = || ForecourtProcess::start(with(&old(), &["serve"], &database));
    let (one, two) = (serve(), serve());
    let one_time = one.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let of = |process: &ForecourtProcess| process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    let (one_s, two_s) = (of(&one), of(&two));
    let consumer = |name: &str| admin_path(&format!("consumers/{name}"));
    let plugins = |key: &str| json!({ "plugins": { "key-auth": { "key": key } } });
    one_s.put(&consumer("ada"), plugins("ada's key")).await.expect(200);
    let file = database.folder().join("next");
    std::fs::write(&file, new()).unwrap();
    let rotate = ["master-key", "rotate", "--new-key-file", file.to_str().unwrap()];
    assert_eq!(run(with(&old(), &rotate, &database)).status.code(), Some(0));
    for (n, (writer, reader)) in [(&one_s, &two_s), (&two_s, &one_s)].into_iter().enumerate() {
        let (name, key) = (format!("bob{n}"), format!("bob's key {n}"));
        writer.put(&consumer(&name), plugins(&key)).await.expect(200);
        for (name, key) in [(name.as_str(), key.as_str()), ("ada", "ada's key")] {
            let read = reader.get(&consumer(name)).await.expect(200).to_string();
            assert!(read.contains(key), "{name}: {read}");
        }
    }
    for process in [one, two] {
        assert_eq!(process.stop("TERM").status.code(), Some(0));
    }
}
