//! Users, invitations, access tokens, licence, version, settings, schemas.

use serde_json::{Value, json};

use super::stage::{START, Stage};

async fn invite(stage: &Stage, name: &str) -> String {
    stage.id_of("POST", "/api/invites", json!({ "username": name, "password": "first" })).await
}

#[tokio::test]
async fn an_invited_user_is_pending_without_a_role_until_the_password_is_changed() {
    let stage = Stage::start().await;
    let invited =
        stage.call("POST", "/api/invites", json!({ "username": "ann", "password": "first" })).await.value();
    let (id, at) = (invited["id"].clone(), invited["created_at"].clone());
    assert!(at.as_i64().unwrap() >= START);
    assert_eq!(
        invited,
        json!({
            "id": id, "username": "ann", "state": "Pending",
            "login_option": { "id": "built_in", "name": "Built-in", "provider_type": "built_in" },
            "roles": [], "created_at": at, "updated_at": at,
        })
    );
    let change = json!({ "new_password": "second" });
    let changed = stage.basic("PUT", "/api/password", "ann", "first", change).await.value();
    assert_eq!(changed["state"], "Active");
    let path = format!("/api/users/{}", id.as_str().unwrap());
    assert_eq!(stage.get(&path).await.value(), changed);
}

#[tokio::test]
async fn an_invitation_needs_a_free_name_and_a_password() {
    let stage = Stage::start().await;
    for (body, problem) in [
        (json!({ "password": "x" }), "username is required"),
        (json!({ "username": "ann" }), "password is required"),
        (json!({ "username": "ann", "password": 1 }), "password must be a string"),
        (json!({ "username": "admin", "password": "x" }), "username \"admin\" is taken; choose another"),
        (json!({ "username": "x".repeat(129), "password": "x" }), "username must be at most 128 characters"),
    ] {
        assert_eq!(stage.call("POST", "/api/invites", body).await.refusal(), (400, problem.into()));
    }
}

#[tokio::test]
async fn roles_are_assigned_and_the_first_administrator_keeps_theirs() {
    let stage = Stage::start().await;
    let ann = invite(&stage, "ann").await;
    let path = format!("/api/users/{ann}/assigned_roles");
    let promoted = stage.call("PUT", &path, json!({ "roles": [{ "role_id": "super-admin" }] })).await.value();
    assert_eq!(
        promoted["roles"],
        json!([{
            "id": "super-admin", "name": "Super Admin", "org_id": "default",
            "permissions": ["super-admin-permission-policy"], "scope_type": "gateway_group", "scopes": [],
        }])
    );
    assert_eq!(stage.call("PUT", &path, json!({ "roles": [] })).await.value()["roles"], json!([]));
    let unknown = json!({ "roles": [{ "role_id": "nobody" }] });
    assert_eq!(stage.call("PUT", &path, unknown).await.status, 400);
    assert_eq!(stage.call("PUT", &path, json!({})).await.refusal(), (400, "roles is required".into()));
    let admin = stage.get("/api/me").await.value()["id"].as_str().unwrap().to_owned();
    let demoted =
        stage.call("PUT", &format!("/api/users/{admin}/assigned_roles"), json!({ "roles": [] })).await;
    assert_eq!(demoted.refusal().0, 400);
}

#[tokio::test]
async fn users_are_listed_by_name_role_and_way_of_signing_in() {
    let stage = Stage::start().await;
    invite(&stage, "ann").await;
    let usernames = async |query: &str| {
        let rows = stage.get(&format!("/api/users{query}")).await.list();
        rows.iter().map(|row| row["username"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(usernames("?order_by=created_at&direction=asc").await, ["admin", "ann"]);
    assert_eq!(usernames("?search=AN").await, ["ann"]);
    assert_eq!(usernames("?roles=super-admin").await, ["admin"]);
    assert!(usernames("?roles=other").await.is_empty());
    assert_eq!(usernames("?login_option_name=Built-in&search=ann").await, ["ann"]);
    assert!(usernames("?login_option_name=LDAP").await.is_empty());
    for query in ["?page=0", "?page_size=x", "?direction=up", "?order_by=name", "?search=%zz"] {
        assert_eq!(stage.get(&format!("/api/users{query}")).await.refusal().0, 400, "{query}");
    }
}

#[tokio::test]
async fn neither_oneself_nor_the_first_administrator_can_be_deleted() {
    let stage = Stage::start().await;
    let admin = stage.get("/api/me").await.value()["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.call("DELETE", &format!("/api/users/{admin}"), Value::Null).await.refusal().0, 400);
    let ann = invite(&stage, "ann").await;
    let gone = stage.call("DELETE", &format!("/api/users/{ann}"), Value::Null).await;
    assert_eq!(gone.value(), json!({ "id": ann }));
    assert_eq!(stage.get(&format!("/api/users/{ann}")).await.refusal().0, 404);
    assert_eq!(stage.call("DELETE", &format!("/api/users/{ann}"), Value::Null).await.refusal().0, 404);
    let reset =
        stage.call("PUT", &format!("/api/users/{ann}/password_reset"), json!({ "password": 1 })).await;
    assert_eq!(reset.refusal().0, 404, "existence comes before the body");
}

#[tokio::test]
async fn a_token_shows_its_text_once_and_dies_when_it_is_regenerated() {
    let stage = Stage::start().await;
    let made =
        stage.call("POST", "/api/settings/tokens", json!({ "name": "ci", "expires_at": 0 })).await.value();
    let text = made["token"].as_str().unwrap().to_owned();
    assert!(text.starts_with("a7ee-") && text.len() >= 45);
    assert_eq!((&made["user_name"], &made["expires_at"]), (&json!("admin"), &json!(0)));
    let path = format!("/api/settings/tokens/{}", made["id"].as_str().unwrap());
    let read = stage.get(&path).await.value();
    assert!(read.get("token").is_none() && read.get("last_used_at").is_none());
    let me = async |key: &str| {
        stage.with_headers("GET", "/api/me", &[("x-api-key", key)], Value::Null).await.status
    };
    assert_eq!(me(&text).await, 200);
    assert!(stage.get(&path).await.value()["last_used_at"].is_i64());
    let renamed = stage.call("PUT", &path, json!({ "name": "build" })).await.value();
    assert_eq!(renamed["name"], "build");
    let ends = START + 3_600;
    let anew = stage.call("PUT", &format!("{path}/regenerate"), json!({ "expires_at": ends })).await.value();
    let next = anew["token"].as_str().unwrap();
    assert_eq!(anew["expires_at"], ends);
    assert_eq!((me(&text).await, me(next).await), (401, 200));
    stage.later(3_600);
    assert_eq!(me(next).await, 401);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 404);
}

#[tokio::test]
async fn a_token_needs_a_free_name_and_an_end_that_is_not_past() {
    let stage = Stage::start().await;
    for (body, problem) in [
        (json!({ "expires_at": 0 }), "name is required"),
        (json!({ "name": "ci" }), "expires_at is required: Unix seconds, or 0 for never"),
        (json!({ "name": "ci", "expires_at": "0" }), "expires_at must be a whole number"),
        (
            json!({ "name": "ci", "expires_at": START - 1 }),
            "expires_at must lie in the future (Unix seconds), or be 0 for never",
        ),
        (json!({ "name": "x".repeat(41), "expires_at": 0 }), "name must be 1 to 40 characters"),
        (
            json!({ "name": "tests", "expires_at": 0 }),
            "name \"tests\" is taken by another of your tokens; choose another name",
        ),
    ] {
        assert_eq!(stage.call("POST", "/api/settings/tokens", body).await.refusal(), (400, problem.into()));
    }
    let exists = stage.get("/api/settings/tokens/check_name?name=tests").await;
    assert_eq!(exists.value(), json!({ "exist": true }));
    assert_eq!(stage.get("/api/settings/tokens/check_name?name=x").await.value(), json!({ "exist": false }));
    assert_eq!(stage.get("/api/settings/tokens?order_by=expires_at&search=TEST").await.names(), ["tests"]);
}

#[tokio::test]
async fn anothers_token_is_not_there() {
    let stage = Stage::start().await;
    let own = stage.get("/api/settings/tokens").await.list()[0]["id"].as_str().unwrap().to_owned();
    invite(&stage, "ann").await;
    stage.basic("PUT", "/api/password", "ann", "first", json!({ "new_password": "second" })).await.value();
    let path = format!("/api/settings/tokens/{own}");
    assert_eq!(stage.basic("GET", &path, "ann", "second", Value::Null).await.refusal().0, 404);
    assert!(stage.basic("GET", "/api/settings/tokens", "ann", "second", Value::Null).await.list().is_empty());
}

#[tokio::test]
async fn licence_and_version_are_what_clients_expect() {
    let stage = Stage::start().await;
    let licence = json!({
        "customer": "Forecourt", "effective_at": 0, "expired_at": 4_102_444_800_i64, "max_dp_cores": 100_000,
        "status": "normal", "runtime": { "status": "normal" },
    });
    assert_eq!(stage.get("/api/license").await.value(), licence);
    assert_eq!(stage.call("PUT", "/api/license", json!({ "data": "x" })).await.value(), licence);
    assert_eq!(
        stage.call("PUT", "/api/license", json!({})).await.refusal(),
        (400, "data is required".into())
    );
    assert_eq!(stage.get("/api/version").await.body, json!({ "value": "3.10.5" }));
}

#[tokio::test]
async fn the_control_planes_addresses_are_replaced_under_either_name() {
    let stage = Stage::start().await;
    for member in ["dp_manager_address", "control_plane_address"] {
        let address = json!([format!("https://{}:7943", member.replace('_', "-"))]);
        let kept = stage.call("PUT", "/api/system_settings", json!({ member: address })).await.value();
        assert_eq!(kept, json!({ "dp_manager_address": address }));
        assert_eq!(stage.get("/api/system_settings").await.value(), kept);
    }
    let both = json!(["https://dp-manager:7943", "https://dp-manager-2:7943"]);
    let kept = stage.call("PUT", "/api/system_settings", json!({ "dp_manager_address": both })).await.value();
    assert_eq!(kept["dp_manager_address"], both);
    for body in [
        json!({}),
        json!({ "dp_manager_address": "x" }),
        json!({ "dp_manager_address": ["x"] }),
        json!({ "dp_manager_address": null }),
        json!({ "dp_manager_address": ["https://a:1"], "control_plane_address": ["https://b:1"] }),
    ] {
        assert_eq!(stage.call("PUT", "/api/system_settings", body).await.refusal().0, 400);
    }
    assert_eq!(stage.get("/api/system_settings").await.value(), kept);
}

#[tokio::test]
async fn the_schemas_hold_the_defaults_and_no_references() {
    let stage = Stage::start().await;
    let schemas = stage.get("/api/schema/core").await.value();
    for noun in ["service", "route", "upstream", "ssl", "consumer"] {
        assert_eq!(schemas[noun]["type"], "object", "{noun}");
        assert!(schemas[noun]["properties"].is_object(), "{noun}");
    }
    assert!(!schemas.to_string().contains("$ref"));
    // The defaults are those that a service made without them gets.
    let service = json!({ "name": "a", "upstream": {} });
    let made = stage.call("POST", "/apisix/admin/services?gateway_group_id=default", service).await.value();
    for member in ["type", "status", "strip_path_prefix"] {
        assert_eq!(schemas["service"]["properties"][member]["default"], made[member], "{member}");
    }
    for member in ["name", "scheme", "type", "pass_host"] {
        assert_eq!(
            schemas["upstream"]["properties"][member]["default"], made["upstream"][member],
            "{member}"
        );
    }
}
