//! `/api/applications/api_calls`: calls that the gateway counted (portal-api.md §7).

use std::time::Duration;

use forecourt_it::{Client, Forecourt, deadlines::eventually};
use serde_json::{Value, json};

/// The hour in which the tests' clock starts.
const HOUR: i64 = 1_786_093_200;

async fn rows(api: &Client, query: &str) -> Vec<Value> {
    let list = api.get(&format!("/api/applications/api_calls?{query}")).await.expect(200);
    let rows = list["list"].as_array().unwrap().clone();
    assert_eq!(list["total"], rows.len());
    rows
}

async fn counted(api: &Client, calls: u64) -> Vec<Value> {
    let query = format!("start_at={HOUR}&end_at={}", HOUR + 86_400);
    eventually(&format!("{calls} calls are counted"), || async {
        let rows = rows(api, &query).await;
        let sum: u64 = rows.iter().map(|row| row["api_calls"].as_u64().unwrap()).sum();
        (sum >= calls).then_some(rows)
    })
    .await
}

fn told(rows: &[Value]) -> Vec<(&str, i64, u64)> {
    let one = |row: &Value| (row["hour_timestamp"].as_i64().unwrap(), row["api_calls"].as_u64().unwrap());
    rows.iter().map(|row| (row["api_product_name"].as_str().unwrap(), one(row).0, one(row).1)).collect()
}

#[tokio::test]
async fn both_bounds_are_wanted_as_whole_seconds_in_order() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for (query, part) in [
        ("", "start_at"),
        ("start_at=1", "end_at"),
        ("end_at=1", "start_at"),
        ("start_at=&end_at=1", "start_at"),
        ("start_at=x&end_at=1", "start_at"),
        ("start_at=1.5&end_at=2", "start_at"),
        ("start_at=1&end_at=2e9", "end_at"),
        ("start_at=2026-08-07&end_at=2", "start_at"),
        ("start_at=1&end_at=99999999999999999999", "end_at"),
        ("start_at=2&end_at=1", "end_at"),
    ] {
        ada.api.get(&format!("/api/applications/api_calls?{query}")).await.refused(400, part);
    }
    for query in [
        "start_at=1&end_at=1",
        "start_at=-5&end_at=5",
        "start_at=-9223372036854775808&end_at=9223372036854775807",
    ] {
        let answer = ada.api.get(&format!("/api/applications/api_calls?{query}")).await;
        assert_eq!(answer.expect(200), json!({ "list": [], "total": 0 }));
    }
}

#[tokio::test]
async fn there_is_one_row_per_product_and_hour_sorted_by_hour_then_product_name() {
    let f = Forecourt::start().await;
    let (zebra, apple) = (f.product("Zebra").await, f.product("Apple").await);
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let one = ada.application("one").await.subscribe(&zebra).await.subscribe(&apple).await;
    let two = ada.application("two").await.subscribe(&zebra).await;
    let bobs = bob.application("bobs").await.subscribe(&zebra).await.key("k").await;
    let (first, second, other) = (one.key("first").await, one.key("second").await, two.key("k").await);
    for (product, key) in
        [(&zebra, &first), (&zebra, &second), (&zebra, &other), (&apple, &first), (&zebra, &bobs)]
    {
        f.call(product, key).await.expect(200);
    }
    f.gateway().with("apikey", "wrong").get(&zebra.path).await.expect(401);
    f.advance(Duration::from_secs(7_200));
    f.call(&apple, &second).await.expect(200);
    let rows_of = async |query: &str| {
        let query = format!("start_at={HOUR}&end_at={}&{query}", HOUR + 86_400);
        rows(&ada.api, &query).await
    };
    let all = counted(&ada.api, 5).await;
    assert_eq!(told(&all), [("Apple", HOUR, 1), ("Zebra", HOUR, 3), ("Apple", HOUR + 7_200, 1)]);
    assert_eq!(all[1]["api_product_id"], zebra.id);
    counted(&bob.api, 1).await;

    for (query, expected) in [
        (format!("application_id={}", two.id), vec![("Zebra", HOUR, 1)]),
        (format!("application_id={}&application_id={}", one.id, two.id), told(&all)),
        (format!("application_id[]={}", bobs.id), vec![]),
        (format!("api_product_id={}", apple.id), vec![("Apple", HOUR, 1), ("Apple", HOUR + 7_200, 1)]),
        (format!("credential_id={}", second.id), vec![("Zebra", HOUR, 1), ("Apple", HOUR + 7_200, 1)]),
        (
            format!("credential_id={}&credential_id={}", first.id, other.id),
            vec![("Apple", HOUR, 1), ("Zebra", HOUR, 2)],
        ),
        (format!("credential_id={}&application_id={}", first.id, two.id), vec![]),
        (format!("credential_id={}", bobs.id), vec![]),
        ("application_id=unknown".into(), vec![]),
        ("application_id=no%20id".into(), vec![]),
        ("application_id=&api_product_id=".into(), told(&all)),
    ] {
        assert_eq!(told(&rows_of(&query).await), expected, "{query}");
    }
    // Hours that overlap the span are in it whole.
    for (start, end, expected) in [
        (HOUR + 3_599, HOUR + 3_599, vec![("Apple", HOUR, 1), ("Zebra", HOUR, 3)]),
        (HOUR + 3_600, HOUR + 7_199, vec![]),
        (HOUR + 3_600, HOUR + 7_200, vec![("Apple", HOUR + 7_200, 1)]),
        (HOUR - 10, HOUR - 1, vec![]),
    ] {
        assert_eq!(told(&rows(&ada.api, &format!("start_at={start}&end_at={end}")).await), expected);
    }
}

#[tokio::test]
async fn counts_outlive_credential_application_and_product_under_the_last_name() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let (first, second) = (application.key("first").await, application.key("second").await);
    f.call(&orders, &first).await.expect(200);
    f.call(&orders, &second).await.expect(200);
    orders.update(json!({ "name": "Orders 2" })).await.expect(200);
    let path = format!("/api/applications/{}/credentials/{}", application.id, first.id);
    ada.api.delete(&path).await.empty(204);
    application.delete().await;
    let shown = counted(&ada.api, 2).await;
    f.admin().await.delete(&format!("/api/api_products/{}", orders.id)).await.expect(200);
    assert_eq!(told(&shown), [("Orders 2", HOUR, 2)]);
    let query = format!("start_at={HOUR}&end_at={HOUR}&application_id={}", application.id);
    assert_eq!(told(&rows(&ada.api, &query).await), [("Orders 2", HOUR, 2)]);
    let bob = f.developer("bob").await;
    assert!(rows(&bob.api, &query).await.is_empty());
}
