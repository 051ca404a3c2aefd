//! Services, their upstreams, routes, plugins.

use serde_json::{Value, json};

use super::stage::Stage;

const SERVICES: &str = "/apisix/admin/services?gateway_group_id=default";
const ROUTES: &str = "/apisix/admin/routes?gateway_group_id=default";

#[tokio::test]
async fn a_service_is_put_under_a_chosen_id_with_unknown_members_kept() {
    let stage = Stage::start().await;
    let given = json!({
        "name": "orders", "hosts": ["Orders.example.com"], "path_prefix": "/orders/", "x-own": { "a": 1 },
        "upstream": { "nodes": [{ "host": "10.1.2.3", "port": 8080, "weight": 100 }], "timeout": { "read": 5 }, "retries": 2 },
    });
    let put =
        stage.call("PUT", "/apisix/admin/services/orders-1?gateway_group_id=default", given).await.value();
    let at = put["created_at"].clone();
    let wanted = json!({
        "id": "orders-1", "service_id": "orders-1", "name": "orders", "labels": {}, "type": "http", "status": 1,
        "hosts": ["Orders.example.com"], "path_prefix": "/orders/", "strip_path_prefix": true, "plugins": {},
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
        (json!({ "vars": {} }), "vars must be an array of conditions"),
        (json!({ "vars": [["arg_a", "=", "1"]] }), "vars[0][1] must be one of"),
    ] {
        let mut body = json!({ "name": "r", "service_id": service, "paths": ["/a"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, message) = stage.call("POST", ROUTES, body).await.refusal();
        assert!(status == 400 && message.contains(problem), "{more}: {message}");
    }
    stage.call("DELETE", &format!("/apisix/admin/services/{service}"), Value::Null).await.value();
    assert!(stage.get(ROUTES).await.list().is_empty(), "a service takes its routes along");
}

#[tokio::test]
async fn conditions_of_a_route_are_answered_as_given_replaced_patched_and_taken_away() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let vars =
        json!([["arg_v", "==", 2], ["!OR", ["http_x_role", "has", "guest"], ["uri", "!", "~~", "^/a"]]]);
    let path = "/apisix/admin/routes/r?gateway_group_id=default";
    let body = |vars: &Value| json!({ "name": "r", "service_id": service, "paths": ["/a"], "vars": vars });
    let made = stage.call("PUT", path, body(&vars)).await.value();
    assert_eq!(made["vars"], vars);
    assert_eq!(stage.get(path).await.value(), made);
    let priority = json!([{ "op": "replace", "path": "/priority", "value": 7 }]);
    assert_eq!(stage.call("PATCH", path, priority).await.value()["vars"], vars, "a patch of another member");
    let other = json!([{ "op": "replace", "path": "/vars/0/2", "value": 3 }]);
    assert_eq!(stage.call("PATCH", path, other).await.value()["vars"][0], json!(["arg_v", "==", 3]));
    let wrong = json!([{ "op": "add", "path": "/vars/-", "value": ["server_port", "==", "80"] }]);
    let (status, message) = stage.call("PATCH", path, wrong).await.refusal();
    assert!(status == 400 && message.starts_with("vars[2][0] must be one of"), "{message}");
    let removed = stage.call("PATCH", path, json!([{ "op": "remove", "path": "/vars" }])).await.value();
    assert_eq!(removed.get("vars"), None);
    let added = json!([{ "op": "replace", "path": "/vars", "value": vars }]);
    assert_eq!(stage.call("PATCH", path, added).await.value()["vars"], vars);
    for none in [json!([]), Value::Null] {
        assert_eq!(stage.call("PUT", path, body(&none)).await.value().get("vars"), None, "{none}");
    }
    let validated = json!({ "routes": [body(&json!([["uri", "in", []]]))] });
    let refused = stage.call("POST", "/apisix/admin/configs/validate", validated).await;
    assert_eq!((&refused.body["status"], &refused.body["errors"][0]["index"]), (&json!(400), &json!(0)));
    assert!(refused.body["errors"][0]["error"].as_str().unwrap().starts_with("vars[0][2] must be"));
}

#[tokio::test]
async fn what_is_not_given_of_a_service_a_route_and_an_upstream_has_its_default() {
    let stage = Stage::start().await;
    let made = stage.call("POST", SERVICES, json!({ "name": "bare", "upstream": {} })).await.value();
    let (id, at) = (made["id"].clone(), made["created_at"].clone());
    let upstream = json!({
        "name": "default", "scheme": "http", "type": "roundrobin", "nodes": [], "timeout": {}, "pass_host": "pass",
    });
    let wanted = json!({
        "id": id, "service_id": id, "name": "bare", "labels": {}, "type": "http", "status": 1, "hosts": [],
        "strip_path_prefix": true, "plugins": {}, "upstream": upstream, "created_at": at, "updated_at": at,
    });
    assert_eq!(made, wanted);
    let given =
        json!({ "name": "stored", "type": "stream", "status": 0, "strip_path_prefix": false, "desc": "d" });
    let made = stage.call("POST", SERVICES, given.clone()).await.value();
    for (member, value) in given.as_object().unwrap() {
        assert_eq!(made[member], *value, "{member}");
    }
    assert!(made.get("upstream").is_none() && made.get("path_prefix").is_none(), "{made}");
    let path = format!("/apisix/admin/services/{}", id.as_str().unwrap());
    for (timeout, answered) in [
        (json!({}), json!({})),
        (json!({ "connect": 1, "send": 2, "read": 3 }), json!({ "connect": 1, "send": 2, "read": 3 })),
        (json!({ "read": null }), json!({})),
        (Value::Null, json!({})),
    ] {
        let patched = stage.call("PATCH", &path, json!({ "upstream": { "timeout": null } })).await;
        assert_eq!(patched.value()["upstream"]["timeout"], json!({}));
        let patched = stage.call("PATCH", &path, json!({ "upstream": { "timeout": timeout } })).await.value();
        assert_eq!(patched["upstream"]["timeout"], answered);
    }
    for node in [
        json!({ "port": 1, "weight": 1 }),
        json!({ "host": "a", "weight": 1 }),
        json!({ "host": "", "port": 1, "weight": 1 }),
    ] {
        let (status, message) =
            stage.call("PATCH", &path, json!({ "upstream": { "nodes": [node] } })).await.refusal();
        assert!(status == 400 && message.starts_with("upstream.nodes"), "{message}");
    }
}

#[tokio::test]
async fn the_id_in_a_body_is_not_the_routes_own_whichever_way_it_is_spelled() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    for member in ["id", "route_id"] {
        let route = json!({ "name": "r", "service_id": service, "paths": ["/a"], member: "mine" });
        let path = "/apisix/admin/routes/r?gateway_group_id=default";
        let put = stage.call("PUT", path, route.clone()).await.value();
        assert_eq!((&put["id"], put.get("route_id")), (&json!("r"), None), "the path names it");
        let issued = stage.call("POST", ROUTES, route).await.value();
        assert!(
            issued["id"].as_str().unwrap().starts_with("rte_") && issued.get("route_id").is_none(),
            "{issued}"
        );
    }
}
