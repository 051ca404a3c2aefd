//! Keys, tokens and links that were taken away, and those that never were: every door says the same to both, and a slow
//! hash follows at none.

use forecourt_it::{Browser, Client, Forecourt, MailSink, installations::text};
use serde_json::{Value, json};

use super::{ADMIN_PASSWORD, hashes_of_gateway, patient, seen};
use crate::{
    notifications::started,
    registrations_by_mail::{asks_for_mail, link, mails_links_by, opened, signs_up},
    services::{put_consumer, put_service},
};

/// One of the same form that was never issued.
fn made_up(secret: &str) -> String {
    let (begin, end) = secret.split_at(secret.len() - 4);
    format!("{begin}{}", if end == "0000" { "1111" } else { "0000" })
}

/// A secret that is answered once, and is void after another call.
async fn issued_twice(admin: &Client, path: &str, secret: impl Fn(&Value) -> String) -> String {
    let old = secret(&admin.put(path, json!({})).await.expect(200)["value"]);
    assert_ne!(secret(&admin.put(path, json!({})).await.expect(200)["value"]), old);
    old
}

/// Asks at a door with what was taken away and with what never was.
async fn are_alike(
    f: &Forecourt,
    door: &str,
    gone: &str,
    ask: impl AsyncFn(&str) -> (u16, String, Vec<String>),
) {
    let before = (f.app().password_hashes(), hashes_of_gateway(f).await);
    let (of_gone, of_none) = (ask(gone).await, ask(&made_up(gone)).await);
    assert_eq!((of_gone.0, &of_gone), (401, &of_none), "{door}");
    let after = (f.app().password_hashes(), hashes_of_gateway(f).await);
    assert_eq!(after, before, "{door}: a slow hash");
}

#[tokio::test]
async fn a_token_that_was_taken_away_is_answered_as_one_that_never_was_and_neither_costs_a_slow_hash() {
    let f = patient().await;
    let (admin, portal) = (f.admin().await, f.portal_id().await);
    let made = admin.post("/api/settings/tokens", json!({ "name": "t", "expires_at": 0 })).await.expect(200);
    let token = text(&made["value"]["token"]);
    f.guest().with_bearer(&token).get("/api/me").await.expect(200);
    admin.delete(&format!("/api/settings/tokens/{}", text(&made["value"]["id"]))).await.expect(200);
    are_alike(&f, "Admin API", &token, async |token| {
        seen(&f.guest().with_bearer(token).get("/api/me").await)
    })
    .await;

    let tokens = format!("/api/portal/tokens?portal_id={portal}");
    let made = admin.post(&tokens, json!({ "name": "t" })).await.expect(200)["value"].clone();
    let token = text(&made["token"]);
    f.portal_api_guest().with_bearer(&token).get("/api/developers").await.expect(200);
    let again = format!("/api/portal/tokens/{}/regenerate", text(&made["id"]));
    admin.put(&again, json!({})).await.expect(200);
    are_alike(&f, "Portal API", &token, async |token| {
        seen(&f.portal_api_guest().with_bearer(token).get("/api/developers").await)
    })
    .await;

    let key = issued_twice(admin, "/api/gateway_groups/default/admin_key", |made| text(&made["key"])).await;
    are_alike(&f, "gateway group", &key, async |key| {
        seen(&f.guest().with_bearer(key).get("/apisix/admin/services").await)
    })
    .await;

    admin.put("/api/system_settings/scim", json!({ "enable": true })).await.expect(200);
    let token = issued_twice(admin, "/api/system_settings/scim/token", |made| text(&made["token"])).await;
    let scim = Client::new(format!("{}/api", f.guest().base()));
    are_alike(&f, "SCIM", &token, async |token| seen(&scim.with_bearer(token).get("/scim/v2/Users").await))
        .await;

    let pair = json!({ "username": "admin", "password": ADMIN_PASSWORD });
    let signed_in = f.guest().post("/api/login", pair).await;
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let session = f.guest().with("cookie", &cookie);
    session.get("/api/me").await.expect(200);
    session.post("/api/logout", json!({})).await.expect(200);
    are_alike(&f, "session", &cookie, async |cookie| {
        seen(&f.guest().with("cookie", cookie).get("/api/me").await)
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_taken_away_is_answered_as_one_that_never_was_and_neither_costs_a_slow_hash() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let application = f.developer("ada").await.application("demo").await.subscribe(&orders).await;
    let credential = application.key("prod").await;
    f.call(&orders, &credential).await.expect(200);
    application.regenerate(&credential).await;
    put_service(&f, "shop", json!({ "plugins": { "key-auth": {} } })).await;
    put_consumer(&f, "ada", json!({ "plugins": { "key-auth": { "key": "a key of ada, 1" } } })).await;
    f.gateway().with("apikey", "a key of ada, 1").get("/shop/a").await.expect(200);
    put_consumer(&f, "ada", json!({ "plugins": { "key-auth": { "key": "a key of ada, 2" } } })).await;
    for (path, key) in [(orders.path.as_str(), credential.key.as_str()), ("/shop/a", "a key of ada, 1")] {
        are_alike(&f, path, key, async |key| seen(&f.gateway().with("apikey", key).get(path).await)).await;
    }
}

#[tokio::test]
async fn a_link_that_was_used_or_is_too_old_is_answered_as_one_that_never_was() {
    let f = started().await;
    signs_up(&f, &Browser::new(), "ada@example.com").await;
    let sink = MailSink::start().await;
    mails_links_by(&f, &sink).await;
    for (number, path) in ["/verify", "/reset"].into_iter().enumerate() {
        assert_eq!(asks_for_mail(&f, path, "ada@example.com").await.status, 200);
        let old = link(&sink.has_taken(number + 1).await[number]);
        assert_eq!(opened(&f, &Browser::new(), &old).await.status, 200);
        f.advance(std::time::Duration::from_hours(25));
        let before = f.app().password_hashes();
        let mut pages = Vec::new();
        for link in [old.clone(), made_up(&old)] {
            let page = opened(&f, &Browser::new(), &link).await;
            assert_eq!(page.status, 404, "{link}");
            pages.push(page.text.split("<main").nth(1).unwrap().split("</main>").next().unwrap().to_owned());
        }
        assert_eq!(pages[0], pages[1], "{path}");
        assert_eq!(f.app().password_hashes(), before, "{path}");
    }
}
