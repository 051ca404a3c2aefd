//! What decides which service answers, changed over the Admin API while calls come in.

use forecourt_it::Forecourt;
use http::Method;
use serde_json::json;

use crate::services::{admin_path, put_route, put_service};

#[tokio::test]
async fn hosts_methods_priority_and_status_hold_for_the_next_call() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    put_service(&f, "shop", json!({ "hosts": ["shop.example"] })).await;
    let service = admin_path("services/shop");
    let at = |host: &str| f.gateway().with("host", host);
    let not_found = json!({ "error_msg": "404 Route Not Found" });

    at("shop.example").get("/shop/a").await.expect(200);
    assert_eq!(at("else.example").get("/shop/a").await.expect(404), not_found);
    admin.patch(&service, json!({ "hosts": ["*.example"] })).await.expect(200);
    at("else.example").get("/shop/a").await.expect(200);
    assert_eq!(at("example").get("/shop/a").await.expect(404), not_found);
    admin.patch(&service, json!({ "hosts": [] })).await.expect(200);
    at("anything").get("/shop/a").await.expect(200);

    let guest = f.gateway();
    let only_get = json!({ "paths": ["/*"], "methods": ["GET"] });
    put_route(&f, "shop", "shop-all", only_get).await;
    guest.get("/shop/a").await.expect(200);
    assert_eq!(guest.post("/shop/a", json!({})).await.expect(404), not_found);
    put_route(&f, "shop", "shop-all", json!({ "paths": ["/*"], "methods": ["POST"] })).await;
    assert_eq!(guest.get("/shop/a").await.expect(404), not_found);
    guest.post("/shop/a", json!({})).await.expect(200);
    put_route(&f, "shop", "shop-all", json!({ "paths": ["/*"] })).await;
    guest.send(Method::PUT, "/shop/a", None).await.expect(200);

    // The younger route asks for a key, so the answer tells which of both was taken.
    let asking =
        |priority: i64| json!({ "paths": ["/*"], "priority": priority, "plugins": { "key-auth": {} } });
    put_route(&f, "shop", "younger", asking(0)).await;
    guest.get("/shop/a").await.expect(200);
    put_route(&f, "shop", "younger", asking(5)).await;
    guest.get("/shop/a").await.expect(401);
    put_route(&f, "shop", "shop-all", json!({ "paths": ["/*"], "priority": 6 })).await;
    guest.get("/shop/a").await.expect(200);

    admin.patch(&service, json!({ "status": 0 })).await.expect(200);
    assert_eq!(guest.get("/shop/a").await.expect(404), not_found);
    admin.patch(&service, json!({ "status": 1 })).await.expect(200);
    guest.get("/shop/a").await.expect(200);
}

#[tokio::test]
async fn a_route_with_conditions_takes_the_calls_that_meet_them_and_leaves_the_others() {
    let f = Forecourt::start().await;
    let (admin, guest) = (f.admin().await, f.gateway());
    put_service(&f, "shop", json!({})).await;
    // This route asks for a key, so the answer tells which of both was taken.
    let asking = |vars: serde_json::Value| json!({ "paths": ["/*"], "priority": 1, "vars": vars, "plugins": { "key-auth": {} } });
    put_route(&f, "shop", "new", asking(json!([["arg_version", "in", ["2", "3"]]]))).await;
    guest.get("/shop/a").await.expect(200);
    guest.get("/shop/a?version=1").await.expect(200);
    guest.get("/shop/a?version=2").await.expect(401);
    assert_eq!(f.upstream().last().target, "/a?version=1");

    let nested = json!([
        "OR",
        ["http_x_stage", "~*", "^(test|beta)$"],
        ["AND", ["cookie_stage", "==", "beta"], ["remote_addr", "ipmatch", "127.0.0.0/8"]],
    ]);
    put_route(&f, "shop", "new", asking(nested)).await;
    guest.get("/shop/a?version=2").await.expect(200);
    f.gateway().with("x-stage", "Beta").get("/shop/a").await.expect(401);
    f.gateway().with("cookie", "a=b; stage=beta").get("/shop/a").await.expect(401);
    f.gateway().with("cookie", "a=b; stage=live").get("/shop/a").await.expect(200);

    let path = admin_path("routes/new");
    let wrong = json!([{ "op": "replace", "path": "/vars", "value": [["uri", "~~", "("]] }]);
    admin.patch(&path, wrong).await.refused(400, "vars[0][2]");
    f.gateway().with("x-stage", "Beta").get("/shop/a").await.expect(401);
    let none = json!([{ "op": "remove", "path": "/vars" }]);
    admin.patch(&path, none).await.expect(200);
    guest.get("/shop/a").await.expect(401);
}

#[tokio::test]
async fn conditions_hold_after_a_restart_as_they_did_before() {
    let mut f = Forecourt::start().await;
    put_service(&f, "shop", json!({})).await;
    put_route(&f, "shop", "shop-all", json!({ "paths": ["/*"], "vars": [["arg_a", "==", 1]] })).await;
    f.restart().await;
    f.gateway().get("/shop/a?a=1").await.expect(200);
    f.gateway().get("/shop/a?a=2").await.expect(404);
    let answered = f.admin().await.get(&admin_path("routes/shop-all")).await.expect(200);
    assert_eq!(answered["value"]["vars"], json!([["arg_a", "==", 1]]));
}

#[tokio::test]
async fn what_is_deleted_in_the_admin_api_is_gone_on_the_next_call() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let guest = f.gateway();
    let not_found = json!({ "error_msg": "404 Route Not Found" });

    let orders = f.product("Orders").await;
    guest.get(&orders.path).await.expect(401);
    admin.delete(&format!("/api/api_products/{}", orders.id)).await.expect(200);
    guest.get(&orders.path).await.expect(200);
    admin.delete(&admin_path(&format!("services/{}", orders.service_id))).await.expect(200);
    assert_eq!(guest.get(&orders.path).await.expect(404), not_found);

    put_service(&f, "shop", json!({})).await;
    put_route(&f, "shop", "own", json!({ "paths": ["/own"], "plugins": { "key-auth": {} } })).await;
    guest.get("/shop/own").await.expect(401);
    admin.delete(&admin_path("routes/own")).await.expect(200);
    guest.get("/shop/own").await.expect(200);
    admin.delete(&admin_path("routes/shop-all")).await.expect(200);
    assert_eq!(guest.get("/shop/own").await.expect(404), not_found);
    put_route(&f, "shop", "shop-all", json!({ "paths": ["/*"] })).await;
    guest.get("/shop/own").await.expect(200);
    admin.delete(&admin_path("services/shop")).await.expect(200);
    assert_eq!(guest.get("/shop/own").await.expect(404), not_found);
}
