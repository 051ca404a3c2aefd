//! Gateway groups, their keys, their services and documents.

use serde_json::{Value, json};

use super::stage::Stage;

#[tokio::test]
async fn the_group_default_exists_and_stays() {
    let stage = Stage::start().await;
    let group = stage.get("/api/gateway_groups/default").await.value();
    let at = group["created_at"].clone();
    assert!(at.is_i64());
    let wanted = json!({
        "id": "default", "name": "default", "type": "api7_gateway", "labels": {}, "created_at": at, "updated_at": at,
    });
    assert_eq!(group, wanted);
    let refused = stage.call("DELETE", "/api/gateway_groups/default", Value::Null).await.refusal();
    assert_eq!(refused, (400, "the gateway group default cannot be deleted".into()));
}

#[tokio::test]
async fn a_group_is_made_changed_listed_and_deleted_with_its_services() {
    let stage = Stage::start().await;
    let given =
        json!({ "name": "edge", "description": "x", "type": "api7_gateway", "labels": { "zone": "a" } });
    let made = stage.call("POST", "/api/gateway_groups", given).await.value();
    assert_eq!(made["desc"], "x");
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/gateway_groups/{id}");
    assert_eq!(stage.call("PUT", &path, json!({ "desc": "y" })).await.value()["name"], "edge");
    for query in ["?name=edge", "?search=EDGE", "?labels[zone]=a"] {
        assert_eq!(stage.get(&format!("/api/gateway_groups{query}")).await.names(), ["edge"], "{query}");
    }
    for (body, problem) in [
        (json!({}), "name is required"),
        (json!({ "name": "edge" }), "name \"edge\" is taken by another gateway group; choose another name"),
        (json!({ "name": "a", "type": "kong" }), "type must be api7_gateway"),
        (
            json!({ "name": "a", "desc": "x", "description": "x" }),
            "description and desc are the same member: give one of them",
        ),
    ] {
        assert_eq!(stage.call("POST", "/api/gateway_groups", body).await.refusal(), (400, problem.into()));
    }
    let services = format!("/apisix/admin/services?gateway_group_id={id}");
    let service = stage.id_of("POST", &services, json!({ "name": "orders" })).await;
    let product = stage.product(&stage.default_portal().await, "Orders").await;
    let link = json!({ "linked_gateway_services": [{ "gateway_group_id": id, "service_id": service }] });
    stage.call("PUT", &format!("/api/api_products/{product}"), link).await.value();
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 400);
    stage.call("DELETE", &format!("/api/api_products/{product}"), Value::Null).await.value();
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": id }));
    assert_eq!(stage.get(&path).await.refusal().0, 404);
    assert_eq!(stage.get(&format!("/apisix/admin/services/{service}")).await.refusal().0, 404);
}

#[tokio::test]
async fn a_groups_key_acts_on_its_own_group_alone_and_dies_with_the_next_one() {
    let stage = Stage::start().await;
    let group = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let path = format!("/api/gateway_groups/{group}/admin_key");
    let key = stage.call("PUT", &path, Value::Null).await.value()["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("a7adm-"));
    let by = async |method: &str, path: &str, body: Value| {
        stage.with_headers(method, path, &[("authorization", &format!("Bearer {key}"))], body).await
    };
    let made = by("POST", "/apisix/admin/services", json!({ "name": "own" })).await.value();
    assert_eq!(by("GET", "/apisix/admin/services", Value::Null).await.names(), ["own"]);
    let own = format!("/apisix/admin/services/{}", made["id"].as_str().unwrap());
    assert_eq!(by("PUT", &own, json!({ "name": "next" })).await.value()["name"], "next");
    assert_eq!(by("GET", "/api/gateway_groups", Value::Null).await.names(), ["edge"]);
    for (method, path) in [
        ("GET", "/apisix/admin/services?gateway_group_id=default"),
        ("POST", "/apisix/admin/services?gateway_group_id=default"),
        ("GET", "/api/gateway_groups/default"),
        ("GET", "/api/portals"),
        ("POST", "/api/portals"),
        ("GET", "/api/me"),
        ("PUT", "/api/password"),
        ("GET", "/api/settings/tokens"),
    ] {
        assert_eq!(by(method, path, Value::Null).await.refusal().0, 403, "{method} {path}");
    }
    stage.call("PUT", &path, Value::Null).await.value();
    assert_eq!(by("GET", "/apisix/admin/services", Value::Null).await.refusal().0, 401);
}

#[tokio::test]
async fn an_instance_token_is_shown_once() {
    let stage = Stage::start().await;
    let path = "/api/gateway_groups/default/instance_token?only_token=true";
    let token = stage.call("POST", path, Value::Null).await.value();
    assert!(token["token_plain_text"].as_str().unwrap().starts_with("a7dp-"));
    assert_eq!(token.as_object().unwrap().len(), 2);
    assert_eq!(
        stage.call("POST", "/api/gateway_groups/x/instance_token", Value::Null).await.refusal().0,
        404
    );
}

#[tokio::test]
async fn published_services_and_their_documents_are_reached_through_the_group() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/api/gateway_groups/default/services/{service}");
    let read = stage.get(&path).await.value();
    assert_eq!(
        (&read["gateway_group_id"], &read["gateway_group_name"]),
        (&json!("default"), &json!("default"))
    );
    assert_eq!(stage.get("/api/gateway_groups/default/services").await.list(), [read]);
    let oas = format!("{path}/oas");
    assert_eq!(stage.get(&oas).await.value(), json!({ "raw_openapi": "" }));
    let text = "openapi: 3.1.0  # kept byte for byte\r\npaths: {}\n";
    let kept = stage.call("PUT", &oas, json!({ "raw_openapi": text })).await.value();
    assert_eq!(kept, json!({ "raw_openapi": text }));
    assert_eq!(stage.get(&oas).await.value(), kept);
    for body in [
        json!({}),
        json!({ "raw_openapi": "a: 1" }),
        json!({ "raw_openapi": "{" }),
        json!({ "raw_openapi": 1 }),
    ] {
        assert_eq!(stage.call("PUT", &oas, body.clone()).await.refusal().0, 400, "{body}");
    }
    stage.call("PUT", &oas, json!({ "raw_openapi": "" })).await.value();
    assert_eq!(stage.get(&oas).await.value(), json!({ "raw_openapi": "" }));
    assert_eq!(stage.get("/api/gateway_groups/default/services/x/oas").await.refusal().0, 404);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": service }));
    assert_eq!(stage.get(&path).await.refusal().0, 404);
}
