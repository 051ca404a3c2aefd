//! Plugins of services and routes, their schemas, and the rule between them and products.

use serde_json::{Value, json};

use super::stage::Stage;

const ROUTES: &str = "/apisix/admin/routes?gateway_group_id=default";

#[tokio::test]
async fn the_plugins_that_gateways_enforce_are_listed_with_their_schemas() {
    let stage = Stage::start().await;
    let names = stage.get("/apisix/admin/plugins/list").await.body;
    assert_eq!(names, json!(["basic-auth", "consumer-restriction", "cors", "jwt-auth", "key-auth"]));
    for name in names.as_array().unwrap() {
        let path = format!("/apisix/admin/plugins/{}?subsystem=http", name.as_str().unwrap());
        assert_eq!(stage.get(&path).await.value()["type"], "object", "{name}");
    }
    let header = &stage.get("/apisix/admin/plugins/key-auth").await.value()["properties"]["header"];
    assert_eq!(header["default"], "apikey");
    assert_eq!(stage.get("/apisix/admin/plugins/limit-req").await.refusal().0, 404);
}

#[tokio::test]
async fn plugins_are_answered_as_they_were_given_and_patched_in_place() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}");
    let patch = json!([{ "op": "add", "path": "/plugins/key_auth", "value": { "header": "x-key" } }]);
    let patched = stage.call("PATCH", &path, patch).await.value();
    assert_eq!(patched["plugins"], json!({ "key-auth": { "header": "x-key" } }));
    let off = json!({ "plugins": { "key-auth": { "_meta": { "disable": true } } } });
    let patched = stage.call("PATCH", &path, off).await.value();
    assert_eq!(
        patched["plugins"],
        json!({ "key-auth": { "header": "x-key", "_meta": { "disable": true } } })
    );
    assert_eq!(stage.get(&path).await.value()["plugins"], patched["plugins"]);
    let route = json!({ "name": "r", "service_id": service, "paths": ["/a"], "plugins": { "cors": {} } });
    assert_eq!(stage.call("POST", ROUTES, route).await.value()["plugins"], json!({ "cors": {} }));
    let patch = json!([{ "op": "replace", "path": "/plugins", "value": { "key-auth": { "hedaer": "x" } } }]);
    let (status, message) = stage.call("PATCH", &path, patch).await.refusal();
    assert!(status == 400 && message.starts_with("plugins.key-auth.hedaer is not a member"), "{message}");
}

#[tokio::test]
async fn what_a_route_says_of_its_own_is_kept_and_checked() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let route = json!({
        "name": "r", "service_id": service, "paths": ["/a"], "enable_websocket": false, "upstream_id": service,
        "timeout": { "connect": 1, "read": 0.5 }, "labels": { "portal:dcr:require_any_scopes": "a  b" },
    });
    let made = stage.call("POST", ROUTES, route).await.value();
    assert_eq!((&made["enable_websocket"], &made["upstream_id"]), (&json!(false), &json!(service)));
    assert_eq!(made["timeout"], json!({ "connect": 1, "read": 0.5 }));
    for (more, problem) in [
        (json!({ "timeout": { "read": 0 } }), "timeout.read must be 0.001 to 86400 seconds"),
        (json!({ "timeout": { "total": 1 } }), "timeout.total is not a member here"),
        (json!({ "enable_websocket": "no" }), "enable_websocket must be true or false"),
        (json!({ "upstream_id": "blue" }), "upstream_id \"blue\" is not an upstream of service \"orders\""),
    ] {
        let path = format!("/apisix/admin/routes/{}", made["id"].as_str().unwrap());
        let (status, message) = stage.call("PATCH", &path, more.clone()).await.refusal();
        assert!(status == 400 && message.starts_with(problem), "{more}: {message}");
    }
}

/// Links `service` to a new draft product with `auth`; the answer's status and message.
async fn link(stage: &Stage, service: &str, auth: Value) -> (u16, String) {
    let portal = stage.default_portal().await;
    let link = json!([{ "gateway_group_id": "default", "service_id": service }]);
    let product =
        json!({ "type": "gateway", "name": "Orders", "auth": auth, "linked_gateway_services": link });
    let reply = stage.call("POST", &format!("/api/api_products?portal_id={portal}"), product).await;
    match reply.status {
        200 => (200, reply.value()["id"].as_str().unwrap().to_owned()),
        _ => reply.refusal(),
    }
}

#[tokio::test]
async fn a_service_that_asks_for_credentials_itself_is_not_linked_to_a_product_that_does() {
    let stage = Stage::start().await;
    for (plugin, on_route) in [("key-auth", false), ("basic-auth", true), ("jwt-auth", false)] {
        let service = stage.service(plugin).await;
        let plugins = json!({ plugin: {} });
        if on_route {
            let route = json!({ "name": "r", "service_id": service, "paths": ["/a"], "plugins": plugins });
            stage.call("POST", ROUTES, route).await.value();
        } else {
            let path = format!("/apisix/admin/services/{service}");
            stage.call("PATCH", &path, json!({ "plugins": plugins })).await.value();
        }
        let (status, message) = link(&stage, &service, json!({ "key-auth": {} })).await;
        assert_eq!(status, 400, "{message}");
        assert!(message.contains(&format!("service {plugin:?} carries the plugin {plugin}")), "{message}");
        // Without `auth` it is linked; then `auth` cannot be added.
        let (status, product) = link(&stage, &service, json!({})).await;
        assert_eq!(status, 200, "{product}");
        let path = format!("/api/api_products/{product}");
        let auth = json!({ "auth": { "basic-auth": {} } });
        let (status, message) = stage.call("PUT", &path, auth).await.refusal();
        assert!(status == 400 && message.contains(plugin), "{message}");
    }
}

#[tokio::test]
async fn no_plugin_that_asks_for_credentials_is_put_on_a_linked_service_or_its_routes() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let route = json!({ "name": "r", "service_id": service, "paths": ["/a"] });
    let route = stage.id_of("POST", ROUTES, route).await;
    assert_eq!(link(&stage, &service, json!({ "key-auth": {} })).await.0, 200);
    let refused = async |path: &str, plugin: &str| {
        let (status, message) =
            stage.call("PATCH", path, json!({ "plugins": { plugin: {} } })).await.refusal();
        assert_eq!(status, 400, "{message}");
        assert!(message.contains(plugin) && message.contains("service \"orders\""), "{message}");
    };
    for plugin in ["key-auth", "basic-auth", "jwt-auth"] {
        refused(&format!("/apisix/admin/services/{service}"), plugin).await;
        refused(&format!("/apisix/admin/routes/{route}"), plugin).await;
    }
    // Neither does a route bring one along from another service.
    let other = stage.service("other").await;
    let foreign = json!({ "name": "f", "service_id": other, "paths": ["/f"], "plugins": { "key-auth": {} } });
    let foreign = stage.id_of("POST", ROUTES, foreign).await;
    let moved = json!({ "service_id": service });
    assert_eq!(stage.call("PATCH", &format!("/apisix/admin/routes/{foreign}"), moved).await.refusal().0, 400);
    // What authenticates nobody may stand there, and so may what is switched off.
    let fine = json!({ "plugins": {
        "cors": {}, "consumer-restriction": { "whitelist": ["ann"] }, "key-auth": { "_meta": { "disable": true } },
    } });
    stage.call("PATCH", &format!("/apisix/admin/services/{service}"), fine).await.value();
}

#[tokio::test]
async fn a_global_rule_and_a_product_do_not_both_ask_for_credentials() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let rule = "/apisix/admin/global_rules/all?gateway_group_id=default";
    let asking = json!({ "plugins": { "key-auth": {} } });
    stage.call("PUT", rule, asking.clone()).await.value();
    let (status, message) = link(&stage, &service, json!({ "key-auth": {} })).await;
    assert!(status == 400 && message.contains("global rule \"all\""), "{message}");
    stage.call("PUT", rule, json!({ "plugins": { "cors": {} } })).await.value();
    assert_eq!(link(&stage, &service, json!({ "key-auth": {} })).await.0, 200);
    for (method, body) in [("PUT", asking.clone()), ("PATCH", asking)] {
        let (status, message) = stage.call(method, rule, body).await.refusal();
        assert!(
            status == 400 && message.contains("plugin key-auth cannot stand in a global rule"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn of_a_link_and_a_plugin_at_once_only_one_comes_about() {
    for _ in 0..5 {
        let stage = Stage::start().await;
        let service = stage.service("orders").await;
        let path = format!("/apisix/admin/services/{service}");
        let plugin = json!({ "plugins": { "key-auth": {} } });
        let (linked, plugged) = tokio::join!(
            link(&stage, &service, json!({ "key-auth": {} })),
            stage.call("PATCH", &path, plugin),
        );
        let mut statuses = [linked.0, plugged.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
    }
}
