//! `/api/subscriptions`: asked for and listed (portal-api.md §6); `subscriptions_ends.rs` tells how they end.

use std::{collections::BTreeSet, time::Duration};

use forecourt_it::{Forecourt, installations::text};
use serde_json::{Value, json};

use super::{is_time, listed, members, other_portal};

fn pairs(list: &Value) -> BTreeSet<(String, String, String)> {
    let rows = list["list"].as_array().unwrap().iter();
    let told = |row: &Value, member: &str| text(&row[member]);
    rows.map(|row| (told(row, "application_name"), told(row, "api_product_name"), told(row, "status")))
        .collect()
}

#[tokio::test]
async fn every_application_is_subscribed_to_every_product_and_the_answer_has_no_body() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let (one, two) = (ada.application("one").await, ada.application("two").await);
    let body = json!({ "applications": [one.id, two.id, one.id], "api_products": [orders.id, billing.id, orders.id] });
    let asked = ada.api.post("/api/subscriptions", body.clone()).await;
    asked.empty(201);
    assert!(asked.header("x-forecourt-revision").is_some(), "{asked:?}");
    let list = ada.api.get("/api/subscriptions").await.expect(200);
    assert_eq!(list["total"], 4, "repeated ids count once");
    let expected = [
        ("one", "Billing", "wait_for_approval"),
        ("one", "Orders", "subscribed"),
        ("two", "Billing", "wait_for_approval"),
        ("two", "Orders", "subscribed"),
    ];
    let expected = expected.map(|(a, p, s)| (a.to_owned(), p.to_owned(), s.to_owned()));
    assert_eq!(pairs(&list), BTreeSet::from(expected));

    // Pairs that are subscribed or pending already are skipped silently.
    let again = ada.api.post("/api/subscriptions", body).await;
    again.empty(201);
    assert!(again.header("x-forecourt-revision").is_none(), "nothing changed for gateways: {again:?}");
    assert_eq!(ada.api.get("/api/subscriptions").await.expect(200), list);
    assert_eq!(f.portal_api().await.get("/api/approvals").await.expect(200)["total"], 2);
}

#[tokio::test]
async fn a_row_says_who_is_subscribed_to_what_and_since_when_only_once_it_is() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let rows = application.subscriptions().await;
    let row = &rows[0];
    assert!(is_time(&row["subscribed_at"]), "{row}");
    for (member, value) in [
        ("developer_id", "ada"),
        ("developer_name", "ada"),
        ("application_id", &application.id),
        ("application_name", "demo"),
        ("api_product_id", &orders.id),
        ("api_product_name", "Orders"),
        ("status", "subscribed"),
    ] {
        assert_eq!(row[member], value, "{member}");
    }
    f.advance(Duration::from_secs(10));
    let path = format!("/api/api_products/{}/subscriptions", billing.id);
    ada.api.post(&path, json!({ "application_id": application.id })).await.empty(201);
    let rows = application.subscriptions().await;
    assert_eq!(rows[0]["status"], "wait_for_approval", "the latest first: {rows:?}");
    assert!(!members(&rows[0]).contains(&"subscribed_at"), "{rows:?}");
    f.advance(Duration::from_secs(10));
    f.accept_all().await;
    let rows = application.subscriptions().await;
    assert!(text(&rows[0]["subscribed_at"]) > text(&rows[1]["subscribed_at"]), "{rows:?}");
    ada.api
        .put(&format!("/api/applications/{}", application.id), json!({ "name": "renamed" }))
        .await
        .expect(200);
    billing.update(json!({ "name": "Invoices" })).await.expect(200);
    let row = application.subscriptions().await[0].clone();
    assert_eq!((&row["application_name"], &row["api_product_name"]), (&json!("renamed"), &json!("Invoices")));
}

#[tokio::test]
async fn one_application_or_product_that_cannot_be_subscribed_refuses_all_of_them() {
    let f = Forecourt::start().await;
    let (other_portal_id, _) = other_portal(&f).await;
    let orders = f.product("Orders").await;
    let draft = f.product_with("Draft", json!({ "status": "draft" })).await;
    let inner = f.product_with("Inner", json!({ "visibility": "logged_in" })).await;
    let external = json!({
        "type": "external", "name": "Legacy", "status": "published", "raw_openapi": "openapi: 3.0.3",
        "server_urls": ["https://legacy.example.com"],
    });
    let path = format!("/api/api_products?portal_id={}", f.portal_id().await);
    let external = text(&f.admin().await.post(&path, external).await.expect(200)["value"]["id"]);
    let elsewhere =
        json!({ "type": "gateway", "name": "E", "status": "published", "auth": { "key-auth": {} } });
    let path = format!("/api/api_products?portal_id={other_portal_id}");
    let elsewhere = text(&f.admin().await.post(&path, elsewhere).await.expect(200)["value"]["id"]);
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let own = ada.application("own").await;
    let foreign = bob.application("foreign").await;
    for (applications, products) in [
        (json!([own.id]), json!([orders.id, draft.id])),
        (json!([own.id]), json!([orders.id, external])),
        (json!([own.id]), json!([orders.id, elsewhere])),
        (json!([own.id]), json!([orders.id, "prd_unknown"])),
        (json!([own.id]), json!([orders.id, "no id"])),
        (json!([own.id]), json!([orders.id, ""])),
        (json!([own.id]), json!([])),
        (json!([own.id, foreign.id]), json!([orders.id])),
        (json!([own.id, "app_unknown"]), json!([orders.id])),
        (json!([own.id, "no id"]), json!([orders.id])),
        (json!([]), json!([orders.id])),
    ] {
        let body = json!({ "applications": applications, "api_products": products });
        ada.api.post("/api/subscriptions", body).await.refused(400, "");
    }
    for body in [json!({}), json!({ "applications": [own.id] }), json!({ "api_products": [orders.id] })] {
        ada.api.post("/api/subscriptions", body).await.refused(400, "at least one");
    }
    for (product, application) in [
        (orders.id.as_str(), foreign.id.as_str()),
        (&orders.id, "app_unknown"),
        (&draft.id, &own.id),
        (&external, &own.id),
        ("prd_unknown", &own.id),
        ("no%20id", &own.id),
    ] {
        let path = format!("/api/api_products/{product}/subscriptions");
        ada.api.post(&path, json!({ "application_id": application })).await.refused(400, "");
    }
    for developer in [&ada, &bob] {
        assert_eq!(developer.api.get("/api/subscriptions").await.expect(200)["total"], 0);
    }
    // What only developers see they may subscribe to.
    own.request(&inner).await;
    assert_eq!(own.subscriptions().await.len(), 1);
}

#[tokio::test]
async fn of_eight_identical_requests_at_once_one_makes_the_record_and_all_are_answered_alike() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let api = ada.api.clone();
            let body = json!({ "applications": [application.id], "api_products": [orders.id, billing.id] });
            tokio::spawn(async move { api.post("/api/subscriptions", body).await.empty(201) })
        })
        .collect();
    for one in asked {
        one.await.unwrap();
    }
    assert_eq!(application.subscriptions().await.len(), 2);
    assert_eq!(f.portal_api().await.get("/api/approvals").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn subscriptions_are_filtered_by_application_product_status_and_names() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let one = ada.application("one 100%").await.subscribe(&orders).await;
    f.advance(Duration::from_secs(1));
    let two = ada.application("two").await.subscribe(&orders).await.subscribe(&billing).await;
    let bob = f.developer("bob").await;
    bob.application("bobs").await.request(&orders).await;
    for (query, names) in [
        (format!("application_id={}", one.id), ["one 100%"].as_slice()),
        (format!("api_product_id={}", orders.id), &["one 100%", "two"]),
        (format!("api_product_id={}&application_id={}", orders.id, two.id), &["two"]),
        ("status=wait_for_approval".into(), &["two"]),
        ("status=subscribed".into(), &["one 100%", "two"]),
        ("status=subscribed&status=wait_for_approval".into(), &["one 100%", "two", "two"]),
        ("status[]=wait_for_approval&status[]=unsubscribed".into(), &["two"]),
        ("status=unsubscribed".into(), &[]),
        ("status=".into(), &["one 100%", "two", "two"]),
        ("search=BILL".into(), &["two"]),
        ("search=100%25".into(), &["one 100%"]),
        ("search=ada".into(), &[]),
        ("search=o".into(), &["one 100%", "two", "two"]),
        ("application_id=unknown".into(), &[]),
        ("application_id=no%20id".into(), &[]),
        ("api_product_id=no%20id".into(), &[]),
        ("application_id=&api_product_id=".into(), &["one 100%", "two", "two"]),
    ] {
        let path = format!("/api/subscriptions?direction=asc&{query}");
        let mut found = listed(&ada.api, &path, "application_name").await;
        found.sort();
        assert_eq!(found, names, "{query}");
    }
    for status in ["pending", "SUBSCRIBED", "subscribed,wait_for_approval"] {
        ada.api.get(&format!("/api/subscriptions?status={status}")).await.refused(400, "status");
    }
}

#[tokio::test]
async fn subscriptions_are_sorted_by_when_they_were_granted_or_else_asked_for() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    for name in ["first", "second", "third"] {
        ada.application(name).await.request(&orders).await;
        f.advance(Duration::from_secs(1));
    }
    let names =
        async |query: &str| listed(&ada.api, &format!("/api/subscriptions{query}"), "application_name").await;
    assert_eq!(names("").await, ["third", "second", "first"]);
    let front_end = f.portal_api().await;
    let oldest = listed(&front_end, "/api/approvals?direction=asc", "id").await[0].clone();
    front_end.post(&format!("/api/approvals/{oldest}/accept"), json!({})).await.expect(200);
    assert_eq!(names("").await, ["first", "third", "second"]);
    assert_eq!(names("?order_by=subscribed_at&direction=asc").await, ["second", "third", "first"]);
    assert_eq!(names("?order_by=developer_name&direction=asc").await, ["first", "second", "third"]);
}
