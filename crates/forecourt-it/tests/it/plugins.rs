//! Plugins of services beside products, over the Admin API, and what is stored of them.

use forecourt_core::gateway_state::{Resource, Scope};
use forecourt_core::ids::GatewayGroupId;
use forecourt_it::{Forecourt, databases::logged};
use forecourt_store::Store;
use serde_json::json;

use crate::services::{put_route, put_service};

#[tokio::test]
async fn a_product_that_asks_for_credentials_and_a_plugin_that_does_keep_each_other_out() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let orders = f.product("Orders").await;
    let service = format!("/apisix/admin/services/{}", orders.service_id);
    let asking = json!({ "plugins": { "key-auth": {} } });

    // The product was first: the plugin is refused, and calls go on as before.
    admin.patch(&service, asking.clone()).await.refused(400, "linked to the API product");
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    f.call(&orders, &key).await.expect(200);

    // Unlinked, the service takes the plugin; then the product does not take the service.
    let links = |services: serde_json::Value| json!({ "linked_gateway_services": services });
    orders.update(links(json!([]))).await.expect(200);
    admin.patch(&service, asking).await.expect(200);
    let link = json!([{ "gateway_group_id": "default", "service_id": orders.service_id }]);
    orders.update(links(link.clone())).await.refused(400, "carries the plugin key-auth");
    let detail = admin.get(&format!("/api/api_products/{}", orders.id)).await.expect(200);
    assert_eq!(detail["value"]["linked_gateway_services"], json!([]));

    // Without the plugin it is linked again, and asks for the product's credentials.
    admin.patch(&service, json!({ "plugins": { "key-auth": null } })).await.expect(200);
    orders.update(links(link)).await.expect(200);
    f.call(&orders, &key).await.expect(200);
}

#[tokio::test]
async fn what_is_configured_reaches_gateways_as_rows_until_it_is_deleted() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let group = "?gateway_group_id=default";
    let service = json!({
        "name": "s", "plugins": { "cors": {}, "basic-auth": { "_meta": { "disable": true } } },
        "upstream": { "type": "least_conn", "retries": 3, "nodes": { "127.0.0.1:9": 1 } },
    });
    admin.put(&format!("/apisix/admin/services/s{group}"), service).await.expect(200);
    let blue = json!({ "name": "blue", "tls": { "verify": false } });
    admin.put("/apisix/admin/services/s/upstreams/blue", blue).await.expect(200);
    let route = json!({
        "name": "r", "service_id": "s", "paths": ["/s"], "upstream_id": "blue", "enable_websocket": false,
        "timeout": { "read": 2 }, "labels": { "portal:dcr:require_any_scopes": " read  write " },
    });
    admin.put(&format!("/apisix/admin/routes/r{group}"), route).await.expect(200);
    let rule = json!({ "plugins": { "cors": { "max_age": 9 } } });
    admin.put(&format!("/apisix/admin/global_rules/all{group}"), rule).await.expect(200);

    let rows = rows(&f, "default").await;
    let service = rows.iter().find_map(|row| match row {
        Resource::Service(service) if service.id.as_str() == "s" => Some(service),
        _ => None,
    });
    let service = service.unwrap();
    assert!(service.plugins.cors.is_some() && service.plugins.basic_auth.is_none());
    assert_eq!(service.upstream.as_ref().unwrap().retries, Some(3));
    assert!(!service.upstreams["blue"].tls.verify);
    let route = rows.iter().find_map(|row| match row {
        Resource::Route(route) if route.id.as_str() == "r" => Some(route),
        _ => None,
    });
    let route = route.unwrap();
    assert_eq!((route.upstream_id.as_deref(), route.websocket), (Some("blue"), false));
    assert_eq!((route.timeouts.read_ms, route.timeouts.send_ms), (Some(2_000), None));
    assert_eq!(route.required_scopes, ["read", "write"]);
    let age = |row: &Resource| match row {
        Resource::GlobalRule(rule) => rule.plugins.cors.as_ref().map(|cors| cors.max_age),
        _ => None,
    };
    assert_eq!(rows.iter().find_map(age), Some(9));

    admin.delete("/apisix/admin/global_rules/all").await.expect(200);
    assert_eq!(self::rows(&f, "default").await.iter().find_map(age), None);
}

#[tokio::test]
async fn a_label_of_scopes_that_names_none_asks_for_none() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({})).await;
    for (label, expected) in [("   ", &[][..]), (" read ", &["read"]), (" ", &[])] {
        let labels = json!({ "portal:dcr:require_any_scopes": label });
        put_route(&f, "shop", "shop-all", json!({ "paths": ["/*"], "labels": labels })).await;
        let routes = rows(&f, "default").await;
        let asked = routes.iter().find_map(|row| match row {
            Resource::Route(route) => Some(route.required_scopes.clone()),
            _ => None,
        });
        assert_eq!(asked.unwrap(), expected, "{label:?}");
    }
}

#[tokio::test]
async fn the_rules_of_a_deleted_gateway_group_are_gone_for_its_gateways() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let made = admin.post("/api/gateway_groups", json!({ "name": "edge" })).await.expect(200);
    let group = made["value"]["id"].as_str().unwrap();
    let rule = json!({ "plugins": { "cors": {} } });
    admin.put(&format!("/apisix/admin/global_rules/all?gateway_group_id={group}"), rule).await.expect(200);
    assert_eq!(rows(&f, group).await.len(), 1);
    admin.delete(&format!("/api/gateway_groups/{group}")).await.expect(200);
    assert_eq!(rows(&f, group).await, []);
}

/// All that gateways of a group would be told now.
async fn rows(f: &Forecourt, group: &str) -> Vec<Resource> {
    let store = Store::open(&crate::store::location(f.database())).await.unwrap();
    let scope = Scope::GatewayGroup(GatewayGroupId::known(group));
    let changes = logged(&store, &[scope], 0).await;
    changes.into_iter().filter_map(|change| change.resource).collect()
}
