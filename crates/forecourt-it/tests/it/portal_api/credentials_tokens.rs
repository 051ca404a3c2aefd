//! Credentials whose calls carry a signed token: made, shown, and accepted at the gateway.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use forecourt_core::{gateway_state::JwtAlgorithm, secrets::PlainSecret};
use forecourt_identity::tokens::signed;
use forecourt_it::{Forecourt, Product, installations::text};
use rcgen::{KeyPair, PKCS_ED25519, SigningKey};
use serde_json::{Value, json};

use super::{credentials::path, members};

async fn product(f: &Forecourt) -> Product<'_> {
    f.product_with("Orders", json!({ "auth": { "jwt-auth": {} } })).await
}

fn token(f: &Forecourt, algorithm: JwtAlgorithm, key: &str, secret: &str, seconds: i64) -> String {
    let ends = f.clock().now().plus_seconds(seconds);
    signed(algorithm, key, &PlainSecret::presented(secret), ends).unwrap().reveal().to_owned()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn a_token_secret_is_shown_once_and_what_it_signs_opens_the_product() {
    let f = Forecourt::start().await;
    let orders = product(&f).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let body = json!({ "type": "jwt-auth", "name": "partner" });
    let made = ada.api.post(&path(&application), body).await.expect(201);
    assert_eq!(members(&made["jwt-auth"]), ["algorithm", "key", "secret"]);
    assert_eq!(made["jwt-auth"]["algorithm"], "HS256");
    let (key, secret) = (text(&made["jwt-auth"]["key"]), text(&made["jwt-auth"]["secret"]));
    assert!(key.starts_with("frt_") && secret.starts_with("frs_") && secret.len() == 68, "{made}");

    let one = format!("{}/{}", path(&application), text(&made["id"]));
    for answer in [ada.api.get(&one).await, ada.api.get("/api/credentials?auth_method=jwt-auth").await] {
        answer.expect(200);
        assert!(!answer.text().contains(&secret) && answer.text().contains(&key), "{answer:?}");
    }

    let call = |token: String| f.gateway().with("authorization", &bearer(&token));
    let good = token(&f, JwtAlgorithm::Hs256, &key, &secret, 600);
    call(good.clone()).get(&orders.path).await.expect(200);
    assert_eq!(f.upstream().last().headers["x-credential-identifier"], text(&made["id"]));
    f.gateway().get(&format!("{}?jwt={good}", orders.path)).await.expect(200);
    for (what, token) in [
        ("another algorithm", token(&f, JwtAlgorithm::Hs512, &key, &secret, 600)),
        ("another secret", token(&f, JwtAlgorithm::Hs256, &key, "frs_other", 600)),
        ("another key", token(&f, JwtAlgorithm::Hs256, "frt_other", &secret, 600)),
        ("ended", token(&f, JwtAlgorithm::Hs256, &key, &secret, -61)),
        ("more than a day ahead", token(&f, JwtAlgorithm::Hs256, &key, &secret, 86_400 + 61)),
    ] {
        let answer = call(token).get(&orders.path).await;
        assert_eq!(answer.status.as_u16(), 401, "{what}: {answer:?}");
    }
    f.advance(Duration::from_secs(661));
    let ended = call(good).get(&orders.path).await;
    assert_eq!(ended.expect(401), json!({ "message": "Authorization Failed" }));
    assert_eq!(ended.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn regenerating_ends_the_tokens_signed_before_and_deleting_ends_them_all() {
    let f = Forecourt::start().await;
    let orders = product(&f).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let body = json!({ "type": "jwt-auth", "name": "partner", "jwt-auth": { "algorithm": "HS512" } });
    let made = ada.api.post(&path(&application), body).await.expect(201);
    let one = format!("{}/{}", path(&application), text(&made["id"]));
    let sign = |shown: &Value| {
        let (key, secret) = (text(&shown["jwt-auth"]["key"]), text(&shown["jwt-auth"]["secret"]));
        bearer(&token(&f, JwtAlgorithm::Hs512, &key, &secret, 600))
    };
    let old = f.gateway().with("authorization", &sign(&made));
    old.get(&orders.path).await.expect(200);
    let again = ada.api.put(&format!("{one}/regenerate"), json!({ "type": "jwt-auth" })).await.expect(200);
    assert_eq!(again["jwt-auth"]["algorithm"], "HS512", "it stays where none is given");
    let new = f.gateway().with("authorization", &sign(&again));
    old.get(&orders.path).await.expect(401);
    new.get(&orders.path).await.expect(200);
    ada.api.delete(&one).await.empty(204);
    new.get(&orders.path).await.expect(401);
}

#[tokio::test]
async fn a_developer_s_own_key_signs_and_its_secret_is_nowhere() {
    let f = Forecourt::start().await;
    let orders = product(&f).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let own = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let asked = json!({ "algorithm": "EdDSA", "public_key": own.public_key_pem() });
    let body = json!({ "type": "jwt-auth", "name": "partner", "jwt-auth": asked });
    let made = ada.api.post(&path(&application), body).await.expect(201);
    assert_eq!(members(&made["jwt-auth"]), ["algorithm", "key", "public_key"]);
    let ends = f.clock().now().seconds() + 600;
    let part = |json: Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let sign = |key: &KeyPair, algorithm: &str| {
        let head = part(json!({ "alg": algorithm, "kid": made["jwt-auth"]["key"] }));
        let text = format!("{head}.{}", part(json!({ "exp": ends })));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).unwrap());
        f.gateway().with("authorization", &bearer(&format!("{text}.{signature}")))
    };
    sign(&own, "EdDSA").get(&orders.path).await.expect(200);
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    sign(&other, "EdDSA").get(&orders.path).await.expect(401);
    sign(&own, "none").get(&orders.path).await.expect(401);
    // The public key is no secret: whoever knows it must not be able to sign with it.
    let confused =
        token(&f, JwtAlgorithm::Hs256, &text(&made["jwt-auth"]["key"]), &own.public_key_pem(), 600);
    f.gateway().with("authorization", &bearer(&confused)).get(&orders.path).await.expect(401);
}

#[tokio::test]
async fn what_cannot_sign_or_verify_a_token_is_refused() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap().public_key_pem();
    for (given, part) in [
        (json!({ "algorithm": "none" }), "jwt-auth.algorithm"),
        (json!({ "algorithm": "hs256" }), "jwt-auth.algorithm"),
        (json!({ "algorithm": 1 }), "jwt-auth.algorithm"),
        (json!({ "algorithm": "RS256" }), "jwt-auth.public_key"),
        (json!({ "algorithm": "RS256", "public_key": ed25519 }), "RSA"),
        (json!({ "algorithm": "ES256", "public_key": "no" }), "PEM"),
        (json!({ "algorithm": "HS256", "public_key": ed25519 }), "jwt-auth.public_key"),
        (json!({ "key": "mine" }), "Forecourt makes"),
        (json!({ "secret": "mine" }), "Forecourt makes"),
        (json!({ "exp": 1 }), "exp"),
        (json!("HS256"), "jwt-auth"),
    ] {
        let body = json!({ "type": "jwt-auth", "name": "t", "jwt-auth": given });
        ada.api.post(&path(&application), body).await.refused(400, part);
    }
    assert_eq!(ada.api.get("/api/credentials").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn each_algorithm_may_be_asked_for_and_regenerating_may_ask_for_another() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let (ecdsa, ed25519) = (
        KeyPair::generate().unwrap().public_key_pem(),
        KeyPair::generate_for(&PKCS_ED25519).unwrap().public_key_pem(),
    );
    let own = |algorithm: &str, pem: &str| json!({ "algorithm": algorithm, "public_key": pem });
    let mut last = String::new();
    for (asked, algorithm, shown) in [
        (Value::Null, "HS256", "secret"),
        (json!({}), "HS256", "secret"),
        (json!({ "algorithm": "HS256" }), "HS256", "secret"),
        (json!({ "algorithm": "HS384" }), "HS384", "secret"),
        (json!({ "algorithm": "HS512" }), "HS512", "secret"),
        (own("ES256", &ecdsa), "ES256", "public_key"),
        (own("EdDSA", &ed25519), "EdDSA", "public_key"),
    ] {
        let body = json!({ "type": "jwt-auth", "name": "t", "jwt-auth": asked });
        let made = ada.api.post(&path(&application), body).await.expect(201);
        let mut wanted = vec!["algorithm", "key", shown];
        wanted.sort_unstable();
        assert_eq!((members(&made["jwt-auth"]), &made["jwt-auth"]["algorithm"]), (wanted, &json!(algorithm)));
        last = format!("{}/{}", path(&application), text(&made["id"]));
        let mut kept = made["jwt-auth"].clone();
        kept.as_object_mut().unwrap().remove("secret");
        assert_eq!(ada.api.get(&last).await.expect(200)["jwt-auth"], kept);
    }
    let regenerate = format!("{last}/regenerate");
    let body = |asked: Value| json!({ "type": "jwt_auth", "jwt_auth": asked });
    let symmetric = ada.api.put(&regenerate, body(json!({ "algorithm": "HS384" }))).await.expect(200);
    assert_eq!(members(&symmetric["jwt-auth"]), ["algorithm", "key", "secret"]);
    let asymmetric = ada.api.put(&regenerate, body(own("ES256", &ecdsa))).await.expect(200);
    assert_eq!(asymmetric["jwt-auth"]["public_key"], ecdsa);
    assert_eq!(ada.api.get(&last).await.expect(200)["jwt-auth"], asymmetric["jwt-auth"]);
    for (wrong, part) in [
        (json!({ "type": "jwt-auth", "jwt-auth": { "algorithm": "ES256" } }), "public_key"),
        (
            json!({ "type": "jwt-auth", "jwt-auth": { "algorithm": "HS256", "secret": "mine" } }),
            "Forecourt makes",
        ),
        (json!({ "type": "jwt-auth", "name": "t" }), "name"),
        (json!({ "type": "key-auth" }), "type"),
    ] {
        ada.api.put(&regenerate, wrong).await.refused(400, part);
    }
}
