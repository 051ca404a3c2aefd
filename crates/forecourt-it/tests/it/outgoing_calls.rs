//! Where our own calls go when the operator closes what is inside: of no kind of address that people give does a byte
//! reach a listener on loopback, and nobody is told whether there is one. Webhooks and mail: `notifications/webhooks.rs`.

use std::{
    io::{BufRead, BufReader, ErrorKind},
    net::TcpListener,
    process::Command,
};

use forecourt::config::SsrfProtectionSettings;
use forecourt_it::{Browser, Forecourt, ForecourtProcess, deadlines::eventually, installations::text};
use serde_json::{Value, json};

use super::{
    gateway_node::{node, sync, token},
    oauth_clients::register,
};

/// Something inside that must not be reached.
struct Inside(TcpListener);

impl Inside {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn was_reached(&self) -> bool {
        self.0.accept().is_ok()
    }

    #[track_caller]
    fn was_not_reached(&self) {
        let accepted = self.0.accept();
        assert!(
            matches!(&accepted, Err(error) if error.kind() == ErrorKind::WouldBlock),
            "somebody connected: {accepted:?}"
        );
    }
}

/// A port at which nobody listens.
fn deserted() -> u16 {
    Inside::start().port()
}

/// A Forecourt whose operator closes what is inside.
async fn closed() -> Forecourt {
    Forecourt::start_with(|settings| {
        settings.security.ssrf_protection =
            SsrfProtectionSettings { enable: true, ..SsrfProtectionSettings::default() };
    })
    .await
}

async fn sign_in_option(f: &Forecourt, name: &str, kind: &str, config: Value) -> String {
    let settings = format!("{kind}_config");
    let option = json!({ "name": name, "provider_type": kind, settings: config });
    text(&f.admin().await.post("/api/login_options", option).await.expect(200)["value"]["id"])
}

/// Where a browser is sent that begins to sign in through this option.
async fn sent_to(f: &Forecourt, kind: &str, option: &str) -> String {
    let begun = Browser::new().opens(&format!("{}/api/{kind}/{option}/login", f.guest().base())).await;
    let on = begun.next().expect("it is sent on");
    format!("{}?{}", on.path(), on.query().unwrap_or_default())
}

#[tokio::test]
async fn no_sign_in_asks_an_openid_or_saml_provider_inside() {
    let f = closed().await;
    let inside = Inside::start();
    for (name, port) in [("Open", inside.port()), ("Deserted", deserted())] {
        for host in ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"] {
            let url = format!("http://{host}:{port}");
            let oidc = json!({
                "issuer": url, "client_id": "us", "client_secret": "secret", "request_scopes": ["openid"],
            });
            let saml =
                json!({ "idp_metadata_url": format!("{url}/metadata"), "sp_root_url": f.guest().base() });
            for (kind, config) in [("oidc", oidc), ("saml", saml)] {
                let option = sign_in_option(&f, &format!("{name} {kind} {host}"), kind, config).await;
                assert_eq!(sent_to(&f, kind, &option).await, "/sign-in?failed=provider", "{kind} {host}");
            }
        }
    }
    inside.was_not_reached();
}

#[tokio::test]
async fn no_ticket_is_taken_to_a_cas_server_inside() {
    let f = closed().await;
    let inside = Inside::start();
    for (name, port) in [("Open", inside.port()), ("Deserted", deserted())] {
        let config = json!({ "url": format!("http://127.0.0.1:{port}") });
        let option = sign_in_option(&f, name, "cas", config).await;
        let browser = Browser::new();
        let begun = browser.opens(&format!("{}/api/cas/{option}/login", f.guest().base())).await;
        // The browser goes there by itself; what we would do is to take its ticket there.
        let login = begun.next().unwrap();
        let service = login.query_pairs().find(|(name, _)| name == "service").unwrap().1.into_owned();
        let arrived = browser.opens(&format!("{service}&ticket=ST-1-inside")).await;
        assert_eq!(arrived.next().unwrap().query(), Some("failed=provider"), "{arrived:?}");
        assert_eq!(browser.cookie("session"), None);
    }
    inside.was_not_reached();
}

#[tokio::test]
async fn no_password_is_taken_to_a_directory_inside() {
    let f = closed().await;
    let inside = Inside::start();
    let mut answers = Vec::new();
    for (name, port) in [("Open", inside.port()), ("Deserted", deserted())] {
        let config = json!({
            "host": "127.0.0.1", "port": port.to_string(), "base_dn": "dc=example", "bind_dn": "cn=us",
            "bind_password": "secret", "identifier": "uid",
        });
        let option = sign_in_option(&f, name, "ldap", config).await;
        let pair = json!({ "username": "ada", "password": "a password of ada" });
        let answer = f.guest().post(&format!("/api/ldap/{option}/login"), pair).await;
        answer.refused(500, "does not work");
        answers.push(answer.json());
    }
    assert_eq!(answers[0], answers[1], "nobody learns where somebody listens");
    inside.was_not_reached();
}

#[tokio::test]
async fn no_client_is_registered_at_a_provider_or_bridge_inside() {
    let f = closed().await;
    let inside = Inside::start();
    let application = f.developer("ada").await.application("mobile").await;
    let mut answers = Vec::new();
    for (name, port) in [("Open", inside.port()), ("Deserted", deserted())] {
        let url = format!("http://127.0.0.1:{port}");
        let oidc = json!({ "name": format!("{name} OpenID"), "issuer": url });
        let bridge =
            json!({ "name": format!("{name} bridge"), "provider_type": "http_bridge", "base_url": url });
        for provider in [oidc, bridge] {
            let made = f.admin().await.post("/api/dcr_providers", provider).await.expect(200);
            let refused = register(&application, &text(&made["value"]["id"]), &[]).await;
            refused.refused(500, "identity provider request failed");
            answers.push(refused.json());
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    inside.was_not_reached();
}

/// What a node says of a key set that it could not fetch.
async fn says_of_keys(mut command: Command) -> String {
    let mut child = command.spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let said = tokio::task::spawn_blocking(move || {
        stderr.lines().map_while(Result::ok).find(|line| line.contains("no key set could be fetched"))
    });
    let said = said.await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    said.expect("it says why it has no keys")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_gateway_node_asks_an_issuer_inside_for_its_keys_where_its_operator_closes_that() {
    // The control plane is closed too, so that its own gateway does not ask either.
    let f = Forecourt::start_with(|settings| {
        settings.sync.listen = "127.0.0.1:0".into();
        settings.security.ssrf_protection =
            SsrfProtectionSettings { enable: true, ..SsrfProtectionSettings::default() };
    })
    .await;
    let inside = Inside::start();
    let issuer = format!("http://127.0.0.1:{}", inside.port());
    let provider = json!({ "name": "Inside", "issuer": issuer });
    let made = f.admin().await.post("/api/dcr_providers", provider).await.expect(200);
    let dcr = json!({ "dcr_provider_id": text(&made["value"]["id"]) });
    f.product_with("Orders", json!({ "auth": { "dcr": dcr } })).await;
    let token = token(&f).await;
    for closed in [["--ssrf-protection-enable", "true"], ["--ssrf-protection-deny-list", "127.0.0.1"]] {
        let folder = tempfile::tempdir().unwrap();
        let said = says_of_keys(node(&sync(&f), &token, folder.path(), &closed)).await;
        assert!(said.contains("security.ssrf_protection"), "{said}");
        inside.was_not_reached();
    }
    // A node that nobody told goes there: the setting of the control plane is not that of its nodes.
    let folder = tempfile::tempdir().unwrap();
    let open = ForecourtProcess::start(node(&sync(&f), &token, folder.path(), &[]));
    eventually("the issuer is asked", async || inside.was_reached().then_some(())).await;
    drop(open);
}
