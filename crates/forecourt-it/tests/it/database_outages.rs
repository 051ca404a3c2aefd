//! A PostgreSQL that goes away, or hangs, under load: everybody is answered, and afterwards nothing that was
//! acknowledged or counted is missing.

use std::{
    net::ToSocketAddrs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use forecourt_it::{
    Answer, Client, Developer, Forecourt, Product, TestDatabase, Webhook, deadlines::eventually,
    installations::text, wires::Wire,
};
use http::Method;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    notifications::{asks, telling},
    readiness::authority,
};

/// How long somebody who reads may wait for an answer, whatever happens to the database meanwhile: about eight seconds
/// until it is known to be away, on a busy machine.
const READ_BOUND: Duration = Duration::from_secs(25);
/// How long anybody may wait once it is known.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How long a change may take that was begun before it was known: as long as the outage and a little more.
const CHANGE_BOUND: Duration = Duration::from_secs(60);
/// So many are answered before, and so many while the database is away.
const ENOUGH: u64 = 10;

/// What those who make the load were answered.
#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    /// Whether the database is known to be away, and was when a request began.
    is_away: AtomicBool,
    passed: AtomicU64,
    /// Readers and writers who were answered, and those who were turned away while it was known.
    served: AtomicU64,
    turned_away: AtomicU64,
}

impl Load {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    /// Asks once, and holds the answer against what is promised: success with this status, or 503 with `Retry-After`.
    async fn ask(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        (body, status): (Option<String>, u16),
    ) -> Option<Answer> {
        let was_away = self.is_away.load(Ordering::SeqCst);
        let bound = if method == Method::GET { READ_BOUND } else { CHANGE_BOUND };
        let body = body.map(|body| ("application/json".to_owned(), body.into_bytes()));
        let method_and_path = format!("{method} {path}");
        let begun = Instant::now();
        let answer = timeout(bound, client.try_send(method, path, body)).await;
        assert!(answer.is_ok(), "{method_and_path} hangs");
        let answer = answer.unwrap().expect("an answer");
        if answer.status.as_u16() == status {
            self.served.fetch_add(1, Ordering::SeqCst);
            return Some(answer);
        }
        answer.refused(503, "");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        if was_away {
            assert!(begun.elapsed() < AT_ONCE, "{method_and_path} took {:?}", begun.elapsed());
            self.turned_away.fetch_add(1, Ordering::SeqCst);
        }
        None
    }
}

/// Calls the gateway, which answers as ever.
async fn calls(load: Arc<Load>, caller: Client, path: String) {
    while load.goes_on() {
        let answer = timeout(AT_ONCE, caller.get(&path)).await;
        let answer = answer.expect("the gateway answers at once");
        assert_eq!(answer.status, 200, "{answer:?}");
        load.passed.fetch_add(1, Ordering::SeqCst);
    }
}

async fn reads(load: Arc<Load>, api: Client) {
    while load.goes_on() {
        load.ask(&api, Method::GET, "/api/api_products", (None, 200)).await;
    }
}

/// Makes applications: the ids of those that were acknowledged.
async fn writes(load: Arc<Load>, api: Client) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while load.goes_on() {
        let body = json!({ "name": "storm" }).to_string();
        let made = load.ask(&api, Method::POST, "/api/applications", (Some(body), 201)).await;
        acknowledged.extend(made.map(|made| text(&made.json()["id"])));
    }
    acknowledged
}

/// The calls that the developer's figures hold.
async fn counted(developer: &Developer<'_>) -> u64 {
    let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
    let rows = developer.api.get(path).await.expect(200)["list"].as_array().unwrap().clone();
    rows.iter().map(|row| row["api_calls"].as_u64().unwrap()).sum()
}

async fn reaches(what: &str, count: &AtomicU64, least: u64) {
    eventually(what, || async { (count.load(Ordering::SeqCst) >= least).then_some(()) }).await;
}

/// Takes the database away in one way and gives it back, while callers call, readers read and writers write.
async fn outlived(goes: impl Fn(&Wire), comes: impl Fn(&Wire)) {
    let place = TestDatabase::new();
    if !place.is_postgres() {
        // A file does not go away; docs/operating.md says what a full disk does.
        return;
    }
    let server = authority(&place.url()).to_socket_addrs().unwrap().next().unwrap();
    let wire = Wire::to(server).await;
    let near = wire.address.to_string();
    let f = Forecourt::start_with(|settings| {
        let url = settings.database.url.clone();
        settings.database.url = url.replace(authority(&url), &near);
    })
    .await;
    let stock = f.product("Stock").await;
    let bob = f.developer("bob").await;
    let key = bob.application("till").await.subscribe(&stock).await.key("prod").await;
    let caller = f.gateway().with("apikey", &key.key);

    let load = Arc::new(Load::default());
    let calling = tokio::spawn(calls(Arc::clone(&load), caller.clone(), stock.path.clone()));
    let reading = tokio::spawn(reads(Arc::clone(&load), bob.api.clone()));
    let writing = tokio::spawn(writes(Arc::clone(&load), bob.api.clone()));
    reaches("the load is there", &load.served, ENOUGH).await;

    goes(&wire);
    eventually("it is noticed", || async {
        let ready = f.status().get("/readyz").await;
        (ready.status == 503 && ready.json()["database"] != "ok").then_some(())
    })
    .await;
    load.is_away.store(true, Ordering::SeqCst);
    let passed = load.passed.load(Ordering::SeqCst);
    reaches("readers are turned away", &load.turned_away, ENOUGH).await;
    reaches("callers call on", &load.passed, passed + ENOUGH).await;
    load.is_away.store(false, Ordering::SeqCst);
    comes(&wire);

    eventually("it is back", || async { (f.status().get("/readyz").await.status == 200).then_some(()) })
        .await;
    let served = load.served.load(Ordering::SeqCst);
    reaches("everybody is served again", &load.served, served + ENOUGH).await;
    load.is_over.store(true, Ordering::SeqCst);
    calling.await.unwrap();
    reading.await.unwrap();
    let acknowledged = writing.await.unwrap();
    assert!(!acknowledged.is_empty());
    for id in &acknowledged {
        bob.api.get(&format!("/api/applications/{id}")).await.expect(200);
    }
    let passed = load.passed.load(Ordering::SeqCst);
    eventually("every call is counted", || async { (counted(&bob).await >= passed).then_some(()) }).await;
    assert_eq!(counted(&bob).await, passed, "and counted once");

    goes_on(&f, &stock).await;
}

/// The work of the background is done, and the gateway hears of changes.
async fn goes_on(f: &Forecourt, stock: &Product<'_>) {
    let hook = Webhook::start().await;
    let body = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    let made = f.admin().await.post("/api/contact_points", body).await.expect(200);
    asks(f, &telling(f, "webhook", &[&text(&made["value"]["id"])]).await).await;
    hook.has_heard(1).await;
    assert_eq!(f.gateway().get(&stock.path).await.status, 401);
    // The service of a draft is open (docs/gateway.md, 2).
    stock.unpublish().await;
    eventually("the gateway follows", || async {
        (f.gateway().get(&stock.path).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_under_load_costs_nobody_what_was_acknowledged_or_counted() {
    outlived(|wire| wire.cut(true), Wire::mend).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_under_load_costs_nobody_what_was_acknowledged_or_counted() {
    outlived(|wire| wire.is_silent(true), |wire| wire.is_silent(false)).await;
}
