//! Applications as administrators find them: those that nobody uses any more.

use std::time::Duration;

use forecourt_it::{Forecourt, deadlines::eventually};
use serde_json::Value;

const DAY: Duration = Duration::from_secs(86_400);

/// The names of the applications without a call since `moment`, sorted.
async fn inactive(f: &Forecourt, moment: &str) -> Vec<String> {
    let moment = moment.replace('+', "%2B");
    let path = format!("/api/forecourt/applications?inactive_since={moment}");
    let list = f.admin().await.get(&path).await.expect(200);
    let rows = list["list"].as_array().unwrap();
    assert_eq!(list["total"], rows.len());
    let mut names: Vec<_> = rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// Waits until that many calls of the developer are counted.
async fn counted(api: &forecourt_it::Client, calls: u64) {
    eventually(&format!("{calls} calls are counted"), || async {
        let path = "/api/applications/api_calls?start_at=0&end_at=9999999999";
        let list = api.get(path).await.expect(200);
        let sum =
            list["list"].as_array().unwrap().iter().filter_map(|row| row["api_calls"].as_u64()).sum::<u64>();
        (sum >= calls).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_application_is_inactive_since_a_moment_if_it_is_older_and_has_made_no_call_since() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let busy = ada.application("busy").await.subscribe(&orders).await;
    let done = ada.application("done").await.subscribe(&orders).await;
    ada.application("never called").await;
    let (busy_key, done_key) = (busy.key("prod").await, done.key("prod").await);
    f.call(&orders, &busy_key).await.expect(200);
    f.call(&orders, &done_key).await.expect(200);
    counted(&ada.api, 2).await;
    // A deleted credential has called all the same.
    ada.api.delete(&format!("/api/applications/{}/credentials/{}", done.id, done_key.id)).await.empty(204);

    f.advance(DAY);
    let young = ada.application("young").await;
    let made: Value = ada.api.get(&format!("/api/applications/{}", young.id)).await.expect(200);
    let moment = made["created_at"].as_str().unwrap().to_owned();
    assert_eq!(inactive(&f, &moment).await, ["busy", "done", "never called"]);
    f.advance(Duration::from_secs(60));
    f.call(&orders, &busy_key).await.expect(200);
    counted(&ada.api, 3).await;
    assert_eq!(inactive(&f, &moment).await, ["done", "never called"]);
    assert_eq!(inactive(&f, "2026-01-01T00:00:00Z").await, Vec::<String>::new(), "none is as old as that");
    // A change by hand is no call, and does not undo one.
    for application in [&busy, &done] {
        let path = format!("/api/applications/{}", application.id);
        ada.api.put(&path, serde_json::json!({ "name": "renamed" })).await.expect(200);
    }
    assert_eq!(inactive(&f, &moment.replace('Z', "+00:00")).await, ["never called", "renamed"]);
    f.advance(DAY);
    assert_eq!(inactive(&f, "2099-01-01T00:00:00Z").await.len(), 4);
}

#[tokio::test]
async fn a_moment_that_is_none_is_refused_and_an_empty_one_is_absent() {
    let f = Forecourt::start().await;
    f.developer("ada").await.application("demo").await;
    for moment in ["yesterday", "1786093200", "2026-08-07", "2026-08-07T09:00:00"] {
        let path = format!("/api/forecourt/applications?inactive_since={moment}");
        f.admin().await.get(&path).await.refused(400, "inactive_since must be a time such as");
    }
    assert_eq!(inactive(&f, "").await, ["demo"]);
}
