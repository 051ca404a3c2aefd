//! `/api/approvals`: the inbox of a portal's own administrators (portal-api.md §9).

use std::time::Duration;

use forecourt_it::{Client, Forecourt, installations::text};
use serde_json::{Value, json};

use super::{is_time, listed, members, pending_developer};

async fn first(api: &Client, query: &str) -> Value {
    api.get(&format!("/api/approvals?{query}")).await.expect(200)["list"][0].clone()
}

async fn asked(f: &Forecourt, application: &str) -> String {
    let waiting =
        f.portal_api().await.get("/api/approvals?status=pending").await.expect(200)["total"].clone();
    let developers = f.portal_api().await.get("/api/developers").await.expect(200);
    if developers["total"] == 0 {
        f.developer("ada").await;
    }
    let api = f.portal_api().await.with("x-portal-developer-id", "ada");
    let products = api.get("/api/api_products").await.expect(200);
    let made = api.post("/api/applications", json!({ "name": application })).await.expect(201);
    let body = json!({ "applications": [made["id"]], "api_products": [products["list"][0]["id"]] });
    api.post("/api/subscriptions", body).await.empty(201);
    let list = f.portal_api().await.get("/api/approvals?status=pending").await.expect(200);
    assert_eq!(list["total"].as_u64().unwrap(), waiting.as_u64().unwrap() + 1);
    text(&list["list"][0]["id"])
}

#[tokio::test]
async fn a_pending_row_names_resource_and_applicant_and_nothing_of_a_decision() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    asked(&f, "demo").await;
    let front_end = f.portal_api().await;
    let row = first(&front_end, "").await;
    assert_eq!(
        members(&row),
        [
            "applicant_id",
            "applicant_name",
            "applied_at",
            "created_at",
            "event",
            "id",
            "resource_id",
            "resource_name",
            "resource_type",
            "status",
            "updated_at",
        ]
    );
    for (member, value) in [
        ("event", "api_product_subscription"),
        ("status", "pending"),
        ("resource_type", "api_product"),
        ("resource_id", &orders.id),
        ("resource_name", "Orders"),
        ("applicant_id", "ada"),
        ("applicant_name", "ada"),
    ] {
        assert_eq!(row[member], value, "{member}");
    }
    assert!(["applied_at", "created_at", "updated_at"].iter().all(|at| is_time(&row[at])), "{row}");
    orders.update(json!({ "name": "Renamed" })).await.expect(200);
    assert_eq!(first(&front_end, "").await["resource_name"], "Renamed", "names are current");
}

#[tokio::test]
async fn accepting_subscribes_at_once_and_answers_with_the_processed_row_alone() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let front_end = f.portal_api().await;
    let pending = first(&front_end, "").await;
    f.advance(Duration::from_secs(60));
    let path = format!("/api/approvals/{}/accept", text(&pending["id"]));
    let metadata = "{\"operator_id\":\"u1\",  \"operator_name\":\"Ann\",\"n\":1.0}\n";
    let answer = front_end.post(&path, json!({ "metadata": metadata })).await;
    assert!(answer.header("x-forecourt-revision").is_some(), "{answer:?}");
    let row = answer.expect(200);
    f.call(&orders, &key).await.expect(200);
    for (member, value) in [
        ("status", "finished"),
        ("result", "accepted"),
        ("operator_id", "developer_portal_admin"),
        ("operator_name", "Ann"),
        ("metadata", metadata),
    ] {
        assert_eq!(row[member], value, "{member}");
    }
    for kept in ["id", "applied_at", "created_at", "resource_id", "applicant_id"] {
        assert_eq!(row[kept], pending[kept], "{kept}");
    }
    assert!(is_time(&row["operated_at"]) && text(&row["operated_at"]) > text(&row["applied_at"]));
    assert_eq!(first(&front_end, "").await, row);
    let subscription = application.subscriptions().await[0].clone();
    assert_eq!(
        (&subscription["status"], &subscription["subscribed_at"]),
        (&json!("subscribed"), &row["operated_at"])
    );
}

#[tokio::test]
async fn rejecting_deletes_the_record_and_the_pair_may_be_asked_for_again() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let front_end = f.portal_api().await;
    let id = text(&first(&front_end, "").await["id"]);
    let row =
        front_end.send(http::Method::POST, &format!("/api/approvals/{id}/reject"), None).await.expect(200);
    assert_eq!((&row["status"], &row["result"]), (&json!("finished"), &json!("rejected")));
    assert_eq!(row["operator_name"], "developer_portal_admin");
    assert!(row.get("metadata").is_none(), "{row}");
    assert!(application.subscriptions().await.is_empty());
    for verdict in ["accept", "reject"] {
        let path = format!("/api/approvals/{id}/{verdict}");
        front_end.post(&path, json!({})).await.refused(400, "");
    }
    application.request(&orders).await;
    assert_eq!(application.subscriptions().await[0]["status"], "wait_for_approval");
    assert_eq!(listed(&front_end, "/api/approvals?direction=asc", "status").await, ["finished", "pending"]);
}

#[tokio::test]
async fn of_two_decisions_at_once_exactly_one_wins() {
    let f = Forecourt::start().await;
    f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let front_end = f.portal_api().await;
    for round in 0..4 {
        let id = asked(&f, &format!("demo {round}")).await;
        let decide = |verdict: &str| {
            let (front_end, path) = (front_end.clone(), format!("/api/approvals/{id}/{verdict}"));
            tokio::spawn(async move { front_end.post(&path, json!({})).await })
        };
        let (one, two) = (decide("accept"), decide(if round % 2 == 0 { "reject" } else { "accept" }));
        let mut answers = [one.await.unwrap(), two.await.unwrap()];
        answers.sort_by_key(|answer| answer.status);
        let won = answers[0].expect(200);
        answers[1].refused(400, "");
        let row = first(&front_end, "").await;
        assert_eq!((&row["id"], &row["result"]), (&json!(id), &won["result"]));
    }
}

#[tokio::test]
async fn metadata_is_any_text_kept_verbatim_and_names_the_operator_only_as_an_object_with_such_a_string() {
    let f = Forecourt::start().await;
    f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let front_end = f.portal_api().await;
    let id = asked(&f, "refused").await;
    let path = format!("/api/approvals/{id}/accept");
    for wrong in
        [json!({ "operator_name": "Ann" }), json!(7), json!(["a"]), json!(true), json!("x".repeat(65_537))]
    {
        front_end.post(&path, json!({ "metadata": wrong })).await.refused(400, "metadata");
    }
    assert_eq!(first(&front_end, "").await["status"], "pending");
    let long = "ä".repeat(65_536);
    for (number, (metadata, name)) in [
        (r#"{"operator_name":"Ünn "}"#, "Ünn "),
        (r#" { "operator_name" : "a", "operator_name" : "b" } "#, "b"),
        (r#"{"operator_name":7}"#, "developer_portal_admin"),
        (r#"{"name":"Ann"}"#, "developer_portal_admin"),
        (r#"["operator_name"]"#, "developer_portal_admin"),
        (r#""operator_name""#, "developer_portal_admin"),
        ("not { json", "developer_portal_admin"),
        ("null", "developer_portal_admin"),
        (&long, "developer_portal_admin"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = asked(&f, &format!("demo {number}")).await;
        let path = format!("/api/approvals/{id}/accept");
        let row = front_end.post(&path, json!({ "metadata": metadata, "unknown": 1 })).await.expect(200);
        assert_eq!((&row["metadata"], &row["operator_name"]), (&json!(metadata), &json!(name)));
    }
    let id = asked(&f, "null").await;
    let path = format!("/api/approvals/{id}/reject");
    let row = front_end.post(&path, json!({ "metadata": null })).await.expect(200);
    assert!(row.get("metadata").is_none(), "{row}");
}

#[tokio::test]
async fn an_approval_that_is_not_there_is_not_found_before_its_body_is_looked_at() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    for id in ["apv_unknown", "%zz", "%ff", "%00", "a%20b"] {
        for verdict in ["accept", "reject"] {
            let path = format!("/api/approvals/{id}/{verdict}");
            front_end.post(&path, json!({ "metadata": 7 })).await.refused(404, "resource not found");
        }
    }
}

#[tokio::test]
async fn an_accepted_registration_lets_the_developer_act_and_a_rejected_one_deletes_it() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let (wanda, will) = (pending_developer(&f, "wanda").await, pending_developer(&f, "will").await);
    let row = first(&front_end, "search=wanda").await;
    for (member, value) in [
        ("event", "developer_registration"),
        ("resource_type", "developer"),
        ("resource_id", &wanda),
        ("resource_name", "wanda"),
        ("applicant_id", &wanda),
        ("applicant_name", "wanda"),
    ] {
        assert_eq!(row[member], value, "{member}");
    }
    let acting = front_end.with("x-portal-developer-id", &wanda);
    acting.get("/api/applications").await.refused(401, "developer is not active");
    front_end.post(&format!("/api/approvals/{}/accept", text(&row["id"])), json!({})).await.expect(200);
    acting.get("/api/applications").await.expect(200);
    let row = first(&front_end, "search=will").await;
    front_end.post(&format!("/api/approvals/{}/reject", text(&row["id"])), json!({})).await.expect(200);
    let acting = front_end.with("x-portal-developer-id", &will);
    acting.get("/api/applications").await.refused(401, "unknown developer");
    assert_eq!(listed(&front_end, "/api/developers", "id").await, [wanda]);
    assert_eq!(first(&front_end, "search=will").await["result"], "rejected", "the record stays");
}

#[tokio::test]
async fn approvals_are_filtered_by_every_member_and_sorted_without_moving_when_processed() {
    let f = Forecourt::start().await;
    f.product_with("Orders 100%", json!({ "subscription_auto_approval": false })).await;
    let front_end = f.portal_api().await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(asked(&f, &format!("demo {number}")).await);
        f.advance(Duration::from_secs(1));
    }
    pending_developer(&f, "wanda").await;
    ids.push(text(&first(&front_end, "event=developer_registration").await["id"]));
    f.advance(Duration::from_secs(1));
    let ann = json!({ "metadata": r#"{"operator_name":"Ann"}"# });
    front_end.post(&format!("/api/approvals/{}/reject", ids[1]), ann).await.expect(200);
    f.advance(Duration::from_secs(1));
    f.admin().await.post(&format!("/api/approvals/{}/accept", ids[0]), json!({})).await.expect(200);
    let found = async |query: &str| {
        let list = listed(&front_end, &format!("/api/approvals?{query}"), "id").await;
        list.iter().map(|id| ids.iter().position(|own| own == id).unwrap()).collect::<Vec<_>>()
    };
    for (query, rows) in [
        ("", [3, 2, 1, 0].as_slice()),
        ("direction=asc", &[0, 1, 2, 3]),
        ("order_by=operated_at", &[0, 1, 3, 2]),
        ("order_by=operated_at&direction=asc", &[2, 3, 1, 0]),
        ("order_by=resource_name&direction=asc", &[0, 1, 2, 3]),
        ("status=pending", &[3, 2]),
        ("status=finished", &[1, 0]),
        ("status=&result=&event=&resource_type=", &[3, 2, 1, 0]),
        ("result=accepted", &[0]),
        ("result=rejected", &[1]),
        ("result=cancelled", &[]),
        ("event=api_product_subscription", &[2, 1, 0]),
        ("event=developer_registration", &[3]),
        ("resource_type=developer", &[3]),
        ("resource_type=api_product&status=pending", &[2]),
        ("resource_type=developer&event=api_product_subscription", &[]),
        ("resource_name=100%25", &[2, 1, 0]),
        ("resource_name=ORD", &[2, 1, 0]),
        ("resource_name=wan", &[3]),
        ("operator_name=an", &[1]),
        ("operator_name=admin", &[0]),
        ("applicant_name=ada", &[2, 1, 0]),
        ("applicant_name=%25", &[]),
        ("search=ann", &[1]),
        ("search=orders", &[2, 1, 0]),
        ("search=ada&status=pending", &[2]),
        ("search=app_", &[]),
    ] {
        assert_eq!(found(query).await, rows, "{query}");
    }
    let by_admin = first(&front_end, "result=accepted").await;
    assert_eq!(by_admin["operator_name"], "admin");
    assert_ne!(by_admin["operator_id"], "developer_portal_admin");
    assert!(by_admin.get("metadata").is_none(), "{by_admin}");
}

#[tokio::test]
async fn a_filter_of_approvals_with_an_unknown_word_is_refused_by_its_name() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    for wrong in [
        "status=accepted",
        "status=PENDING",
        "result=pending",
        "event=subscription",
        "resource_type=application",
        "order_by=created_at",
    ] {
        let member = wrong.split_once('=').unwrap().0;
        front_end.get(&format!("/api/approvals?{wrong}")).await.refused(400, member);
    }
}
