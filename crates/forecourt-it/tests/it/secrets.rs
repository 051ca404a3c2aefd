//! Secrets of every kind, given and issued, and then looked for: in what is logged at the most talkative level, in the
//! answers that read, and in the database's files.

use forecourt_it::{
    Client, ForecourtProcess, TestDatabase,
    installations::text,
    processes::{binary, command},
};
use serde_json::{Value, json};

const PASSWORD: &str = "planted-password-of-admin";

/// Everything that may be found nowhere.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    /// Keeps a secret that an answer shows.
    fn issued(&mut self, value: &Value) -> String {
        let secret = text(value);
        assert!(secret.len() > 15, "{secret} is too short to be looked for");
        self.0.push(secret.clone());
        secret
    }

    /// A secret of the caller's choice.
    fn given(&mut self, name: &str) -> String {
        let secret = format!("planted-{name}-{}", self.0.len());
        self.0.push(secret.clone());
        secret
    }

    fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        let within = |secret: &String| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        self.0.iter().find(|secret| within(secret)).map(String::as_str)
    }
}

/// Makes secrets of administrators and gateways; the administrator and a front end of the first portal.
async fn administrate(process: &ForecourtProcess, secrets: &mut Secrets) -> (Client, Client) {
    let guest = process.client("admin");
    secrets.0.push(PASSWORD.to_owned());
    let one_time = guest.with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": PASSWORD })).await.expect(200);
    let wrong = json!({ "username": "admin", "password": secrets.given("wrong-password") });
    guest.post("/api/login", wrong).await.refused(401, "");
    guest
        .with_basic("admin", &secrets.given("wrong-basic"))
        .get("/api/me")
        .await
        .refused(401, "unauthorized");
    let right = json!({ "username": "admin", "password": PASSWORD });
    let session = guest.post("/api/login", right).await;
    let cookie = session.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    secrets.0.push(cookie.split_once('=').unwrap().1.to_owned());
    guest.with("cookie", &cookie).get("/api/me").await.expect(200);

    let admin = guest.with_basic("admin", PASSWORD);
    let made = admin.post("/api/settings/tokens", json!({ "name": "ci", "expires_at": 0 })).await.expect(200);
    let token = secrets.issued(&made["value"]["token"]);
    guest.with("x-api-key", &token).get("/api/me").await.expect(200);
    let made = admin.put("/api/gateway_groups/default/admin_key", json!({})).await.expect(200);
    guest.with_bearer(&secrets.issued(&made["value"]["key"])).get("/apisix/admin/services").await.expect(200);
    let made = admin.post("/api/gateway_groups/default/instance_token", json!({})).await.expect(200);
    secrets.issued(&made["value"]["token_plain_text"]);
    let plugins = json!({
        "key-auth": { "key": secrets.given("consumer-key") },
        "basic-auth": { "username": "batch", "password": secrets.given("consumer-password") },
    });
    let consumer = "/apisix/admin/consumers/batch?gateway_group_id=default";
    admin.put(consumer, json!({ "plugins": plugins })).await.expect(200);
    let headers = json!({ "Authorization": secrets.given("header") });
    let provider = json!({ "name": "OpenID", "issuer": "https://id.example.com", "headers": headers });
    admin.post("/api/dcr_providers", provider).await.expect(200);

    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let tokens = format!("/api/portal/tokens?portal_id={portal}");
    let made = admin.post(&tokens, json!({ "name": "front end" })).await.expect(200);
    let front_end = process.client("portal_api").with_bearer(&secrets.issued(&made["value"]["token"]));
    (admin, front_end)
}

/// Makes secrets of a developer, and shows them to the gateway in every way.
async fn develop(process: &ForecourtProcess, front_end: &Client, secrets: &mut Secrets) -> Client {
    let unknown = process.client("portal_api").with_bearer(&secrets.given("a7prt"));
    unknown.get("/api/developers").await.refused(401, "unauthorized");
    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    let ada = front_end.with("x-portal-developer-id", "ada");
    let made = ada.post("/api/applications", json!({ "name": "demo" })).await.expect(201);
    let path = format!("/api/applications/{}/credentials", text(&made["id"]));
    let made = ada.post(&path, json!({ "type": "key-auth", "name": "key" })).await.expect(201);
    let first = secrets.issued(&made["key-auth"]["key"]);
    let again = format!("{path}/{}/regenerate", text(&made["id"]));
    let made = ada.put(&again, json!({ "type": "key-auth" })).await.expect(200);
    let second = secrets.issued(&made["key-auth"]["key"]);
    let password = secrets.given("password");
    let basic = json!({ "username": "batch", "password": password });
    ada.post(&path, json!({ "type": "basic-auth", "name": "basic", "basic-auth": basic })).await.expect(201);
    let made = ada.post(&path, json!({ "type": "jwt-auth", "name": "token" })).await.expect(201);
    secrets.issued(&made["jwt-auth"]["secret"]);
    let chosen = json!({ "type": "key-auth", "name": "key", "key-auth": { "key": secrets.given("chosen") } });
    let refused = ada.post(&path, chosen).await;
    refused.refused(400, "key");
    assert_eq!(secrets.found_in(&refused.body), None, "a refusal repeats no secret: {refused:?}");
    ada.get(&format!("/api/applications?search={}", secrets.given("search"))).await.expect(200);

    let planted = secrets.given("path");
    ada.get(&format!("/api/applications/{planted}")).await.expect(404);
    ada.get(&format!("/api/{planted}")).await.expect(404);

    let gateway = process.client("gateway");
    for key in [first, second] {
        gateway.with("apikey", &key).get("/nothing").await.expect(404);
        gateway.get(&format!("/nothing?apikey={key}")).await.expect(404);
    }
    gateway.with_basic("batch", &password).get("/nothing").await.expect(404);
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_logged_shown_again_or_stored_as_it_is() {
    let database = TestDatabase::new();
    let mut serve = command(&binary(), &["serve"], &database);
    serve.env("FORECOURT_LOG", "debug");
    let process = ForecourtProcess::start(serve);
    let mut secrets = Secrets::default();
    let (admin, front_end) = administrate(&process, &mut secrets).await;
    let ada = develop(&process, &front_end, &mut secrets).await;
    assert_eq!(secrets.0.len(), 19, "{:?}", secrets.0);
    for (client, path) in [
        (&ada, "/api/credentials"),
        (&ada, "/api/dcr_providers"),
        (&admin, "/api/settings/tokens"),
        (&admin, "/api/portal/tokens?portal_id=default"),
        (&admin, "/api/gateway_groups"),
        (&admin, "/api/forecourt/instance_tokens"),
        (&admin, "/api/dcr_providers"),
        (&admin, "/api/audit_logs"),
    ] {
        let path = path.replace("=default", &format!("={}", portal(&admin).await));
        let read = client.get(&path).await;
        assert!(!read.expect(200)["list"].as_array().unwrap().is_empty(), "{path} shows nothing");
        assert_eq!(secrets.found_in(&read.body), None, "{path}");
    }

    let ended = process.stop("TERM");
    for route in ["/api/settings/tokens", "/api/applications/{id}/credentials"] {
        assert!(ended.stderr.contains(&format!("\"http.route\":\"{route}\"")), "{route}: {}", ended.stderr);
    }
    assert_eq!(secrets.found_in(ended.stderr.as_bytes()), None, "logged");
    assert_eq!(secrets.found_in(ended.stdout.as_bytes()), None, "printed");
    // On PostgreSQL the database is elsewhere.
    for entry in std::fs::read_dir(database.folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert_eq!(secrets.found_in(&std::fs::read(&path).unwrap()), None, "{}", path.display());
        }
    }
}

async fn portal(admin: &Client) -> String {
    text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"])
}
