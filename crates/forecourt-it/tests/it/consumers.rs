//! Consumers, whom administrators manage: what they show opens the services that ask for it, and nothing else.

use forecourt_core::{gateway_state::JwtAlgorithm, secrets::PlainSecret};
use forecourt_identity::tokens::signed;
use forecourt_it::{Answer, Forecourt};
use serde_json::{Value, json};

use crate::services::{admin_path, put_consumer, put_credential, put_route, put_service};

/// Checks a refusal: its status, the whole body, and all challenges.
#[track_caller]
fn refused(answer: &Answer, message: &str, challenges: &[&str]) {
    assert_eq!(answer.expect(401), json!({ "message": message }));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let told: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(told, challenges, "{answer:?}");
}

fn identity(f: &Forecourt) -> [Option<String>; 3] {
    let headers = f.upstream().last().headers;
    ["x-consumer-username", "x-credential-identifier", "x-consumer-custom-id"]
        .map(|name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()))
}

fn known(identity: [Option<&str>; 3]) -> [Option<String>; 3] {
    identity.map(|part| part.map(str::to_owned))
}

#[tokio::test]
async fn a_consumer_s_key_opens_the_service_and_the_upstream_hears_whose_it_is() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({ "plugins": { "key-auth": { "hide_credentials": true } } })).await;
    put_consumer(&f, "ada", json!({ "labels": { "custom_id": "crm-7" } })).await;
    put_credential(&f, "ada", "one", json!({ "key-auth": { "key": "ada-key" } })).await;
    put_consumer(&f, "bob", json!({ "plugins": { "key-auth": { "key": "bob-key" } } })).await;

    let challenge = ["apikey realm=\"key\""];
    refused(&f.gateway().get("/shop/a").await, "Missing API key in request", &challenge);
    let wrong = f.gateway().with("apikey", "other");
    refused(&wrong.get("/shop/a").await, "Invalid API key in request", &challenge);
    refused(&wrong.get("/shop/a?apikey=ada-key").await, "Invalid API key in request", &challenge);
    assert!(f.upstream().arrived().is_empty());

    let forged = f.gateway().with("x-consumer-username", "root").with("x-consumer-custom-id", "root");
    forged.with("apikey", "ada-key").get("/shop/a?apikey=ada-key&b=1").await.expect(200);
    assert_eq!(identity(&f), known([Some("ada"), Some("one"), Some("crm-7")]));
    let arrived = f.upstream().last();
    assert_eq!(arrived.target, "/a?b=1");
    assert!(!arrived.headers.contains_key("apikey"));
    forged.get("/shop/a?apikey=bob-key").await.expect(200);
    assert_eq!(identity(&f), known([Some("bob"), None, None]), "what lies in a consumer has no id");
}

#[tokio::test]
async fn a_consumer_s_password_opens_the_service_and_each_way_to_be_wrong_has_its_message() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({ "plugins": { "basic-auth": {} } })).await;
    put_consumer(&f, "ada", json!({})).await;
    let basic = json!({ "basic-auth": { "username": "ada-login", "password": "pass:word" } });
    put_credential(&f, "ada", "two", basic).await;

    let challenge = ["Basic realm=\"basic\""];
    let guest = f.gateway();
    refused(&guest.get("/shop/a").await, "Missing authorization in request", &challenge);
    let malformed = guest.with("authorization", "Basic !");
    refused(&malformed.get("/shop/a").await, "Invalid authorization in request", &challenge);
    for (name, password) in [("ada-login", "other"), ("ada", "pass:word"), ("ada-login", "pass")] {
        let answer = guest.with_basic(name, password).get("/shop/a").await;
        refused(&answer, "Invalid user authorization", &challenge);
    }
    let ada = guest.with_basic("ada-login", "pass:word");
    ada.get("/shop/a").await.expect(200);
    assert_eq!(identity(&f), known([Some("ada"), Some("two"), None]));
    assert!(f.upstream().last().headers.contains_key("authorization"), "it is hidden on demand alone");

    // A new password holds on the next call, and the old one is no more.
    let basic = json!({ "basic-auth": { "username": "ada-login", "password": "newer" } });
    put_credential(&f, "ada", "two", basic).await;
    refused(&ada.get("/shop/a").await, "Invalid user authorization", &challenge);
    guest.with_basic("ada-login", "newer").get("/shop/a").await.expect(200);
}

#[tokio::test]
async fn a_consumer_s_token_opens_the_service_from_header_query_and_cookie() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({ "plugins": { "jwt-auth": {} } })).await;
    put_consumer(&f, "ada", json!({})).await;
    let secret = "a secret of thirty-two bytes, and more";
    put_credential(&f, "ada", "three", json!({ "jwt-auth": { "key": "ada-token", "secret": secret } })).await;
    let token = |algorithm, secret: &str, seconds| {
        let ends = f.clock().now().plus_seconds(seconds);
        signed(algorithm, "ada-token", &PlainSecret::presented(secret), ends).unwrap().reveal().to_owned()
    };

    let challenge = ["Bearer"];
    refused(&f.gateway().get("/shop/a").await, "Missing JWT token in request", &challenge);
    for wrong in [
        token(JwtAlgorithm::Hs512, secret, 600),
        token(JwtAlgorithm::Hs256, "another secret", 600),
        token(JwtAlgorithm::Hs256, secret, -61),
        "no.token.atall".to_owned(),
    ] {
        refused(&f.gateway().with_bearer(&wrong).get("/shop/a").await, "JWT token invalid", &challenge);
    }
    let good = token(JwtAlgorithm::Hs256, secret, 600);
    f.gateway().with_bearer(&good).get("/shop/a").await.expect(200);
    assert_eq!(identity(&f), known([Some("ada"), Some("three"), None]));
    f.gateway().get(&format!("/shop/a?jwt={good}")).await.expect(200);
    f.gateway().with("cookie", &format!("a=b; jwt={good}")).get("/shop/a").await.expect(200);
}

#[tokio::test]
async fn what_is_deleted_opens_nothing_on_the_next_call_and_may_be_given_again() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({ "plugins": { "key-auth": {} } })).await;
    let invalid = async |key: &str| {
        let answer = f.gateway().with("apikey", key).get("/shop/a").await;
        refused(&answer, "Invalid API key in request", &["apikey realm=\"key\""]);
    };
    let passes = async |key: &str| f.gateway().with("apikey", key).get("/shop/a").await.expect(200);
    put_consumer(&f, "ada", json!({ "plugins": { "key-auth": { "key": "own-key" } } })).await;
    for (id, key) in [("one", "key-1"), ("two", "key-2")] {
        // Refused before it exists, which must not be remembered.
        invalid(key).await;
        put_credential(&f, "ada", id, json!({ "key-auth": { "key": key } })).await;
        passes(key).await;
    }
    f.admin().await.delete(&admin_path("consumers/ada/credentials/one")).await.expect(200);
    invalid("key-1").await;
    passes("key-2").await;
    passes("own-key").await;
    f.admin().await.delete(&admin_path("consumers/ada")).await.expect(200);
    invalid("key-2").await;
    invalid("own-key").await;
    put_consumer(&f, "bob", json!({ "plugins": { "key-auth": { "key": "key-2" } } })).await;
    passes("key-2").await;
    assert_eq!(identity(&f)[0].as_deref(), Some("bob"));
}

#[tokio::test]
async fn a_restriction_says_which_consumers_may_pass_and_a_route_s_own_takes_its_place() {
    let f = Forecourt::start().await;
    let restriction = json!({
        "whitelist": ["ada", "eve"], "blacklist": ["eve"],
        "allowed_by_methods": [{ "user": "ada", "methods": ["POST"] }],
    });
    let plugins = |restriction: Value| json!({ "key-auth": {}, "consumer-restriction": restriction });
    put_service(&f, "shop", json!({ "plugins": plugins(restriction) })).await;
    let own = json!({ "blacklist": ["ada"], "rejected_code": 409, "rejected_msg": "not you" });
    let route = json!({ "paths": ["/own"], "plugins": { "consumer-restriction": own } });
    put_route(&f, "shop", "own", route).await;
    let methods = json!([{ "user": "bob", "methods": ["POST"] }]);
    let route = json!({ "paths": ["/posts"], "plugins": { "consumer-restriction": { "allowed_by_methods": methods } } });
    put_route(&f, "shop", "posts", route).await;
    for name in ["ada", "bob", "eve"] {
        put_consumer(&f, name, json!({ "plugins": { "key-auth": { "key": name } } })).await;
    }
    let by = |name: &str| f.gateway().with("apikey", name);
    let forbidden = json!({ "message": "The consumer_name is forbidden." });
    by("ada").get("/shop/a").await.expect(200);
    assert_eq!(by("bob").get("/shop/a").await.expect(403), forbidden, "not in the whitelist");
    assert_eq!(by("eve").get("/shop/a").await.expect(403), forbidden, "the blacklist is looked at first");
    assert_eq!(by("ada").get("/shop/own").await.expect(409), json!({ "message": "not you" }));
    by("eve").get("/shop/own").await.expect(200);
    assert_eq!(by("bob").get("/shop/posts").await.expect(403), forbidden);
    by("bob").post("/shop/posts", json!({})).await.expect(200);
    by("ada").get("/shop/posts").await.expect(200);

    // Without anybody known, it refuses all.
    let restriction = json!({ "consumer-restriction": { "whitelist": ["ada"] } });
    put_service(&f, "nobody", json!({ "plugins": restriction })).await;
    let answer = by("ada").get("/nobody/a").await;
    let message = "The request is rejected, please check the consumer_name for this request";
    assert_eq!(answer.expect(401), json!({ "message": message }));
}

#[tokio::test]
async fn two_plugins_demand_both_of_the_same_consumer() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({ "plugins": { "key-auth": {}, "basic-auth": {} } })).await;
    for name in ["ada", "bob"] {
        let basic = json!({ "username": name, "password": "password" });
        let plugins = json!({ "key-auth": { "key": format!("{name}-key") }, "basic-auth": basic });
        put_consumer(&f, name, json!({ "plugins": plugins })).await;
    }
    let ada = f.gateway().with_basic("ada", "password");
    ada.with("apikey", "ada-key").get("/shop/a").await.expect(200);
    assert_eq!(ada.get("/shop/a").await.expect(401)["message"], "Missing API key in request");
    let mixed = ada.with("apikey", "bob-key").get("/shop/a").await;
    refused(&mixed, "Invalid user authorization", &["Basic realm=\"basic\"", "apikey realm=\"key\""]);
}

#[tokio::test]
async fn consumers_and_developers_never_open_each_other_s_doors() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let developers = application.key("prod").await;
    put_service(&f, "shop", json!({ "plugins": { "key-auth": {} } })).await;
    put_consumer(&f, "ada", json!({ "plugins": { "key-auth": { "key": "consumer-key" } } })).await;
    let consumers = f.gateway().with("apikey", "consumer-key");

    consumers.get("/shop/a").await.expect(200);
    f.call(&orders, &developers).await.expect(200);
    let answer = consumers.get(&orders.path).await;
    refused(&answer, "Authorization Failed", &["apikey realm=\"key\""]);
    let answer = f.gateway().with("apikey", &developers.key).get("/shop/a").await;
    refused(&answer, "Invalid API key in request", &["apikey realm=\"key\""]);
}

#[tokio::test]
async fn what_a_consumer_shows_goes_on_to_the_upstream_unless_it_shall_be_hidden() {
    let f = Forecourt::start().await;
    put_service(&f, "keys", json!({ "plugins": { "key-auth": {} } })).await;
    put_service(&f, "tokens", json!({ "plugins": { "jwt-auth": {} } })).await;
    put_consumer(&f, "ada", json!({ "plugins": { "key-auth": { "key": "ada-key" } } })).await;
    let secret = "a secret of thirty-two bytes, and more";
    put_credential(&f, "ada", "one", json!({ "jwt-auth": { "key": "ada-token", "secret": secret } })).await;
    let ends = f.clock().now().plus_seconds(600);
    let token = signed(JwtAlgorithm::Hs256, "ada-token", &PlainSecret::presented(secret), ends).unwrap();
    let bearer = format!("Bearer {}", token.reveal());
    let by_query = format!("/tokens/a?jwt={}", token.reveal());
    let field =
        |name: &str| f.upstream().last().headers.get(name).map(|value| value.to_str().unwrap().to_owned());

    f.gateway().with("apikey", "ada-key").get("/keys/a").await.expect(200);
    assert_eq!(field("apikey").as_deref(), Some("ada-key"));
    f.gateway().get("/keys/a?b=1&apikey=ada-key").await.expect(200);
    assert_eq!(f.upstream().last().target, "/a?b=1&apikey=ada-key");
    f.gateway().with("authorization", &bearer).get("/tokens/a").await.expect(200);
    assert_eq!(field("authorization"), Some(bearer.clone()));
    f.gateway().get(&by_query).await.expect(200);
    assert_eq!(f.upstream().last().target, by_query.trim_start_matches("/tokens"));

    for (id, plugin) in [("keys", "key-auth"), ("tokens", "jwt-auth")] {
        let hiding = json!({ "plugins": { plugin: { "hide_credentials": true } } });
        f.admin().await.patch(&admin_path(&format!("services/{id}")), hiding).await.expect(200);
    }
    f.gateway().with("apikey", "ada-key").get("/keys/a?apikey=ada-key").await.expect(200);
    assert_eq!((field("apikey"), f.upstream().last().target), (None, "/a".to_owned()));
    f.gateway().with("authorization", &bearer).get("/tokens/a").await.expect(200);
    assert_eq!(field("authorization"), None);
}

#[tokio::test]
async fn consumers_of_another_gateway_group_are_strangers() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({ "plugins": { "key-auth": {} } })).await;
    let made = f.admin().await.post("/api/gateway_groups", json!({ "name": "edge" })).await.expect(200);
    let group = made["value"]["id"].as_str().unwrap();
    let path = format!("/apisix/admin/consumers/ada?gateway_group_id={group}");
    let consumer = json!({ "plugins": { "key-auth": { "key": "edge-key" } } });
    f.admin().await.put(&path, consumer).await.expect(200);
    let answer = f.gateway().with("apikey", "edge-key").get("/shop/a").await;
    refused(&answer, "Invalid API key in request", &["apikey realm=\"key\""]);
}

#[tokio::test]
async fn a_patch_of_a_service_s_plugins_holds_on_the_next_call() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({})).await;
    put_consumer(&f, "ada", json!({ "plugins": { "key-auth": { "key": "ada-key" } } })).await;
    let guest = f.gateway();
    guest.with("x-consumer-username", "root").get("/shop/a").await.expect(200);
    assert_eq!(identity(&f), known([None, None, None]), "an open route sends no identity");
    let service = admin_path("services/shop");
    let asking = json!([{ "op": "add", "path": "/plugins/key-auth", "value": { "header": "X-Key" } }]);
    f.admin().await.patch(&service, asking).await.expect(200);
    let answer = guest.get("/shop/a").await;
    assert_eq!(answer.expect(401), json!({ "message": "Missing API key in request" }));
    guest.with("x-key", "ada-key").get("/shop/a").await.expect(200);
    f.admin()
        .await
        .patch(&service, json!({ "plugins": { "key-auth": { "header": "X-Other" } } }))
        .await
        .expect(200);
    guest.with("x-key", "ada-key").get("/shop/a").await.expect(401);
    f.admin()
        .await
        .patch(&service, json!([{ "op": "remove", "path": "/plugins/key-auth" }]))
        .await
        .expect(200);
    guest.get("/shop/a").await.expect(200);
}
