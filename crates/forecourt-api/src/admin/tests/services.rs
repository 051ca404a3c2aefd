//! Services, their upstreams, routes, plugins.

use serde_json::{Value, json};

use super::stage::Stage;

const SERVICES: &str = "/apisix/admin/services?gateway_group_id=default";
const ROUTES: &str = "/apisix/admin/routes?gateway_group_id=default";

#[tokio::test]
async fn a_service_is_put_under_a_chosen_id_with_unknown_members_kept() {
    let stage = Stage::start().await;
    let given = json!({
        "name": "orders", "hosts": ["Orders.example.com"], "path_prefix": "/orders", "x-own": { "a": 1 },
        "upstream": { "nodes": [{ "host": "10.1.2.3", "port": 8080, "weight": 100 }], "timeout": { "read": 5 }, "retries": 2 },
    });
    let put =
        stage.call("PUT", "/apisix/admin/services/orders-1?gateway_group_id=default", given).await.value();
    let at = put["created_at"].clone();
    let wanted = json!({
        "id": "orders-1", "service_id": "orders-1", "name": "orders", "labels": {}, "type": "http", "status": 1,
        "hosts": ["orders.example.com"], "path_prefix": "/orders", "strip_path_prefix": true, "plugins": {},
        "upstream": {
            "name": "default", "scheme": "http", "type": "roundrobin",
            "nodes": [{ "host": "10.1.2.3", "port": 8080, "weight": 100 }], "timeout": { "read": 5 },
            "pass_host": "pass", "retries": 2,
        },
        "x-own": { "a": 1 }, "created_at": at, "updated_at": at,
    });
    assert!(at.is_i64());
    assert_eq!(put, wanted);
    assert_eq!(stage.get("/apisix/admin/services/orders-1").await.value(), wanted);
    assert_eq!(stage.get(SERVICES).await.list(), [wanted]);
    let path = "/apisix/admin/services/orders-1?gateway_group_id=default";
    let replaced = stage.call("PUT", path, json!({ "name": "orders" })).await.value();
    assert!(replaced.get("x-own").is_none() && replaced.get("upstream").is_none());
    assert_eq!(stage.call("DELETE", path, Value::Null).await.value(), json!({ "id": "orders-1" }));
    assert_eq!(stage.get(path).await.refusal().0, 404);
}

#[tokio::test]
async fn a_service_that_breaks_a_rule_is_refused() {
    let stage = Stage::start().await;
    for (more, problem) in [
        (json!({ "name": "" }), "name is required"),
        (json!({ "plugins": { "limit-req": {} } }), "unknown plugin limit-req"),
        (json!({ "type": "tcp" }), "type must be http or stream"),
        (json!({ "status": 2 }), "status must be 1 or 0"),
        (json!({ "path_prefix": "orders" }), "path_prefix must start with /"),
        (json!({ "hosts": ["a b"] }), "hosts[0] must be a host name"),
        (json!({ "upstream": { "nodes": [{ "host": "a", "port": 1 }] } }), "weight is required"),
        (
            json!({ "upstream": { "nodes": [{ "host": "a", "port": 0, "weight": 1 }] } }),
            "port must be 1 to 65535",
        ),
        (
            json!({ "upstream": { "nodes": [{ "host": "a", "port": 1, "weight": -1 }] } }),
            "weight must be 0 or more",
        ),
        (json!({ "plugins": { "cors": { "max_age": "x" } } }), "plugins.cors.max_age must be a whole number"),
        (
            json!({ "upstream": { "checks": { "active": { "type": "udp" } } } }),
            "upstream.checks.active.type must be",
        ),
        (json!({ "upstream": { "pass_host": "rewrite" } }), "upstream.upstream_host is required"),
        (json!({ "upstream": { "scheme": "ftp" } }), "upstream.scheme must be"),
    ] {
        let mut body = json!({ "name": "a" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, message) = stage.call("POST", SERVICES, body).await.refusal();
        assert!(status == 400 && message.contains(problem), "{more}: {message}");
    }
    for (path, status) in [
        ("/apisix/admin/services", 400),
        ("/apisix/admin/services?gateway_group_id=x", 404),
        ("/apisix/admin/routes", 400),
        ("/apisix/admin/routes?gateway_group_id=x", 404),
    ] {
        assert_eq!(stage.get(path).await.refusal().0, status, "{path}");
        assert_eq!(stage.call("POST", path, json!({ "name": 1 })).await.refusal().0, status, "{path}");
    }
    assert_eq!(stage.call("PUT", "/apisix/admin/services/a", json!({ "name": "a" })).await.refusal().0, 400);
}

#[tokio::test]
async fn an_item_belongs_to_the_group_that_is_named() {
    let stage = Stage::start().await;
    let group = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}?gateway_group_id={group}");
    assert_eq!(stage.get(&path).await.refusal().0, 404);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 404);
    assert_eq!(stage.call("PATCH", &path, json!([])).await.refusal().0, 404);
    assert_eq!(stage.call("PUT", &path, json!({ "name": "a" })).await.refusal().0, 400);
    let route = json!({ "name": "r", "service_id": service, "paths": ["/"] });
    let foreign = format!("/apisix/admin/routes?gateway_group_id={group}");
    assert_eq!(stage.call("POST", &foreign, route).await.refusal().0, 400);
}

#[tokio::test]
async fn services_and_routes_are_patched_as_if_put() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}");
    let patch = json!([
        { "op": "replace", "path": "/upstream/nodes/0/weight", "value": 0 },
        { "op": "replace", "path": "/path_prefix", "value": "/v1" },
        { "op": "add", "path": "/hosts/-", "value": "two.example.com" },
    ]);
    let patched = stage.call("PATCH", &path, patch).await.value();
    assert_eq!(
        (&patched["path_prefix"], &patched["upstream"]["nodes"][0]["weight"]),
        (&json!("/v1"), &json!(0))
    );
    assert_eq!(patched["hosts"], json!(["orders.example.com", "two.example.com"]));
    for patch in [
        json!([{ "op": "replace", "path": "/service_id", "value": "x" }]),
        json!([{ "op": "add", "path": "/plugins/limit-req", "value": {} }]),
        json!({ "status": 7 }),
    ] {
        assert_eq!(stage.call("PATCH", &path, patch.clone()).await.refusal().0, 400, "{patch}");
    }
    let route = json!({ "name": "all", "service_id": service, "paths": ["/*"] });
    let route = stage.id_of("POST", ROUTES, route).await;
    let path = format!("/apisix/admin/routes/{route}");
    let patch = json!([{ "op": "replace", "path": "/methods", "value": ["GET"] }]);
    let patched = stage.call("PATCH", &path, patch).await.value();
    assert_eq!((&patched["methods"], &patched["service_id"]), (&json!(["GET"]), &json!(service)));
    let everything = stage.call("PATCH", &path, json!({ "methods": null })).await.value();
    assert!(everything.get("methods").is_none());
    assert_eq!(stage.call("PATCH", &path, json!({ "service_id": "x" })).await.refusal().0, 400);
}

#[tokio::test]
async fn a_route_is_made_under_each_spelling_of_its_paths() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    for (member, paths) in [("paths", json!(["/a"])), ("uris", json!(["/a"])), ("uri", json!("/a"))] {
        let body = json!({ "name": "r", "service_id": service, member: paths, "timeout": { "read": 5 } });
        let made = stage.call("POST", ROUTES, body).await.value();
        let (id, at) = (made["id"].clone(), made["created_at"].clone());
        let wanted = json!({
            "id": id, "service_id": service, "name": "r", "labels": {}, "paths": ["/a"], "priority": 0, "plugins": {},
            "timeout": { "read": 5 }, "created_at": at, "updated_at": at,
        });
        assert_eq!(made, wanted, "{member}");
    }
    let of = |service: &str| format!("{ROUTES}&service_id={service}");
    assert_eq!(stage.get(&of(&service)).await.list().len(), 3);
    assert!(stage.get(&of("other")).await.list().is_empty());
    for (more, problem) in [
        (json!({ "uri": "/b" }), "are the same member"),
        (json!({ "paths": [] }), "paths is required"),
        (json!({ "paths": ["a"] }), "paths[0] must start with /"),
        (json!({ "service_id": null }), "service_id is required"),
        (json!({ "service_id": "x" }), "service_id \"x\" is not a service of this gateway group"),
        (json!({ "methods": ["FETCH"] }), "methods[0] must be one of"),
        (json!({ "plugins": { "limit-req": {} } }), "unknown plugin limit-req"),
        (json!({ "vars": [["arg_a", "==", "1"]] }), "vars are not served"),
    ] {
        let mut body = json!({ "name": "r", "service_id": service, "paths": ["/a"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, message) = stage.call("POST", ROUTES, body).await.refusal();
        assert!(status == 400 && message.contains(problem), "{more}: {message}");
    }
    stage.call("DELETE", &format!("/apisix/admin/services/{service}"), Value::Null).await.value();
    assert!(stage.get(ROUTES).await.list().is_empty(), "a service takes its routes along");
}
