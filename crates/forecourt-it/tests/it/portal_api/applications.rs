//! `/api/applications`: a developer's own (portal-api.md §4).

use std::time::Duration;

use forecourt_it::{Forecourt, installations::text};
use serde_json::json;

use super::{column, is_time, listed, members};

#[tokio::test]
async fn a_made_application_is_told_whole_and_read_back_the_same() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let body =
        json!({ "name": "mobile app", "desc": "iOS client", "labels": { "env": "prod", "a b/c": "x y" } });
    let made = ada.api.post("/api/applications", body.clone()).await.expect(201);
    for (member, value) in body.as_object().unwrap() {
        assert_eq!(made[member], *value, "{member}");
    }
    assert!(text(&made["id"]).starts_with("app_"), "{made}");
    assert!(is_time(&made["created_at"]) && is_time(&made["updated_at"]), "{made}");
    let path = format!("/api/applications/{}", text(&made["id"]));
    assert_eq!(ada.api.get(&path).await.expect(200), made);
    let list = ada.api.get("/api/applications").await.expect(200);
    assert_eq!(list, json!({ "list": [made], "total": 1 }));
}

#[tokio::test]
async fn what_is_not_given_is_left_out_but_labels_are_always_there_and_null_counts_as_not_given() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for body in [
        json!({ "name": "bare" }),
        json!({ "name": "bare", "desc": null, "labels": null }),
        json!({ "name": "bare", "desc": "", "labels": { "env": null }, "unknown": 1 }),
    ] {
        let made = ada.api.post("/api/applications", body).await.expect(201);
        assert_eq!(made["labels"], json!({}));
        assert!(!members(&made).contains(&"desc"), "{made}");
    }
    // Equal names are allowed.
    assert_eq!(ada.api.get("/api/applications").await.expect(200)["total"], 3);
}

#[tokio::test]
async fn names_descriptions_and_labels_beyond_their_limits_are_refused_and_at_them_accepted() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let one = format!("/api/applications/{}", application.id);
    let name = |length: usize| "ä".repeat(length);
    for (body, part) in [
        (json!({}), "name"),
        (json!({ "name": "" }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "name": " \t " }), "name"),
        (json!({ "name": name(101) }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "x", "desc": 7 }), "desc"),
        (json!({ "name": "x", "desc": "x".repeat(65_537) }), "desc"),
        (json!({ "name": "x", "labels": [] }), "labels"),
        (json!({ "name": "x", "labels": "a" }), "labels"),
        (json!({ "name": "x", "labels": { "a": 1 } }), "labels"),
        (json!({ "name": "x", "labels": { "a": ["b"] } }), "labels"),
        (json!({ "name": "x", "labels": { "a": "" } }), "labels"),
        (json!({ "name": "x", "labels": { "a": "b\nc" } }), "labels"),
        (json!({ "name": "x", "labels": { "": "b" } }), "labels"),
        (json!({ "name": "x", "labels": { "a": "x".repeat(65_537) } }), "labels"),
    ] {
        ada.api.post("/api/applications", body.clone()).await.refused(400, part);
        ada.api.put(&one, body).await.refused(400, part);
    }
    let labels = json!({ "a b/c": "x".repeat(65_536), "k": "ä / ö" });
    let whole = json!({ "name": name(100), "desc": "x".repeat(65_536), "labels": labels });
    let made = ada.api.post("/api/applications", whole.clone()).await.expect(201);
    assert_eq!((&made["name"], &made["desc"], &made["labels"]), (&whole["name"], &whole["desc"], &labels));
    assert_eq!(
        listed(&ada.api, "/api/applications?order_by=created_at&direction=asc", "name").await.len(),
        2
    );
    assert_eq!(ada.api.get(&one).await.expect(200)["name"], "demo", "a refused change changes nothing");
}

#[tokio::test]
async fn an_update_replaces_name_description_and_labels_and_clears_what_is_absent() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let body = json!({ "name": "one", "desc": "text", "labels": { "env": "prod" } });
    let made = ada.api.post("/api/applications", body).await.expect(201);
    let path = format!("/api/applications/{}", text(&made["id"]));
    f.advance(Duration::from_millis(5));
    let put = ada.api.put(&path, json!({ "name": "two", "labels": { "team": "shop" } })).await.expect(200);
    assert_eq!((&put["name"], &put["labels"]), (&json!("two"), &json!({ "team": "shop" })));
    assert!(!members(&put).contains(&"desc"), "{put}");
    assert_eq!((&put["id"], &put["created_at"]), (&made["id"], &made["created_at"]));
    assert!(text(&put["updated_at"]) > text(&made["updated_at"]));
    let put = ada.api.put(&path, json!({ "name": "two" })).await.expect(200);
    assert_eq!(put["labels"], json!({}));
    assert_eq!(ada.api.get(&path).await.expect(200), put);
    ada.api.patch(&path, json!([])).await.refused(405, "method not allowed");
}

#[tokio::test]
async fn callback_urls_and_attributes_are_always_there_and_stay_in_an_update_that_does_not_name_them() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let bare = ada.api.post("/api/applications", json!({ "name": "bare" })).await.expect(201);
    assert_eq!((&bare["callback_urls"], &bare["attributes"]), (&json!([]), &json!({})));
    let urls = json!(["https://app.example/cb?x=1", "com.example.app:/cb"]);
    let attributes = json!({ "cost center": "4711", "owner": "Zoë: shop" });
    let body = json!({ "name": "whole", "callback_urls": urls, "attributes": attributes });
    let made = ada.api.post("/api/applications", body).await.expect(201);
    assert_eq!((&made["callback_urls"], &made["attributes"]), (&urls, &attributes));
    let path = format!("/api/applications/{}", text(&made["id"]));
    for body in
        [json!({ "name": "two" }), json!({ "name": "two", "callback_urls": null, "attributes": null })]
    {
        let put = ada.api.put(&path, body).await.expect(200);
        assert_eq!((&put["callback_urls"], &put["attributes"]), (&urls, &attributes));
    }
    let body = json!({ "name": "two", "callback_urls": [], "attributes": { "owner": "Bob" } });
    let put = ada.api.put(&path, body).await.expect(200);
    assert_eq!((&put["callback_urls"], &put["attributes"]), (&json!([]), &json!({ "owner": "Bob" })));
    assert_eq!(ada.api.get(&path).await.expect(200), put);
    let administered = format!("/api/forecourt/applications/{}", text(&made["id"]));
    let read = f.admin().await.get(&administered).await.expect(200);
    assert_eq!(
        (&read["value"]["callback_urls"], &read["value"]["attributes"]),
        (&json!([]), &put["attributes"])
    );
}

#[tokio::test]
async fn callback_urls_and_attributes_that_are_none_are_refused_by_name() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let one = format!("/api/applications/{}", application.id);
    let before = ada.api.get(&one).await.expect(200);
    let many: serde_json::Map<_, _> = (0..101).map(|number| (number.to_string(), json!("x"))).collect();
    for (member, value, part) in [
        ("callback_urls", json!("https://app.example"), "callback_urls must be"),
        ("callback_urls", json!([1]), "callback_urls must be"),
        ("callback_urls", json!(["/cb"]), "callback_urls[0] must be"),
        ("callback_urls", json!(["https://a.example", "https://b.example#x"]), "callback_urls[1] must be"),
        ("callback_urls", json!(["javascript:alert(1)"]), "callback_urls[0] must be"),
        (
            "callback_urls",
            json!(["https://a.example", "https://a.example"]),
            "callback_urls[1] is given twice",
        ),
        ("attributes", json!([]), "attributes must be"),
        ("attributes", json!({ "a": 1 }), "attributes must be"),
        ("attributes", json!({ "a": "" }), "attributes.a must be"),
        ("attributes", json!({ "a:b": "x" }), "attributes keys must be"),
        ("attributes", json!(many), "attributes must be at most 100"),
    ] {
        let mut body = json!({ "name": "other" });
        body[member] = value;
        ada.api.post("/api/applications", body.clone()).await.refused(400, part);
        ada.api.put(&one, body).await.refused(400, part);
    }
    assert_eq!(ada.api.get("/api/applications").await.expect(200), json!({ "list": [before], "total": 1 }));
}

#[tokio::test]
async fn an_application_can_be_made_with_its_subscriptions_or_not_at_all() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    for products in [json!([orders.id, "prd_unknown"]), json!("x"), json!([1])] {
        let body = json!({ "name": "demo", "api_products": products });
        ada.api.post("/api/applications", body).await.refused(400, "");
    }
    assert_eq!(ada.api.get("/api/applications").await.expect(200)["total"], 0);
    let body = json!({ "name": "demo", "api_products": [orders.id, billing.id, orders.id] });
    let made = ada.api.post("/api/applications", body).await.expect(201);
    let path = format!("/api/subscriptions?application_id={}&order_by=developer_name", text(&made["id"]));
    let list = ada.api.get(&path).await.expect(200);
    let mut states: Vec<_> =
        column(&list, "api_product_name").into_iter().zip(column(&list, "status")).collect();
    states.sort();
    let state = |product: &str, status: &str| (product.to_owned(), status.to_owned());
    assert_eq!(states, [state("Billing", "wait_for_approval"), state("Orders", "subscribed")]);
}

#[tokio::test]
async fn another_developers_application_is_not_found_and_matches_no_filter() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let one = format!("/api/applications/{}", application.id);
    let credential = format!("{one}/credentials/{}", key.id);
    for id in [application.id.as_str(), "app_unknown", "api_callsx", "%ff", "%zz", "a%20b"] {
        let path = format!("/api/applications/{id}");
        bob.api.get(&path).await.refused(404, "resource not found");
        // Existence comes before the body.
        bob.api.put(&path, json!({ "name": 7 })).await.refused(404, "resource not found");
        bob.api.delete(&path).await.refused(404, "resource not found");
        bob.api.get(&format!("{path}/credentials")).await.refused(404, "resource not found");
        bob.api.post(&format!("{path}/credentials"), json!({})).await.refused(404, "resource not found");
    }
    bob.api.get(&credential).await.refused(404, "resource not found");
    bob.api.put(&credential, json!({})).await.refused(404, "resource not found");
    bob.api.put(&format!("{credential}/regenerate"), json!({})).await.refused(404, "resource not found");
    bob.api.delete(&credential).await.refused(404, "resource not found");
    let empty = json!({ "list": [], "total": 0 });
    for path in ["/api/credentials", "/api/subscriptions"] {
        let filtered = format!("{path}?application_id={}", application.id);
        assert_eq!(bob.api.get(&filtered).await.expect(200), empty, "{filtered}");
    }
    assert_eq!(bob.api.get("/api/applications").await.expect(200), empty);
    let products =
        bob.api.get(&format!("/api/api_products?application_id={}", application.id)).await.expect(200);
    assert_eq!(products["list"][0]["subscription_status"], "unsubscribed");
    f.call(&orders, &key).await.expect(200);
}

#[tokio::test]
async fn with_a_product_each_application_says_how_it_stands_to_it_and_without_one_nothing() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    ada.application("one").await.subscribe(&orders).await.request(&billing).await;
    ada.application("two").await;
    let states = async |product: &str| {
        let path = format!("/api/applications?order_by=created_at&direction=asc&api_product_id={product}");
        listed(&ada.api, &path, "subscription_status").await
    };
    assert_eq!(states(&orders.id).await, ["subscribed", "unsubscribed"]);
    assert_eq!(states(&billing.id).await, ["wait_for_approval", "unsubscribed"]);
    for unknown in ["prd_unknown", "no%20id"] {
        assert_eq!(states(unknown).await, ["unsubscribed", "unsubscribed"]);
    }
    for path in ["/api/applications", "/api/applications?api_product_id="] {
        let list = ada.api.get(path).await.expect(200);
        assert!(list["list"].as_array().unwrap().iter().all(|row| row.get("subscription_status").is_none()));
    }
}

#[tokio::test]
async fn applications_are_searched_by_name_description_and_labels() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for body in [
        json!({ "name": "Alpha 100%", "desc": "first_one", "labels": { "Env": "Prod" } }),
        json!({ "name": "beta", "desc": "Über", "labels": { "team": "a]b" } }),
    ] {
        ada.api.post("/api/applications", body).await.expect(201);
    }
    for (search, names) in [
        ("alpha", ["Alpha 100%"].as_slice()),
        ("100%25", &["Alpha 100%"]),
        ("t_o", &["Alpha 100%"]),
        ("%C3%BCBER", &["beta"]),
        ("env", &["Alpha 100%"]),
        ("PROD", &["Alpha 100%"]),
        ("a%5Db", &["beta"]),
        ("%25a", &[]),
        ("nothing", &[]),
        ("app_", &[]),
    ] {
        assert_eq!(
            listed(&ada.api, &format!("/api/applications?search={search}"), "name").await,
            names,
            "{search}"
        );
    }
}

#[tokio::test]
async fn deleting_an_application_takes_its_credentials_and_subscriptions_and_cancels_what_waits() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let bystander = ada.application("other").await.subscribe(&orders).await.key("prod").await;
    let application = ada.application("demo").await.subscribe(&orders).await.subscribe(&billing).await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);

    let path = format!("/api/applications/{}", application.id);
    let gone = ada.api.delete(&path).await;
    gone.empty(204);
    assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
    f.call(&orders, &key).await.expect(401);
    f.call(&orders, &bystander).await.expect(200);
    ada.api.get(&path).await.refused(404, "resource not found");
    ada.api.delete(&path).await.refused(404, "resource not found");
    assert_eq!(listed(&ada.api, "/api/credentials", "id").await, [bystander.id]);
    assert_eq!(listed(&ada.api, "/api/subscriptions", "application_name").await, ["other"]);
    let approvals = f.portal_api().await.get("/api/approvals").await.expect(200);
    assert_eq!(approvals["total"], 1);
    assert_eq!(approvals["list"][0]["result"], "cancelled", "{approvals}");
}
