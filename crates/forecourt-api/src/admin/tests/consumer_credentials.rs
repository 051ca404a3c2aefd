//! Credentials of consumers.

use serde_json::{Value, json};

use super::{
    roles::Person,
    stage::{START, Stage},
};

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

#[tokio::test]
async fn whoever_may_not_change_a_consumer_is_shown_stars_in_every_answer() {
    let stage = stage_with_ada().await;
    let own = json!({ "plugins": {
        "key-auth": { "key": "planted-1" }, "basic-auth": { "username": "u", "password": "planted-2" },
        "jwt-auth": { "key": "j", "secret": "planted-3" },
    } });
    stage.call("PUT", "/apisix/admin/consumers/ada?gateway_group_id=default", own).await.value();
    let further = json!({ "plugins": { "key-auth": { "key": "planted-4" } } });
    stage.call("PUT", &of("one"), further).await.value();
    let reads = json!([{ "effect": "allow", "resources": ["<.*>"], "actions": ["gateway:GetConsumer"] }]);
    let ann = Person::with(&stage, "ann", reads).await;
    let answers = [
        "/apisix/admin/consumers?gateway_group_id=default".to_owned(),
        "/apisix/admin/consumers/ada".to_owned(),
        LIST.to_owned(),
        of("one"),
    ];
    for path in &answers {
        let masked = ann.call(&stage, "GET", path, Value::Null).await;
        assert!(masked.status == 200 && masked.text.contains("******"), "{path}: {}", masked.text);
        assert!(!masked.text.contains("planted"), "{path}: {}", masked.text);
        assert!(stage.get(path).await.text.contains("planted"), "{path}: declarative tools compare them");
    }
    let shown = ann.call(&stage, "GET", &answers[1], Value::Null).await.value();
    let wanted = json!({
        "key-auth": { "key": "******" }, "basic-auth": { "username": "u", "password": "******" },
        "jwt-auth": { "key": "j", "algorithm": "HS256", "secret": "******" },
    });
    assert_eq!(shown["plugins"], wanted);
}

#[tokio::test]
async fn each_way_wants_its_members_and_no_others() {
    let stage = stage_with_ada().await;
    for (plugins, problem) in [
        (json!({ "key-auth": {} }), "plugins.key-auth.key is required"),
        (json!({ "key-auth": { "key": "" } }), "plugins.key-auth.key is required"),
        (json!({ "key-auth": { "key": 1 } }), "plugins.key-auth.key must be a string"),
        (json!({ "basic-auth": { "password": "p" } }), "plugins.basic-auth.username"),
        (json!({ "basic-auth": { "username": "u" } }), "plugins.basic-auth.password"),
        (json!({ "basic-auth": { "username": "a:b", "password": "p" } }), "plugins.basic-auth.username"),
        (json!({ "jwt-auth": { "secret": "s" } }), "plugins.jwt-auth.key is required"),
        (json!({ "jwt-auth": { "key": "k" } }), "plugins.jwt-auth.secret is required"),
        (
            json!({ "jwt-auth": { "key": "k", "algorithm": "RS256" } }),
            "plugins.jwt-auth.public_key is required",
        ),
        (
            json!({ "jwt-auth": { "key": "k", "algorithm": "none", "secret": "s" } }),
            "plugins.jwt-auth.algorithm",
        ),
        (
            json!({ "jwt-auth": { "key": "k", "secret": "s", "public_key": "p" } }),
            "plugins.jwt-auth.public_key",
        ),
    ] {
        let (status, message) = stage.call("POST", LIST, json!({ "plugins": plugins })).await.refusal();
        assert!(status == 400 && message.starts_with(problem), "{plugins}: {message}");
    }
    let token = json!({ "plugins": { "jwt-auth": { "key": "k", "secret": "s" } } });
    let made = stage.call("POST", LIST, token).await.value();
    assert_eq!(made["plugins"], json!({ "jwt-auth": { "key": "k", "algorithm": "HS256", "secret": "s" } }));
    assert_eq!(stage.get(LIST).await.list().len(), 1);
}
