//! What is made, shown, changed and deleted on the pages of developers, tokens, applications, services, portals.

use axum::http::StatusCode;

use crate::{browsers::between, installations::Installation};

#[tokio::test]
async fn an_invited_developer_gets_a_one_time_password_that_is_shown_once() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let invite = format!("/portals/{}/developers/invite", installation.portal);
    browser.get(&invite).await;
    let shown = browser.post(&invite, &[("username", "ada"), ("name", "Ada Lovelace")]).await;
    assert_eq!(shown.header("cache-control"), "no-store");
    let env = between(&shown.html, "PORTAL_PASSWORD=", "\"").to_owned();
    assert_eq!(env.len(), 23, "{env}");
    let page = shown.link_holding("/developers/dev_");
    let later = browser.get(&page).await;
    assert!(later.html.contains("Ada Lovelace") && later.html.contains("Invited"));
    assert!(!later.html.contains(&env));
    let taken = browser.post(&invite, &[("username", "ada")]).await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(taken.html.contains("taken in this portal"), "{}", taken.main());
    browser.get(&format!("{page}/delete")).await;
    let gone = browser.post(&format!("{page}/delete"), &[]).await;
    assert_eq!(gone.location(), format!("/portals/{}/developers", installation.portal));
    assert_eq!(browser.get(&page).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_portal_token_is_shown_once_and_works_until_it_is_deleted() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let list = format!("/portals/{}/tokens", installation.portal);
    browser.get(&format!("{list}/new")).await;
    let shown = browser.post(&format!("{list}/new"), &[("name", "Front end"), ("days", "90")]).await;
    assert_eq!(shown.header("cache-control"), "no-store");
    let token = between(&shown.html, "PORTAL_TOKEN=", "\"").to_owned();
    assert!(token.starts_with("a7prt-") && installation.accepts_portal_token(&token).await);
    assert!(shown.html.contains("http://portal-api.example"), "the curl line lacks the address");
    let later = browser.get(&list).await;
    assert!(later.html.contains("Front end") && !later.html.contains(&token));
    let delete = later.link_holding("/delete");
    browser.get(&delete).await;
    browser.post(&delete, &[]).await;
    assert!(!installation.accepts_portal_token(&token).await);
    let wrong = browser.post(&format!("{list}/new"), &[("name", "x"), ("days", "-1")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_suspended_application_says_why_and_can_be_resumed() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let product = installation.published_product("Payments").await;
    let application = installation.subscribed("Checkout", &product).await;
    let page = format!("/portals/{}/applications/{application}", installation.portal);
    browser.get(&format!("{page}/suspend")).await;
    let done = browser.post(&format!("{page}/suspend"), &[("reason", "Unusual traffic")]).await;
    assert_eq!(done.location(), page);
    let shown = browser.get(&page).await;
    assert!(shown.html.contains("Reason: Unusual traffic") && shown.html.contains("Suspended"));
    let list = browser.get(&format!("/portals/{}/applications?status=suspended", installation.portal)).await;
    assert!(list.html.contains("Checkout") && list.html.contains(&format!("{page}/resume")));
    browser.post(&format!("{page}/suspend"), &[]).await;
    assert!(browser.get(&page).await.html.contains("Somebody was faster"));
    browser.post(&format!("{page}/resume"), &[("reason", "Sorted out")]).await;
    let resumed = browser.get(&page).await;
    assert!(resumed.html.contains("Resumed") && resumed.html.contains("Sorted out"));
    assert!(!resumed.html.contains("Reason: Unusual traffic"));
}

#[tokio::test]
async fn a_service_with_its_route_and_document_is_made_and_deleted_in_the_console() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let new = "/gateway/groups/default/services/new";
    browser.get(new).await;
    let refused = browser.post(new, &[("name", "core"), ("upstreams", "10.0.0.7")]).await;
    assert!(refused.html.contains("“10.0.0.7” is not host:port"), "{}", refused.main());
    let fields =
        [("name", "core"), ("upstreams", "10.0.0.7:8080\r\n10.0.0.8:8080 3"), ("path_prefix", "/pay")];
    let page = browser.post(new, &fields).await.location();
    let routes = format!("{page}/routes/new");
    let made = browser.post(&routes, &[("name", "all"), ("paths", "/v2/*"), ("methods", "GET")]).await;
    assert_eq!(made.location(), page);
    let document = format!("{page}/document");
    let wrong = browser.post(&document, &[("document", "{")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let text = r#"{"openapi":"3.1.0","info":{"title":"P","version":"1"},"paths":{}}"#;
    assert_eq!(browser.post(&document, &[("document", text)]).await.location(), page);
    let shown = browser.get(&page).await;
    for text in ["10.0.0.8:8080\u{a0}×\u{a0}3", "/v2/*", "GET", "Present", "Service created"] {
        assert!(shown.html.contains(text), "{text}: {}", shown.main());
    }
    let route = shown.link_holding("/routes/rte_").replace("/edit", "/delete");
    browser.post(&route, &[]).await;
    assert!(!browser.get(&page).await.html.contains("/v2/*"));
    assert_eq!(
        browser.post(&format!("{page}/delete"), &[("confirm", "core")]).await.location(),
        "/gateway/groups/default"
    );
    assert_eq!(browser.get(&page).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn settings_are_stored_and_a_portal_in_use_cannot_be_deleted() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let settings = format!("/portals/{}/settings", installation.portal);
    browser.get(&settings).await;
    let refused = browser.post(&settings, &[("name", "Partners"), ("public_url", "nonsense")]).await;
    assert!(refused.html.contains("http or https URL"), "{}", refused.main());
    let fields = [("name", "Partners"), ("domain", "dev.example.com"), ("self_registration", "true")];
    assert_eq!(browser.post(&settings, &fields).await.location(), settings);
    let shown = browser.get(&settings).await;
    assert!(shown.html.contains("dev.example.com") && shown.html.contains("Partners"));
    assert_eq!(shown.html.matches(" checked").count(), 1, "only self-registration was ticked");
    installation.published_product("Payments").await;
    let delete = format!("/portals/{}/delete", installation.portal);
    let kept = browser.post(&delete, &[("confirm", "Partners")]).await;
    assert_eq!(kept.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(kept.html.contains("still has API products"), "{}", kept.main());
}
