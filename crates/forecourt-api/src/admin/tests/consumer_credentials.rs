//! Credentials of consumers.

use serde_json::{Value, json};

use super::stage::{START, Stage};

const LIST: &str = "/apisix/admin/consumers/ada/credentials?gateway_group_id=default";

fn of(id: &str) -> String {
    format!("/apisix/admin/consumers/ada/credentials/{id}?gateway_group_id=default")
}

async fn stage_with_ada() -> Stage {
    let stage = Stage::start().await;
    stage.call("PUT", "/apisix/admin/consumers/ada?gateway_group_id=default", json!({})).await.value();
    stage.later(10);
    stage
}

#[tokio::test]
async fn a_credential_is_made_read_replaced_patched_and_deleted() {
    let stage = stage_with_ada().await;
    let given =
        json!({ "name": "first", "labels": { "a": "b" }, "plugins": { "key_auth": { "key": "k-1" } } });
    let made = stage.call("POST", LIST, given).await.value();
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("ccr_"), "{id}");
    let expected = json!({
        "id": id, "name": "first", "labels": { "a": "b" }, "plugins": { "key-auth": { "key": "k-1" } },
        "created_at": START + 10, "updated_at": START + 10,
    });
    assert_eq!(made, expected);
    assert_eq!(stage.get(&of(id)).await.value(), expected);
    let without_group = format!("/apisix/admin/consumers/ada/credentials/{id}");
    assert_eq!(stage.get(&without_group).await.value(), expected);
    let basic = json!({ "plugins": { "basic-auth": { "username": "u", "password": "p" } } });
    let put = stage.call("PUT", &of("mine"), basic).await.value();
    assert_eq!((&put["id"], put.get("name")), (&json!("mine"), None));
    assert_eq!(stage.get(LIST).await.list().len(), 2);
    assert_eq!(stage.get(&format!("{LIST}&search=FIRST")).await.names(), ["first"]);
    assert_eq!(stage.get(&format!("{LIST}&labels[a]=c")).await.list().len(), 0);
    let patch = json!([
        { "op": "replace", "path": "/name", "value": "second" },
        { "op": "replace", "path": "/plugins/basic-auth/password", "value": "q" },
    ]);
    let patched = stage.call("PATCH", &of("mine"), patch).await.value();
    assert_eq!(patched["plugins"]["basic-auth"], json!({ "username": "u", "password": "q" }));
    assert_eq!(patched["name"], "second");
    assert_eq!(stage.call("PATCH", &of("mine"), json!({ "id": "x" })).await.refusal().0, 400);
    assert_eq!(stage.call("DELETE", &of("mine"), Value::Null).await.value(), json!({ "id": "mine" }));
    assert_eq!(stage.get(&of("mine")).await.refusal().0, 404);
    let again = json!({ "plugins": { "basic-auth": { "username": "u", "password": "p" } } });
    stage.call("PUT", &of("other"), again).await.value();
}

#[tokio::test]
async fn a_credential_holds_exactly_one_way_and_needs_its_consumer() {
    let stage = stage_with_ada().await;
    let key = json!({ "key-auth": { "key": "k" } });
    for (plugins, problem) in [
        (Value::Null, "plugins must hold exactly one of key-auth, basic-auth, jwt-auth"),
        (json!({}), "plugins must hold exactly one"),
        (json!({ "key-auth": { "key": "k" }, "jwt-auth": { "key": "k", "secret": "s" } }), "exactly one"),
        (json!({ "cors": {} }), "plugins must hold exactly one"),
        (json!({ "limit-req": {} }), "unknown plugin limit-req"),
        (json!({ "key-auth": { "key": "******" } }), "none is kept here"),
    ] {
        let (status, message) = stage.call("POST", LIST, json!({ "plugins": plugins })).await.refusal();
        assert!(status == 400 && message.contains(problem), "{plugins}: {message}");
    }
    let of_nobody = "/apisix/admin/consumers/bob/credentials?gateway_group_id=default";
    assert_eq!(stage.get(of_nobody).await.refusal().0, 404);
    assert_eq!(stage.call("POST", of_nobody, json!({ "plugins": key })).await.refusal().0, 404);
    let groupless = "/apisix/admin/consumers/ada/credentials";
    assert_eq!(stage.get(groupless).await.refusal(), (400, "gateway_group_id is required".into()));
    assert_eq!(
        stage.call("PUT", &format!("{groupless}/c"), json!({ "plugins": key })).await.refusal().0,
        400
    );
}

#[tokio::test]
async fn credentials_stay_when_their_consumer_is_replaced_and_end_with_it() {
    let stage = stage_with_ada().await;
    let key = json!({ "plugins": { "key-auth": { "key": "k" } } });
    stage.call("PUT", &of("one"), key.clone()).await.value();
    let ada = "/apisix/admin/consumers/ada?gateway_group_id=default";
    stage.call("PUT", ada, json!({ "desc": "new" })).await.value();
    assert_eq!(stage.get(LIST).await.list().len(), 1);
    stage.call("DELETE", ada, Value::Null).await.value();
    assert_eq!(stage.get(LIST).await.refusal().0, 404);
    stage.call("PUT", ada, json!({})).await.value();
    assert!(stage.get(LIST).await.list().is_empty());
    stage.call("PUT", &of("two"), key).await.value();
}
