//! Counted calls: from the gateway to the figures of developers and administrators.

use std::time::Duration;

use forecourt_it::{Client, Developer, Forecourt, deadlines::eventually, installations::text};
use serde_json::Value;

/// How long a call may take to its developer's figures.
const PROMISED: Duration = Duration::from_secs(10);

/// The developer's rows over the whole time of the tests.
async fn rows(developer: &Developer<'_>) -> Vec<Value> {
    let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
    developer.api.get(path).await.expect(200)["list"].as_array().unwrap().clone()
}

/// Waits no longer than is promised.
async fn calls_reach(developer: &Developer<'_>, calls: u64) -> Vec<Value> {
    let counted = |rows: &[Value]| rows.iter().map(|row| row["api_calls"].as_u64().unwrap()).sum::<u64>();
    let what = format!("{calls} calls are counted");
    let counting = eventually(&what, || async {
        let rows = rows(developer).await;
        (counted(&rows) >= calls).then_some(rows)
    });
    tokio::time::timeout(PROMISED, counting).await.expect("calls are counted within ten seconds")
}

#[tokio::test]
async fn passed_calls_are_counted_by_product_and_hour_and_refused_ones_are_not() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    for _ in 0..3 {
        f.call(&orders, &key).await.expect(200);
        f.gateway().get(&orders.path).await.expect(401);
    }
    f.advance(Duration::from_secs(3_600));
    f.call(&orders, &key).await.expect(200);

    let rows = calls_reach(&ada, 4).await;
    let hours: Vec<_> = rows
        .iter()
        .map(|row| (row["hour_timestamp"].as_i64().unwrap(), row["api_calls"].as_u64().unwrap()))
        .collect();
    assert_eq!(hours, [(1_786_093_200, 3), (1_786_096_800, 1)]);
    assert!(rows.iter().all(|row| row["api_product_id"] == orders.id && row["api_product_name"] == "Orders"));
}

#[tokio::test]
async fn a_developer_sees_only_its_own_calls_and_those_of_deleted_applications_stay() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    application.delete().await;
    calls_reach(&ada, 1).await;
    assert_eq!(rows(&bob).await.len(), 0);
}

#[tokio::test]
async fn counts_outlive_their_developer_for_administrators_and_are_not_those_of_the_next_one_of_that_id() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    calls_reach(&ada, 1).await;
    f.portal_api().await.delete("/api/developers/ada").await.empty(204);
    let told = usage(f.admin().await, "step=hour&group_by=api_product", 1).await;
    assert_eq!(told[0]["api_product_name"], "Orders", "{told:?}");
    assert!(rows(&f.developer("ada").await).await.is_empty());
}

#[tokio::test]
async fn a_stop_right_after_a_call_loses_no_count() {
    let mut f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    f.call(&orders, &key).await.expect(200);
    drop((orders, ada));
    f.restart().await;
    let front_end = f.portal_api().await.with("x-portal-developer-id", "ada");
    let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
    let list = front_end.get(path).await.expect(200);
    assert_eq!(list["list"][0]["api_calls"], 2, "{list}");
}

/// The hour in which the tests' clock starts, and a span around it.
const HOUR: i64 = 1_786_093_200;
const SPAN: &str = "start_at=1786092000&end_at=1786098000";

/// The rows of `/api/forecourt/usage` as soon as they hold so many calls.
async fn usage(api: &Client, query: &str, calls: u64) -> Vec<Value> {
    let path = format!("/api/forecourt/usage?{SPAN}&{query}");
    eventually(&format!("{calls} calls are told for {query}"), || async {
        let list = api.get(&path).await.expect(200);
        let rows = list["list"].as_array().unwrap().clone();
        assert_eq!(list["total"], rows.len());
        let told: u64 = rows.iter().map(|row| row["calls"].as_u64().unwrap()).sum();
        assert!(told <= calls, "{list}");
        (told == calls).then_some(rows)
    })
    .await
}

#[tokio::test]
async fn calls_are_told_in_detail_by_both_apis() {
    let f = Forecourt::start().await;
    let (orders, stock) = (f.product("Orders").await, f.product("Stock").await);
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let shop = ada.application("shop").await.subscribe(&orders).await.subscribe(&stock).await;
    let other = bob.application("other").await.subscribe(&orders).await;
    let (key, second, bobs) = (shop.key("one").await, shop.key("two").await, other.key("k").await);
    for _ in 0..3 {
        f.call(&orders, &key).await.expect(200);
    }
    let body = serde_json::json!({ "ten": "bytes" });
    f.gateway().with("apikey", &second.key).post(&stock.path, body.clone()).await.expect(200);
    f.call(&orders, &bobs).await.expect(200);
    f.gateway().with("apikey", "wrong").get(&orders.path).await.expect(401);

    let all = usage(&ada.api, "step=hour", 4).await;
    assert_eq!(all.len(), 1);
    let whole = &all[0];
    assert_eq!((whole["at"].as_i64(), whole["errors"].as_u64()), (Some(HOUR), Some(0)));
    assert_eq!(whole["bytes_in"], body.to_string().len());
    assert!(whole["bytes_out"].as_u64().unwrap() > 0);
    let times: Vec<f64> = ["ms_min", "ms_p50", "ms_p95", "ms_p99", "ms_max"]
        .map(|name| whole[name].as_f64().unwrap_or_else(|| panic!("{name} in {whole}")))
        .to_vec();
    assert!(times.is_sorted() && times[0] > 0.0, "{whole}");
    let average = whole["ms_avg"].as_f64().unwrap();
    assert!(times[0] <= average && average <= times[4], "{whole}");

    let grouped =
        usage(&ada.api, "group_by=api_product&group_by[]=application&group_by[]=credential", 4).await;
    let told: std::collections::BTreeSet<_> = grouped
        .iter()
        .map(|row| {
            assert_eq!(row["application_name"], "shop");
            assert_eq!(row["application_id"], shop.id);
            (text(&row["api_product_name"]), text(&row["credential_id"]), row["calls"].as_u64().unwrap())
        })
        .collect();
    let expected = [("Orders".to_owned(), key.id.clone(), 3), ("Stock".to_owned(), second.id.clone(), 1)];
    assert_eq!(told, expected.into());
    let routes = usage(&ada.api, "group_by=route,status_class", 4).await;
    assert_eq!(routes.len(), 2, "a route of each product: {routes:?}");
    assert!(routes.iter().all(|row| row["status_class"] == "2xx"), "{routes:?}");
    let only = format!("api_product_id={}&credential_id={}", stock.id, second.id);
    assert_eq!(usage(&ada.api, &only, 1).await.len(), 1);

    let everything = usage(f.admin().await, "group_by=application", 5).await;
    assert_eq!(everything.len(), 2, "{everything:?}");
    let portal = format!("portal_id={}", f.portal_id().await);
    usage(f.admin().await, &portal, 5).await;
    let none =
        ada.api.get(&format!("/api/forecourt/usage?{SPAN}&application_id={}", other.id)).await.expect(200);
    assert_eq!(none, serde_json::json!({ "list": [], "total": 0 }));
}

#[tokio::test]
async fn failures_are_told_as_errors_and_names_outlive_what_they_name() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let shop = ada.application("shop").await.subscribe(&orders).await;
    let key = shop.key("one").await;
    f.call(&orders, &key).await.expect(200);
    f.gateway().with("apikey", &key.key).with("x-answer-with", "503").get(&orders.path).await.expect(503);
    let classes = usage(&ada.api, "group_by=status_class", 2).await;
    let told: Vec<_> = classes
        .iter()
        .map(|row| (row["status_class"].as_str().unwrap(), row["errors"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("2xx", 0), ("5xx", 1)]);
    ada.api
        .put(&format!("/api/applications/{}", shop.id), serde_json::json!({ "name": "renamed" }))
        .await
        .expect(200);
    shop.delete().await;
    f.admin().await.delete(&format!("/api/api_products/{}", orders.id)).await.expect(200);
    let rows = usage(&ada.api, "group_by=application&group_by=api_product", 2).await;
    assert_eq!(rows[0]["application_name"], "renamed");
    assert_eq!(rows[0]["api_product_name"], "Orders");
}

#[tokio::test]
async fn questions_that_cannot_be_answered_are_told_why() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let year = 365 * 86_400;
    for (query, part) in [
        ("end_at=1".to_owned(), "start_at"),
        ("start_at=1".to_owned(), "end_at"),
        ("start_at=2&end_at=1".to_owned(), "end_at"),
        ("start_at=0&end_at=1&step=week".to_owned(), "minute, hour or day"),
        ("start_at=0&end_at=1&group_by=portal".to_owned(), "status_class"),
        (format!("start_at=0&end_at={}", 2 * year), "400 days"),
        (format!("start_at=0&end_at={year}&step=minute"), "longer step"),
        ("start_at=-9223372036854775808&end_at=9223372036854775807".to_owned(), "400 days"),
    ] {
        let path = format!("/api/forecourt/usage?{query}");
        ada.api.get(&path).await.refused(400, part);
        f.admin().await.get(&path).await.expect(400);
    }
    f.admin().await.get(&format!("/api/forecourt/usage?{SPAN}&portal_id=prt_none")).await.expect(404);
}
