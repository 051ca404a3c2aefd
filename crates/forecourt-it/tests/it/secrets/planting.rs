//! Secrets of administrators, of settings and of the gateway, planted over the Admin API.
//!
//! A kind is called as the member of the OpenAPI document that takes or shows it, where there is one; `members.rs`
//! holds the one list against the other.

use forecourt::serve::system_clock;
use forecourt_core::{gateway_state::JwtAlgorithm, secrets::PlainSecret};
use forecourt_identity::tokens::signed;
use forecourt_it::{Browser, Client, MailTrouble, PageForm, deadlines::eventually, installations::text};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::{Value, json};

use super::installations::{Installation, MARK};

/// The administrators with their passwords, sessions and tokens; gives a client of the first.
pub(super) async fn administrators(it: &mut Installation) -> (Client, String) {
    let guest = it.client("admin");
    let secrets = &mut it.secrets;
    let first = secrets.given("PUT /api/password.new_password");
    let one_time = guest.with_basic("admin", &it.first_password);
    one_time.put("/api/password", json!({ "new_password": first })).await.expect(200);
    secrets.keep("PUT /api/password.old_password", &first);
    let password = secrets.given("PUT /api/password.new_password");
    let change = json!({ "old_password": first, "new_password": password });
    guest.with_basic("admin", &first).put("/api/password", change).await.expect(200);
    let wrong = json!({ "username": "admin", "password": secrets.given("POST /api/login.password") });
    guest.post("/api/login", wrong).await.refused(401, "");
    let wrong = guest.with_basic("admin", &secrets.given("wrong Basic password"));
    wrong.get("/api/me").await.refused(401, "unauthorized");
    guest.with_bearer(&secrets.given("wrong token")).get("/api/me").await.refused(401, "unauthorized");

    let session = guest.post("/api/login", json!({ "username": "admin", "password": password })).await;
    let cookie = session.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    secrets.keep("session of an administrator", cookie.split_once('=').unwrap().1);
    guest.with("cookie", &cookie).get("/api/me").await.expect(200);

    let admin = guest.with_basic("admin", &password);
    let invited = json!({ "username": MARK, "password": secrets.given("POST /api/invites.password") });
    let made = admin.post("/api/invites", invited).await.expect(200);
    let reset = json!({ "password": secrets.given("PUT /api/users/{id}/password_reset.password") });
    let path = format!("/api/users/{}/password_reset", text(&made["value"]["id"]));
    admin.put(&path, reset).await.expect(200);
    let token = json!({ "name": MARK, "expires_at": 0 });
    let made = admin.post("/api/settings/tokens", token).await.expect(200);
    let token = secrets.issued("AccessToken.token", &made["value"]["token"]);
    guest.with("x-api-key", &token).get("/api/me").await.expect(200);
    admin.post("/api/roles", json!({ "name": MARK })).await.expect(200);
    (admin, password)
}

/// The console in a browser, with its session and its form's token.
pub(super) async fn console(it: &mut Installation, password: &str) -> Browser {
    let base = it.client("admin").base().to_owned();
    let browser = Browser::new();
    let form = PageForm::on(&browser.opens(&format!("{base}/sign-in")).await);
    it.secrets.keep("csrf token", form.field("csrf"));
    let done = browser.posts_form(&form.with("username", "admin").with("password", password)).await;
    assert_eq!(done.status, 303, "{}", done.text);
    it.secrets.keep("session of an administrator", &browser.cookie("session").unwrap());
    browser
}

/// Mail, directories, webhooks and ways to sign in.
pub(super) async fn settings(it: &mut Installation, admin: &Client) {
    let secrets = &mut it.secrets;
    let server = json!({
        "enable": true, "address": it.mails.address(), "sender_name": MARK, "sender_address": "apis@nordwind.example",
        "username": "mailer", "password": secrets.given("PUT /api/system_settings/smtp_server.password"),
    });
    admin.put("/api/system_settings/smtp_server", server).await.expect(200);
    let password = secrets.given("POST /api/forecourt/smtp_server/test.password");
    let trial = json!({ "to": "me@example.com", "password": password });
    let trial = admin.post("/api/forecourt/smtp_server/test", trial).await.expect(200);
    assert_eq!(trial["value"]["sent"], true, "{trial}");
    it.mails.has(MailTrouble::QuotesSignIns);
    let trial = json!({ "to": "me@example.com", "password": password });
    let trial = admin.post("/api/forecourt/smtp_server/test", trial).await.expect(200);
    assert!(trial["value"]["sent"] == false && trial.to_string().contains("535 5.7.8"), "{trial}");
    assert!(secrets.found_in(trial.to_string().as_bytes(), &[]).is_empty(), "{trial}");
    it.mails.has(MailTrouble::None);

    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let site = it.process.client("site").base().to_owned();
    admin.put(&format!("/api/portals/{portal}"), json!({ "public_url": site })).await.expect(200);
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{MARK}-of-a-directory"),
        "active": true,
    });
    for (kind, path, service) in [
        (
            "PUT /api/system_settings/scim/token.value.token",
            "/api/system_settings/scim".to_owned(),
            it.process.client("admin").base().to_owned() + "/api",
        ),
        (
            "PUT /api/forecourt/portals/{id}/scim/token.value.token",
            format!("/api/forecourt/portals/{portal}/scim"),
            site,
        ),
    ] {
        admin.put(&path, json!({ "enable": true })).await.expect(200);
        let made = admin.put(&format!("{path}/token"), json!({})).await.expect(200);
        let directory = Client::new(service).with_bearer(&secrets.issued(kind, &made["value"]["token"]));
        directory.post("/scim/v2/Users", user.clone()).await.expect(201);
        let listed = directory.get("/scim/v2/Users").await;
        assert!(secrets.found_in(&listed.body, &[]).is_empty() && listed.text().contains(MARK), "{listed:?}");
    }
    sign_in_options(it, admin).await;
}

async fn sign_in_options(it: &mut Installation, admin: &Client) {
    let secrets = &mut it.secrets;
    let (ours, directory) = (pair("saml.example"), pair("ldap.example"));
    let oidc = json!({
        "issuer": "https://id.example.com", "client_id": "forecourt", "request_scopes": ["openid"],
        "client_secret": secrets.given("OidcLogin.client_secret"),
    });
    let saml = json!({
        "idp_metadata_url": "https://id.example.com/metadata", "sp_root_url": "https://admin.example.com",
        "certificate": ours.cert.pem(), "private_key": secrets.key("SamlLogin.private_key", &ours.signing_key),
    });
    let ldap = json!({
        "host": "127.0.0.1", "port": "1", "base_dn": "dc=example", "bind_dn": "cn=admin", "identifier": "uid",
        "bind_password": secrets.given("LdapLogin.bind_password"), "timeout": 1,
        "client_cert": directory.cert.pem(), "client_key": secrets.key("LdapLogin.client_key", &directory.signing_key),
    });
    let cas = json!({ "url": "https://cas.example.com/cas" });
    for (kind, config) in [("oidc", oidc), ("saml", saml), ("cas", cas), ("ldap", ldap)] {
        let mut option = json!({ "name": format!("{MARK} {kind}"), "provider_type": kind });
        option[format!("{kind}_config")] = config;
        let made = admin.post("/api/login_options", option).await.expect(200);
        if kind == "ldap" {
            // Nobody listens there, which is logged.
            let person =
                json!({ "username": "ada", "password": secrets.given("POST /api/ldap/{id}/login.password") });
            let path = format!("/api/ldap/{}/login", text(&made["value"]["id"]));
            it.process.client("admin").post(&path, person).await.refused(500, "does not work at the moment");
        }
    }
}

/// Contact points: the ids of one for mail and one for a webhook, whose secret was changed once.
pub(super) async fn contact_points(it: &mut Installation, admin: &Client) -> (String, String) {
    let mail = json!({ "name": MARK, "type": "email", "addresses": ["ops@example.com"] });
    let mail = text(&admin.post("/api/contact_points", mail).await.expect(200)["value"]["id"]);
    let hook = json!({ "name": MARK, "type": "webhook", "url": it.hook.url() });
    let made = admin.post("/api/contact_points", hook).await.expect(200);
    let hook = text(&made["value"]["id"]);
    it.secrets.issued("ContactPoint.signing_secret", &made["value"]["signing_secret"]);
    let path = format!("/api/forecourt/contact_points/{hook}/signing_secret");
    let made = admin.post(&path, json!({})).await.expect(200);
    it.secrets.issued("ContactPoint.signing_secret", &made["value"]["signing_secret"]);
    (mail, hook)
}

/// What the gateway's group holds: keys of its administration and its nodes, certificates, consumers, and a service for
/// each way to ask for them. Gives the instance token.
pub(super) async fn gateway_group(it: &mut Installation, admin: &Client) -> String {
    let guest = it.client("admin");
    let made = admin.put("/api/gateway_groups/default/admin_key", json!({})).await.expect(200);
    let key = it.secrets.issued("PUT /api/gateway_groups/{id}/admin_key.value.key", &made["value"]["key"]);
    guest.with_bearer(&key).get("/apisix/admin/services").await.expect(200);
    let made = admin.post("/api/gateway_groups/default/instance_token", json!({})).await.expect(200);
    let whole = text(&made["value"]["token_plain_text"]);
    // The rest of it names the authority, which is no secret.
    let secret = whole.split_once('.').map_or(whole.as_str(), |(secret, _)| secret);
    it.secrets.keep("POST /api/gateway_groups/{id}/instance_token.value.token_plain_text", secret);
    certificates(it, admin).await;
    consumers(it, admin).await;
    whole
}

pub(super) fn pair(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec![name.to_owned()]).unwrap()
}

pub(super) fn in_group(object: &str) -> String {
    format!("/apisix/admin/{object}?gateway_group_id=default")
}

async fn certificates(it: &mut Installation, admin: &Client) {
    let secrets = &mut it.secrets;
    let (one, other, client, upstream) =
        (pair("a.example"), pair("a.example"), pair("gateway.example"), pair("upstream.example"));
    let served = json!({
        "cert": one.cert.pem(), "key": secrets.key("CertificateInput.key", &one.signing_key),
        "certs": [other.cert.pem()], "keys": [secrets.key("CertificateInput.keys", &other.signing_key)],
        "labels": { "about": MARK },
    });
    admin.put(&in_group("ssls/one"), served).await.expect(200);
    let shown = json!({
        "type": "client", "cert": client.cert.pem(), "key": secrets.key("CertificateInput.key", &client.signing_key),
    });
    admin.put(&in_group("ssls/client"), shown).await.expect(200);
    let tls = json!({
        "client_cert": upstream.cert.pem(), "client_key": secrets.key("tls.client_key", &upstream.signing_key),
    });
    let nodes = json!([{ "host": "127.0.0.1", "port": 1, "weight": 1 }]);
    let inline = json!({ "name": "default", "scheme": "https", "tls": tls, "nodes": nodes });
    let service = json!({ "name": "tls", "path_prefix": "/tls", "upstream": inline });
    admin.put(&in_group("services/tls"), service).await.expect(200);
}

async fn consumers(it: &mut Installation, admin: &Client) {
    let address = it.upstream.address();
    let nodes = json!([{ "host": address.ip().to_string(), "port": address.port(), "weight": 1 }]);
    let mut services = vec![(MARK.to_owned(), json!({}))];
    for plugin in ["key-auth", "basic-auth", "jwt-auth"] {
        services.push((plugin.to_owned(), json!({ plugin: {} })));
    }
    for (id, plugins) in services {
        let upstream = json!({ "name": "default", "nodes": nodes });
        let service =
            json!({ "name": id, "path_prefix": format!("/{id}"), "plugins": plugins, "upstream": upstream });
        admin.put(&in_group(&format!("services/{id}")), service).await.expect(200);
        let route = json!({ "name": "all", "service_id": id, "paths": ["/*"] });
        admin.put(&in_group(&format!("routes/{id}")), route).await.expect(200);
    }
    let secrets = &mut it.secrets;
    let mut plugins = |name: &str| {
        json!({
            "key-auth": { "key": secrets.given(KEY_OF_CONSUMER) },
            "basic-auth": { "username": name, "password": secrets.given(PASSWORD_OF_CONSUMER) },
            "jwt-auth": { "key": name, "secret": secrets.given(TOKEN_SECRET_OF_CONSUMER) },
        })
    };
    let consumer = json!({ "plugins": plugins("batch"), "desc": MARK });
    admin.put(&in_group("consumers/batch"), consumer.clone()).await.expect(200);
    let whole = plugins("nightly");
    for (plugin, settings) in whole.as_object().unwrap() {
        let path = in_group(&format!("consumers/batch/credentials/{plugin}"));
        admin.put(&path, json!({ "plugins": { plugin: settings } })).await.expect(200);
    }
    for plugins in [&consumer["plugins"], &whole] {
        calls_of_consumer(it, plugins).await;
    }
}

pub(super) const KEY_OF_CONSUMER: &str = "key-auth.key of a consumer";
pub(super) const PASSWORD_OF_CONSUMER: &str = "basic-auth.password of a consumer";
pub(super) const TOKEN_SECRET_OF_CONSUMER: &str = "jwt-auth.secret of a consumer";

/// The consumer is let through with whatever it shows, wherever it may show it, once the gateway has heard of it.
async fn calls_of_consumer(it: &mut Installation, plugins: &Value) {
    let gateway = it.client("gateway");
    let (key, basic, jwt) = (text(&plugins["key-auth"]["key"]), &plugins["basic-auth"], &plugins["jwt-auth"]);
    let secret = PlainSecret::presented(text(&jwt["secret"]));
    let ends = system_clock()().plus_seconds(3_600);
    let token = signed(JwtAlgorithm::Hs256, &text(&jwt["key"]), &secret, ends).unwrap();
    let token = token.reveal();
    it.secrets.keep("token that a caller signed", token);
    let in_query: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
    let with_password = gateway.with_basic(&text(&basic["username"]), &text(&basic["password"]));
    for (client, path) in [
        (gateway.with("apikey", &key), "/key-auth/a".to_owned()),
        (gateway.clone(), format!("/key-auth/a?apikey={in_query}")),
        (with_password, "/basic-auth/a".to_owned()),
        (gateway.with_bearer(token), "/jwt-auth/a".to_owned()),
        (gateway.clone(), format!("/jwt-auth/a?jwt={token}")),
        (gateway.with("cookie", &format!("jwt={token}")), "/jwt-auth/a".to_owned()),
    ] {
        let what = format!("the gateway lets a consumer through at {}", path.split('?').next().unwrap());
        eventually(&what, || async { (client.get(&path).await.status == 200).then_some(()) }).await;
    }
}
