//! What is told of health while the database is away or takes no writes, and what everybody else meets meanwhile.

use std::{
    net::ToSocketAddrs,
    time::{Duration, Instant},
};

use forecourt_it::{Forecourt, TestDatabase, deadlines::eventually, wires::Wire};
use forecourt_store::Store;
use http::Method;
use serde_json::json;
use tokio::time::timeout;

/// A change that may be made again and again.
const NAMES: &str = r#"{ "first_name": "Ada", "last_name": "Byron" }"#;
/// How long somebody may wait to be told that the database is away, once that is known.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn every_part_is_told_apart() {
    let f = Forecourt::start().await;
    let ready = f.status().get("/readyz").await.expect(200);
    for part in ["database", "writes", "migrations", "jobs", "gateway"] {
        assert_eq!(ready[part], "ok", "{part} of {ready}");
    }
    assert_eq!(ready["status"], "ready");
    assert_eq!(f.status().get("/readyz/gateway").await.expect(200)["gateway"], "ok");
}

#[tokio::test]
async fn a_process_without_a_gateway_sends_no_callers_there() {
    let f = Forecourt::start_with(|settings| {
        settings.gateway.listen = String::new();
        settings.gateway.tls_listen = String::new();
    })
    .await;
    f.status().get("/readyz").await.expect(200);
    f.status().get("/readyz/gateway").await.expect(503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_is_told_until_it_does_again() {
    let f = Forecourt::start().await;
    let portals = "/api/portals";
    f.admin().await.get(portals).await.expect(200);
    // Another process that writes and does not come to an end.
    let other = Store::open(&crate::store::location(f.database())).await.unwrap();
    let held = other.begin().await.unwrap();
    let made =
        f.admin().await.post("/api/settings/tokens", json!({ "name": "held up", "expires_at": 0 })).await;
    made.refused(503, "");
    assert!(made.headers.contains_key("retry-after"), "{made:?}");
    eventually("it is told", || async {
        let ready = f.status().get("/readyz").await;
        (ready.status == 503).then(|| {
            let body = ready.json();
            assert_eq!((&body["database"], &body["gateway"]), (&json!("ok"), &json!("ok")), "{body}");
            // In the database's own words, or by how long it took.
            let told = body["writes"].as_str().unwrap();
            assert!(told.contains("locked") || told.contains("does not come to its end"), "{body}");
        })
    })
    .await;
    // Who only reads is answered as ever.
    f.admin().await.get(portals).await.expect(200);
    drop(held);
    eventually("it is well again", || async {
        (f.status().get("/readyz").await.status == 200).then_some(())
    })
    .await;
    f.admin()
        .await
        .post("/api/settings/tokens", json!({ "name": "later", "expires_at": 0 }))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_closes_the_faces_at_once_and_leaves_the_gateway_open() {
    let place = TestDatabase::new();
    if !place.is_postgres() {
        return;
    }
    let address = authority(&place.url()).to_socket_addrs().unwrap().next().unwrap();
    let wire = Wire::to(address).await;
    let near = wire.address.to_string();
    let f = Forecourt::start_with(|settings| {
        let url = settings.database.url.clone();
        settings.database.url = url.replace(authority(&url), &near);
    })
    .await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    f.admin().await.get("/api/portals").await.expect(200);

    wire.cut(true);
    eventually("it is noticed", || async {
        let ready = f.status().get("/readyz").await;
        (ready.status == 503 && ready.json()["database"] != "ok").then_some(())
    })
    .await;
    f.status().get("/healthz").await.expect(200);
    f.guest().get("/healthz").await.expect(200);
    f.status().get("/readyz/gateway").await.expect(200);
    f.call(&orders, &key).await.expect(200);
    f.gateway().get(&orders.path).await.expect(401);
    let admin = f.admin().await;
    let portal_api = f.portal_api().await;
    for (client, path) in [(admin, "/api/portals"), (&portal_api, "/api/api_products")] {
        let begun = Instant::now();
        let answer = client.try_send(Method::GET, path, None).await.expect("an answer");
        answer.refused(503, "the database is away");
        assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
        assert!(begun.elapsed() < AT_ONCE, "{path} took {:?}", begun.elapsed());
    }
    assert_eq!(f.site().get("/").await.status, 503);
    let metrics = f.status().get("/metrics").await.text();
    assert!(metrics.contains("\nforecourt_database_up 0\n"), "{metrics}");
    assert!(metrics.contains("forecourt_http_turned_away_total{face=\"admin\"} 1"), "{metrics}");

    wire.mend();
    eventually("it is back", || async { (f.status().get("/readyz").await.status == 200).then_some(()) })
        .await;
    admin.get("/api/portals").await.expect(200);
    application.unsubscribe(&orders).await;
    eventually("the gateway follows again", || async {
        (f.call(&orders, &key).await.status != 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_vanishes_without_a_word_is_left_within_seconds_for_the_one_in_its_place() {
    let place = TestDatabase::new();
    if !place.is_postgres() {
        return;
    }
    let address = authority(&place.url()).to_socket_addrs().unwrap().next().unwrap();
    let wire = Wire::to(address).await;
    let near = wire.address.to_string();
    let f = Forecourt::start_with(|settings| {
        let url = settings.database.url.clone();
        settings.database.url = url.replace(authority(&url), &near);
    })
    .await;
    let admin = f.admin().await;
    // So that several connections are open and idle.
    let portals = "/api/portals";
    let (one, two, three) = tokio::join!(admin.get(portals), admin.get(portals), admin.get(portals));
    for answer in [one, two, three] {
        answer.expect(200);
    }

    wire.forsake();
    let works = async |method: Method, path: &str, body: Option<&str>| {
        let body = body.map(|body| ("application/json".to_owned(), body.as_bytes().to_vec()));
        let answer = timeout(AT_ONCE, admin.try_send(method, path, body)).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 200))
    };
    // More at once than were open, so that no connection that leads to nobody is passed over. Without what lets go of them
    // they would hang for minutes.
    eventually("all is well with the server in its place", async || {
        let ready = f.status().get("/readyz").await.status == 200;
        let read = || works(Method::GET, portals, None);
        let (one, two, three, four) = tokio::join!(read(), read(), read(), read());
        let wrote = works(Method::PUT, "/api/me", Some(NAMES)).await;
        (ready && one && two && three && four && wrote).then_some(())
    })
    .await;
}

/// `HOST:PORT` of `postgres://USER@HOST:PORT/NAME`.
pub(crate) fn authority(url: &str) -> &str {
    let rest = url.rsplit_once('@').expect("a user").1;
    rest.split_once('/').expect("a name").0
}
