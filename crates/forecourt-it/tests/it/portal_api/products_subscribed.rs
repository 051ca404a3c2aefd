//! How a caller stands to a product, and what only subscribers read (portal-api.md §3).

use forecourt_it::Forecourt;
use serde_json::json;

use super::listed;

#[tokio::test]
async fn a_developer_sees_the_best_of_its_applications_and_a_guest_no_status_at_all() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let (one, two) = (ada.application("one").await, ada.application("two").await);
    let path = format!("/api/api_products/{}", orders.id);
    let status = async || {
        let (one, list) =
            (ada.api.get(&path).await.expect(200), ada.api.get("/api/api_products").await.expect(200));
        assert_eq!(one["subscription_status"], list["list"][0]["subscription_status"]);
        one["subscription_status"].clone()
    };
    assert_eq!(status().await, "unsubscribed");
    one.request(&orders).await;
    assert_eq!(status().await, "wait_for_approval");
    assert_eq!(f.accept_all().await, 1);
    two.request(&orders).await;
    assert_eq!(status().await, "subscribed", "the best of one subscribed and one waiting application");
    let bob = f.developer("bob").await;
    assert_eq!(bob.api.get(&path).await.expect(200)["subscription_status"], "unsubscribed");
    let guest = f.portal_api().await;
    assert!(guest.get(&path).await.expect(200).get("subscription_status").is_none());
    assert!(guest.get("/api/api_products").await.expect(200)["list"][0].get("subscription_status").is_none());
}

#[tokio::test]
async fn with_an_application_the_status_is_its_own_and_nothing_else_shines_through() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let subscribed = ada.application("subscribed").await.subscribe(&orders).await;
    let bare = ada.application("bare").await;
    let foreign = bob.application("foreign").await.subscribe(&orders).await;
    for (application, status) in [
        (subscribed.id.as_str(), "subscribed"),
        (&bare.id, "unsubscribed"),
        (&foreign.id, "unsubscribed"),
        ("app_unknown", "unsubscribed"),
        ("no%20id", "unsubscribed"),
        ("", "subscribed"),
    ] {
        for path in [format!("/api/api_products/{}", orders.id), "/api/api_products".to_owned()] {
            let told = ada.api.get(&format!("{path}?application_id={application}")).await.expect(200);
            let row = told.get("list").map_or(&told, |list| &list[0]);
            assert_eq!(row["subscription_status"], status, "{path} of {application:?}");
        }
    }
    let last = format!("/api/api_products?application_id={}&application_id={}", subscribed.id, bare.id);
    assert_eq!(listed(&ada.api, &last, "subscription_status").await, ["unsubscribed"]);
}

#[tokio::test]
async fn the_status_filter_uses_the_status_that_is_shown_and_the_total_follows() {
    let f = Forecourt::start().await;
    let subscribed = f.product("Subscribed").await;
    let waiting = f.product_with("Waiting", json!({ "subscription_auto_approval": false })).await;
    f.product("Bare").await;
    let ada = f.developer("ada").await;
    let one = ada.application("one").await.subscribe(&subscribed).await.subscribe(&waiting).await;
    let two = ada.application("two").await.subscribe(&waiting).await;
    let front_end = f.portal_api().await;
    let first = listed(&front_end, "/api/approvals?direction=asc", "id").await[0].clone();
    let names = async |query: &str| {
        let path = format!("/api/api_products?order_by=created_at&direction=asc&{query}");
        let paged = ada.api.get(&format!("{path}&page_size=1")).await.expect(200);
        let names = listed(&ada.api, &path, "name").await;
        assert_eq!(paged["total"], names.len(), "{query}");
        names
    };
    assert_eq!(names("subscription_status=subscribed").await, ["Subscribed"]);
    assert_eq!(names("subscription_status=wait_for_approval").await, ["Waiting"]);
    assert_eq!(names("subscription_status=unsubscribed").await, ["Bare"]);
    assert_eq!(names("subscription_status=").await.len(), 3);
    let of_two = format!("application_id={}", two.id);
    assert_eq!(names(&format!("subscription_status=unsubscribed&{of_two}")).await, ["Subscribed", "Bare"]);
    assert_eq!(names(&format!("subscription_status=wait_for_approval&{of_two}")).await, ["Waiting"]);
    assert_eq!(names(&format!("subscription_status=subscribed&{of_two}")).await, Vec::<String>::new());
    assert_eq!(names("subscription_status=subscribed&application_id=no%20id").await, Vec::<String>::new());
    assert_eq!(names("subscription_status=unsubscribed&application_id=app_unknown").await.len(), 3);
    // Once the first is accepted, the developer as a whole no longer waits.
    front_end.post(&format!("/api/approvals/{first}/accept"), json!({})).await.expect(200);
    assert_eq!(names("subscription_status=subscribed").await, ["Subscribed", "Waiting"]);
    assert_eq!(names("subscription_status=wait_for_approval").await, Vec::<String>::new());
    let of_one = format!("application_id={}", one.id);
    assert_eq!(names(&format!("subscription_status=subscribed&{of_one}")).await, ["Subscribed", "Waiting"]);

    for (status, total) in [("unsubscribed", 3), ("wait_for_approval", 0), ("subscribed", 0)] {
        let path = format!("/api/api_products?subscription_status={status}");
        assert_eq!(front_end.get(&path).await.expect(200)["total"], total, "a guest and {status}");
    }
    for wrong in ["pending", "SUBSCRIBED", "subscribed%20"] {
        let path = format!("/api/api_products?subscription_status={wrong}");
        ada.api.get(&path).await.refused(400, "subscription_status");
    }
}

#[tokio::test]
async fn texts_that_only_subscribers_read_are_there_as_soon_as_one_application_is_subscribed() {
    let f = Forecourt::start().await;
    let orders = json!({ "subscription_auto_approval": false, "can_view_unsubscribed": false });
    let orders = f.product_with("Orders", orders).await;
    let document = json!({ "raw_openapi": "openapi: 3.0.3\npaths: {}\n" });
    let path = format!("/api/gateway_groups/default/services/{}/oas", orders.service_id);
    f.admin().await.put(&path, document).await.expect(200);
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let path = format!("/api/api_products/{}", orders.id);
    let reads = async |client: &forecourt_it::Client, query: &str| {
        let one = client.get(&format!("{path}{query}")).await.expect(200);
        assert_eq!(one["name"], "Orders", "the rest stays readable");
        one.get("raw_openapis").is_some()
    };
    let guest = f.portal_api().await;
    assert!(!reads(&guest, "").await && !reads(&ada.api, "").await);
    let application = ada.application("demo").await.subscribe(&orders).await;
    let bare = ada.application("bare").await;
    assert!(!reads(&ada.api, "").await, "waiting is not enough");
    f.accept_all().await;
    assert!(reads(&ada.api, "").await);
    assert!(
        reads(&ada.api, &format!("?application_id={}", bare.id)).await,
        "any of its applications opens it"
    );
    assert!(!reads(&bob.api, "").await && !reads(&guest, "").await);
    assert!(!reads(&guest, &format!("?application_id={}", application.id)).await);
    application.unsubscribe(&orders).await;
    assert!(!reads(&ada.api, "").await);
}
