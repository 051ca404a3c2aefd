//! What a consumer's plugins may hold.

use serde_json::json;

use super::*;
use crate::{
    gateway_state::ConsumerSecret,
    secrets::{KeptSecret, SecretDigest},
};

fn plugins(given: Value) -> Result<OpenPlugins, String> {
    let Value::Object(given) = given else { panic!("an object") };
    OpenPlugins::new(given).map_err(|error| error.to_string())
}

#[test]
fn a_consumer_takes_credentials_of_each_kind_and_a_restriction() {
    let open = plugins(json!({
        "key_auth": { "key": "k" },
        "basic-auth": { "username": "ada", "password": "******" },
        "jwt-auth": { "key": "j", "secret": "s" },
        "consumer-restriction": { "type": "service_id", "whitelist": ["orders"] },
    }))
    .unwrap();
    let names: Vec<_> = open.auth.iter().map(OpenAuth::plugin).collect();
    assert_eq!(names, ["key-auth", "basic-auth", "jwt-auth"]);
    assert!(open.other.state().consumer_restriction.is_some());
    let [OpenAuth::KeyAuth { key }, OpenAuth::BasicAuth { password, .. }, _] = &open.auth[..] else {
        panic!("in this order")
    };
    assert_eq!((key.reveal(), password), ("k", &auth::OpenSecret::Masked));
}

#[test]
fn what_no_gateway_heeds_is_refused_by_its_path() {
    let long = "x".repeat(4_097);
    for (given, problem) in [
        (json!({ "key-auth": {} }), "plugins.key-auth.key is required"),
        (json!({ "key-auth": { "key": "" } }), "plugins.key-auth.key is required"),
        (json!({ "key-auth": { "key": 1 } }), "plugins.key-auth.key must be a string"),
        (json!({ "key-auth": { "key": long } }), "plugins.key-auth.key must be at most 4096 bytes"),
        (json!({ "key-auth": { "key": "a\nb" } }), "without control characters"),
        (json!({ "key-auth": { "key": "k", "_meta": {} } }), "plugins.key-auth._meta is not a member here"),
        (json!({ "key-auth": "k" }), "plugins.key-auth must be an object"),
        (json!({ "key-auth": { "key": "k" }, "key_auth": { "key": "k" } }), "two spellings"),
        (json!({ "basic-auth": { "password": "p" } }), "plugins.basic-auth.username is required"),
        (json!({ "basic-auth": { "username": "a:b", "password": "p" } }), "without colons"),
        (json!({ "basic-auth": { "username": "a" } }), "plugins.basic-auth.password is required"),
        (json!({ "jwt-auth": { "secret": "s" } }), "plugins.jwt-auth.key is required"),
        (json!({ "jwt-auth": { "key": "k" } }), "plugins.jwt-auth.secret is required"),
        (json!({ "jwt-auth": { "key": "k", "algorithm": "none" } }), "algorithm must be HS256"),
        (
            json!({ "jwt-auth": { "key": "k", "algorithm": "RS256" } }),
            "plugins.jwt-auth.public_key is required",
        ),
        (
            json!({ "jwt-auth": { "key": "k", "algorithm": "RS256", "secret": "s" } }),
            "plugins.jwt-auth.secret is not used with RS256: give public_key",
        ),
        (json!({ "jwt-auth": { "key": "k", "secret": "s", "exp": 1 } }), "exp is not a member here"),
        (json!({ "limit-req": {} }), "unknown plugin limit-req"),
        (json!({ "cors": {} }), "plugins.cors does nothing on a consumer"),
        (json!({ "consumer-restriction": {} }), "needs at least one of"),
    ] {
        let refused = plugins(given.clone()).unwrap_err();
        assert!(refused.contains(problem), "{given}: {refused}");
    }
}

#[test]
fn the_gateway_hears_of_digests_and_of_the_label_custom_id() {
    let digest = SecretDigest::of(b"k");
    let auth = ConsumerAuth::KeyAuth { key: KeptSecret::Sealed("v1.x".into()), digest };
    let labels = BTreeMap::from([("custom_id".to_owned(), "4711".to_owned())]);
    let input = ConsumerInput { labels: Some(labels), ..ConsumerInput::default() };
    let own = ConsumerPlugins { auth: vec![auth.clone()], other: Plugins::default() };
    let now = Timestamp::default();
    let consumer = Consumer::new(GatewayGroupId::default_group(), "ada", input, own, now, now).unwrap();
    let state = consumer.gateway_state(vec![(ConsumerCredentialId::known("ccr_1"), auth)]);
    assert_eq!(state.custom_id.as_deref(), Some("4711"));
    let ids: Vec<_> = state.credentials.iter().map(|credential| credential.id.as_deref()).collect();
    assert_eq!(ids, [None, Some("ccr_1")]);
    assert_eq!(state.credentials[0].secret, ConsumerSecret::KeyAuth { digest });
}

#[test]
fn a_username_is_short_and_of_the_known_characters() {
    assert_eq!(Consumer::username("Ada_1.x-y").unwrap(), "Ada_1.x-y");
    for wrong in ["", "a b", "a/b", "ä", &"x".repeat(101)] {
        assert!(Consumer::username(wrong).is_err(), "{wrong}");
    }
}
