//! Plans: chosen with a subscription, enforced by the gateway, changed without a new key.

use std::time::Duration;

use forecourt_it::{Answer, Application, Forecourt, Product, installations::text};
use serde_json::{Value, json};

/// A plan of `product`; gives its id.
async fn plan(f: &Forecourt, product: &Product<'_>, name: &str, limits: Value) -> String {
    let body = json!({ "api_product_id": product.id, "name": name, "limits": limits });
    text(&f.admin().await.post("/api/forecourt/plans", body).await.expect(200)["value"]["id"])
}

fn per(count: u64, window_seconds: u64) -> Value {
    json!([{ "count": count, "window_seconds": window_seconds }])
}

async fn change(application: &Application<'_>, plan: &str) -> Answer {
    let subscription = text(&application.subscriptions().await[0]["id"]);
    let path = format!("/api/forecourt/subscriptions/{subscription}/plan");
    application.api.put(&path, json!({ "plan_id": plan })).await
}

#[tokio::test]
async fn a_developer_takes_a_plan_is_held_to_it_and_changes_it_without_a_new_key() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let bronze = plan(&f, &orders, "Bronze", per(2, 60)).await;
    let gold = plan(&f, &orders, "Gold", per(4, 60)).await;
    let ada = f.developer("ada").await;
    let shown = ada.api.get(&format!("/api/api_products/{}", orders.id)).await.expect(200);
    assert_eq!(
        shown["plans"][1],
        json!({ "id": gold, "name": "Gold", "limits": per(4, 60), "default": false })
    );

    let application = ada.application("demo").await.subscribe(&orders).await;
    assert_eq!(application.subscriptions().await[0]["plan_id"], json!(bronze), "the default one");
    let key = application.key("prod").await;
    let first = f.call(&orders, &key).await;
    assert_eq!(first.headers["ratelimit-policy"], format!("\"{bronze}-60\";q=2;w=60").as_str());
    f.call(&orders, &key).await.expect(200);
    let refused = f.call(&orders, &key).await;
    refused.expect(429);
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() <= 64);

    let changed = change(&application, &gold).await;
    assert!(changed.headers.contains_key("x-forecourt-revision"), "it says what proves that it is in force");
    assert_eq!(changed.expect(200)["plan_id"], json!(gold));
    f.call(&orders, &key).await.expect(200);
    f.call(&orders, &key).await.expect(200);
    f.call(&orders, &key).await.expect(429);
    f.advance(Duration::from_secs(64));
    f.call(&orders, &key).await.expect(200);

    let other = ada.application("other").await;
    let body = json!({ "applications": [other.id], "api_products": [orders.id], "plan_id": gold });
    ada.api.post("/api/subscriptions", body).await.expect(201);
    assert_eq!(other.subscriptions().await[0]["plan_id"], json!(gold), "the one that was asked for");
    let metrics = f.status().get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("forecourt_gateway_rejected_total{reason=\"over_limit\"} 2"), "{metrics}");
    assert!(metrics.contains("forecourt_gateway_limits_fallback_total 0"), "{metrics}");
}

#[tokio::test]
async fn where_administrators_approve_subscriptions_only_they_change_the_plan() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let bronze = plan(&f, &orders, "Bronze", per(1, 60)).await;
    let gold = plan(&f, &orders, "Gold", per(3, 60)).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    application.request(&orders).await;
    change(&application, &gold).await.refused(400, "ask an administrator");
    assert_eq!(f.accept_all().await, 1);
    change(&application, &gold).await.refused(400, "ask an administrator");
    let subscription = application.subscriptions().await.remove(0);
    assert_eq!(subscription["plan_id"], json!(bronze));

    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    f.call(&orders, &key).await.expect(429);
    let path = format!("/api/forecourt/subscriptions/{}/plan", text(&subscription["id"]));
    let changed = f.admin().await.put(&path, json!({ "plan_id": gold })).await.expect(200);
    assert_eq!(changed["value"]["plan_id"], json!(gold));
    f.call(&orders, &key).await.expect(200);
    // Nobody's but its own plan, of nobody's but one's own subscription.
    let refunds = f.product("Refunds").await;
    let foreign = plan(&f, &refunds, "Bronze", per(1, 60)).await;
    f.admin().await.put(&path, json!({ "plan_id": foreign })).await.refused(400, "is not a plan of");
    let bob = f.developer("bob").await;
    bob.api.put(&path, json!({ "plan_id": bronze })).await.refused(404, "");
    let body = json!({ "applications": [application.id], "api_products": [refunds.id], "plan_id": gold });
    ada.api.post("/api/subscriptions", body).await.refused(400, "is not a plan of");
}

#[tokio::test]
async fn the_first_plan_of_a_product_holds_whoever_is_subscribed_already() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let free = f.call(&orders, &key).await;
    assert!(!free.headers.contains_key("ratelimit-policy"), "a product without plans is not limited");
    let bronze = plan(&f, &orders, "Bronze", per(1, 60)).await;
    assert_eq!(application.subscriptions().await[0]["plan_id"], json!(bronze));
    f.call(&orders, &key).await.expect(200);
    f.call(&orders, &key).await.expect(429);
}

#[tokio::test]
async fn a_restart_gives_no_quota_away_again() {
    let mut f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    plan(&f, &orders, "Bronze", per(3, 86_400)).await;
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    f.call(&orders, &key).await.expect(200);
    let path = orders.path.clone();
    drop((orders, ada));
    f.restart().await;
    let call = async |f: &Forecourt| f.gateway().with("apikey", &key.key).get(&path).await.status.as_u16();
    assert_eq!([call(&f).await, call(&f).await], [200, 429]);
    f.advance(Duration::from_secs(86_400));
    assert_eq!(call(&f).await, 200, "the next day");
}

#[tokio::test]
async fn counts_that_cannot_be_read_are_put_aside_and_stop_nobody() {
    let mut f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    plan(&f, &orders, "Bronze", per(2, 86_400)).await;
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    let path = orders.path.clone();
    drop((orders, ada));
    f.restart().await;
    let file = f.database().folder().join("limits/quotas.json");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept.contains("\"used\":1"), "{kept}");
    // A stop writes only what was counted since, so what is put here now is what the next start finds.
    std::fs::write(&file, &kept[..kept.len() / 2]).unwrap();
    f.restart().await;
    let call = async |f: &Forecourt| f.gateway().with("apikey", &key.key).get(&path).await.status.as_u16();
    assert_eq!([call(&f).await, call(&f).await, call(&f).await], [200, 200, 429]);
    assert!(file.with_extension("unreadable").is_file());
}
