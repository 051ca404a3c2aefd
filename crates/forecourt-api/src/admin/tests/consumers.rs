//! Consumers: keyed by user name within their group, with secrets that stay unless they are changed.

use serde_json::{Value, json};

use super::stage::{START, Stage};

const CONSUMERS: &str = "/apisix/admin/consumers?gateway_group_id=default";

fn of(username: &str) -> String {
    format!("/apisix/admin/consumers/{username}?gateway_group_id=default")
}

#[tokio::test]
async fn a_consumer_is_answered_with_the_secrets_that_administrators_chose() {
    let stage = Stage::start().await;
    let plugins = json!({
        "key-auth": { "key": "k-1" },
        "basic-auth": { "username": "ada", "password": "p-1" },
        "jwt-auth": { "key": "j-1", "algorithm": "HS256", "secret": "s-1" },
        "consumer-restriction": { "type": "service_id", "whitelist": ["orders"] },
    });
    let given = json!({
        "username": "ada", "desc": "first", "labels": { "custom_id": "7" }, "plugins": plugins, "x": [1],
    });
    let made = stage.call("POST", CONSUMERS, given).await;
    assert!(made.headers.contains_key("x-forecourt-revision"), "gateways hear of it");
    let expected = json!({
        "username": "ada", "desc": "first", "labels": { "custom_id": "7" }, "plugins": plugins, "x": [1],
        "created_at": START, "updated_at": START,
    });
    assert_eq!(made.value(), expected);
    assert_eq!(stage.get("/apisix/admin/consumers/ada").await.value(), expected);
    assert_eq!(stage.get(CONSUMERS).await.list(), [expected]);
    assert_eq!(stage.get("/api/labels/consumer").await.value(), json!({ "custom_id": ["7"] }));
    let deleted = stage.call("DELETE", &of("ada"), Value::Null).await.value();
    assert_eq!(deleted, json!({ "id": "ada" }));
    assert_eq!(stage.get(&of("ada")).await.refusal().0, 404);
}

#[tokio::test]
async fn put_makes_or_replaces_and_post_refuses_a_taken_name() {
    let stage = Stage::start().await;
    stage.call("PUT", &of("ada"), json!({ "desc": "one" })).await.value();
    stage.call("PUT", &of("ada"), json!({ "username": "ada", "labels": { "a": "b" } })).await.value();
    let read = stage.get(&of("ada")).await.value();
    assert_eq!(
        (read.get("desc"), &read["labels"], &read["plugins"]),
        (None, &json!({ "a": "b" }), &json!({}))
    );
    let other = stage.call("PUT", &of("ada"), json!({ "username": "bob" })).await.refusal();
    assert_eq!(other, (400, "username must be \"ada\", the consumer's own, or be left out".into()));
    let taken = stage.call("POST", CONSUMERS, json!({ "username": "ada" })).await.refusal();
    assert!(taken.0 == 400 && taken.1.contains("username \"ada\" is taken"), "{}", taken.1);
    for (body, problem) in [
        (json!({}), "username is required"),
        (json!({ "username": "a b" }), "username must be 1 to 100 characters"),
        (json!({ "username": "x".repeat(101) }), "username must be 1 to 100 characters"),
        (json!({ "username": "x", "plugins": [] }), "plugins must be an object"),
        (json!({ "username": "x", "plugins": { "limit-req": {} } }), "unknown plugin limit-req"),
        (json!({ "username": "x", "plugins": { "cors": {} } }), "plugins.cors does nothing on a consumer"),
        (json!({ "username": "x", "plugins": { "key-auth": { "key": "******" } } }), "none is kept here"),
        (
            json!({ "username": "x", "plugins": { "jwt-auth": { "key": "k", "algorithm": "RS256", "public_key": "x" } } }),
            "plugins.jwt-auth.public_key must be one public key in PEM",
        ),
    ] {
        let (status, message) = stage.call("POST", CONSUMERS, body.clone()).await.refusal();
        assert!(status == 400 && message.contains(problem), "{body}: {message}");
    }
    assert_eq!(stage.call("PUT", &of("a%20b"), json!({})).await.refusal().0, 404);
}

#[tokio::test]
async fn a_secret_that_is_sent_back_unchanged_or_as_stars_stays() {
    let stage = Stage::start().await;
    let basic = |username: &str, password: &str| json!({ "plugins": { "basic-auth": { "username": username, "password": password } } });
    stage.call("PUT", &of("ada"), basic("ada", "p-1")).await.value();
    let stars = stage.call("PUT", &of("ada"), basic("ada", "******")).await.value();
    assert_eq!(stars["plugins"]["basic-auth"]["password"], "p-1");
    let renamed = stage.call("PUT", &of("ada"), basic("bob", "******")).await.value();
    assert_eq!(renamed["plugins"]["basic-auth"], json!({ "username": "bob", "password": "p-1" }));
    let other = json!({ "plugins": { "key-auth": { "key": "******" } } });
    let refused = stage.call("PUT", &of("ada"), other).await.refusal();
    assert!(refused.1.starts_with("plugins.key-auth.key must be given"), "{}", refused.1);
}

#[tokio::test]
async fn a_key_a_user_name_and_a_token_key_belong_to_one_place_of_the_group() {
    let stage = Stage::start().await;
    let plugins = json!({
        "key-auth": { "key": "k" }, "basic-auth": { "username": "u", "password": "p" },
        "jwt-auth": { "key": "j", "secret": "s" },
    });
    stage.call("PUT", &of("ada"), json!({ "plugins": plugins })).await.value();
    stage.call("PUT", &of("ada"), json!({ "plugins": plugins })).await.value();
    for (name, member) in [("key-auth", "key"), ("basic-auth", "username"), ("jwt-auth", "key")] {
        let one = json!({ "plugins": { name: plugins[name] } });
        let expected = format!(
            "plugins.{name}.{member} is already used by the consumer \"ada\" of this gateway group; choose another one"
        );
        assert_eq!(stage.call("PUT", &of("bob"), one.clone()).await.refusal(), (400, expected.clone()));
        stage.call("PUT", &of("eve"), json!({})).await.value();
        let credentials = "/apisix/admin/consumers/eve/credentials?gateway_group_id=default";
        assert_eq!(stage.call("POST", credentials, one).await.refusal(), (400, expected));
    }
    assert_eq!(stage.get(&of("bob")).await.refusal().0, 404, "nothing is left of a refused one");
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let elsewhere = format!("/apisix/admin/consumers/bob?gateway_group_id={edge}");
    stage.call("PUT", &elsewhere, json!({ "plugins": plugins })).await.value();
    stage.call("DELETE", &of("ada"), Value::Null).await.value();
    stage.call("PUT", &of("bob"), json!({ "plugins": plugins })).await.value();
}

#[tokio::test]
async fn consumers_of_equal_names_live_in_different_groups() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let there = format!("/apisix/admin/consumers/ada?gateway_group_id={edge}");
    stage.call("PUT", &of("ada"), json!({ "desc": "here" })).await.value();
    assert_eq!(stage.get(&there).await.refusal().0, 404);
    stage.call("PUT", &there, json!({ "desc": "there" })).await.value();
    assert_eq!(stage.get(&there).await.value()["desc"], "there");
    let open = stage.get("/apisix/admin/consumers/ada").await.refusal();
    assert!(open.0 == 400 && open.1.starts_with("gateway_group_id is required"), "{}", open.1);
    let missing = stage.call("PUT", "/apisix/admin/consumers/ada", json!({})).await.refusal();
    assert_eq!(missing, (400, "gateway_group_id is required".into()));
    let deleted = stage.call("DELETE", &format!("/api/gateway_groups/{edge}"), Value::Null).await;
    assert!(deleted.headers.contains_key("x-forecourt-revision"), "its consumers end at gateways too");
    assert_eq!(stage.get("/apisix/admin/consumers/ada").await.value()["desc"], "here");
}

#[tokio::test]
async fn a_patch_changes_members_and_secrets_and_not_the_name() {
    let stage = Stage::start().await;
    let given = json!({ "desc": "d", "plugins": { "key-auth": { "key": "k-1" } } });
    stage.call("PUT", &of("ada"), given).await.value();
    stage.later(5);
    let patch = async |body: Value| stage.call("PATCH", "/apisix/admin/consumers/ada", body).await;
    let operations = json!([
        { "op": "remove", "path": "/desc" },
        { "op": "replace", "path": "/plugins/key-auth/key", "value": "k-2" },
        { "op": "add", "path": "/labels/team", "value": "a" },
    ]);
    let after = patch(operations).await.value();
    assert_eq!(after["plugins"], json!({ "key-auth": { "key": "k-2" } }));
    assert_eq!((after.get("desc"), &after["labels"]), (None, &json!({ "team": "a" })));
    assert!(after["updated_at"].as_i64() > after["created_at"].as_i64());
    assert_eq!(patch(json!({ "plugins": { "key-auth": null } })).await.value()["plugins"], json!({}));
    assert_eq!(
        patch(json!({ "username": "bob" })).await.refusal(),
        (400, "username cannot be changed".into())
    );
    assert_eq!(patch(json!([{ "op": "test", "path": "/desc", "value": 1 }])).await.refusal().0, 400);
}

#[tokio::test]
async fn a_list_is_searched_filtered_sorted_and_paged() {
    let stage = Stage::start().await;
    for (name, desc, team) in [("ada", "Engine", "x"), ("bob", "builder", "y"), ("eve", "ears", "x")] {
        stage.call("PUT", &of(name), json!({ "desc": desc, "labels": { "team": team } })).await.value();
    }
    let names = async |query: &str| {
        let found = stage.get(&format!("{CONSUMERS}&{query}")).await.list();
        found.iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["eve", "bob", "ada"]);
    assert_eq!(names("order_by=created_at&direction=asc").await, ["ada", "bob", "eve"]);
    assert_eq!(names("search=engine").await, ["ada"]);
    assert_eq!(names("search=BO").await, ["bob"]);
    assert_eq!(names("labels[team]=x").await, ["eve", "ada"]);
    assert_eq!(names("page=2&page_size=2").await, ["ada"]);
    assert_eq!(stage.get(&format!("{CONSUMERS}&order_by=name")).await.refusal().0, 400);
}
