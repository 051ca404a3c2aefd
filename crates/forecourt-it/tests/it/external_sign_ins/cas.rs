//! Administrators who sign in through a real CAS server, and tickets that are not theirs.

use forecourt_it::{Browser, CasServer, Forecourt, PageForm};
use serde_json::{Value, json};
use url::Url;

use super::{add, console, me, path, somebody};

const REFUSED: &str = "/sign-in?failed=refused";

struct Stage {
    f: Forecourt,
    server: CasServer,
    option: String,
}

impl Stage {
    async fn start(settings: Value) -> Self {
        Self::start_on(Forecourt::start().await, settings).await
    }

    async fn start_on(f: Forecourt, settings: Value) -> Self {
        let server = CasServer::start();
        let mut config = json!({ "url": server.url() });
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let option = json!({ "name": "University", "provider_type": "cas", "cas_config": config });
        Self { option: add(&f, option).await, f, server }
    }

    fn url(&self, endpoint: &str) -> String {
        format!("{}/api/cas/{}/{endpoint}", console(&self.f), self.option)
    }

    /// Where the server is asked to send the browser back to.
    async fn asked(&self, browser: &Browser) -> String {
        let sent = browser.opens(&self.url("login")).await;
        assert_eq!(sent.status, 307, "{sent:?}");
        sent.next().unwrap().to_string()
    }

    /// Signs the browser in at the server, if they are not yet; where it sends them to.
    async fn proved(&self, browser: &Browser, login: &str) -> String {
        let mut page = browser.opens(login).await;
        if page.next().is_none() {
            let form = PageForm::on(&page).with("username", "ada").with("password", "ada");
            page = browser.posts_form(&form).await;
        }
        page.next().expect("the server lets ada in").to_string()
    }

    async fn refused(&self, browser: &Browser, back: &str, what: &str) {
        let arrived = browser.opens(back).await;
        assert_eq!((arrived.status.as_u16(), path(&arrived).as_str()), (303, REFUSED), "{what}: {arrived:?}");
        assert!(somebody(&self.f, browser).await.is_none(), "{what}");
    }
}

#[tokio::test]
async fn a_first_sign_in_makes_a_user_without_roles_and_the_next_one_finds_them_again() {
    let mut stage = Stage::start(json!({})).await;
    let browser = Browser::new();
    let login = stage.asked(&browser).await;
    let back = stage.proved(&browser, &login).await;
    assert!(back.starts_with(&stage.url("callback?state=")) && back.contains("ticket=ST-"), "{back}");
    let arrived = browser.opens(&back).await;
    assert_eq!((arrived.status.as_u16(), path(&arrived).as_str()), (303, "/"), "{arrived:?}");
    let ada = somebody(&stage.f, &browser).await.unwrap();
    assert_eq!((&ada["username"], &ada["email"]), (&json!("ada"), &json!("ada@example.com")));
    assert_eq!((&ada["first_name"], &ada["last_name"]), (&json!("Ada"), &json!("Lovelace <King>")));
    assert_eq!((&ada["roles"], &ada["login_option"]["provider_type"]), (&json!([]), &json!("cas")));

    let base = console(&stage.f);
    let page = Browser::new().opens(&format!("{base}/sign-in")).await;
    assert!(page.text.contains(&format!("/api/cas/{}/login", stage.option)), "{}", page.text);
    // The server knows her still, and asks nothing.
    let again = browser.opens(&stage.asked(&browser).await).await.next().unwrap();
    assert_eq!(path(&browser.opens(again.as_str()).await), "/");
    assert_eq!(somebody(&stage.f, &browser).await.unwrap()["id"], ada["id"]);

    let login = stage.asked(&browser).await;
    let back = stage.proved(&browser, &login).await;
    stage.server.stop();
    let arrived = browser.opens(&back).await;
    assert_eq!(path(&arrived), "/sign-in?failed=provider");
}

#[tokio::test]
async fn a_ticket_counts_once_for_its_own_service_and_in_its_own_browser() {
    let stage = Stage::start(json!({})).await;
    let (ada, eve) = (Browser::new(), Browser::new());
    let state = |url: &str| {
        let url: Url = url.parse().unwrap();
        url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
    };
    let ticket = |url: &str| url.split("ticket=").nth(1).unwrap().to_owned();
    let login = stage.asked(&eve).await;
    let back = stage.proved(&eve, &login).await;
    stage.refused(&ada, &back, "another browser").await;
    assert_eq!(path(&eve.opens(&back).await), "/", "nobody is kept out by that");

    // A ticket of one sign-in in another one: another service.
    let login = stage.asked(&ada).await;
    let first = stage.proved(&ada, &login).await;
    let login = stage.asked(&ada).await;
    let second = stage.proved(&ada, &login).await;
    let crossed = stage.url(&format!("callback?state={}&ticket={}", state(&second), ticket(&first)));
    stage.refused(&ada, &crossed, "the ticket of another service").await;

    for (what, query) in [
        ("no ticket", ""),
        ("an empty ticket", "&ticket="),
        ("a ticket that never was", "&ticket=ST-made-up"),
        ("no ticket at all", "&ticket=%0A"),
    ] {
        let login: Url = stage.asked(&ada).await.parse().unwrap();
        let service = login.query_pairs().find(|(name, _)| name == "service").unwrap().1.into_owned();
        stage.refused(&ada, &format!("{service}{query}"), what).await;
    }

    let login = stage.asked(&ada).await;
    let back = stage.proved(&ada, &login).await;
    assert_eq!(path(&ada.opens(&back).await), "/");
    assert_eq!(path(&ada.opens(&back).await), REFUSED, "the same address again");
    let login: Url = stage.asked(&ada).await.parse().unwrap();
    let service = login.query_pairs().find(|(name, _)| name == "service").unwrap().1.into_owned();
    let used = format!("{service}&ticket={}", ticket(&back));
    assert_eq!(path(&ada.opens(&used).await), REFUSED, "a ticket that was used");
    assert_eq!(stage.f.admin().await.get("/api/users").await.expect(200)["total"], 2, "admin and ada");
}

#[tokio::test]
async fn a_server_that_is_not_told_of_the_service_may_know_it_by_itself() {
    let stage = Stage::start(json!({ "send_service": false })).await;
    let browser = Browser::new();
    let login = stage.asked(&browser).await;
    assert_eq!(login, format!("{}/login", stage.server.url()));
    // What a server does that has our callback as its default service.
    let service = stage.url("callback");
    let back = stage.proved(&browser, &format!("{login}?service={service}")).await;
    stage.refused(&Browser::new(), &back, "another browser").await;
    let login = stage.asked(&browser).await;
    let back = stage.proved(&browser, &format!("{login}?service={service}")).await;
    assert_eq!(path(&browser.opens(&back).await), "/");
    assert_eq!(somebody(&stage.f, &browser).await.unwrap()["username"], "ada");
}

#[tokio::test]
async fn a_disabled_option_is_not_found() {
    let stage = Stage::start(json!({})).await;
    let browser = Browser::new();
    let login = stage.asked(&browser).await;
    let back = stage.proved(&browser, &login).await;
    let path = format!("/api/login_options/{}", stage.option);
    stage.f.admin().await.put(&path, json!({ "disable": true })).await.expect(200);
    for url in [stage.url("login"), back, stage.url("callback?state=x&ticket=ST-1")] {
        assert_eq!(browser.opens(&url).await.status, 404, "{url}");
    }
}

/// Where a browser is sent that begins a sign-in with this header, and with what status.
async fn sent(stage: &Stage, name: &str, value: &str) -> (u16, String) {
    let login = format!("/api/cas/{}/login", stage.option);
    let answer = stage.f.guest().with(name, value).get(&login).await;
    (answer.status.as_u16(), answer.header("location").unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_host_that_the_caller_makes_up_is_never_the_service() {
    let failed = (307, "/sign-in?failed=provider".to_owned());
    let stage = Stage::start(json!({})).await;
    for host in ["eve.example", "localhost.eve.example:7080", "localhost@eve.example", "10.0.0.1"] {
        assert_eq!(sent(&stage, "host", host).await, failed, "{host}");
    }
    let (status, location) = sent(&stage, "host", "localhost:7080").await;
    assert!(
        status == 307 && location.contains("service=http%3A%2F%2Flocalhost%3A7080%2Fapi%2Fcas"),
        "{location}"
    );
    let said = |settings: &mut forecourt::config::Settings| {
        settings.admin.public_url = "https://console.example/".into();
    };
    let stage = Stage::start_on(Forecourt::start_with(said).await, json!({})).await;
    for host in ["eve.example", "localhost:7080"] {
        let (status, location) = sent(&stage, "host", host).await;
        let service = "service=https%3A%2F%2Fconsole.example%2Fapi%2Fcas%2F";
        assert!(status == 307 && location.contains(service), "{host}: {location}");
    }
}

#[tokio::test]
async fn another_site_begins_no_sign_in_that_is_ended_without_a_state() {
    let stage = Stage::start(json!({ "send_service": false })).await;
    let login = format!("{}/login", stage.server.url());
    for (site, location) in [
        ("cross-site", "/sign-in?failed=refused"),
        ("same-site", "/sign-in?failed=refused"),
        ("same-origin", login.as_str()),
        ("none", login.as_str()),
    ] {
        assert_eq!(sent(&stage, "sec-fetch-site", site).await, (307, location.to_owned()), "{site}");
    }
    let stage = Stage::start(json!({})).await;
    let (status, location) = sent(&stage, "sec-fetch-site", "cross-site").await;
    assert!(status == 307 && location.starts_with(&stage.server.url()), "a state binds it: {location}");
}

#[tokio::test]
async fn a_sign_in_through_cas_ends_the_session_that_the_browser_had() {
    let stage = Stage::start(json!({})).await;
    let browser = Browser::new();
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let login = stage.asked(&browser).await;
        let back = stage.proved(&browser, &login).await;
        assert_eq!(path(&browser.opens(&back).await), "/");
        sessions.push(browser.cookie("session"));
    }
    let (second, first) = (sessions.pop().unwrap(), sessions.pop().unwrap());
    me(&stage.f, first).await.refused(401, "unauthorized");
    me(&stage.f, second).await.expect(200);
}
