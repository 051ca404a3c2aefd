//! API products: both paths, publishing, the auth lock, linking.

use serde_json::{Value, json};

use super::stage::Stage;

async fn collection(stage: &Stage) -> String {
    format!("/api/api_products?portal_id={}", stage.default_portal().await)
}

#[tokio::test]
async fn a_gateway_product_is_answered_with_its_defaults_and_documents() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let service = stage.service("orders").await;
    let text = "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths: {/a: {get: {}, post: {}}}\n";
    let document = format!("/api/gateway_groups/default/services/{service}/oas");
    stage.call("PUT", &document, json!({ "raw_openapi": text })).await.value();
    let link = json!({ "gateway_group_id": "default", "service_id": service, "linked_hosts": ["orders.example.com"] });
    let given = json!({
        "type": "gateway", "name": "Orders", "auth": { "key_auth": {} }, "linked_gateway_services": [link],
    });
    let made = stage.call("POST", &collection(&stage).await, given).await.value();
    let (id, at) = (made["id"].as_str().unwrap().to_owned(), made["created_at"].clone());
    let mut wanted = json!({
        "id": id, "portal_id": portal, "type": "gateway", "name": "Orders", "labels": {}, "status": "draft",
        "visibility": "public", "subscription_auto_approval": false, "can_view_unsubscribed": true,
        "auth": { "key-auth": { "header": "apikey", "query": "apikey", "hide_credentials": false } },
        "linked_gateway_services": [link], "plans": [], "notifications": [], "raw_openapis": [text],
        "created_at": at, "updated_at": at,
    });
    assert_eq!(made, wanted);
    for path in [format!("/api/api_products/{id}"), format!("/api/portals/{portal}/api_products/{id}")] {
        assert_eq!(stage.get(&path).await.value(), wanted, "{path}");
    }
    wanted.as_object_mut().unwrap().shift_remove("raw_openapis");
    wanted["api_count"] = json!(2);
    for path in ["/api/api_products".to_owned(), format!("/api/portals/{portal}/api_products?status=draft")] {
        assert_eq!(stage.get(&path).await.list(), [wanted.clone()], "{path}");
    }
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    assert_eq!(stage.get(&format!("/api/portals/{other}/api_products/{id}")).await.refusal().0, 404);
}

#[tokio::test]
async fn a_body_that_breaks_a_rule_is_refused() {
    let stage = Stage::start().await;
    let collection = collection(&stage).await;
    for (more, problem) in [
        (json!({ "type": "other" }), "type must be gateway or external"),
        (json!({ "status": "live" }), "status must be draft or published"),
        (json!({ "auth": { "oauth": {} } }), "auth.oauth is not a member here"),
        (json!({ "auth": { "key-auth": { "key": "x" } } }), "auth.key-auth.key is not a member here"),
        (json!({ "auth": { "key_auth": {}, "key-auth": {} } }), "are the same member"),
        (json!({ "auth": { "key-auth": { "header": "a b" } } }), "auth.key-auth.header must be"),
        (json!({ "auth": { "basic-auth": [] } }), "auth.basic-auth must be an object"),
        (json!({ "auth": { "dcr": {} } }), "auth.dcr.dcr_provider_id is required"),
        (json!({ "auth": { "dcr": { "dcr_provider_id": "x" } } }), "\"x\" is not a DCR provider"),
        (json!({ "raw_openapi": "x" }), "raw_openapi is a member of external products only"),
        (json!({ "notifications": [{}] }), "notifications[0].event is required"),
        (json!({ "status": "published" }), "auth must enable at least one method"),
        (
            json!({ "linked_gateway_services": [{}] }),
            "linked_gateway_services[0].gateway_group_id is required",
        ),
        (
            json!({ "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": "x" }] }),
            "service \"x\" does not exist in gateway group \"default\"",
        ),
    ] {
        let mut body = json!({ "type": "gateway", "name": "Orders" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, message) = stage.call("POST", &collection, body).await.refusal();
        assert!(status == 400 && message.contains(problem), "{more}: {message}");
    }
    let body = json!({ "type": "gateway", "name": "Orders" });
    let unnamed = stage.call("POST", "/api/api_products", body).await.refusal();
    assert_eq!(unnamed, (400, "portal_id is required".into()));
    let unknown = stage.call("POST", "/api/api_products?portal_id=x", json!({ "type": 1 })).await;
    assert_eq!(unknown.refusal().0, 404);
    assert_eq!(stage.get("/api/api_products?portal_id=x").await.refusal().0, 404);
    assert_eq!(stage.get("/api/api_products?visibility=x").await.refusal().0, 400);
    assert!(stage.get("/api/api_products").await.list().is_empty());
}

#[tokio::test]
async fn auth_is_locked_while_published_and_unpublishing_warns() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let id = stage.product(&portal, "Orders").await;
    let path = format!("/api/api_products/{id}");
    let (_, ada) = stage.developer(&portal, "ada").await;
    stage.subscribed(&ada, "mobile", &id).await;
    let basic = json!({ "auth": { "basic-auth": {} } });
    assert_eq!(stage.call("PUT", &path, basic.clone()).await.refusal().0, 400);
    let patch = json!([{ "op": "replace", "path": "/auth/basic-auth", "value": {} }]);
    assert_eq!(stage.call("PATCH", &path, patch).await.refusal().0, 400);
    let same = json!({ "auth": { "key-auth": { "header": "apikey" } }, "desc": "x" });
    assert_eq!(stage.call("PUT", &path, same).await.value()["desc"], "x");
    let both = json!({ "auth": { "basic-auth": {} }, "status": "draft" });
    let draft = stage.call("PUT", &path, both).await;
    assert_eq!(draft.body["warning_msg"], "1 subscription was ended");
    assert_eq!(draft.value()["auth"], json!({ "basic-auth": { "hide_credentials": false } }));
    assert!(stage.get("/api/subscriptions").await.list().is_empty());
    let cancelled = stage.get("/api/approvals").await.list();
    assert_eq!((cancelled.len(), &cancelled[0]["result"]), (1, &json!("cancelled")));
    assert_eq!(stage.call("PUT", &path, json!({ "type": "external" })).await.refusal().0, 400);
    assert_eq!(stage.call("PUT", "/api/api_products/x", json!({ "type": 1 })).await.refusal().0, 404);
}

#[tokio::test]
async fn a_service_belongs_to_one_product_and_unlinking_warns_that_it_is_open() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let service = stage.service("orders").await;
    let (first, second) = (stage.product(&portal, "A").await, stage.product(&portal, "B").await);
    let link = |host: &str| {
        json!({ "linked_gateway_services": [
            { "gateway_group_id": "default", "service_id": service, "linked_hosts": [host] }
        ] })
    };
    let put = async |id: &str, body: Value| stage.call("PUT", &format!("/api/api_products/{id}"), body).await;
    let foreign = put(&first, link("evil.example.com")).await.refusal().1;
    assert!(foreign.contains("host \"evil.example.com\" is not served by service \"orders\""), "{foreign}");
    put(&first, link("orders.example.com")).await.value();
    let taken = put(&second, link("orders.example.com")).await.refusal();
    let words = "linked_gateway_services: service \"orders\" already belongs to the API product \"A\"";
    assert_eq!(taken, (400, words.into()));
    let linked =
        stage.call("DELETE", &format!("/apisix/admin/services/{service}"), Value::Null).await.refusal();
    assert_eq!(linked.0, 400);
    let unlinked = put(&first, json!({ "linked_gateway_services": [] })).await;
    let warning = unlinked.body["warning_msg"].as_str().unwrap();
    assert!(warning.starts_with("these services are open to everyone now"), "{warning}");
}

#[tokio::test]
async fn an_external_product_takes_a_text_in_and_gives_texts_out() {
    let stage = Stage::start().await;
    let collection = collection(&stage).await;
    let text =
        "openapi: 3.0.3\ninfo: {title: T, version: '1'}\nservers: [{url: https://a.example}]\npaths: {}\n";
    let body = json!({ "type": "external", "name": "Billing", "raw_openapi": text, "tags": ["money"] });
    let made = stage.call("POST", &collection, body).await.value();
    assert_eq!(
        (&made["raw_openapis"], &made["server_urls"]),
        (&json!([text]), &json!(["https://a.example"]))
    );
    assert!(made.get("auth").is_none() && made.get("raw_openapi").is_none());
    let path = format!("/api/api_products/{}", made["id"].as_str().unwrap());
    let next = text.replace("'1'", "'2'");
    let patch = json!([
        { "op": "add", "path": "/raw_openapi", "value": next },
        { "op": "add", "path": "/tags/-", "value": "bills" },
    ]);
    let patched = stage.call("PATCH", &path, patch).await.value();
    assert_eq!((&patched["raw_openapis"], &patched["tags"]), (&json!([next]), &json!(["money", "bills"])));
    for body in [
        json!({ "type": "external", "name": "x" }),
        json!({ "type": "external", "name": "x", "raw_openapi": "nonsense: true" }),
        json!({ "type": "external", "name": "x", "raw_openapi": "openapi: 3.0.3\npaths: {}\n" }),
        json!({ "type": "external", "name": "x", "raw_openapi": text, "auth": {} }),
    ] {
        assert_eq!(stage.call("POST", &collection, body.clone()).await.refusal().0, 400, "{body}");
    }
    assert_eq!(stage.get("/api/api_products?type=external&search=bill").await.names(), ["Billing"]);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 404);
}
