//! What a failed sign-in costs does not tell whether there is such an account: slow hashes are counted exactly, and one
//! story measures with a bound that no machine's noise reaches and that a skipped hash does not pass.
//!
//! Keys, tokens and links are random and found by their digest: what a look-up costs tells nothing that could be guessed
//! bit by bit. What these doors say, and that no slow hash follows, is held together here.

mod directories;
mod tokens;

use std::time::{Duration, Instant};

use forecourt_it::{
    Answer, Browser, Client, Forecourt, MailSink,
    installations::{ADMIN_PASSWORD, text},
};
use serde_json::json;

use super::{
    notifications::started,
    registrations_by_mail::{asks_for_mail, mails_links_by, signs_up},
    services::{put_consumer, put_service},
};

const PASSWORD: &str = "a password of somebody";
const WRONG: &str = "the password of nobody";

/// The slow hashes of the gateway so far.
async fn hashes_of_gateway(f: &Forecourt) -> u64 {
    let told = f.status().get("/metrics").await.text();
    let line = told.lines().find_map(|line| line.strip_prefix("forecourt_gateway_password_hashes_total "));
    line.expect("they are counted").parse().unwrap()
}

/// What somebody sees of an answer that could tell two of them apart: its status, its body, and which headers it has.
fn seen(answer: &Answer) -> (u16, String, Vec<String>) {
    let mut names: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort();
    (answer.status.as_u16(), answer.text(), names)
}

/// A Forecourt that tells nobody to wait, with an administrator `ada-known` and a developer `grace-known`.
async fn patient() -> Forecourt {
    let f = Forecourt::start_with(|settings| {
        settings.security.failed_sign_ins.per_account = 1_000;
        settings.security.failed_sign_ins.per_address = 1_000;
    })
    .await;
    let pair = |name: &str| json!({ "username": name, "password": PASSWORD });
    f.admin().await.post("/api/invites", pair("ada-known")).await.expect(200);
    let invites = format!("/api/developers/invites?portal_id={}", f.portal_id().await);
    f.admin().await.post(&invites, pair("grace-known")).await.expect(200);
    f
}

async fn by_api(f: &Forecourt, username: &str) -> Answer {
    f.guest().post("/api/login", json!({ "username": username, "password": WRONG })).await
}

/// What the sign-in page at `base` says to a wrong password: its status, and its text without the name that was typed.
async fn by_page(base: &str, username: &str) -> (u16, String) {
    let (browser, url) = (Browser::new(), format!("{base}/sign-in"));
    let html = browser.opens(&url).await.text;
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let fields = [("csrf", csrf), ("username", username), ("password", WRONG)];
    let answer = browser.posts(&url, &fields).await;
    (answer.status.as_u16(), answer.text.replace(username, "NAME"))
}

#[tokio::test]
async fn an_unknown_name_costs_one_slow_hash_at_every_door_as_a_wrong_password_does() {
    let f = patient().await;
    let (site, console) = (f.site().base().to_owned(), f.guest().base().to_owned());
    for name in ["ada-known", "eve-unknown"] {
        let before = f.app().password_hashes();
        by_api(&f, name).await.refused(401, "unauthorized");
        assert_eq!(f.app().password_hashes() - before, 1, "{name:?} at /api/login");
        let before = f.app().password_hashes();
        f.guest().with_basic(name, WRONG).get("/api/me").await.refused(401, "unauthorized");
        assert_eq!(f.app().password_hashes() - before, 1, "{name:?} by Basic");
    }
    for (base, names) in [
        (&console, ["ada-known", "eve-unknown", "eve@unknown.example"]),
        (&site, ["grace-known", "eve-unknown", "eve@unknown.example"]),
    ] {
        let mut answers = Vec::new();
        for name in names {
            let before = f.app().password_hashes();
            answers.push(by_page(base, name).await);
            assert_eq!(f.app().password_hashes() - before, 1, "{name} at {base}");
        }
        assert_eq!(answers[0].0, 422, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| *status == answers[0].0), "{answers:?}");
        let is_alike = |(_, text): &(u16, String)| text.len().abs_diff(answers[0].1.len()) < 8;
        assert!(answers.iter().all(is_alike), "one page for all: {answers:?}");
    }
}

#[tokio::test]
async fn where_passwords_are_disabled_a_password_still_costs_one_slow_hash() {
    let f = patient().await;
    let made =
        f.admin().await.post("/api/settings/tokens", json!({ "name": "story", "expires_at": 0 })).await;
    let admin = f.guest().with_bearer(&text(&made.expect(200)["value"]["token"]));
    // One way in must stay.
    let other = json!({
        "name": "Directory", "provider_type": "ldap",
        "ldap_config": {
            "host": "ldap.example.com", "port": "636", "base_dn": "dc=example", "bind_dn": "cn=admin",
            "bind_password": "secret", "identifier": "uid", "use_ssl": true,
        },
    });
    admin.post("/api/login_options", other).await.expect(200);
    admin.put("/api/login_options/built_in", json!({ "disable": true })).await.expect(200);
    for name in ["ada-known", "eve-unknown"] {
        let before = f.app().password_hashes();
        by_api(&f, name).await.refused(401, "unauthorized");
        assert_eq!(f.app().password_hashes() - before, 1, "{name}");
    }
}

#[tokio::test]
async fn an_unknown_name_takes_about_as_long_as_a_wrong_password() {
    let f = patient().await;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    // In turns, so that whatever slows the machine down slows both.
    for _ in 0..15 {
        for (name, times) in [("ada-known", &mut known), ("eve-unknown", &mut unknown)] {
            let begun = Instant::now();
            by_api(&f, name).await.refused(401, "unauthorized");
            times.push(begun.elapsed());
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    };
    let ratio = median(&mut unknown) / median(&mut known);
    assert!((0.4..2.5).contains(&ratio), "{ratio}: {unknown:?} against {known:?}");
}

#[tokio::test]
async fn who_took_over_a_session_guesses_its_password_no_faster_than_others() {
    let f = Forecourt::start_with(|settings| settings.security.failed_sign_ins.per_account = 3).await;
    let pair = json!({ "username": "admin", "password": ADMIN_PASSWORD });
    f.admin().await;
    let signed_in = f.guest().post("/api/login", pair).await;
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let stolen = f.guest().with("cookie", &cookie);
    let guess = json!({ "new_password": "mine", "old_password": WRONG });
    for _ in 0..3 {
        assert_eq!(stolen.put("/api/password", guess.clone()).await.status, 400);
    }
    let limited = stolen.put("/api/password", guess).await;
    limited.refused(429, "too many");
    assert!(limited.header("retry-after").is_some());
    // Signing in is counted apart, and the session goes on.
    f.admin().await.get("/api/me").await.expect(200);
    stolen.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn a_mail_that_is_asked_for_and_a_registration_cost_the_same_slow_hashes_for_a_known_address() {
    let f = started().await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    for email in ["ada@example.com", "eve@example.com"] {
        for path in ["/verify", "/reset"] {
            let before = f.app().password_hashes();
            assert_eq!(asks_for_mail(&f, path, email).await.status, 200, "{email} at {path}");
            assert_eq!(f.app().password_hashes() - before, 0, "{email} at {path}");
        }
        let before = f.app().password_hashes();
        assert_eq!(signs_up(&f, &Browser::new(), email).await.next().unwrap().path(), "/verify", "{email}");
        assert_eq!(f.app().password_hashes() - before, 1, "{email} at /sign-up");
    }
}

/// Adds two people whom a directory made without a password, one of them deactivated.
async fn adds_without_passwords(directory: &Client) {
    for (name, active) in [("grace-of-scim", true), ("eve-of-scim", false)] {
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:User"];
        let user = json!({ "schemas": schemas, "userName": name, "active": active });
        directory.post("/scim/v2/Users", user).await.expect(201);
    }
}

#[tokio::test]
async fn somebody_without_a_password_or_deactivated_costs_one_slow_hash_as_an_unknown_name_does() {
    let f = patient().await;
    let (site, console) = (f.site().base().to_owned(), f.guest().base().to_owned());
    let (admin, portal) = (f.admin().await, f.portal_id().await);
    admin.put(&format!("/api/portals/{portal}"), json!({ "public_url": site })).await.expect(200);
    for (settings, service) in [
        ("/api/system_settings/scim".to_owned(), format!("{console}/api")),
        (format!("/api/forecourt/portals/{portal}/scim"), site.clone()),
    ] {
        admin.put(&settings, json!({ "enable": true })).await.expect(200);
        let made = admin.put(&format!("{settings}/token"), json!({})).await.expect(200);
        let directory = Client::new(service).with_bearer(&text(&made["value"]["token"]));
        adds_without_passwords(&directory).await;
    }
    let mut answers = Vec::new();
    for name in ["grace-of-scim", "eve-of-scim", "bob-unknown"] {
        for base in [&console, &site] {
            let before = f.app().password_hashes();
            assert_eq!(by_page(base, name).await.0, 422, "{name} at {base}");
            assert_eq!(f.app().password_hashes() - before, 1, "{name} at {base}");
        }
        let before = f.app().password_hashes();
        let by_basic = f.guest().with_basic(name, WRONG).get("/api/me").await;
        answers.push((seen(&by_api(&f, name).await), seen(&by_basic)));
        assert_eq!(f.app().password_hashes() - before, 2, "{name} at /api/login and by Basic");
    }
    assert!(answers.iter().all(|answer| *answer == answers[2]), "{answers:?}");
}

#[tokio::test]
async fn at_the_gateway_an_unknown_name_costs_one_slow_hash_as_a_wrong_password_does() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "auth": { "basic-auth": {} } })).await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let pair = json!({ "username": "ada-known", "password": PASSWORD });
    let credential = json!({ "type": "basic-auth", "name": "b", "basic-auth": pair });
    let credentials = format!("/api/applications/{}/credentials", application.id);
    application.api.post(&credentials, credential).await.expect(201);
    put_service(&f, "shop", json!({ "plugins": { "basic-auth": {} } })).await;
    put_consumer(&f, "ada", json!({ "plugins": { "basic-auth": pair } })).await;
    for path in [orders.path.as_str(), "/shop/a"] {
        f.gateway().with_basic("ada-known", PASSWORD).get(path).await.expect(200);
        let mut answers = Vec::new();
        for name in ["ada-known", "eve-unknown"] {
            let before = hashes_of_gateway(&f).await;
            answers.push(seen(&f.gateway().with_basic(name, WRONG).get(path).await));
            assert_eq!(hashes_of_gateway(&f).await - before, 1, "{name} at {path}");
        }
        assert_eq!((answers[0].0, &answers[0]), (401, &answers[1]), "{path}");
    }
}
