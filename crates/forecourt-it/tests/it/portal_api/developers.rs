//! `/api/developers`: made, listed and deleted by front ends (portal-api.md §2).

use std::time::Duration;

use forecourt_it::{Forecourt, installations::text};
use serde_json::json;

use super::{is_time, listed, members, pending_developer};

#[tokio::test]
async fn a_made_developer_is_active_at_once_and_its_name_is_the_id_that_the_caller_chose() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let made = front_end.post("/api/developers", json!({ "developer_id": "org-k4Tz9" })).await.expect(201);
    assert_eq!(members(&made), ["created_at", "id", "name", "status", "updated_at"]);
    assert_eq!((&made["id"], &made["name"]), (&json!("org-k4Tz9"), &json!("org-k4Tz9")));
    assert_eq!(made["status"], "active");
    assert!(is_time(&made["created_at"]) && is_time(&made["updated_at"]), "{made}");
    let list = front_end.get("/api/developers").await.expect(200);
    assert_eq!(list, json!({ "list": [made], "total": 1 }));
}

#[tokio::test]
async fn an_id_outside_the_pattern_or_already_used_is_refused() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let long = "x".repeat(256);
    for id in ["a", "A-Z_0.9", "..", "7", long.as_str()] {
        front_end.post("/api/developers", json!({ "developer_id": id })).await.expect(201);
    }
    let too_long = "x".repeat(257);
    for id in ["", " ", "a b", "a/b", "ä", "a\u{0}b", "a\n", "a@b", too_long.as_str()] {
        front_end.post("/api/developers", json!({ "developer_id": id })).await.refused(400, "developer_id");
    }
    for body in
        [json!({}), json!({ "developer_id": null }), json!({ "developer_id": 7 }), json!({ "id": "b" })]
    {
        front_end.post("/api/developers", body).await.refused(400, "developer_id");
    }
    front_end.post("/api/developers", json!({ "developer_id": "a" })).await.refused(400, "already used");
    assert_eq!(front_end.get("/api/developers").await.expect(200)["total"], 5);
}

#[tokio::test]
async fn of_eight_requests_for_one_id_at_once_exactly_one_makes_the_developer() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let asked: Vec<_> = (0..8)
        .map(|_| {
            let front_end = front_end.clone();
            tokio::spawn(async move {
                let answer = front_end.post("/api/developers", json!({ "developer_id": "ada" })).await;
                if answer.status == 201 {
                    1
                } else {
                    answer.refused(400, "ada");
                    0
                }
            })
        })
        .collect();
    let mut made = 0;
    for one in asked {
        made += one.await.unwrap();
    }
    assert_eq!(made, 1);
    assert_eq!(front_end.get("/api/developers").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn last_active_at_appears_with_the_first_developer_call_and_moves_once_a_minute() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let ada = f.developer("ada").await;
    let seen =
        async || front_end.get("/api/developers").await.expect(200)["list"][0]["last_active_at"].clone();
    // Class P is the front end's own.
    ada.api.get("/api/developers").await.expect(200);
    assert!(seen().await.is_null());
    // Class G counts as well as class D.
    ada.api.get("/api/api_products").await.expect(200);
    let first = seen().await;
    assert!(is_time(&first), "{first}");
    f.advance(Duration::from_secs(30));
    ada.api.get("/api/applications").await.expect(200);
    assert_eq!(seen().await, first);
    f.advance(Duration::from_secs(31));
    ada.api.get("/api/applications").await.expect(200);
    assert!(text(&seen().await) > text(&first));
}

#[tokio::test]
async fn developers_are_sorted_by_last_activity_or_else_by_creation_and_found_by_id_and_name() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let mut made = Vec::new();
    for name in ["ada", "bob", "Cy_1"] {
        made.push(f.developer(name).await);
        f.advance(Duration::from_secs(100));
    }
    made[0].api.get("/api/api_products").await.expect(200);
    let order = async |query: &str| listed(&front_end, &format!("/api/developers{query}"), "id").await;
    assert_eq!(order("").await, ["ada", "Cy_1", "bob"]);
    assert_eq!(order("?order_by=last_active_at&direction=asc").await, ["bob", "Cy_1", "ada"]);
    assert_eq!(order("?order_by=created_at").await, ["Cy_1", "bob", "ada"]);
    assert_eq!(order("?order_by=created_at&direction=asc").await, ["ada", "bob", "Cy_1"]);
    assert_eq!(order("?search=CY_").await, ["Cy_1"]);
    assert_eq!(order("?search=%25").await, Vec::<String>::new());
    assert_eq!(order("?search=").await.len(), 3);
    front_end.get("/api/developers?order_by=name").await.refused(400, "order_by");
}

#[tokio::test]
async fn somebody_who_waits_for_an_approval_is_listed_as_pending() {
    let f = Forecourt::start().await;
    let id = pending_developer(&f, "wanda").await;
    let list = f.portal_api().await.get("/api/developers?search=wanda").await.expect(200);
    assert_eq!(list["list"][0]["status"], "pending");
    assert_eq!((&list["list"][0]["id"], &list["list"][0]["name"]), (&json!(id), &json!("wanda")));
    // The id, which is not the name here, finds it too.
    f.developer("ada").await;
    let by_id = format!("/api/developers?search={}", id[1..].to_uppercase());
    assert_eq!(listed(&f.portal_api().await, &by_id, "name").await, ["wanda"]);
}

#[tokio::test]
async fn an_unknown_developer_cannot_be_deleted_and_a_deleted_one_is_unknown() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    f.developer("ada").await;
    for id in ["nobody", "a%20b", "%ff", "%zz", "%00", "dev_1", "ADA"] {
        front_end.delete(&format!("/api/developers/{id}")).await.refused(404, "resource not found");
    }
    front_end.delete("/api/developers/ada").await.empty(204);
    front_end.delete("/api/developers/ada").await.refused(404, "resource not found");
    assert_eq!(front_end.get("/api/developers").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn deleting_a_developer_takes_applications_credentials_and_subscriptions_along_and_cancels_what_waits()
{
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let shop = f.product_with("Shop", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await.subscribe(&shop).await;
    assert_eq!(f.accept_all().await, 1);
    application.request(&billing).await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);
    f.call(&shop, &key).await.expect(200);

    let gone = front_end.delete("/api/developers/ada").await;
    gone.empty(204);
    assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
    f.call(&orders, &key).await.expect(401);
    f.call(&shop, &key).await.expect(401);
    ada.api.get("/api/applications").await.refused(401, "unknown developer");
    let results = listed(&front_end, "/api/approvals?status=finished&order_by=applied_at", "result").await;
    assert_eq!(results, ["cancelled", "accepted"], "the pending one is cancelled, the finished one stays");
    assert_eq!(listed(&front_end, "/api/approvals", "applicant_name").await, ["ada", "ada"]);

    // The id is free again, and its new holder inherits nothing.
    let again = f.developer("ada").await;
    for path in ["/api/applications", "/api/credentials", "/api/subscriptions"] {
        assert_eq!(again.api.get(path).await.expect(200), json!({ "list": [], "total": 0 }));
    }
    f.call(&orders, &key).await.expect(401);
}
