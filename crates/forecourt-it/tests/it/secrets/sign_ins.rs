//! Sign-ins of administrators through real providers: everything that browsers, providers and we tell each other in them.
//!
//! Each way is gone once to its end, once to a refusal, and once only begun, so that something waits in the database.

use forecourt_it::{
    Browser, CasServer, Client, Directory, IdentityProvider, MovedClock, Page, PageForm,
    directories::{BASE_DN, BIND_DN, BIND_PASSWORD},
    installations::text,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use url::Url;

use super::{
    installations::{Installation, MARK},
    planting::pair,
    searches::Secrets,
};

/// What the console is called, which is not where it is.
const KNOWN_AS: &str = "https://admin.example.com";
/// What the directory knows `ada` by.
const IN_DIRECTORY: &str = "a password of ada";
const SESSION: &str = "session of an administrator";

pub(super) async fn through_providers(it: &mut Installation, admin: &Client) {
    by_openid(it, admin).await;
    by_saml(it, admin).await;
    by_cas(it, admin).await;
    by_directory(it, admin).await;
    by_directory_that_quotes(it, admin).await;
}

/// An option of the administrators; its id.
async fn option(admin: &Client, kind: &str, name: &str, config: Value) -> String {
    let mut option = json!({ "name": format!("{MARK} {name}"), "provider_type": kind });
    option[format!("{kind}_config")] = config;
    text(&admin.post("/api/login_options", option).await.expect(200)["value"]["id"])
}

/// An address of the console as others know it, where it really is.
fn here(it: &Installation, address: &str) -> String {
    address.replace(KNOWN_AS, it.client("admin").base())
}

/// Keeps what an address carries that proves something.
fn keep_query(secrets: &mut Secrets, url: &Url) {
    for (name, value) in url.query_pairs() {
        match &*name {
            "state" | "RelayState" => secrets.keep("state of a sign-in", &value),
            "nonce" => secrets.keep("nonce of a sign-in", &value),
            "code" => secrets.keep("code of a sign-in", &value),
            "code_challenge" => secrets.keep("code_challenge of a sign-in", &value),
            "ticket" => secrets.keep("ticket of a sign-in", &value),
            "held" => secrets.keep("secret of somebody who is held", &value),
            "service" => keep_query(secrets, &Url::parse(&value).unwrap()),
            _ => {}
        }
    }
}

/// Keeps the cookies that bind sign-ins to this browser.
fn keep_bindings(secrets: &mut Secrets, browser: &Browser) {
    let names: Vec<_> =
        browser.cookie_names().into_iter().filter(|name| name.starts_with("sign_in_")).collect();
    assert!(!names.is_empty(), "a cookie binds a sign-in to its browser");
    for name in names {
        secrets.keep("cookie of a sign-in", &browser.cookie(&name).unwrap());
    }
}

/// Keeps the session with which a sign-in ended.
fn keep_session(secrets: &mut Secrets, browser: &Browser, page: &Page) {
    let session = browser.cookie("session");
    assert!(page.status == 303 && session.is_some(), "{:?}", page.way);
    secrets.keep(SESSION, &session.unwrap());
}

#[track_caller]
fn refused(browser: &Browser, page: &Page) {
    let query = page.next().and_then(|url| url.query().map(str::to_owned));
    assert_eq!(query.as_deref(), Some("failed=refused"), "{:?}", page.way);
    assert_eq!(browser.cookie("session"), None);
}

async fn by_openid(it: &mut Installation, admin: &Client) {
    let callback = format!("{KNOWN_AS}/api/oidc/callback");
    let (client, secret) = it.provider.sign_in_client(&callback, "client_secret_basic").await;
    it.secrets.keep("OidcLogin.client_secret", &secret);
    let config = json!({
        "issuer": it.provider.issuer(), "client_id": client, "client_secret": secret,
        "request_scopes": ["openid", "email", "profile"],
    });
    let id = option(admin, "oidc", "openid", config).await;
    let person = json!({ "sub": "ada-1", "preferred_username": "ada-of-openid", "email": "ada@example.com" });
    it.provider.signs_in(person).await;
    let login = here(it, &format!("{KNOWN_AS}/api/oidc/{id}/login"));
    let code = it.secrets.plain("code of a sign-in");
    let told = it.secrets.plain("what a provider says of an error");
    for way in ["whole", "wrong code", "error", "begun"] {
        let browser = Browser::new();
        let page = browser.goes_until(&login, |url| url.as_str().starts_with(KNOWN_AS)).await;
        keep_bindings(&mut it.secrets, &browser);
        let mut back = page.next().expect("the provider sends it back");
        for url in page.way.iter().map(|(url, _)| url).chain([&back]) {
            keep_query(&mut it.secrets, url);
        }
        let pairs: Vec<(String, String)> = back.query_pairs().into_owned().collect();
        let value = |name: &str| pairs.iter().find(|(own, _)| own == name).unwrap().1.clone();
        match way {
            "wrong code" => back.set_query(Some(&format!(
                "state={}&code={code}&iss={}",
                value("state"),
                it.provider.issuer()
            ))),
            "error" => back.set_query(Some(&format!(
                "state={}&error=access_denied&error_description={told}",
                value("state")
            ))),
            "begun" => continue,
            _ => {}
        }
        let done = browser.opens(&here(it, back.as_str())).await;
        match way {
            "whole" => keep_session(&mut it.secrets, &browser, &done),
            _ => refused(&browser, &done),
        }
    }
    let exchanges = it.provider.exchanges();
    assert_eq!(exchanges.len(), 1, "one code was taken");
    for (member, kind) in [
        ("code_verifier", "verifier of a sign-in"),
        ("access_token", "access token of a sign-in"),
        ("id_token", "ID token of a sign-in"),
    ] {
        it.secrets.issued(kind, &exchanges[0][member]);
    }
}

/// A line within a PEM file of a key, which says nothing of its kind.
fn line_of(key: &Value) -> String {
    text(key).lines().nth(6).expect("a long key").to_owned()
}

async fn by_saml(it: &mut Installation, admin: &Client) {
    let provider = IdentityProvider::start(&MovedClock::of_the_machine());
    let mut config = provider.signing_settings();
    it.secrets.keep("SamlLogin.private_key", &line_of(&config["private_key"]));
    config["idp_metadata_url"] = json!(provider.metadata_url());
    config["sp_root_url"] = json!(KNOWN_AS);
    let id = option(admin, "saml", "saml", config).await;
    let login = here(it, &format!("{KNOWN_AS}/api/saml/{id}/login"));
    let mut first = String::new();
    for way in ["whole", "replayed", "begun"] {
        let browser = Browser::new();
        let sent = browser.opens(&login).await;
        assert_eq!(sent.status, 307, "{sent:?}");
        keep_bindings(&mut it.secrets, &browser);
        let there = sent.next().unwrap();
        keep_query(&mut it.secrets, &there);
        let form = PageForm::on(&browser.opens(there.as_str()).await);
        let secrets = &mut it.secrets;
        secrets.keep("state of a sign-in", form.field("RelayState"));
        let response = form.field("SAMLResponse").to_owned();
        secrets.keep("response of an identity provider", &response);
        // Whoever quotes it may cut it.
        let middle = response.len() / 2;
        secrets.keep("response of an identity provider", &response[middle..middle + 64]);
        let form = PageForm { action: here(it, form.action.as_str()).parse().unwrap(), ..form };
        if way == "whole" {
            let taken = browser.posts_from_elsewhere(&form).await;
            let finish = taken.next().expect("it goes on");
            keep_query(&mut it.secrets, &finish);
            let done = browser.opens(&here(it, finish.as_str())).await;
            keep_session(&mut it.secrets, &browser, &done);
            first = response;
        } else if way == "replayed" {
            let again = browser.posts_from_elsewhere(&form.with("SAMLResponse", &first)).await;
            refused(&browser, &again);
        }
    }
}

async fn by_cas(it: &mut Installation, admin: &Client) {
    let server = CasServer::start();
    let id = option(admin, "cas", "cas", json!({ "url": server.url() })).await;
    let login = here(it, &format!("{KNOWN_AS}/api/cas/{id}/login"));
    let made_up = it.secrets.plain("ticket of a sign-in");
    for way in ["whole", "made up", "begun"] {
        let browser = Browser::new();
        let there = browser.opens(&login).await.next().expect("the server is asked");
        keep_bindings(&mut it.secrets, &browser);
        keep_query(&mut it.secrets, &there);
        let form = PageForm::on(&browser.opens(there.as_str()).await);
        let proved = browser.posts_form(&form.with("username", "ada").with("password", "ada")).await;
        let mut back = proved.next().expect("the server lets ada in");
        keep_query(&mut it.secrets, &back);
        if way == "made up" {
            let state = back.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
            back.set_query(Some(&format!("state={state}&ticket=ST-{made_up}")));
        }
        if way != "begun" {
            let done = browser.opens(&here(it, back.as_str())).await;
            match way {
                "whole" => keep_session(&mut it.secrets, &browser, &done),
                _ => refused(&browser, &done),
            }
        }
    }
}

/// Over the API, and by the form of the console.
async fn by_directory(it: &mut Installation, admin: &Client) {
    let own = pair("localhost");
    let directory = Directory::start(&own.cert.pem(), &own.signing_key.serialize_pem());
    it.secrets.keep("LdapLogin.bind_password", BIND_PASSWORD);
    it.secrets.keep("POST /api/ldap/{id}/login.password", IN_DIRECTORY);
    let config = json!({
        "host": "127.0.0.1", "port": directory.port().to_string(), "base_dn": BASE_DN, "bind_dn": BIND_DN,
        "bind_password": BIND_PASSWORD, "identifier": "uid",
    });
    let id = option(admin, "ldap", "directory", config).await;
    let path = format!("/api/ldap/{id}/login");
    let guest = it.client("admin");
    let person = |password: &str| json!({ "username": "ada", "password": password });
    let wrong = it.secrets.given("POST /api/ldap/{id}/login.password");
    guest.post(&path, person(&wrong)).await.refused(401, "unauthorized");
    let signed_in = guest.post(&path, person(IN_DIRECTORY)).await;
    signed_in.expect(200);
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap();
    it.secrets.keep(SESSION, cookie.split_once('=').unwrap().1);

    let browser = Browser::new();
    let page = browser.opens(&format!("{}/sign-in?option={id}", guest.base())).await;
    let form = PageForm::on(&page).with("username", "ada");
    it.secrets.keep("csrf token", form.field("csrf"));
    let refused = browser.posts_form(&form.with("password", &wrong)).await;
    assert_eq!(refused.status, 422);
    assert!(it.secrets.found_in(refused.text.as_bytes(), &["csrf token"]).is_empty(), "{}", refused.text);
    let done = browser.posts_form(&form.with("password", IN_DIRECTORY)).await;
    keep_session(&mut it.secrets, &browser, &done);
}

/// A directory whose answer quotes the password in what is no text: our library gives up on that by a panic which quotes
/// the answer.
async fn by_directory_that_quotes(it: &mut Installation, admin: &Client) {
    let password = it.secrets.given("LdapLogin.bind_password");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = [password.as_bytes(), &[0xff]].concat();
    let quoting = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 512];
            // A bind is short: its number is the fifth byte.
            drop(stream.read(&mut asked).await);
            stream.write_all(&refusal_of_bind(asked[4], &said)).await.ok();
        }
    });
    let config = json!({
        "host": "127.0.0.1", "port": port.to_string(), "base_dn": "dc=example", "bind_dn": "cn=admin",
        "bind_password": password, "identifier": "uid",
    });
    let id = option(admin, "ldap", "quoting directory", config).await;
    let typed = it.secrets.given("POST /api/ldap/{id}/login.password");
    let person = json!({ "username": "ada", "password": typed });
    let answer = it.client("admin").post(&format!("/api/ldap/{id}/login"), person).await;
    answer.refused(500, "does not work at the moment");
    quoting.abort();
}

/// `BindResponse` with `invalidCredentials` (RFC 4511 §4.2.2) to the message with this number; `said` is what it says,
/// at most 100 bytes.
fn refusal_of_bind(number: u8, said: &[u8]) -> Vec<u8> {
    let part = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).ok().filter(|length| *length < 128).expect("a short one");
        [&[tag, length], content].concat()
    };
    let result = [part(0x0a, &[49]), part(0x04, &[]), part(0x04, said)].concat();
    part(0x30, &[part(0x02, &[number]), part(0x61, &result)].concat())
}
