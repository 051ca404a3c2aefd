//! `?dry_run=true`: what a call would hit is told, with every refusal of the call itself, and nothing changes.

use forecourt_it::{Answer, Application, Client, Credential, Forecourt, Product, deadlines::eventually};
use http::Method;
use serde_json::{Value, json};

/// What both databases and gateways show of everything that these stories make.
async fn picture(f: &Forecourt, owner: &Client) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        "/api/api_products",
        "/api/developers",
        "/api/subscriptions?api_product_id=",
        "/api/approvals",
        "/api/forecourt/applications",
        "/apisix/admin/services?gateway_group_id=default",
        "/apisix/admin/routes?gateway_group_id=default",
    ] {
        seen.push(f.admin().await.get(path).await.expect(200));
    }
    for path in ["/api/applications", "/api/credentials", "/api/subscriptions"] {
        seen.push(owner.get(path).await.expect(200));
    }
    // When a developer was last seen moves with each of its calls.
    for row in seen[1]["list"].as_array_mut().unwrap() {
        row.as_object_mut().unwrap().retain(|name, _| name != "last_active_at" && name != "updated_at");
    }
    seen
}

/// The impact of an answer that is a preview; a preview made no revision.
fn impact(answer: &Answer, wrapped: bool) -> Value {
    let body = answer.expect(200);
    assert!(answer.header("x-forecourt-revision").is_none(), "{body}");
    let told = if wrapped { &body["value"] } else { &body };
    assert_eq!(told["dry_run"], true, "{body}");
    told["impact"].clone()
}

/// An impact with these members, and 0 of the rest.
fn expected(members: Value) -> Value {
    let mut all = json!({
        "applications": 0, "subscriptions": 0, "credentials": 0, "approvals": 0, "opened_services": 0,
        "gateway_objects": 0, "people_without_sign_in": 0, "sessions": 0, "callers_24h": 0, "calls_24h": 0,
    });
    for (name, value) in members.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

/// Waits until the figures of usage hold `calls`.
async fn counted(owner: &Client, calls: u64) {
    eventually(&format!("{calls} calls are counted"), || async {
        let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
        let list = owner.get(path).await.expect(200);
        let told: u64 =
            list["list"].as_array().unwrap().iter().map(|row| row["api_calls"].as_u64().unwrap()).sum();
        (told == calls).then_some(())
    })
    .await;
}

/// Two subscribed applications with three keys, two of which called, and one request that waits.
struct Scene<'a> {
    orders: Product<'a>,
    asked: Product<'a>,
    first: Application<'a>,
    keys: [Credential; 3],
}

async fn scene(f: &Forecourt) -> Scene<'_> {
    let orders = f.product("Orders").await;
    let asked = f.product_with("Asked", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let first = ada.application("first").await.subscribe(&orders).await;
    let second = ada.application("second").await.subscribe(&orders).await;
    first.request(&asked).await;
    let keys = [first.key("one").await, first.key("two").await, second.key("three").await];
    f.call(&orders, &keys[0]).await.expect(200);
    f.call(&orders, &keys[0]).await.expect(200);
    f.call(&orders, &keys[2]).await.expect(200);
    counted(&ada.api, 3).await;
    Scene { orders, asked, first, keys }
}

#[tokio::test]
async fn each_call_that_takes_something_away_tells_what_it_would_hit_and_changes_nothing() {
    let f = Forecourt::start().await;
    let Scene { orders, asked, first, keys } = scene(&f).await;
    let (admin, owner) = (f.admin().await, first.api.clone());
    let before = picture(&f, &owner).await;
    let subscription = |product: &Product<'_>| {
        let product = product.id.clone();
        let first = &first;
        async move {
            let all = first.subscriptions().await;
            all.iter().find(|one| one["api_product_id"] == product).unwrap()["id"]
                .as_str()
                .unwrap()
                .to_owned()
        }
    };
    let (active, waiting) = (subscription(&orders).await, subscription(&asked).await);

    let of_product = expected(json!({
        "applications": 2, "subscriptions": 2, "opened_services": 1, "callers_24h": 2, "calls_24h": 3,
    }));
    let product = format!("/api/api_products/{}", orders.id);
    let waited_for = format!("/api/api_products/{}", asked.id);
    let of_first = expected(json!({ "applications": 1, "credentials": 2, "callers_24h": 1, "calls_24h": 2 }));
    let of_developer = expected(json!({
        "applications": 2, "subscriptions": 2, "credentials": 3, "approvals": 1, "callers_24h": 2, "calls_24h": 3,
    }));
    let draft = json!({ "status": "draft" });
    let patch = json!([{ "op": "replace", "path": "/status", "value": "draft" }]);
    let suspend = format!("/api/forecourt/applications/{}/suspend", first.id);
    for (method, path, body, told) in [
        (Method::DELETE, product.clone(), None, of_product.clone()),
        (Method::PUT, product.clone(), Some(draft), of_product.clone()),
        (Method::PATCH, product.clone(), Some(patch), of_product),
        (Method::PUT, product, Some(json!({ "desc": "x" })), expected(json!({}))),
        (Method::DELETE, waited_for, None, expected(json!({ "approvals": 1, "opened_services": 1 }))),
        (Method::DELETE, "/api/developers/ada".to_owned(), None, of_developer.clone()),
        (Method::POST, suspend, Some(json!({ "reason": "abuse" })), of_first),
        (
            Method::DELETE,
            format!("/api/subscriptions/{active}"),
            None,
            expected(json!({ "applications": 1, "subscriptions": 1, "callers_24h": 1, "calls_24h": 2 })),
        ),
    ] {
        let answer = admin.send(method.clone(), &format!("{path}?dry_run=true"), body).await;
        assert_eq!(impact(&answer, true), told, "{method} {path}");
    }

    owners(&f, &first, &keys, &waiting, &of_developer).await;

    assert_eq!(picture(&f, &owner).await, before);
    for key in &keys {
        f.call(&orders, key).await.expect(200);
    }
}

/// The previews of the Portal API.
async fn owners(
    f: &Forecourt,
    first: &Application<'_>,
    keys: &[Credential; 3],
    waiting: &str,
    of_developer: &Value,
) {
    let application = format!("/api/applications/{}", first.id);
    let credential = |key: &Credential| format!("{application}/credentials/{}", key.id);
    let regenerate = format!("{}/regenerate", credential(&keys[0]));
    let one_key = expected(json!({ "credentials": 1, "callers_24h": 1, "calls_24h": 2 }));
    for (method, path, body, told) in [
        (
            Method::DELETE,
            application.clone(),
            None,
            expected(json!({
                "applications": 1, "subscriptions": 1, "credentials": 2, "approvals": 1, "callers_24h": 1, "calls_24h": 2,
            })),
        ),
        (Method::DELETE, credential(&keys[0]), None, one_key.clone()),
        (Method::DELETE, credential(&keys[1]), None, expected(json!({ "credentials": 1 }))),
        (Method::PUT, regenerate, Some(json!({ "type": "key-auth" })), one_key),
        (Method::DELETE, format!("/api/subscriptions/{waiting}"), None, expected(json!({ "approvals": 1 }))),
    ] {
        let answer = first.api.send(method.clone(), &format!("{path}?dry_run=true"), body).await;
        assert_eq!(impact(&answer, false), told, "{method} {path}");
    }
    let answer = f.portal_api().await.delete("/api/developers/ada?dry_run=true").await;
    assert_eq!(impact(&answer, false), *of_developer);
}

#[tokio::test]
async fn what_gateways_would_forget_of_a_service_is_counted() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let service = json!({ "name": "lonely", "path_prefix": "/lonely", "upstream": { "nodes": [] } });
    let made = admin.post("/apisix/admin/services?gateway_group_id=default", service).await.expect(200);
    let id = made["value"]["id"].as_str().unwrap().to_owned();
    for name in ["a", "b"] {
        let route = json!({ "name": name, "service_id": id, "paths": [format!("/{name}")] });
        admin.post("/apisix/admin/routes?gateway_group_id=default", route).await.expect(200);
    }
    let path = format!("/apisix/admin/services/{id}");
    let answer = admin.delete(&format!("{path}?dry_run=true")).await;
    assert_eq!(impact(&answer, true), expected(json!({ "gateway_objects": 3 })));
    admin.get(&path).await.expect(200);
    admin.delete(&format!("{path}?dry_run=false")).await.expect(200);
    admin.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_preview_is_refused_where_the_call_itself_would_be() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let application = ada.application("first").await.subscribe(&orders).await;
    let admin = f.admin().await;
    let preview = "dry_run=true";

    admin.delete(&format!("/api/api_products/prd_none?{preview}")).await.expect(404);
    f.guest().delete(&format!("/api/api_products/{}?{preview}", orders.id)).await.expect(401);
    let guessing = f.guest().with_basic("admin", "wrong");
    guessing.delete(&format!("/api/api_products/{}?{preview}", orders.id)).await.expect(401);
    let newest = admin.get("/api/audit_logs?page=1&page_size=1").await.expect(200)["list"][0].clone();
    let told = (&newest["changes"][0]["event"], &newest["http_response"]["status_code"]);
    assert_eq!(
        told,
        (&json!("administrator_sign_in_failed"), &json!(401)),
        "on record as any wrong password"
    );
    bob.api.delete(&format!("/api/applications/{}?{preview}", application.id)).await.expect(404);
    let service = format!("/apisix/admin/services/{}?{preview}", orders.service_id);
    admin.delete(&service).await.refused(400, "linked");
    let suspend = format!("/api/forecourt/applications/{}/suspend", application.id);
    admin.post(&suspend, json!({})).await.expect(200);
    admin.post(&format!("{suspend}?{preview}"), json!({})).await.expect(400);
    let product = format!("/api/api_products/{}?{preview}", orders.id);
    admin.put(&product, json!({ "auth": { "basic-auth": {} } })).await.refused(400, "auth");
}

#[tokio::test]
async fn a_call_without_a_preview_refuses_the_wish_for_one_and_does_nothing() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let portals = || async { admin.get("/api/portals").await.expect(200)["total"].clone() };
    let before = portals().await;
    admin.post("/api/portals?dry_run=true", json!({ "name": "second" })).await.refused(400, "no preview");
    admin.post("/api/portals?dry_run=perhaps", json!({ "name": "second" })).await.refused(400, "dry_run");
    assert_eq!(portals().await, before);
    let owner = f.developer("ada").await.api;
    owner.post("/api/applications?dry_run=true", json!({ "name": "a" })).await.refused(400, "no preview");
    assert_eq!(owner.get("/api/applications").await.expect(200)["total"], 0);
    // Whoever proves nothing is told that first.
    let unknown = f.portal_api_guest();
    unknown.post("/api/applications?dry_run=true", json!({ "name": "a" })).await.refused(401, "unauthorized");
    unknown.delete("/api/applications/app_x?dry_run=perhaps").await.refused(401, "unauthorized");
    // Reading changes nothing, so the word means nothing there; an unknown path stays one.
    admin.get("/api/portals?dry_run=true").await.expect(200);
    admin.delete("/api/nothing/here?dry_run=true").await.expect(404);
}
