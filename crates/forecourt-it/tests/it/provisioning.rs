//! SCIM over HTTP: judged by scim2-tester, and what a directory's acts do to the people that it made.

use std::process::Stdio;

use forecourt_it::{Client, Forecourt, installations::text, python_tools};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, process::Command};

/// Enables SCIM; its token.
async fn enabled(f: &Forecourt) -> String {
    let admin = f.admin().await;
    let settings = admin.put("/api/system_settings/scim", json!({ "enable": true })).await.expect(200);
    let endpoint = format!("{}/api/scim/v2", f.guest().base());
    assert_eq!(settings["value"], json!({ "enable": true, "endpoint": endpoint }));
    text(&admin.put("/api/system_settings/scim/token", json!({})).await.expect(200)["value"]["token"])
}

async fn made(directory: &Client, name: &str) -> String {
    let user = json!({ "schemas": [USER], "userName": name, "active": true });
    text(&directory.post("/api/scim/v2/Users", user).await.expect(201)["id"])
}

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn patch(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations })
}

#[tokio::test]
async fn a_judge_of_scim_services_finds_no_error() {
    let f = Forecourt::start().await;
    let token = enabled(&f).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/scim/judge.py");
    let mut judge = Command::new(python_tools::program("scim", "python"))
        .arg(script)
        .arg(format!("{}/api/scim/v2", f.guest().base()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    judge.stdin.take().unwrap().write_all(token.as_bytes()).await.unwrap();
    let output = judge.wait_with_output().await.unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let problems = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{report}\n{problems}");
    let checks: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let with = |status: &str| checks.iter().filter(|check| check["status"] == status).count();
    assert!(with("SUCCESS") >= 30, "{report}");
    assert_eq!(with("SUCCESS"), checks.len(), "nothing is passed over:\n{report}");
}

#[tokio::test]
async fn whom_the_directory_deactivates_is_out_at_once_and_for_good() {
    let f = Forecourt::start().await;
    let directory = f.guest().with_bearer(&enabled(&f).await);
    let ann = made(&directory, "ann").await;
    // An administrator gives her a way in: there is none that a directory could give.
    let admin = f.admin().await;
    let listed = admin.get("/api/users?search=ann").await.expect(200);
    assert_eq!((&listed["list"][0]["state"], &listed["list"][0]["roles"]), (&json!("Active"), &json!([])));
    admin.put(&format!("/api/users/{ann}/password_reset"), json!({ "password": "first" })).await.expect(200);
    let basic = f.guest().with_basic("ann", "second");
    let first = f.guest().with_basic("ann", "first");
    first.put("/api/password", json!({ "new_password": "second" })).await.expect(200);
    let login = json!({ "username": "ann", "password": "second" });
    let signed_in = f.guest().post("/api/login", login.clone()).await;
    let session =
        f.guest().with("cookie", signed_in.header("set-cookie").unwrap().split(';').next().unwrap());
    session.get("/api/me").await.expect(200);
    let token = json!({ "name": "ci", "expires_at": 0 });
    let token = text(&basic.post("/api/settings/tokens", token).await.expect(200)["value"]["token"]);
    let token = f.guest().with("x-api-key", &token);
    token.get("/api/me").await.expect(200);

    let path = format!("/api/scim/v2/Users/{ann}");
    let off = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
    assert_eq!(directory.patch(&path, off).await.expect(200)["active"], false);
    for way in [&basic, &session, &token] {
        way.get("/api/me").await.refused(401, "unauthorized");
    }
    f.guest().post("/api/login", login.clone()).await.refused(401, "unauthorized");
    assert_eq!(admin.get(&format!("/api/users/{ann}")).await.expect(200)["value"]["state"], "Inactive");

    // Habits of directories: a capital letter, a text for a truth value, no path.
    let on = patch(json!([{ "op": "Replace", "value": { "active": "True" } }]));
    assert_eq!(directory.patch(&path, on).await.expect(200)["active"], true);
    basic.get("/api/me").await.expect(200);
    for dead in [&session, &token] {
        dead.get("/api/me").await.refused(401, "unauthorized");
    }
    directory.delete(&path).await.empty(204);
    basic.get("/api/me").await.refused(401, "unauthorized");
    directory.get(&path).await.expect(404);
}

#[tokio::test]
async fn only_the_newest_token_opens_scim_and_it_opens_nothing_else() {
    let f = Forecourt::start().await;
    let old = enabled(&f).await;
    let users = "/api/scim/v2/Users";
    f.guest().with_bearer(&old).get(users).await.expect(200);
    let new = enabled(&f).await;
    assert_ne!(old, new);
    f.guest().with_bearer(&new).get(users).await.expect(200);
    let refused = f.guest().with_bearer(&old).get(users).await;
    assert_eq!(refused.expect(401)["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(refused.header("content-type"), Some("application/scim+json"));
    assert!(refused.header("www-authenticate").is_some());
    // Neither does another credential open it, nor does its own open the Admin API, in whatever place.
    f.admin().await.get(users).await.expect(401);
    f.guest().with("x-api-key", &new).get(users).await.expect(401);
    f.guest().with("x-api-key", &new).get("/api/me").await.refused(401, "unauthorized");
    f.guest().with_bearer(&new).get("/api/me").await.refused(401, "unauthorized");
    f.admin().await.put("/api/system_settings/scim", json!({ "enable": false })).await.expect(200);
    for path in [users, "/api/scim/v2/ServiceProviderConfig", "/api/scim/v2/nothing"] {
        f.guest().with_bearer(&new).get(path).await.expect(404);
    }
}

#[tokio::test]
async fn whom_the_directory_did_not_make_it_sees_and_cannot_change() {
    let f = Forecourt::start().await;
    let directory = f.guest().with_bearer(&enabled(&f).await);
    let found = directory.get("/api/scim/v2/Users?filter=userName+eq+%22admin%22").await.expect(200);
    assert_eq!((&found["totalResults"], &found["Resources"][0]["userName"]), (&json!(1), &json!("admin")));
    let path = format!("/api/scim/v2/Users/{}", text(&found["Resources"][0]["id"]));
    let off = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
    assert_eq!(directory.patch(&path, off).await.expect(403)["status"], "403");
    directory.put(&path, json!({ "userName": "root", "active": false })).await.expect(403);
    directory.delete(&path).await.expect(403);
    let taken = directory.post("/api/scim/v2/Users", json!({ "userName": "admin" })).await.expect(409);
    assert_eq!(taken["scimType"], "uniqueness");
    f.admin().await.get("/api/me").await.expect(200);
}
