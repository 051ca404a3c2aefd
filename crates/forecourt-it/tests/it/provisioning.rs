//! SCIM over HTTP: judged by scim2-tester, and what a directory's acts do to the people that it made.

use std::process::Stdio;

use forecourt_it::{Browser, Client, Forecourt, Page, PageForm, Product, installations::text, python_tools};
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

/// Enables the SCIM of the default portal; its token.
async fn enabled_on_site(f: &Forecourt) -> String {
    let admin = f.admin().await;
    let portal = f.portal_id().await;
    admin.put(&format!("/api/portals/{portal}"), json!({ "public_url": f.site().base() })).await.expect(200);
    let path = format!("/api/forecourt/portals/{portal}/scim");
    let settings = admin.put(&path, json!({ "enable": true })).await.expect(200);
    let endpoint = format!("{}/scim/v2", f.site().base());
    assert_eq!(settings["value"], json!({ "enable": true, "endpoint": endpoint }));
    text(&admin.put(&format!("{path}/token"), json!({})).await.expect(200)["value"]["token"])
}

/// Lets the judge look at the service at `address`; none of its checks may fail or be passed over.
async fn is_judged(address: &str, token: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/scim/judge.py");
    let mut judge = Command::new(python_tools::program("scim", "python"))
        .arg(script)
        .arg(address)
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
async fn a_judge_of_scim_services_finds_no_error() {
    let f = Forecourt::start().await;
    let token = enabled(&f).await;
    is_judged(&format!("{}/api/scim/v2", f.guest().base()), &token).await;
}

#[tokio::test]
async fn a_judge_of_scim_services_finds_no_error_in_that_of_a_portal() {
    let f = Forecourt::start().await;
    let token = enabled_on_site(&f).await;
    is_judged(&format!("{}/scim/v2", f.site().base()), &token).await;
}

/// What a browser shows that posts these fields to the form at `path` of the site.
async fn fills_in(browser: &Browser, f: &Forecourt, path: &str, fields: &[(&str, &str)]) -> Page {
    let address = format!("{}{path}", f.site().base());
    let csrf = PageForm::on(&browser.goes(&address).await).field("csrf").to_owned();
    browser.posts(&address, &[fields, &[("csrf", csrf.as_str())]].concat()).await
}

/// Where the site leads somebody who wants to see applications.
async fn led_to(browser: &Browser, f: &Forecourt) -> String {
    browser.goes(&format!("{}/applications", f.site().base())).await.url.path().to_owned()
}

const ANN: &str = "ann@example.com";

/// Ann, whom the directory made, and who got a way in from an administrator: there is none that a directory could give.
struct Ann {
    /// Her developer's public id.
    developer: String,
    /// Where an administrator resets her password.
    reset: String,
    /// Where she is signed in.
    browser: Browser,
}

impl Ann {
    async fn signs_in(f: &Forecourt) -> Self {
        let admin = f.admin().await;
        let found = admin.get("/api/developers?search=ann%20lee").await.expect(200);
        let developer = text(&found["list"][0]["developer_id"]);
        let reset = format!("/api/forecourt/developers/{developer}/password_reset");
        let browser = Browser::new();
        let first = [("username", ANN), ("password", "first")];
        assert_eq!(fills_in(&browser, f, "/sign-in", &first).await.status, 422, "she has no password");
        admin.put(&reset, json!({ "password": "first" })).await.expect(200);
        assert_eq!(fills_in(&browser, f, "/sign-in", &first).await.status, 303);
        let chosen = [("password", "a better password"), ("again", "a better password")];
        assert_eq!(fills_in(&browser, f, "/sign-in/password", &chosen).await.status, 303);
        assert_eq!(led_to(&browser, f).await, "/applications");
        Self { developer, reset, browser }
    }

    /// What the site answers to a fresh browser that shows this password.
    async fn is_let_in(f: &Forecourt, password: &str) -> bool {
        let fields = [("username", ANN), ("password", password)];
        fills_in(&Browser::new(), f, "/sign-in", &fields).await.status == 303
    }

    /// The Portal API as a front end calls it for her.
    async fn api(&self, f: &Forecourt) -> Client {
        f.portal_api().await.with("x-portal-developer-id", &self.developer)
    }

    /// The gateway, by an application of hers that is subscribed to `product`.
    async fn caller(&self, f: &Forecourt, product: &Product<'_>) -> Client {
        let api = self.api(f).await;
        let made = api.post("/api/applications", json!({ "name": "mobile" })).await.expect(201);
        let application = text(&made["id"]);
        let body = json!({ "applications": [application], "api_products": [product.id] });
        api.post("/api/subscriptions", body).await.expect(201);
        let key = json!({ "type": "key-auth", "name": "prod" });
        let made = api.post(&format!("/api/applications/{application}/credentials"), key).await.expect(201);
        f.gateway().with("apikey", &text(&made["key-auth"]["key"]))
    }
}

#[tokio::test]
async fn whom_a_portal_s_directory_deactivates_is_out_and_their_calls_are_refused_until_they_are_back() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let bystander =
        f.developer("bob").await.application("other").await.subscribe(&orders).await.key("k").await;
    let directory = f.site().with_bearer(&enabled_on_site(&f).await);
    let user = json!({ "schemas": [USER], "userName": ANN, "displayName": "Ann Lee" });
    let made = directory.post("/scim/v2/Users", user).await.expect(201);
    let path = format!("/scim/v2/Users/{}", text(&made["id"]));
    let ann = Ann::signs_in(&f).await;
    let (api, caller) = (ann.api(&f).await, ann.caller(&f, &orders).await);
    caller.get(&orders.path).await.expect(200);

    let off = patch(json!([{ "op": "replace", "path": "active", "value": false }]));
    let answer = directory.patch(&path, off).await;
    assert_eq!(answer.expect(200)["active"], false);
    assert!(answer.header("x-forecourt-revision").is_some(), "gateways hear of it");
    caller.get(&orders.path).await.expect(401);
    f.call(&orders, &bystander).await.expect(200);
    api.get("/api/applications").await.refused(401, "developer is not active");
    assert_eq!(led_to(&ann.browser, &f).await, "/sign-in");
    assert!(!Ann::is_let_in(&f, "a better password").await);
    let admin = f.admin().await;
    admin.put(&ann.reset, json!({ "password": "first" })).await.expect(200);
    assert!(!Ann::is_let_in(&f, "first").await, "not even a fresh password lets her in");
    let held = admin.get(&format!("/api/developers/{}", ann.developer)).await.expect(200);
    assert_eq!(held["value"]["on_hold"], true);

    // She is back, with all that was hers but her sessions.
    let on = patch(json!([{ "op": "Replace", "value": { "active": "True" } }]));
    directory.patch(&path, on).await.expect(200);
    caller.get(&orders.path).await.expect(200);
    assert_eq!(led_to(&ann.browser, &f).await, "/sign-in");
    assert!(Ann::is_let_in(&f, "first").await);

    directory.delete(&path).await.empty(204);
    caller.get(&orders.path).await.expect(401);
    f.call(&orders, &bystander).await.expect(200);
    api.get("/api/applications").await.refused(401, "unknown developer");
    directory.get(&path).await.expect(404);
    admin.get(&format!("/api/developers/{}", ann.developer)).await.refused(404, "not found");
    assert!(!Ann::is_let_in(&f, "first").await);
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
