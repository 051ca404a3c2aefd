//! Developers, subscriptions, approvals, applications.

use serde_json::{Value, json};

use super::stage::Stage;

#[tokio::test]
async fn developers_are_read_by_either_id_and_deleted_once() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let (ada, _) = stage.developer(&portal, "org-ada").await;
    let read = stage.get("/api/developers/org-ada").await.value();
    let at = read["created_at"].clone();
    let wanted = json!({
        "id": ada.id, "developer_id": "org-ada", "portal_id": portal, "name": "org-ada", "email_verified": false,
        "state": "Active", "provider": "portal_api", "created_at": at, "updated_at": at,
    });
    assert_eq!(read, wanted);
    for path in [
        format!("/api/developers/{}", ada.id),
        format!("/api/portals/{portal}/developers/org-ada"),
        format!("/api/developers/org-ada?portal_id={portal}"),
    ] {
        assert_eq!(stage.get(&path).await.value(), wanted, "{path}");
    }
    for query in ["", "?state=Active", "?search=ADA", "?order_by=created_at"] {
        assert_eq!(
            stage.get(&format!("/api/portals/{portal}/developers{query}")).await.list().len(),
            1,
            "{query}"
        );
    }
    assert!(stage.get("/api/developers?state=Pending").await.list().is_empty());
    assert_eq!(stage.get("/api/developers?state=active").await.refusal().0, 400);
    assert_eq!(stage.get("/api/developers?portal_id=x").await.refusal().0, 404);
    assert_eq!(
        stage.call("DELETE", "/api/developers/org-ada", Value::Null).await.value(),
        json!({ "id": ada.id })
    );
    assert_eq!(stage.call("DELETE", "/api/developers/org-ada", Value::Null).await.refusal().0, 404);
}

#[tokio::test]
async fn a_name_that_several_portals_have_must_be_said_with_its_portal() {
    let stage = Stage::start().await;
    let (one, other) =
        (stage.default_portal().await, stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await);
    stage.developer(&one, "ada").await;
    stage.developer(&other, "ada").await;
    assert_eq!(stage.get("/api/developers/ada").await.refusal().0, 400);
    let found = stage.get(&format!("/api/developers/ada?portal_id={other}")).await.value();
    assert_eq!(found["portal_id"], other);
}

#[tokio::test]
async fn an_invited_developer_is_active_under_an_issued_name() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let path = format!("/api/developers/invites?portal_id={portal}");
    let body = json!({ "username": "ada", "password": "first" });
    let invited = stage.call("POST", &path, body.clone()).await.value();
    assert_eq!(
        (&invited["username"], &invited["name"], &invited["state"], &invited["provider"]),
        (&json!("ada"), &json!("ada"), &json!("Active"), &json!("built_in"))
    );
    assert!(invited["developer_id"].as_str().unwrap().starts_with("org_"));
    assert_eq!(stage.call("POST", &path, body).await.refusal().0, 400);
    let address = json!({ "username": "ada@example.com", "password": "first" });
    assert_eq!(stage.call("POST", &path, address).await.value()["username"], "ada@example.com");
    for taken in ["ADA", "Ada@Example.com"] {
        let body = json!({ "username": taken, "password": "first" });
        assert_eq!(stage.call("POST", &path, body).await.refusal().0, 400, "{taken}");
    }
    let alias = format!("/api/portals/{portal}/developers/invites");
    assert_eq!(stage.call("POST", &alias, json!({})).await.refusal(), (400, "username is required".into()));
    let unnamed = stage.call("POST", "/api/developers/invites", json!({})).await.refusal();
    assert_eq!(unnamed, (400, "portal_id is required".into()));
    assert_eq!(stage.call("POST", "/api/developers/invites?portal_id=x", json!({})).await.refusal().0, 404);
}

#[tokio::test]
async fn an_approval_is_accepted_by_name_and_only_once() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = stage.product(&portal, "Orders").await;
    let (_, ada) = stage.developer(&portal, "ada").await;
    stage.subscribed(&ada, "mobile", &product).await;
    let pending = stage.get("/api/approvals?status=pending").await.list();
    let (id, applied) = (pending[0]["id"].as_str().unwrap().to_owned(), pending[0]["applied_at"].clone());
    assert_eq!(
        pending,
        [json!({
            "id": id, "created_at": applied, "updated_at": applied, "event": "api_product_subscription",
            "status": "pending", "resource_type": "api_product", "resource_id": product, "resource_name": "Orders",
            "applicant_id": "ada", "applicant_name": "ada", "applied_at": applied, "portal_id": portal,
            "portal_name": "default",
        })]
    );
    let accepted = stage.call("POST", &format!("/api/approvals/{id}/accept"), Value::Null).await;
    assert!(accepted.headers.contains_key("x-forecourt-revision"));
    let accepted = accepted.value();
    assert_eq!(
        (&accepted["status"], &accepted["result"], &accepted["operator_name"], accepted.get("metadata")),
        (&json!("finished"), &json!("accepted"), &json!("admin"), None)
    );
    assert_eq!(stage.get(&format!("/api/approvals/{id}")).await.value(), accepted);
    for verb in ["accept", "reject"] {
        let again = stage.call("POST", &format!("/api/approvals/{id}/{verb}"), json!({})).await.refusal();
        assert_eq!(again, (400, "the approval is already finished".into()));
    }
    let subscriptions = stage.get("/api/subscriptions").await.list();
    assert_eq!(
        (&subscriptions[0]["status"], &subscriptions[0]["portal_id"]),
        (&json!("subscribed"), &json!(portal))
    );
    assert!(subscriptions[0]["subscribed_at"].is_string());
    assert_eq!(stage.call("POST", "/api/approvals/x/accept", json!([])).await.refusal().0, 404);
}

#[tokio::test]
async fn a_rejected_request_is_gone_and_its_approval_stays() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = stage.product(&portal, "Orders").await;
    let (_, ada) = stage.developer(&portal, "ada").await;
    stage.subscribed(&ada, "mobile", &product).await;
    let id = stage.get("/api/approvals").await.list()[0]["id"].as_str().unwrap().to_owned();
    let rejected =
        stage.call("POST", &format!("/api/approvals/{id}/reject"), json!({ "reason": "no" })).await.value();
    assert_eq!((&rejected["result"], &rejected["reason"]), (&json!("rejected"), &json!("no")));
    assert!(stage.get("/api/subscriptions").await.list().is_empty());
    for (query, rows) in [
        ("result=rejected", 1),
        ("result=accepted", 0),
        ("status=finished&event=api_product_subscription", 1),
        ("resource_type=developer", 0),
        ("resource_type=developer&event=api_product_subscription", 0),
        ("search=ORD", 1),
        ("operator_name=adm&order_by=operated_at", 1),
    ] {
        assert_eq!(
            stage.get(&format!("/api/portals/{portal}/approvals?{query}")).await.list().len(),
            rows,
            "{query}"
        );
    }
    for query in ["status=open", "result=x", "event=x", "resource_type=x", "order_by=x"] {
        assert_eq!(stage.get(&format!("/api/approvals?{query}")).await.refusal().0, 400, "{query}");
    }
}

#[tokio::test]
async fn subscriptions_are_filtered_and_ended() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = stage.product(&portal, "Orders").await;
    let (_, ada) = stage.developer(&portal, "ada").await;
    let application = stage.subscribed(&ada, "mobile", &product).await;
    for (query, rows) in [
        (format!("api_product_id={product}"), 1),
        ("api_product_id=x".into(), 0),
        ("developer_id=ada".into(), 1),
        ("developer_id=bob".into(), 0),
        (format!("application_id={application}&portal_id={portal}"), 1),
        ("status=wait_for_approval&status=subscribed".into(), 1),
        ("status[]=unsubscribed".into(), 0),
        ("search=ADA".into(), 1),
        ("search=orde&order_by=developer_name".into(), 1),
    ] {
        assert_eq!(stage.get(&format!("/api/subscriptions?{query}")).await.list().len(), rows, "{query}");
    }
    let alias = format!("/api/portals/{portal}/api_products/{product}/subscriptions");
    let row = stage.get(&alias).await.list().remove(0);
    assert_eq!((&row["application_name"], &row["developer_id"]), (&json!("mobile"), &json!("ada")));
    assert_eq!(
        stage.get(&format!("/api/portals/{portal}/api_products/x/subscriptions")).await.refusal().0,
        404
    );
    assert_eq!(stage.get("/api/subscriptions?status=x").await.refusal().0, 400);
    let path = format!("/api/subscriptions/{}", row["id"].as_str().unwrap());
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": row["id"] }));
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 404);
    assert_eq!(stage.get("/api/approvals?result=cancelled").await.list().len(), 1);
}

#[tokio::test]
async fn an_application_is_suspended_with_a_reason_and_resumed() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = stage.product(&portal, "Orders").await;
    let (_, ada) = stage.developer(&portal, "ada").await;
    let id = stage.subscribed(&ada, "mobile", &product).await;
    let path = format!("/api/forecourt/applications/{id}");
    let read = stage.get(&path).await.value();
    let at = read["created_at"].clone();
    let wanted = json!({
        "id": id, "portal_id": portal, "developer_id": "ada", "name": "mobile", "labels": {}, "status": "active",
        "callback_urls": [], "attributes": {}, "created_at": at, "updated_at": at,
    });
    assert_eq!(read, wanted);
    assert_eq!(
        stage.get("/api/forecourt/applications?developer_id=ada&status=active").await.list(),
        [wanted]
    );
    for query in ["status=pending", "status=suspended", "developer_id=bob", "search=x"] {
        assert!(
            stage.get(&format!("/api/forecourt/applications?{query}")).await.list().is_empty(),
            "{query}"
        );
    }
    assert_eq!(stage.get("/api/forecourt/applications?status=x").await.refusal().0, 400);
    assert_eq!(stage.call("POST", &format!("{path}/resume"), Value::Null).await.refusal().0, 400);
    let suspended = stage.call("POST", &format!("{path}/suspend"), json!({ "reason": "abuse" })).await;
    assert!(suspended.headers.contains_key("x-forecourt-revision"));
    let suspended = suspended.value();
    assert_eq!((&suspended["status"], &suspended["status_reason"]), (&json!("suspended"), &json!("abuse")));
    assert_eq!(stage.call("POST", &format!("{path}/suspend"), json!({})).await.refusal().0, 400);
    assert_eq!(stage.call("POST", &format!("{path}/resume"), json!({})).await.value()["status"], "active");
    assert_eq!(stage.call("POST", "/api/forecourt/applications/x/suspend", json!(1)).await.refusal().0, 404);
}
