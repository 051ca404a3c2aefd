//! Sign-in through OpenID Connect, from the sign-in page to the console and back.

use std::time::Duration;

use forecourt_it::{Browser, Forecourt, OauthProvider, Page, installations::text};
use serde_json::{Value, json};

use super::{add, console, disable_passwords, me, me_of, token};

fn ada() -> Value {
    json!({
        "sub": "ada-1", "preferred_username": "ada", "email": "Ada@Analytical.example", "email_verified": true,
        "given_name": "Ada", "family_name": "Byron",
    })
}

/// An option of the administrators for whoever `provider` knows.
async fn option(f: &Forecourt, provider: &OauthProvider, method: &str) -> String {
    let callback = format!("{}/api/oidc/callback", console(f));
    let (id, secret) = provider.sign_in_client(&callback, method).await;
    let config = json!({
        "issuer": provider.issuer(), "client_id": id, "client_secret": secret,
        "request_scopes": ["openid", "email", "profile"],
    });
    add(f, json!({ "name": "Staff", "provider_type": "oidc", "oidc_config": config })).await
}

fn login(f: &Forecourt, option: &str) -> String {
    format!("{}/api/oidc/{option}/login", console(f))
}

/// The browser on its way back to us, and where it was sent.
async fn almost_back(f: &Forecourt, browser: &Browser, option: &str) -> String {
    let page = browser.goes_until(&login(f, option), |url| url.path() == "/api/oidc/callback").await;
    let back = page.next().expect("the provider sends it back");
    assert_eq!(back.path(), "/api/oidc/callback");
    back.to_string()
}

fn expect_sign_in_page(page: &Page, browser: &Browser, sentence: &str) {
    assert_eq!(page.url.path(), "/sign-in", "{:?}", page.way);
    assert!(page.text.contains(sentence), "{}", page.text);
    assert_eq!(browser.cookie("session"), None, "nobody is signed in");
}

const REFUSED: &str = "You were not signed in.";
const AWAY: &str = "This way to sign in does not work at the moment.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_provider_knows_becomes_a_user_without_roles_and_is_the_same_one_at_the_next_sign_in() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let browser = Browser::new();
    let page = browser.goes(&login(&f, &option)).await;
    assert_eq!(page.way[0].1, 307, "{:?}", page.way);
    let back = page.way.iter().find(|(url, _)| url.path() == "/api/oidc/callback").unwrap();
    assert_eq!(back.1, 303);
    assert_eq!((page.url.path(), page.status.as_u16()), ("/", 403), "no role, no page: {:?}", page.way);
    assert_eq!(browser.cookie_names().iter().filter(|name| name.starts_with("sign_in_")).count(), 0);
    let user = me_of(&f, &browser).await;
    assert_eq!((&user["username"], &user["email"]), (&json!("ada"), &json!("ada@analytical.example")));
    assert_eq!((&user["first_name"], &user["last_name"]), (&json!("Ada"), &json!("Byron")));
    assert_eq!((&user["roles"], &user["state"]), (&json!([]), &json!("Active")));
    let by = json!({ "id": option, "name": "Staff", "provider_type": "oidc" });
    assert_eq!(user["login_option"], by);

    let mut married = ada();
    married["family_name"] = json!("Lovelace");
    provider.signs_in(married).await;
    let other = Browser::new();
    other.goes(&login(&f, &option)).await;
    let again = me_of(&f, &other).await;
    assert_eq!((&again["id"], &again["username"]), (&user["id"], &user["username"]));
    assert_eq!(again["last_name"], "Lovelace", "names are renewed");
    let admin = f.admin().await;
    let staff = admin.get("/api/users?login_option_name=Staff").await.expect(200);
    assert_eq!((&staff["total"], &staff["list"][0]["id"]), (&json!(1), &user["id"]));
    let own = admin.get("/api/users?login_option_name=Built-in").await.expect(200);
    assert_eq!((&own["total"], &own["list"][0]["username"]), (&json!(1), &json!("admin")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_is_called_like_an_administrator_is_not_taken_for_them() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_post").await;
    for (name, made) in [("admin", "admin-2"), ("Admin", "Admin-3"), ("ad\u{202e}min:x", "admin-x")] {
        let person = json!({ "sub": name, "preferred_username": name, "email": "admin@example.com" });
        provider.signs_in(person).await;
        let browser = Browser::new();
        browser.goes(&login(&f, &option)).await;
        let user = me_of(&f, &browser).await;
        assert_eq!((&user["username"], &user["roles"]), (&json!(made), &json!([])), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_ends_once_and_only_in_the_browser_that_began_it() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let (one, other) = (Browser::new(), Browser::new());
    let back = almost_back(&f, &one, &option).await;
    expect_sign_in_page(&other.goes(&back).await, &other, REFUSED);
    // A second window of the same browser does not disturb the first.
    one.opens(&login(&f, &option)).await;
    one.goes(&back).await;
    assert_eq!(me_of(&f, &one).await["username"], "ada");
    let replayed = one.goes(&back).await;
    assert!(replayed.way.iter().any(|(url, _)| url.query() == Some("failed=refused")), "{:?}", replayed.way);
    one.goes(&login(&f, &option)).await;
    assert_eq!(me_of(&f, &one).await["username"], "ada");

    let made_up = format!("{}/api/oidc/callback?state=made-up&code=made-up", console(&f));
    expect_sign_in_page(&other.goes(&made_up).await, &other, REFUSED);
    let forged = almost_back(&f, &Browser::new(), &option).await;
    let (path, cookie) = (forged.replace(&console(&f), ""), cookie_of(&forged));
    let answer = f.guest().with("cookie", &format!("{cookie}=made-up")).get(&path).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/sign-in?failed=refused")));
}

/// The name of the cookie that belongs to the state of this address.
fn cookie_of(back: &str) -> String {
    let url = url::Url::parse(back).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    forecourt_app::external_sign_ins::cookie_of(&state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_waits_for_ten_minutes() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let begun = f.guest().get(&format!("/api/oidc/{option}/login")).await;
    let cookie = begun.header("set-cookie").unwrap();
    for part in ["; HttpOnly", "; SameSite=Lax", "; Path=/api/oidc", "; Max-Age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let browser = Browser::new();
    let back = almost_back(&f, &browser, &option).await;
    f.advance(Duration::from_secs(601));
    expect_sign_in_page(&browser.goes(&back).await, &browser, REFUSED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_go_on_when_their_option_is_disabled_and_end_when_it_is_deleted() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let (browser, late) = (Browser::new(), Browser::new());
    browser.goes(&login(&f, &option)).await;
    let back = almost_back(&f, &late, &option).await;
    let (admin, path) = (f.admin().await, format!("/api/login_options/{option}"));
    admin.put(&path, json!({ "disable": true })).await.expect(200);
    let begin = format!("/api/oidc/{option}/login");
    f.guest().get(&begin).await.refused(404, "not found");
    f.guest().post(&format!("/api/oidc/{option}/logout"), json!({})).await.refused(404, "not found");
    f.guest().get("/api/oidc/sio_nowhere/login").await.refused(404, "not found");
    f.guest().get("/api/oidc/built_in/login").await.refused(404, "not found");
    expect_sign_in_page(&late.goes(&back).await, &late, REFUSED);
    me_of(&f, &browser).await;
    let deleted = admin.delete(&path).await.expect(200);
    assert_eq!(deleted["warning_msg"], "1 person has no way to sign in any more");
    me(&f, browser.cookie("session")).await.refused(401, "unauthorized");
    f.guest().get(&begin).await.refused(404, "not found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_away_or_is_another_leads_back_to_the_sign_in_page() {
    let f = Forecourt::start().await;
    let mut provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let browser = Browser::new();
    let back = almost_back(&f, &browser, &option).await;
    provider.stop();
    expect_sign_in_page(&browser.goes(&back).await, &browser, AWAY);
    expect_sign_in_page(&browser.goes(&login(&f, &option)).await, &browser, AWAY);
    provider.resume();
    let path = format!("/api/login_options/{option}");
    let issuer = format!("{}/", provider.issuer());
    let other = json!({ "oidc_config": { "issuer": issuer, "client_secret": "another" } });
    f.admin().await.put(&path, other).await.expect(200);
    expect_sign_in_page(&browser.goes(&login(&f, &option)).await, &browser, AWAY);
    let right = json!({ "oidc_config": { "issuer": provider.issuer(), "client_secret": "another" } });
    f.admin().await.put(&path, right).await.expect(200);
    let back = almost_back(&f, &browser, &option).await;
    expect_sign_in_page(&browser.goes(&back).await, &browser, AWAY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_offers_the_way_and_leads_on_to_the_page_that_was_asked_for() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let browser = Browser::new();
    let page = browser.goes(&format!("{}/portals", console(&f))).await;
    assert_eq!(page.url.path(), "/sign-in");
    let link = format!("/api/oidc/{option}/login?next=%2Fportals");
    assert!(page.text.contains(&link) && page.text.contains("Continue with Staff"), "{}", page.text);
    assert!(page.text.contains("name=\"password\""));
    let there = browser.goes(&format!("{}{link}", console(&f))).await;
    assert_eq!(there.url.path(), "/portals", "{:?}", there.way);
    let elsewhere = Browser::new();
    let evil = format!("{}?next=%2F%2Fevil.example", login(&f, &option));
    assert_eq!(elsewhere.goes(&evil).await.url.path(), "/", "not to another site");

    disable_passwords(&f).await;
    let page = Browser::new().goes(&format!("{}/sign-in", console(&f))).await;
    assert!(page.text.contains(&format!("/api/oidc/{option}/login")), "{}", page.text);
    assert!(!page.text.contains("name=\"password\""));
    me_of(&f, &browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_ends_the_session_and_tells_where_the_provider_ends_its_own() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let browser = Browser::new();
    browser.goes(&login(&f, &option)).await;
    let path = format!("/api/oidc/{option}/logout");
    let cookie = format!("session={}", browser.cookie("session").unwrap());
    for nobody in [f.guest(), f.guest().with("cookie", "session=made-up")] {
        let out = nobody.post(&path, json!({})).await.expect(200);
        assert!(out["value"]["logout_url"].is_null(), "the provider is not asked for whoever has no session");
    }
    let out = f.guest().with("cookie", &cookie).post(&path, json!({})).await.expect(200);
    let url = text(&out["value"]["logout_url"]);
    assert!(url.starts_with(&format!("{}/session/end?client_id=", provider.issuer())), "{url}");
    me(&f, browser.cookie("session")).await.refused(401, "unauthorized");
    let admin = f.admin().await.with_bearer(&token(&f).await);
    let own = json!({ "oidc_config": { "logout_url": "https://id.example.com/out" } });
    admin.put(&format!("/api/login_options/{option}"), own).await.expect(200);
    let out = f.guest().post(&path, json!({})).await.expect(200);
    assert_eq!(out["value"]["logout_url"], "https://id.example.com/out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_begins_no_more_sign_ins_than_may_fail_and_an_option_of_a_portal_is_not_the_administrators()
 {
    let limit = |settings: &mut forecourt::config::Settings| {
        settings.security.failed_sign_ins.per_address = 2;
    };
    let f = Forecourt::start_with(limit).await;
    let provider = OauthProvider::start(f.clock());
    let id = option(&f, &provider, "client_secret_basic").await;
    let portal = f.portal_id().await;
    let config = json!({
        "issuer": provider.issuer(), "client_id": "c", "client_secret": "s", "request_scopes": [],
    });
    let body = json!({ "name": "Staff", "provider_type": "oidc", "oidc_config": config });
    let path = format!("/api/login_options?portal_id={portal}");
    let of_portal = text(&f.admin().await.post(&path, body).await.expect(200)["value"]["id"]);
    f.guest().get(&format!("/api/oidc/{of_portal}/login")).await.refused(404, "not found");
    for _ in 0..2 {
        f.guest().get(&format!("/api/oidc/{id}/login")).await.empty(307);
    }
    f.guest().get(&format!("/api/oidc/{id}/login")).await.refused(429, "too many");
    f.advance(Duration::from_secs(300));
    f.guest().get(&format!("/api/oidc/{id}/login")).await.empty(307);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_come_back_where_the_operator_says_that_the_console_is_whatever_host_they_name() {
    let said = |settings: &mut forecourt::config::Settings| {
        settings.admin.public_url = "https://console.example".into();
    };
    let f = Forecourt::start_with(said).await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    let sent = f.guest().with("host", "eve.example").get(&format!("/api/oidc/{option}/login")).await;
    let location = sent.header("location").unwrap_or_default();
    let back = "redirect_uri=https%3A%2F%2Fconsole.example%2Fapi%2Foidc%2Fcallback";
    assert!(sent.status == 307 && location.contains(back), "{location}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_through_openid_ends_the_session_that_the_browser_had() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let option = option(&f, &provider, "client_secret_basic").await;
    provider.signs_in(ada()).await;
    let browser = Browser::new();
    browser.goes(&login(&f, &option)).await;
    let before = browser.cookie("session");
    me(&f, before.clone()).await.expect(200);
    browser.goes(&login(&f, &option)).await;
    assert_ne!(browser.cookie("session"), before);
    me(&f, before).await.refused(401, "unauthorized");
    assert_eq!(me_of(&f, &browser).await["username"], "ada");
}
