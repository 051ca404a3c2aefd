//! Users in lists, and what ends when a password is changed or reset, or when its owner goes; their tokens.

use serde_json::{Value, json};

use super::stage::{START, Stage};

/// An administrator with the password `second`: the id.
async fn active(stage: &Stage, name: &str) -> String {
    let invite = json!({ "username": name, "password": "first" });
    let id = stage.id_of("POST", "/api/invites", invite).await;
    let change = json!({ "new_password": "second" });
    stage.basic("PUT", "/api/password", name, "first", change).await.value();
    id
}

async fn token(stage: &Stage, name: &str, token: &str) -> String {
    let body = json!({ "name": token, "expires_at": 0 });
    let made = stage.basic("POST", "/api/settings/tokens", name, "second", body).await.value();
    made["token"].as_str().unwrap().to_owned()
}

async fn me(stage: &Stage, header: (&str, &str)) -> u16 {
    stage.with_headers("GET", "/api/me", &[header], Value::Null).await.status
}

#[tokio::test]
async fn changing_ones_password_ends_the_other_sessions_and_keeps_this_one() {
    let stage = Stage::start().await;
    let (own, other) = (stage.sign_in("admin", "changed").await, stage.sign_in("admin", "changed").await);
    let change = json!({ "new_password": "third", "old_password": "changed" });
    stage.with_headers("PUT", "/api/password", &[("cookie", &own)], change).await.value();
    assert_eq!((me(&stage, ("cookie", &own)).await, me(&stage, ("cookie", &other)).await), (200, 401));
    // Tokens are credentials of their own.
    assert_eq!(me(&stage, ("x-api-key", &stage.token)).await, 200);
    assert_eq!(stage.basic("GET", "/api/me", "admin", "changed", Value::Null).await.status, 401);
    assert_eq!(stage.basic("GET", "/api/me", "admin", "third", Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_reset_ends_sessions_and_lets_in_for_nothing_but_a_new_password() {
    let stage = Stage::start().await;
    let ann = active(&stage, "ann").await;
    let session = stage.sign_in("ann", "second").await;
    let path = format!("/api/users/{ann}/password_reset");
    for body in [json!({}), json!({ "password": "" }), json!({ "password": "x".repeat(129) })] {
        assert_eq!(stage.call("PUT", &path, body).await.refusal().0, 400);
    }
    assert_eq!(me(&stage, ("cookie", &session)).await, 200);
    stage.call("PUT", &path, json!({ "password": "third" })).await.value();
    assert_eq!(me(&stage, ("cookie", &session)).await, 401);
    let pair = json!({ "username": "ann", "password": "third" });
    let signed_in = stage.with_headers("POST", "/api/login", &[], pair).await;
    assert_eq!(signed_in.body["warning_msg"], "change the initial password");
    let refused = stage.basic("GET", "/api/me", "ann", "third", Value::Null).await.refusal();
    assert_eq!(refused, (403, "password change required".into()));
    let one_time = stage.sign_in("ann", "third").await;
    assert_eq!(
        stage.with_headers("POST", "/api/logout", &[("cookie", &one_time)], Value::Null).await.status,
        200
    );
    let same = stage.basic("PUT", "/api/password", "ann", "third", json!({ "new_password": "third" })).await;
    assert_eq!(same.refusal().0, 400, "the one-time password is none of one's own");
    stage.basic("PUT", "/api/password", "ann", "third", json!({ "new_password": "fourth" })).await.value();
    assert_eq!(stage.basic("GET", "/api/me", "ann", "fourth", Value::Null).await.status, 200);
}

#[tokio::test]
async fn whoever_is_deleted_is_out_with_sessions_and_tokens() {
    let stage = Stage::start().await;
    let ann = active(&stage, "ann").await;
    let roles = json!({ "roles": [{ "role_id": "super-admin" }] });
    stage.call("PUT", &format!("/api/users/{ann}/assigned_roles"), roles).await.value();
    let (session, token) = (stage.sign_in("ann", "second").await, token(&stage, "ann", "ci").await);
    let path = format!("/api/users/{ann}");
    let oneself = stage.with_headers("DELETE", &path, &[("x-api-key", &token)], Value::Null).await;
    assert_eq!(oneself.refusal(), (400, "you cannot delete yourself; ask another administrator".into()));
    assert_eq!((me(&stage, ("cookie", &session)).await, me(&stage, ("x-api-key", &token)).await), (200, 200));
    stage.call("DELETE", &path, Value::Null).await.value();
    assert_eq!((me(&stage, ("cookie", &session)).await, me(&stage, ("x-api-key", &token)).await), (401, 401));
    assert_eq!(stage.basic("GET", "/api/me", "ann", "second", Value::Null).await.status, 401);
}

#[tokio::test]
async fn users_are_searched_sorted_and_paged() {
    let stage = Stage::start().await;
    for name in ["ann", "bob", "eve"] {
        active(&stage, name).await;
    }
    let names = json!({ "first_name": "Robert", "last_name": "Lee_100%" });
    stage.basic("PUT", "/api/me", "bob", "second", names).await.value();
    let usernames = async |query: &str| {
        let rows = stage.get(&format!("/api/users?{query}")).await.body["list"].as_array().unwrap().clone();
        let names = rows.iter().map(|row| row["username"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(usernames("").await, "bob eve ann admin", "who changed last comes first");
    assert_eq!(usernames("order_by=created_at&direction=desc").await, "eve bob ann admin");
    assert_eq!(usernames("order_by=updated_at&direction=asc").await, "admin ann eve bob");
    assert_eq!(usernames("search=ROB").await, "bob");
    assert_eq!(usernames("search=lee_100%25").await, "bob");
    assert_eq!(usernames("search=_").await, "bob", "what is searched for is no pattern");
    assert_eq!(usernames("roles=super-admin&roles=none").await, "admin");
    assert_eq!(usernames("roles[]=none").await, "");
    assert_eq!(usernames("login_option_name[]=LDAP&login_option_name[]=Built-in&search=eve").await, "eve");
    assert_eq!(usernames("page=2&page_size=3&order_by=created_at").await, "admin");
    assert_eq!(stage.get("/api/users?page=9&page_size=3").await.body, json!({ "list": [], "total": 4 }));
}

#[tokio::test]
async fn names_and_sign_ins_have_their_limits() {
    let stage = Stage::start().await;
    for names in [
        json!({ "first_name": "Ann" }),
        json!({ "first_name": "", "last_name": "Lee" }),
        json!({ "first_name": "Ann", "last_name": "x".repeat(151) }),
        json!({ "first_name": 1, "last_name": "Lee" }),
    ] {
        assert_eq!(stage.call("PUT", "/api/me", names).await.refusal().0, 400);
    }
    let longest = json!({ "first_name": "x".repeat(150), "last_name": "y" });
    assert_eq!(
        stage.call("PUT", "/api/me", longest.clone()).await.value()["first_name"],
        longest["first_name"]
    );
    for pair in [
        json!({ "username": "x".repeat(129), "password": "y" }),
        json!({ "username": "admin", "password": "y".repeat(129) }),
        json!({ "username": "admin" }),
        json!({ "username": ["admin"], "password": "changed" }),
    ] {
        assert_eq!(stage.with_headers("POST", "/api/login", &[], pair).await.refusal().0, 400);
    }
}

#[tokio::test]
async fn tokens_are_sorted_and_searched_and_keep_their_names_apart() {
    let stage = Stage::start().await;
    active(&stage, "ann").await;
    for (name, expires_at) in [("b", START + 9_000), ("a", 0), ("c", START + 5_000)] {
        let body = json!({ "name": name, "expires_at": expires_at });
        stage.basic("POST", "/api/settings/tokens", "ann", "second", body).await.value();
    }
    let listed = async |query: &str| {
        let path = format!("/api/settings/tokens?{query}");
        stage.basic("GET", &path, "ann", "second", Value::Null).await.names().join("")
    };
    assert_eq!(listed("").await, "cab");
    assert_eq!(listed("order_by=created_at&direction=asc").await, "bac");
    assert_eq!(listed("order_by=expires_at&direction=asc").await, "cba", "never is the latest");
    assert_eq!(listed("search=B").await, "b");
    assert_eq!(listed("page=2&page_size=2").await, "b");
    let bad = stage.basic("GET", "/api/settings/tokens?order_by=name", "ann", "second", Value::Null).await;
    assert_eq!(bad.refusal().0, 400);
    let id = stage.basic("GET", "/api/settings/tokens?search=a", "ann", "second", Value::Null).await.list()
        [0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/api/settings/tokens/{id}");
    let put = async |path: &str, body: Value| stage.basic("PUT", path, "ann", "second", body).await;
    assert_eq!(put(&path, json!({ "name": "b" })).await.refusal().0, 400);
    assert_eq!(put(&path, json!({ "name": "x".repeat(41) })).await.refusal().0, 400);
    assert_eq!(put(&path, json!({ "name": "a" })).await.value()["name"], "a", "its own name is free to it");
    assert_eq!(listed("order_by=updated_at").await.chars().next(), Some('a'));
    let regenerate = format!("{path}/regenerate");
    for body in [json!({}), json!({ "expires_at": START - 1 }), json!({ "expires_at": "0" })] {
        assert_eq!(put(&regenerate, body).await.refusal().0, 400);
    }
    // Names are one's own: another may use the same.
    let taken = json!({ "name": "a", "expires_at": 0 });
    stage.call("POST", "/api/settings/tokens", taken).await.value();
    let check = stage.get("/api/settings/tokens/check_name?name=b").await.value();
    assert_eq!(check, json!({ "exist": false }));
    assert_eq!(stage.get("/api/settings/tokens/check_name").await.refusal().0, 400);
}

#[tokio::test]
async fn a_token_acts_with_what_its_owner_may_now_and_is_long_enough_not_to_be_guessed() {
    let stage = Stage::start().await;
    let ann = active(&stage, "ann").await;
    let token = token(&stage, "ann", "ci").await;
    let text = token.strip_prefix("a7ee-").unwrap();
    assert!(text.len() >= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric()), "{}", text.len());
    let portals = async || {
        let reply = stage.with_headers("GET", "/api/portals", &[("x-api-key", &token)], Value::Null).await;
        reply.list().len()
    };
    assert_eq!(portals().await, 0);
    let path = format!("/api/users/{ann}/assigned_roles");
    let hold = async |roles: Value| stage.call("PUT", &path, json!({ "roles": roles })).await.value();
    hold(json!([{ "role_id": "super-admin" }])).await;
    assert_eq!(portals().await, 1);
    hold(json!([])).await;
    assert_eq!(portals().await, 0);
}

#[tokio::test]
async fn licence_and_version_are_told_to_every_caller_and_to_nobody_else() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let key = stage.call("PUT", &format!("/api/gateway_groups/{edge}/admin_key"), Value::Null).await.value();
    for path in ["/api/license", "/api/version"] {
        assert_eq!(stage.with_headers("GET", path, &[], Value::Null).await.refusal().0, 401);
        let by_key = [("x-api-key", key["key"].as_str().unwrap())];
        assert_eq!(stage.with_headers("GET", path, &by_key, Value::Null).await.status, 200);
    }
    let long = json!({ "data": "x".repeat(100_000) });
    let kept = stage.call("PUT", "/api/license", long).await.value();
    assert_eq!(kept, stage.get("/api/license").await.value(), "the text is neither checked nor kept");
    for body in [json!({ "data": "" }), json!({ "data": 1 }), json!({ "data": null })] {
        assert_eq!(stage.call("PUT", "/api/license", body).await.refusal().0, 400);
    }
}
