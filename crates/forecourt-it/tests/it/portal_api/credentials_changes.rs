//! Credentials renamed, regenerated and deleted (portal-api.md §5.4 and §5.5).

use std::time::Duration;

use forecourt_it::{Credential, Forecourt, installations::text};
use serde_json::{Value, json};

use super::{
    credentials::{basic, caller, path, product_with_basic},
    listed, members,
};

#[tokio::test]
async fn an_update_replaces_name_description_and_labels_and_leaves_the_secret_alone() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let body = json!({ "type": "key-auth", "name": "one", "desc": "text", "labels": { "env": "prod" } });
    let made = ada.api.post(&path(&application), body).await.expect(201);
    let key = Credential { id: text(&made["id"]), key: text(&made["key-auth"]["key"]) };
    let one = format!("{}/{}", path(&application), key.id);
    f.advance(Duration::from_millis(5));
    let put = ada.api.put(&one, json!({ "type": "key_auth", "name": "two" })).await.expect(200);
    assert_eq!((&put["name"], &put["labels"], &put["key-auth"]), (&json!("two"), &json!({}), &json!({})));
    assert!(!members(&put).contains(&"desc"), "{put}");
    assert_eq!(put["created_at"], made["created_at"]);
    assert!(text(&put["updated_at"]) > text(&made["updated_at"]));
    assert_eq!(ada.api.get(&one).await.expect(200), put);
    f.call(&orders, &key).await.expect(200);
}

#[tokio::test]
async fn an_update_that_names_a_secret_another_type_or_an_unknown_member_is_refused() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let key = format!("{}/{}", path(&application), application.key("k").await.id);
    let made = ada.api.post(&path(&application), basic("b", "batch", "p")).await.expect(201);
    let password = format!("{}/{}", path(&application), text(&made["id"]));
    for (one, body, part) in [
        (&key, json!({ "name": "x" }), "type"),
        (&key, json!({ "type": "basic-auth", "name": "x" }), "type"),
        (&key, json!({ "type": "oauth", "name": "x" }), ""),
        (&key, json!({ "type": "key-auth" }), "name"),
        (&key, json!({ "type": "key-auth", "name": "x", "key-auth": { "key": "mine" } }), "key-auth"),
        (&key, json!({ "type": "key-auth", "name": "x", "key_auth": {} }), "key-auth"),
        (&key, json!({ "type": "key-auth", "name": "x", "application_id": "app_1" }), "application_id"),
        (&password, json!({ "type": "key-auth", "name": "x" }), "type"),
        (&password, basic("x", "batch", "q"), "basic-auth"),
        (&password, json!({ "type": "basic-auth", "name": "x", "username": "y" }), "username"),
    ] {
        ada.api.put(one, body).await.refused(400, part);
    }
    assert_eq!(listed(&ada.api, "/api/credentials?order_by=name&direction=asc", "name").await, ["b", "k"]);
    ada.api.put(&key, json!({ "type": "key-auth", "name": "x", "key-auth": null })).await.expect(200);
    ada.api.patch(&key, json!([])).await.refused(405, "method not allowed");
}

#[tokio::test]
async fn a_regenerated_key_is_dead_at_once_and_the_credential_keeps_id_name_and_labels() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let body = json!({ "type": "key-auth", "name": "prod", "desc": "text", "labels": { "env": "prod" } });
    let made = ada.api.post(&path(&application), body).await.expect(201);
    let mut key = Credential { id: text(&made["id"]), key: text(&made["key-auth"]["key"]) };
    let regenerate = format!("{}/{}/regenerate", path(&application), key.id);
    for body in [
        json!({ "type": "key-auth" }),
        json!({ "type": "key_auth", "key_auth": {} }),
        json!({ "type": "key-auth", "key-auth": null }),
    ] {
        f.call(&orders, &key).await.expect(200);
        f.advance(Duration::from_millis(5));
        let answer = ada.api.put(&regenerate, body).await;
        assert!(answer.header("x-forecourt-revision").is_some(), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let new = answer.expect(200);
        for kept in ["id", "name", "desc", "labels", "type", "application_id", "created_at"] {
            assert_eq!(new[kept], made[kept], "{kept}");
        }
        assert!(text(&new["updated_at"]) > text(&made["updated_at"]));
        f.call(&orders, &key).await.expect(401);
        key.key = text(&new["key-auth"]["key"]);
    }
    f.call(&orders, &key).await.expect(200);
}

#[tokio::test]
async fn regenerating_replaces_user_name_and_password_together() {
    let f = Forecourt::start().await;
    let orders = product_with_basic(&f).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let made = ada.api.post(&path(&application), basic("b", "old", "one")).await.expect(201);
    let regenerate = format!("{}/{}/regenerate", path(&application), text(&made["id"]));
    caller(&f, "old", "one").get(&orders.path).await.expect(200);
    let body = json!({ "type": "basic-auth", "basic-auth": { "username": "new", "password": "two" } });
    let new = ada.api.put(&regenerate, body).await.expect(200);
    assert_eq!(new["basic-auth"], json!({ "username": "new", "password": "two" }));
    assert_eq!((&new["id"], &new["name"]), (&made["id"], &made["name"]));
    for (username, password, status) in
        [("old", "one", 401), ("new", "one", 401), ("old", "two", 401), ("new", "two", 200)]
    {
        caller(&f, username, password).get(&orders.path).await.expect(status);
    }
}

#[tokio::test]
async fn a_regeneration_that_says_too_much_too_little_or_another_type_changes_nothing() {
    let f = Forecourt::start().await;
    let orders = product_with_basic(&f).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("k").await;
    let made = ada.api.post(&path(&application), basic("b", "batch", "p")).await.expect(201);
    let of_key = format!("{}/{}/regenerate", path(&application), key.id);
    let of_password = format!("{}/{}/regenerate", path(&application), text(&made["id"]));
    let pair = json!({ "username": "u", "password": "q" });
    for (one, body) in [
        (&of_key, json!({})),
        (&of_key, json!({ "type": "basic-auth", "basic-auth": pair })),
        (&of_key, json!({ "type": "oauth" })),
        (&of_key, json!({ "type": "nothing" })),
        (&of_key, json!({ "type": "key-auth", "key-auth": { "key": "mine" } })),
        (&of_key, json!({ "type": "key-auth", "name": "k" })),
        (&of_key, json!({ "type": "key-auth", "basic-auth": pair })),
        (&of_password, json!({ "type": "key-auth" })),
        (&of_password, json!({ "type": "basic-auth" })),
        (&of_password, json!({ "type": "basic-auth", "basic-auth": {} })),
        (&of_password, json!({ "type": "basic-auth", "basic-auth": { "username": "u" } })),
        (&of_password, json!({ "type": "basic-auth", "basic-auth": { "username": "a:b", "password": "q" } })),
        (&of_password, json!({ "type": "basic-auth", "basic-auth": pair, "labels": {} })),
    ] {
        ada.api.put(one, body).await.refused(400, "");
    }
    f.call(&orders, &key).await.expect(200);
    caller(&f, "batch", "p").get(&orders.path).await.expect(200);
}

#[tokio::test]
async fn a_credential_is_not_found_under_another_application() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let (one, two) = (ada.application("one").await, ada.application("two").await);
    let key = one.key("k").await;
    let astray = format!("{}/{}", path(&two), key.id);
    let nobody = format!("{}/crd_unknown", path(&one));
    for path in [astray, nobody] {
        ada.api.get(&path).await.refused(404, "resource not found");
        ada.api.put(&path, json!({ "type": 7 })).await.refused(404, "resource not found");
        ada.api
            .put(&format!("{path}/regenerate"), json!({ "type": 7 }))
            .await
            .refused(404, "resource not found");
        ada.api.delete(&path).await.refused(404, "resource not found");
    }
    assert_eq!(ada.api.get("/api/credentials").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_deleted_credential_is_refused_at_once_and_its_neighbours_go_on() {
    let f = Forecourt::start().await;
    let orders = product_with_basic(&f).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let (doomed, kept) = (application.key("k").await, application.key("k").await);
    let made = ada.api.post(&path(&application), basic("b", "batch", "p")).await.expect(201);
    caller(&f, "batch", "p").get(&orders.path).await.expect(200);
    let gone = ada.api.delete(&format!("{}/{}", path(&application), doomed.id)).await;
    gone.empty(204);
    assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
    f.call(&orders, &doomed).await.expect(401);
    f.call(&orders, &kept).await.expect(200);
    ada.api.delete(&format!("{}/{}", path(&application), text(&made["id"]))).await.empty(204);
    caller(&f, "batch", "p").get(&orders.path).await.expect(401);
    assert_eq!(ada.api.get("/api/credentials").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_wrong_credential_of_one_method_does_not_spoil_a_right_one_of_another_and_refusals_look_alike() {
    let f = Forecourt::start().await;
    let orders = product_with_basic(&f).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("k").await;
    let unsubscribed = ada.application("other").await.key("k").await;
    caller(&f, "nobody", "p").with("apikey", &key.key).get(&orders.path).await.expect(200);
    f.gateway().get(&format!("{}?apikey={}", orders.path, key.key)).await.expect(200);
    // The header wins, unless it is empty.
    let asked = format!("{}?apikey={}", orders.path, key.key);
    f.gateway().with("apikey", "").get(&asked).await.expect(200);
    let refusals: Vec<Value> = vec![
        f.gateway().with("apikey", "wrong").get(&asked).await.expect(401),
        f.gateway().get(&orders.path).await.expect(401),
        f.call(&orders, &unsubscribed).await.expect(401),
        caller(&f, "nobody", "p").get(&orders.path).await.expect(401),
    ];
    for refusal in refusals {
        assert_eq!(refusal, json!({ "message": "Authorization Failed" }));
    }
}
