//! How subscriptions end, and what becomes of their approvals (the table of portal-api.md §6).

use forecourt_it::{Application, Forecourt, Product, installations::text};
use serde_json::{Value, json};

async fn approvals(f: &Forecourt) -> Vec<Value> {
    let list = f.portal_api().await.get("/api/approvals").await.expect(200);
    list["list"].as_array().unwrap().clone()
}

async fn asked_for<'a>(f: &'a Forecourt) -> (Product<'a>, Application<'a>) {
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    (orders, application)
}

#[tokio::test]
async fn what_is_granted_at_once_leaves_no_approval() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    f.developer("ada").await.application("demo").await.request(&orders).await;
    assert!(approvals(&f).await.is_empty());
}

#[tokio::test]
async fn a_pending_one_that_its_developer_withdraws_leaves_a_cancelled_approval_without_an_operator() {
    let f = Forecourt::start().await;
    let (orders, application) = asked_for(&f).await;
    let id = text(&application.subscriptions().await[0]["id"]);
    application.api.delete(&format!("/api/subscriptions/{id}")).await.empty(204);
    assert!(application.subscriptions().await.is_empty());
    let told = approvals(&f).await;
    assert_eq!((&told[0]["status"], &told[0]["result"]), (&json!("finished"), &json!("cancelled")));
    for absent in ["operator_id", "operator_name", "metadata"] {
        assert!(told[0].get(absent).is_none(), "{told:?}");
    }
    let accept = format!("/api/approvals/{}/accept", text(&told[0]["id"]));
    f.portal_api().await.post(&accept, json!({})).await.refused(400, "");
    application.request(&orders).await;
    assert_eq!(approvals(&f).await.len(), 2);
}

#[tokio::test]
async fn an_active_one_that_ends_leaves_its_approval_as_it_was() {
    let f = Forecourt::start().await;
    let (orders, application) = asked_for(&f).await;
    f.accept_all().await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    let before = approvals(&f).await;
    let id = text(&application.subscriptions().await[0]["id"]);
    let gone = application.api.delete(&format!("/api/subscriptions/{id}")).await;
    gone.empty(204);
    assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
    f.call(&orders, &key).await.expect(401);
    assert_eq!(approvals(&f).await, before);
    application.api.delete(&format!("/api/subscriptions/{id}")).await.refused(404, "resource not found");
}

#[tokio::test]
async fn what_an_administrator_ends_leaves_an_active_ones_approval_and_cancels_a_pending_ones() {
    let f = Forecourt::start().await;
    let (orders, application) = asked_for(&f).await;
    f.accept_all().await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    let before = approvals(&f).await;
    let own = async || format!("/api/subscriptions/{}", text(&application.subscriptions().await[0]["id"]));
    f.admin().await.delete(&own().await).await.expect(200);
    f.call(&orders, &key).await.expect(401);
    assert!(application.subscriptions().await.is_empty());
    assert_eq!(approvals(&f).await, before);
    application.request(&orders).await;
    f.admin().await.delete(&own().await).await.expect(200);
    assert!(application.subscriptions().await.is_empty());
    let told = approvals(&f).await;
    assert_eq!(
        (told.len(), &told[0]["status"], &told[0]["result"]),
        (2, &json!("finished"), &json!("cancelled"))
    );
}

#[tokio::test]
async fn a_subscription_of_somebody_else_or_of_nobody_cannot_be_ended() {
    let f = Forecourt::start().await;
    let (_, application) = asked_for(&f).await;
    let bob = f.developer("bob").await;
    let id = text(&application.subscriptions().await[0]["id"]);
    for id in [id.as_str(), "sub_unknown", "%zz", "%ff"] {
        bob.api.delete(&format!("/api/subscriptions/{id}")).await.refused(404, "resource not found");
    }
    assert_eq!(application.subscriptions().await.len(), 1);
}

#[tokio::test]
async fn unpublishing_or_deleting_a_product_ends_its_subscriptions_and_cancels_what_waits() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for deleted in [false, true] {
        let name = if deleted { "Deleted" } else { "Unpublished" };
        let product = f.product_with(name, json!({ "subscription_auto_approval": false })).await;
        let granted = ada.application("granted").await.subscribe(&product).await;
        assert_eq!(f.accept_all().await, 1);
        let waiting = ada.application("waiting").await.subscribe(&product).await;
        if deleted {
            f.admin().await.delete(&format!("/api/api_products/{}", product.id)).await.expect(200);
        } else {
            product.unpublish().await;
        }
        for application in [granted, waiting] {
            assert!(application.subscriptions().await.is_empty());
        }
        let told = approvals(&f).await;
        let results: Vec<_> =
            told.iter().filter(|row| row["resource_name"] == name).map(|row| text(&row["result"])).collect();
        assert_eq!(results, ["cancelled", "accepted"], "finished ones stay, under the last known name");
        if !deleted {
            product.publish().await;
            assert_eq!(ada.api.get("/api/subscriptions").await.expect(200)["total"], 0);
        }
    }
}

#[tokio::test]
async fn switching_auto_approval_changes_nothing_that_was_asked_for_before() {
    let f = Forecourt::start().await;
    let (orders, application) = asked_for(&f).await;
    orders.update(json!({ "subscription_auto_approval": true })).await.expect(200);
    assert_eq!(application.subscriptions().await[0]["status"], "wait_for_approval");
    assert_eq!(approvals(&f).await[0]["status"], "pending");
    // What is asked for again is skipped, and stays pending.
    application.request(&orders).await;
    assert_eq!(application.subscriptions().await[0]["status"], "wait_for_approval");
    orders.update(json!({ "subscription_auto_approval": false })).await.expect(200);
    f.accept_all().await;
    assert_eq!(application.subscriptions().await[0]["status"], "subscribed");
}
