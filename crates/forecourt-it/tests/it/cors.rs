//! Pages of other origins: `cors` beside a product's credentials, and as a rule for all services of a group.

use forecourt_it::{Answer, Client, Forecourt};
use http::Method;
use serde_json::json;

use crate::services::{admin_path, put_service};

const SHOP: &str = "https://shop.example";

async fn preflight(caller: &Client, path: &str) -> Answer {
    let asking = caller.with("access-control-request-method", "GET");
    asking.with("access-control-request-headers", "apikey").send(Method::OPTIONS, path, None).await
}

fn allowed(answer: &Answer) -> Option<&str> {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_preflight_to_a_product_needs_no_credential_and_a_refusal_can_be_read_by_the_page() {
    let mut f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let service = admin_path(&format!("services/{}", orders.service_id));
    let cors =
        json!({ "allow_origins": SHOP, "allow_methods": "GET", "allow_headers": "apikey", "max_age": 60 });
    f.admin().await.patch(&service, json!({ "plugins": { "cors": cors } })).await.expect(200);
    let ada = f.developer("ada").await;
    let key = ada.application("demo").await.subscribe(&orders).await.key("prod").await;
    let page = f.gateway().with("origin", SHOP);

    for caller in [page.clone(), page.with("apikey", &key.key)] {
        let answer = preflight(&caller, &orders.path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(allowed(&answer), Some(SHOP));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET"));
        assert_eq!(answer.header("access-control-allow-headers"), Some("apikey"));
        assert_eq!(answer.header("access-control-max-age"), Some("60"));
    }
    let stranger = preflight(&f.gateway().with("origin", "https://else.example"), &orders.path).await;
    assert_eq!((stranger.status.as_u16(), allowed(&stranger)), (200, None));
    assert!(f.upstream().arrived().is_empty(), "preflights end at the gateway");

    let refused = page.get(&orders.path).await;
    assert_eq!(refused.expect(401), json!({ "message": "Authorization Failed" }));
    assert_eq!(allowed(&refused), Some(SHOP));
    assert_eq!(refused.header("vary"), Some("Origin"));
    // What is no preflight is a request like others.
    page.send(Method::OPTIONS, &orders.path, None).await.expect(401);
    let passed = page.with("apikey", &key.key).get(&orders.path).await;
    assert_eq!((passed.status.as_u16(), allowed(&passed)), (200, Some(SHOP)), "{passed:?}");

    // A stop writes all counts.
    drop((orders, ada));
    f.restart().await;
    let front_end = f.portal_api().await.with("x-portal-developer-id", "ada");
    let path = "/api/applications/api_calls?start_at=1786000000&end_at=1787000000";
    let list = front_end.get(path).await.expect(200);
    assert_eq!((list["total"].as_u64(), list["list"][0]["api_calls"].as_u64()), (Some(1), Some(1)), "{list}");
}

#[tokio::test]
async fn a_global_rule_holds_for_every_service_until_a_service_says_otherwise_or_it_is_deleted() {
    let f = Forecourt::start().await;
    put_service(&f, "plain", json!({})).await;
    let own = json!({ "cors": { "allow_origins": "https://own.example" } });
    put_service(&f, "own", json!({ "plugins": own })).await;
    let page = f.gateway().with("origin", SHOP);
    let origin = async |path: &str| {
        let answer = page.get(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        allowed(&answer).map(str::to_owned)
    };
    assert_eq!(origin("/plain/a").await, None);
    let rule = admin_path("global_rules/all");
    f.admin().await.put(&rule, json!({ "plugins": { "cors": { "allow_origins": SHOP } } })).await.expect(200);
    assert_eq!(origin("/plain/a").await.as_deref(), Some(SHOP));
    assert_eq!(origin("/own/a").await, None, "the service's own takes its place");
    assert_eq!(preflight(&page, "/plain/a").await.status, 200);
    f.admin().await.put(&rule, json!({ "plugins": { "cors": {} } })).await.expect(200);
    assert_eq!(origin("/plain/a").await.as_deref(), Some("*"));
    f.admin().await.put(&rule, json!({ "plugins": { "key-auth": {} } })).await.expect(200);
    let refused = page.get("/plain/a").await;
    assert_eq!(refused.expect(401), json!({ "message": "Missing API key in request" }));
    f.admin().await.delete(&rule).await.expect(200);
    assert_eq!(origin("/plain/a").await, None);
}
