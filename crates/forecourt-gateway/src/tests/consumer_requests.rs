//! Consumers over real connections: what the upstream is told of them, what is hidden from it, what is counted
//! (docs/gateway.md §7 and §9).

use forecourt_core::gateway_state::{Kind, PluginsState};
use serde_json::json;

use super::{
    plugin_rows::{
        basic_auth, consumer, global_rule, its_key, its_password, its_token, jwt_auth, key_auth, names,
        restriction, with_plugins, with_restriction,
    },
    rows::{delete, put, route},
    signing::Signer,
    stage::{Stage, body, status},
};
use crate::plugins::over;

const ADA: &str = "Authorization: Basic YWRhOnB3";

/// As [`Stage::protected`]; the open service has these plugins and the consumer `ada` (key `k-ada`, password `pw`).
async fn stage(plugins: PluginsState) -> Stage {
    let stage = Stage::protected().await;
    let mut ada = consumer("ada", &[its_key("c-key", "k-ada"), its_password("c-user", "ada", "pw")]);
    ada.custom_id = Some("staff-7".into());
    stage.apply(vec![
        put(2, with_plugins(route("r-open", "open", "/open/*"), plugins)),
        put(2, ada),
        put(2, consumer("bob", &[its_key("", "k-bob")])),
    ]);
    stage
}

/// The lines that the upstream got which begin like this.
fn got<'a>(answer: &'a str, prefix: &str) -> Vec<&'a str> {
    assert_eq!(status(answer), 200, "{answer}");
    body(answer).lines().filter(|line| line.starts_with(prefix)).collect()
}

fn hiding(mut plugins: PluginsState) -> PluginsState {
    if let Some(plugin) = &mut plugins.key_auth {
        plugin.hide_credentials = true;
    }
    if let Some(plugin) = &mut plugins.basic_auth {
        plugin.hide_credentials = true;
    }
    plugins
}

#[tokio::test]
async fn the_upstream_is_told_consumer_credential_and_custom_id_and_no_lies() {
    let stage = stage(key_auth()).await;
    let lies = ["X-Consumer-Username: root", "X-Credential-Identifier: x", "x_consumer_custom_id: 0"];
    let answer = stage.ask("/open/x", &[&lies[..], &["apikey: k-ada"]].concat()).await;
    let identity = got(&answer, "x");
    assert!(identity.contains(&"x-consumer-username: ada"), "{identity:?}");
    assert!(identity.contains(&"x-credential-identifier: c-key"), "{identity:?}");
    assert!(identity.contains(&"x-consumer-custom-id: staff-7"), "{identity:?}");
    assert!(!answer.contains("root") && !answer.contains("x_consumer"), "{answer}");
    let answer = stage.ask("/open/x", &[&lies[..], &["apikey: k-bob"]].concat()).await;
    assert_eq!(got(&answer, "x-c"), ["x-consumer-username: bob"], "no credential id, no custom id");
    let open = Stage::protected().await;
    assert!(got(&open.ask("/open/x", &lies).await, "x-c").is_empty());
}

#[tokio::test]
async fn where_a_product_applies_too_its_identity_is_told() {
    let stage = stage(PluginsState::default()).await;
    stage.apply(vec![put(3, with_plugins(route("r-s", "s", "/s/*"), basic_auth()))]);
    assert_eq!(status(&stage.ask("/s/x", &["apikey: k"]).await), 401);
    let answer = stage.ask("/s/x", &["apikey: k", ADA]).await;
    assert_eq!(
        got(&answer, "x-c"),
        [
            "x-consumer-username: app",
            "x-credential-identifier: crd-key",
            "x-consumer-custom-id: developer-of-app"
        ]
    );
    assert_eq!(
        stage.gateway.take_usage().iter().map(|count| count.totals.calls).sum::<u64>(),
        1,
        "refusals never count"
    );
    let answer = stage.ask("/s/x", &[ADA]).await;
    assert_eq!(got(&answer, "x-credential"), ["x-credential-identifier: crd-user"], "one password for both");
}

#[tokio::test]
async fn a_shown_key_leaves_header_and_query_only_where_it_is_to_be_hidden() {
    let open = stage(key_auth()).await;
    let answer = open.ask("/open/x?apikey=k-ada&a=1", &["apikey: k-ada"]).await;
    assert_eq!(got(&answer, "apikey"), ["apikey: k-ada"]);
    assert_eq!(got(&answer, "GET"), ["GET /open/x?apikey=k-ada&a=1"]);
    let stage = stage(hiding(key_auth())).await;
    for (fields, query) in [(&["apikey: k-ada"][..], "apikey=old&a=1"), (&[], "a=1&apikey=k-ada")] {
        let answer = stage.ask(&format!("/open/x?{query}"), fields).await;
        assert!(got(&answer, "apikey").is_empty(), "{answer}");
        assert_eq!(got(&answer, "GET"), ["GET /open/x?a=1"]);
    }
}

#[tokio::test]
async fn a_shown_password_leaves_only_where_it_is_to_be_hidden() {
    let open = stage(basic_auth()).await;
    assert_eq!(got(&open.ask("/open/x", &[ADA]).await, "authorization").len(), 1);
    let stage = stage(hiding(over(&basic_auth(), &key_auth()))).await;
    let answer = stage.ask("/open/x?apikey=k-ada", &[ADA]).await;
    assert!(got(&answer, "authorization").is_empty(), "{answer}");
    assert_eq!(got(&answer, "GET"), ["GET /open/x"]);
}

#[tokio::test]
async fn a_shown_token_leaves_the_place_where_it_was_only_where_it_is_to_be_hidden() {
    let token = Signer::shared("HS256", "secret").token(&json!({}), &json!({ "key": "t" }));
    let with_token = || consumer("ada", &[its_token("c", "t", "secret")]);
    let mut hiding = jwt_auth();
    hiding.jwt_auth.as_mut().unwrap().hide_credentials = true;
    for (plugins, left) in [(jwt_auth(), 1), (hiding, 0)] {
        let stage = stage(plugins).await;
        stage.apply(vec![put(3, with_token())]);
        for (field, query) in [
            (format!("Authorization: Bearer {token}"), String::new()),
            (format!("Cookie: a=1; jwt={token}"), String::new()),
            ("X-Other: 1".into(), format!("&jwt={token}")),
        ] {
            let answer = stage.ask(&format!("/open/x?a=1{query}"), &[&field]).await;
            assert_eq!(got(&answer, "x-consumer-username"), ["x-consumer-username: ada"]);
            assert_eq!(body(&answer).matches(&token).count(), left, "{field} {query}");
            assert!(got(&answer, "GET")[0].starts_with("GET /open/x?a=1"));
        }
        let elsewhere = format!("Authorization: Bearer {token}");
        let answer = stage.ask(&format!("/open/x?jwt={token}"), &[&elsewhere]).await;
        assert_eq!(body(&answer).matches(&token).count(), left + 1, "what was not looked at stays");
    }
}

#[tokio::test]
async fn consumers_are_not_counted() {
    let stage = stage(key_auth()).await;
    assert_eq!(status(&stage.ask("/open/x", &["apikey: k-ada"]).await), 200);
    assert!(stage.gateway.take_usage().is_empty());
}

#[tokio::test]
async fn a_consumers_password_passes_again_and_again_until_it_changes() {
    let stage = stage(basic_auth()).await;
    for _ in 0..3 {
        assert_eq!(status(&stage.ask("/open/x", &[ADA]).await), 200);
    }
    stage.apply(vec![put(3, consumer("ada", &[its_password("c-user", "ada", "changed")]))]);
    let refused = stage.ask("/open/x", &[ADA]).await;
    assert_eq!((status(&refused), body(&refused)), (401, r#"{"message":"Invalid user authorization"}"#));
}

#[tokio::test]
async fn a_change_of_consumer_plugin_or_rule_holds_for_the_next_request() {
    let stage = stage(PluginsState::default()).await;
    let mut only_eve = restriction();
    only_eve.whitelist = Some(names(&["eve"]));
    only_eve.rejected_code = 423;
    let guarded = |plugins| with_plugins(route("r-open", "open", "/open/*"), plugins);
    for (revision, change, expected) in [
        (3, put(3, guarded(key_auth())), 200),
        (4, delete(4, Kind::Consumer, "default/ada"), 401),
        (5, put(5, consumer("ada", &[its_key("c", "k-ada")])), 200),
        (6, put(6, global_rule("1", with_restriction(only_eve))), 423),
        (7, delete(7, Kind::GlobalRule, "default/1"), 200),
        (8, put(8, guarded(over(&key_auth(), &basic_auth()))), 401),
        (9, put(9, guarded(PluginsState::default())), 200),
    ] {
        stage.apply(vec![change]);
        assert_eq!(status(&stage.ask("/open/x", &["apikey: k-ada"]).await), expected, "revision {revision}");
    }
}
