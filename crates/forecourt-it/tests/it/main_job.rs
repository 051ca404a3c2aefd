//! The main job from end to end: a provider publishes, a developer gets a key, the gateway lets exactly that through.

use forecourt_it::Forecourt;
use serde_json::json;

#[tokio::test]
async fn a_key_opens_exactly_what_its_application_is_subscribed_to_and_each_change_holds_on_the_next_call() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(401);

    application.request(&orders).await;
    f.call(&orders, &key).await.expect(401);

    assert_eq!(f.accept_all().await, 1);
    f.call(&orders, &key).await.expect(200);

    let renewed = application.regenerate(&key).await;
    f.call(&orders, &key).await.expect(401);
    f.call(&orders, &renewed).await.expect(200);

    application.unsubscribe(&orders).await;
    f.call(&orders, &renewed).await.expect(401);

    application.request(&orders).await;
    assert_eq!(f.accept_all().await, 1);
    f.call(&orders, &renewed).await.expect(200);
    application.delete().await;
    f.call(&orders, &renewed).await.expect(401);

    f.gateway().get(&orders.path).await.expect(401);
    orders.unpublish().await;
    f.gateway().get(&orders.path).await.expect(200);
}

#[tokio::test]
async fn a_refused_call_never_reaches_the_upstream_and_a_passed_one_says_who_calls() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;

    f.gateway().with("apikey", "frc_wrong").get(&orders.path).await.expect(401);
    assert!(f.upstream().arrived().is_empty());

    f.gateway()
        .with("apikey", &key.key)
        .with("x-consumer-username", "root")
        .get(&orders.path)
        .await
        .expect(200);
    let arrived = f.upstream().last();
    assert_eq!(arrived.target, "/hello");
    assert_eq!(arrived.headers["x-consumer-username"], application.id.as_str());
    assert_eq!(arrived.headers["x-credential-identifier"], key.id.as_str());
    assert_eq!(arrived.headers["x-consumer-custom-id"], "ada");
}

#[tokio::test]
async fn a_key_opens_no_product_that_its_application_is_not_subscribed_to() {
    let f = Forecourt::start().await;
    let (orders, billing) = (f.product("Orders").await, f.product("Billing").await);
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    f.call(&billing, &key).await.expect(401);
    let other = ada.application("other").await.subscribe(&billing).await.key("prod").await;
    f.call(&billing, &other).await.expect(200);
    f.call(&orders, &other).await.expect(401);
}

#[tokio::test]
async fn a_product_linked_later_knows_the_keys_that_were_there_before() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let key = application.key("prod").await;
    // The gateway hears of the portal only now, and must learn what happened in it before.
    let orders = f.product("Orders").await;
    application.request(&orders).await;
    f.call(&orders, &key).await.expect(200);
}

#[tokio::test]
async fn a_rejected_request_gives_nothing_and_may_be_made_again() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let pending = f.admin().await.get("/api/approvals?status=pending").await.expect(200);
    let id = pending["list"][0]["id"].as_str().unwrap().to_owned();
    f.admin().await.post(&format!("/api/approvals/{id}/reject"), json!({})).await.expect(200);
    f.call(&orders, &key).await.expect(401);
    assert!(application.subscriptions().await.is_empty());
    application.request(&orders).await;
    assert_eq!(f.accept_all().await, 1);
    f.call(&orders, &key).await.expect(200);
}

#[tokio::test]
async fn what_was_granted_and_what_was_taken_away_survives_a_restart() {
    let mut f = Forecourt::start().await;
    let (path, kept, dropped) = {
        let orders = f.product("Orders").await;
        let ada = f.developer("ada").await;
        let application = ada.application("demo").await.subscribe(&orders).await;
        let kept = application.key("kept").await;
        let dropped = application.key("dropped").await;
        let path = format!("/api/applications/{}/credentials/{}", application.id, dropped.id);
        application.api.delete(&path).await.expect(204);
        (orders.path.clone(), kept, dropped)
    };
    f.restart().await;
    f.gateway().with("apikey", &kept.key).get(&path).await.expect(200);
    f.gateway().with("apikey", &dropped.key).get(&path).await.expect(401);
}
