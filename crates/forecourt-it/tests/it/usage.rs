//! Counted calls: from the gateway to the developer's own figures.

use std::time::Duration;

use forecourt_it::{Developer, Forecourt, deadlines::eventually};
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
