//! Credentials made, read and listed (portal-api.md §5.1–§5.3); `credentials_changes.rs` tells the rest.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt_core::secrets::is_api_key;
use forecourt_it::{Application, Client, Forecourt, Product, installations::text};
use serde_json::{Value, json};

use super::{is_time, listed, members};

pub(super) fn path(application: &Application<'_>) -> String {
    format!("/api/applications/{}/credentials", application.id)
}

/// A client of the gateway with user name and password.
pub(super) fn caller(f: &Forecourt, username: &str, password: &str) -> Client {
    f.gateway().with("authorization", &format!("bAsIc {}", STANDARD.encode(format!("{username}:{password}"))))
}

pub(super) fn basic(name: &str, username: &str, password: &str) -> Value {
    json!({ "type": "basic-auth", "name": name, "basic-auth": { "username": username, "password": password } })
}

pub(super) async fn product_with_basic(f: &Forecourt) -> Product<'_> {
    f.product_with("Orders", json!({ "auth": { "key-auth": {}, "basic-auth": {} } })).await
}

#[tokio::test]
async fn a_key_is_shown_in_the_answer_that_makes_it_and_never_again() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("mobile app").await;
    let body = json!({ "type": "key-auth", "name": "prod", "desc": "text", "labels": { "env": "prod" } });
    let answer = ada.api.post(&path(&application), body).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("x-forecourt-revision").is_some(), "{answer:?}");
    let made = answer.expect(201);
    let key = text(&made["key-auth"]["key"]);
    assert!(is_api_key(&key), "{key}");
    assert_eq!(members(&made["key-auth"]), ["key"]);
    for (member, value) in [
        ("type", json!("key-auth")),
        ("name", json!("prod")),
        ("desc", json!("text")),
        ("labels", json!({ "env": "prod" })),
        ("application_id", json!(application.id)),
        ("application_name", json!("mobile app")),
    ] {
        assert_eq!(made[member], value, "{member}");
    }
    assert!(is_time(&made["created_at"]) && is_time(&made["updated_at"]), "{made}");
    let one = format!("{}/{}", path(&application), text(&made["id"]));
    let mut expected = made.clone();
    expected["key-auth"] = json!({});
    assert_eq!(ada.api.get(&one).await.expect(200), expected);
    for list in [path(&application), "/api/credentials".to_owned()] {
        let answer = ada.api.get(&list).await;
        assert_eq!(answer.expect(200), json!({ "list": [expected], "total": 1 }));
        assert!(!answer.text().contains(&key));
    }
    let put = ada.api.put(&one, json!({ "type": "key-auth", "name": "prod" })).await;
    assert_eq!(put.expect(200)["key-auth"], json!({}));
}

#[tokio::test]
async fn every_key_is_another_and_is_recognised_offline_by_its_checksum() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let mut keys = Vec::new();
    for _ in 0..4 {
        keys.push(application.key("same name").await.key);
    }
    for key in &keys {
        assert!(key.starts_with("frc_") && key.len() == 42, "{key}");
        assert!(key[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{key}");
        assert!(is_api_key(key), "{key}");
        let other = if key.ends_with('A') { "B" } else { "A" };
        assert!(!is_api_key(&format!("{}{other}", &key[..41])), "a changed key is recognised as none");
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
}

#[tokio::test]
async fn a_key_chosen_by_the_caller_is_refused_and_an_empty_or_absent_object_is_none() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let with = |member: &str, value: Value| {
        let mut body = json!({ "type": "key-auth", "name": "k" });
        body[member] = value;
        body
    };
    for member in ["key-auth", "key_auth"] {
        for chosen in [json!({ "key": "mine" }), json!({ "key": "" }), json!({ "other": 1 })] {
            ada.api.post(&path(&application), with(member, chosen)).await.refused(400, "key-auth");
        }
        for none in [json!({}), Value::Null, json!({ "key": null })] {
            ada.api.post(&path(&application), with(member, none)).await.expect(201);
        }
    }
    let mut both = with("key-auth", json!({}));
    both["key_auth"] = json!({});
    ada.api.post(&path(&application), both).await.refused(400, "key_auth");
    let alias =
        ada.api.post(&path(&application), json!({ "type": "key_auth", "name": "k" })).await.expect(201);
    assert_eq!(alias["type"], "key-auth", "answers use hyphens");
}

#[tokio::test]
async fn a_password_is_shown_in_the_answer_that_takes_it_and_the_user_name_in_every_one() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let made = ada.api.post(&path(&application), basic("b", "batch", "s3cr€t: ")).await.expect(201);
    assert_eq!(made["basic-auth"], json!({ "username": "batch", "password": "s3cr€t: " }));
    let one = format!("{}/{}", path(&application), text(&made["id"]));
    for answer in [ada.api.get(&one).await, ada.api.get("/api/credentials").await] {
        answer.expect(200);
        assert!(!answer.text().contains("s3cr"), "{answer:?}");
        assert!(answer.text().contains(r#""basic-auth":{"username":"batch"}"#), "{answer:?}");
    }
}

#[tokio::test]
async fn user_name_and_password_must_be_there_whole_and_alone() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    for (given, part) in [
        (Value::Null, "basic-auth"),
        (json!({}), "basic-auth.username"),
        (json!({ "username": "u" }), "basic-auth.password"),
        (json!({ "password": "p" }), "basic-auth.username"),
        (json!({ "username": "", "password": "p" }), "basic-auth.username"),
        (json!({ "username": "u", "password": "" }), "basic-auth.password"),
        (json!({ "username": "a:b", "password": "p" }), "basic-auth.username"),
        (json!({ "username": "a\nb", "password": "p" }), "basic-auth.username"),
        (json!({ "username": "a\u{7f}", "password": "p" }), "basic-auth.username"),
        (json!({ "username": 1, "password": "p" }), "basic-auth.username"),
        (json!({ "username": "u", "password": 1 }), "basic-auth.password"),
        (json!({ "username": "u", "password": "p", "realm": "x" }), "realm"),
        (json!("u:p"), "basic-auth"),
    ] {
        let body = json!({ "type": "basic-auth", "name": "b", "basic-auth": given });
        ada.api.post(&path(&application), body).await.refused(400, part);
    }
    let mut both = basic("b", "u", "p");
    both["basic_auth"] = json!({ "username": "u", "password": "p" });
    ada.api.post(&path(&application), both).await.refused(400, "basic_auth");
    let alias =
        json!({ "type": "basic_auth", "name": "b", "basic_auth": { "username": "u", "password": "p" } });
    let made = ada.api.post(&path(&application), alias).await.expect(201);
    assert_eq!((&made["type"], &made["basic-auth"]["username"]), (&json!("basic-auth"), &json!("u")));
    assert!(made.get("basic_auth").is_none());
}

#[tokio::test]
async fn a_credential_wants_a_known_type_and_a_name() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    for body in [
        json!({}),
        json!({ "name": "k" }),
        json!({ "type": "", "name": "k" }),
        json!({ "type": null, "name": "k" }),
        json!({ "type": "hmac-auth", "name": "k" }),
        json!({ "type": "key-auth ", "name": "k" }),
    ] {
        ada.api.post(&path(&application), body).await.refused(400, "type");
    }
    for name in [Value::Null, json!(""), json!("  "), json!("x".repeat(101))] {
        let body = json!({ "type": "key-auth", "name": name });
        ada.api.post(&path(&application), body).await.refused(400, "name");
    }
    let oauth = json!({ "type": "oauth", "oauth": { "dcr_provider_id": "dcr_unknown" } });
    ada.api.post(&path(&application), oauth).await.refused(400, "dcr_provider_id");
    assert_eq!(ada.api.get("/api/credentials").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn user_names_and_whole_pairs_may_repeat_and_the_gateway_matches_both_parts() {
    let f = Forecourt::start().await;
    let orders = product_with_basic(&f).await;
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let first = ada.application("first").await.subscribe(&orders).await;
    let second = bob.application("second").await.subscribe(&orders).await;
    let unsubscribed = ada.application("unsubscribed").await;
    ada.api.post(&path(&unsubscribed), basic("b", "batch", "two")).await.expect(201);
    ada.api.post(&path(&first), basic("b", "batch", "one")).await.expect(201);
    bob.api.post(&path(&second), basic("b", "batch", "two")).await.expect(201);
    bob.api.post(&path(&second), basic("b", "batch", "two")).await.expect(201);

    caller(&f, "batch", "one").get(&orders.path).await.expect(200);
    assert_eq!(f.upstream().last().headers["x-consumer-username"], first.id.as_str());
    caller(&f, "batch", "two").get(&orders.path).await.expect(200);
    assert_eq!(
        f.upstream().last().headers["x-consumer-username"],
        second.id.as_str(),
        "the oldest that is subscribed is who calls"
    );
    for (username, password) in
        [("batch", "three"), ("batch", ""), ("Batch", "one"), ("batch ", "one"), ("", "one")]
    {
        caller(&f, username, password).get(&orders.path).await.expect(401);
    }
}

#[tokio::test]
async fn credentials_are_listed_by_type_application_and_text() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let (one, two) = (ada.application("one").await, ada.application("two").await);
    let body = json!({ "type": "key-auth", "name": "Alpha", "desc": "for CI", "labels": { "env": "prod" } });
    ada.api.post(&path(&one), body).await.expect(201);
    f.advance(Duration::from_millis(3));
    ada.api.post(&path(&one), basic("beta", "batch", "p")).await.expect(201);
    f.advance(Duration::from_millis(3));
    two.key("gamma").await;
    let everywhere = async |query: &str| listed(&ada.api, &format!("/api/credentials?{query}"), "name").await;
    let of_one = async |query: &str| listed(&ada.api, &format!("{}?{query}", path(&one)), "name").await;
    assert_eq!(everywhere("").await, ["gamma", "beta", "Alpha"]);
    assert_eq!(of_one("").await, ["beta", "Alpha"]);
    assert_eq!(everywhere("order_by=created_at&direction=asc").await, ["Alpha", "beta", "gamma"]);
    assert_eq!(everywhere("order_by=name&direction=asc").await, ["Alpha", "beta", "gamma"]);
    for parameter in ["auth_method", "plugin_name"] {
        for spelling in ["key-auth", "key_auth"] {
            assert_eq!(everywhere(&format!("{parameter}={spelling}")).await, ["gamma", "Alpha"]);
            assert_eq!(of_one(&format!("{parameter}={spelling}")).await, ["Alpha"]);
        }
        assert_eq!(everywhere(&format!("{parameter}=basic_auth")).await, ["beta"]);
        assert!(everywhere(&format!("{parameter}=oauth")).await.is_empty());
        assert_eq!(everywhere(&format!("{parameter}=")).await.len(), 3);
        for unknown in ["KEY-AUTH", "hmac", "key-auth,basic-auth"] {
            let path = format!("/api/credentials?{parameter}={unknown}");
            ada.api.get(&path).await.refused(400, parameter);
        }
    }
    for (search, names) in
        [("ALPHA", ["Alpha"].as_slice()), ("ci", &["Alpha"]), ("env", &["Alpha"]), ("batch", &[])]
    {
        assert_eq!(everywhere(&format!("search={search}")).await, names, "{search}");
    }
    assert_eq!(everywhere(&format!("application_id={}", two.id)).await, ["gamma"]);
    assert_eq!(everywhere(&format!("application_id={}&application_id={}", one.id, two.id)).await.len(), 3);
    // The path names the application; the parameter is none of this list's.
    assert_eq!(of_one(&format!("application_id={}", two.id)).await.len(), 2);
}
