//! The Provider console over its real router, on a real SQLite store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "console/administrators.rs"]
mod administrators;
#[path = "console/audit_logs.rs"]
mod audit_logs;
#[path = "console/browsers.rs"]
mod browsers;
#[path = "console/deliveries.rs"]
mod deliveries;
#[path = "console/foreign_forms.rs"]
mod foreign_forms;
#[path = "console/gateway.rs"]
mod gateway;
#[path = "console/installations.rs"]
mod installations;
#[path = "console/nodes.rs"]
mod nodes;
#[path = "console/objects.rs"]
mod objects;
#[path = "console/settings.rs"]
mod settings;

#[path = "console/permissions.rs"]
mod permissions;

use axum::http::StatusCode;
use browsers::{Browser, between};
use forecourt_core::products::SubscriptionState;
use forecourt_web::links::provider;
use installations::{Installation, PASSWORD};

#[tokio::test]
async fn the_one_time_password_must_be_changed_before_anything_else() {
    let installation = Installation::start().await;
    let mut browser = installation.browser();
    let refused = browser.get("/portals").await;
    assert_eq!(refused.location(), "/sign-in?next=%2Fportals");
    browser.get("/sign-in?next=/gateway").await;
    let answer =
        browser.post("/sign-in", &[("username", "admin"), ("password", "admin"), ("next", "/gateway")]).await;
    assert_eq!(answer.location(), "/sign-in/password");
    assert_eq!(browser.get("/gateway").await.location(), "/sign-in/password");

    browser.get("/sign-in/password").await;
    for (password, again, sentence) in [
        ("short", "short", "at least 8 characters"),
        (PASSWORD, "something else", "The two passwords differ."),
        ("admin", "admin", "at least 8 characters"),
    ] {
        let page = browser.post("/sign-in/password", &[("password", password), ("again", again)]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.html.contains(sentence), "{password}: {}", page.main());
        assert!(!page.html.contains(PASSWORD), "a password was put back into the page");
    }
    let done = browser.post("/sign-in/password", &[("password", PASSWORD), ("again", PASSWORD)]).await;
    assert_eq!(done.location(), "/portals");
    let overview = browser.get("/portals").await;
    assert_eq!(overview.status, StatusCode::OK);
    assert!(overview.html.contains("Your password is changed."));
    assert!(!browser.get("/portals").await.html.contains("Your password is changed."), "said twice");
}

#[tokio::test]
async fn a_wrong_pair_is_told_apart_from_too_many_tries_and_from_nothing_else() {
    let installation = Installation::start().await;
    let mut browser = installation.browser();
    browser.get("/sign-in").await;
    let mut sentences = Vec::new();
    for username in ["admin", "nobody"] {
        let page = browser.post("/sign-in", &[("username", username), ("password", "wrong")]).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.html.contains(&format!("value=\"{username}\"")), "what was typed is kept");
        sentences.push(between(&page.html, "role=\"alert\">", "</p>").to_owned());
    }
    assert_eq!(sentences[0], sentences[1], "the answer tells which user names exist");
    let mut last = StatusCode::OK;
    for _ in 0..3 {
        last = browser.post("/sign-in", &[("username", "admin"), ("password", "wrong")]).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let page = browser.post("/sign-in", &[("username", "admin"), ("password", "admin")]).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS, "a locked account opens to the right password");
    assert!(page.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(page.html.contains("Too many failed tries."));
}

#[tokio::test]
async fn sign_in_never_leads_to_another_site() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    for next in ["//evil.example", "https://evil.example/", "/\\evil.example"] {
        let encoded: String = next.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert_eq!(browser.get(&format!("/sign-in?next={encoded}")).await.location(), "/portals");
    }
}

#[tokio::test]
async fn signing_out_ends_the_session_itself() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    browser.get("/portals").await;
    let stolen = browser.clone();
    assert_eq!(browser.post("/sign-out", &[]).await.location(), "/sign-in?signed_out=true");
    assert!(browser.get("/sign-in?signed_out=true").await.html.contains("You are signed out"));
    let mut stolen = stolen;
    assert_eq!(stolen.get("/portals").await.status, StatusCode::SEE_OTHER, "the cookie still works");
}

#[tokio::test]
async fn a_form_without_its_token_changes_nothing() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    for token in ["", "0000", "sample-csrf-token"] {
        let answer = browser.post_with_token("/portals/new", token, &[("name", "Sneaked in")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    assert!(!browser.get("/portals/list").await.html.contains("Sneaked in"));
}

#[tokio::test]
async fn a_product_is_created_published_and_taken_back_with_its_impact_said() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let portal = installation.portal.to_string();
    let service = installation.service("payments-core").await;
    let new = format!("/portals/{portal}/products/new");
    assert!(browser.get(&new).await.html.contains("payments-core"));
    let refused = browser
        .post(&new, &[("kind", "gateway"), ("name", ""), ("labels", "lonely"), ("visibility", "public")])
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains("“lonely” has no value"), "{}", refused.main());
    let made = browser
        .post(
            &new,
            &[
                ("kind", "gateway"),
                ("name", "Payments"),
                ("labels", "domain: payments"),
                ("visibility", "public"),
                ("services", &service),
                ("auth", "key_auth"),
                ("subscription_approval", "true"),
            ],
        )
        .await;
    let page = made.location();
    assert!(page.starts_with(&format!("/portals/{portal}/products/prd_")), "{page}");
    let shown = browser.get(&page).await;
    for text in ["Draft", "payments-core", "domain: payments", "Product created", "by admin"] {
        assert!(shown.html.contains(text), "{text}");
    }
    assert!(!browser.get(&new).await.html.contains("payments-core"), "a taken service is offered");

    browser.get(&format!("{page}/publish")).await;
    assert_eq!(browser.post(&format!("{page}/publish"), &[]).await.location(), page);
    assert!(browser.get(&page).await.html.contains("Published"));

    let product = page.rsplit('/').next().unwrap();
    let application = installation.subscribed("Checkout", product).await;
    let question = browser.get(&format!("{page}/unpublish")).await;
    assert!(question.html.contains("1 waiting request is withdrawn"), "{}", question.main());
    let unnamed = browser.post(&format!("{page}/unpublish"), &[("confirm", "payments")]).await;
    assert_eq!(unnamed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        installation.state(&application, product).await,
        SubscriptionState::WaitForApproval,
        "unpublished without its name"
    );
    let done = browser.post(&format!("{page}/unpublish"), &[("confirm", "Payments")]).await;
    assert_eq!(done.location(), page);
    let after = browser.get(&page).await;
    assert!(after.html.contains("Draft") && after.html.contains("open to everyone now"), "{}", after.main());
    assert_eq!(installation.state(&application, product).await, SubscriptionState::Unsubscribed);
}

#[tokio::test]
async fn publishing_without_authentication_is_refused_in_the_dialog() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let new = format!("/portals/{}/products/new", installation.portal);
    browser.get(&new).await;
    let page = browser.post(&new, &[("kind", "gateway"), ("name", "Bare")]).await.location();
    let refused = browser.post(&format!("{page}/publish"), &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains("at least one method"), "{}", refused.main());
}

#[tokio::test]
async fn an_external_product_needs_a_readable_document() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let new = format!("/portals/{}/products/new?kind=external", installation.portal);
    browser.get(&new).await;
    let with = |document| [("kind", "external"), ("name", "Rates"), ("document", document)];
    let refused = browser.post(&new, &with("not: openapi")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains("openapi or swagger member"), "{}", refused.main());
    let document =
        r#"{"openapi":"3.1.0","info":{"title":"R","version":"1"},"servers":[{"url":"https://r"}]}"#;
    let made = browser.post(&new, &with(document)).await;
    let edit = browser.get(&format!("{}/edit", made.location())).await;
    assert!(edit.html.contains("https://r"), "{}", edit.main());
}

#[tokio::test]
async fn an_approval_is_accepted_from_the_overview_and_rejected_with_a_reason() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let product = installation.published_product("Payments").await;
    let accepted = installation.subscribed("Checkout", &product).await;
    let overview = browser.get("/portals").await;
    let accept = overview.action_ending("/accept");
    let answer = browser.post(&accept, &[("back", "overview")]).await;
    assert_eq!(answer.location(), "/portals");
    assert_eq!(installation.state(&accepted, &product).await, SubscriptionState::Subscribed);
    let again = browser.post(&accept, &[("back", "https://evil.example")]).await;
    assert_eq!(again.location(), "/approvals");
    assert!(browser.get("/approvals").await.html.contains("Somebody has decided this already."));

    let rejected = installation.subscribed("Reports", &product).await;
    let inbox = browser.get("/approvals").await;
    let reject = inbox.action_ending("/accept").replace("/accept", "/reject");
    assert!(browser.get(&reject).await.html.contains("Reason"));
    browser.post(&reject, &[("reason", "Ask your own team first")]).await;
    assert_eq!(installation.state(&rejected, &product).await, SubscriptionState::Unsubscribed);
    let decided = browser.get("/approvals?status=finished").await;
    for text in ["Ask your own team first", "Rejected", "Accepted", "by admin"] {
        assert!(decided.html.contains(text), "{text}");
    }
    assert!(browser.get("/approvals").await.html.contains("Nothing waits for you"));
}

#[tokio::test]
async fn a_fragment_after_accepting_holds_the_list_it_replaces() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let product = installation.published_product("Payments").await;
    installation.subscribed("Checkout", &product).await;
    let accept = browser.get("/approvals").await.action_ending("/accept");
    browser.header("hx-request", "true");
    let answer = browser.post(&accept, &[("back", "approvals")]).await;
    let list = browser.get(&answer.location()).await;
    assert!(list.html.contains("id=\"list\"") && list.html.contains("Nothing waits for you"));
}

#[tokio::test]
async fn an_administrator_without_a_role_sees_an_explanation_and_nothing_else() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in_without_role().await;
    for path in ["/portals", "/approvals", "/gateway", "/settings/password", "/portals/new"] {
        let page = browser.get(path).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(page.html.contains("No role yet") && !page.html.contains("/gateway"), "{path}");
    }
    assert_eq!(browser.post("/sign-out", &[]).await.location(), "/sign-in?signed_out=true");
}

#[tokio::test]
async fn every_link_of_the_console_is_routed() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    for pattern in provider::ALL {
        let path = pattern
            .replace("{portal}", installation.portal.as_str())
            .replace("{group}", "default")
            .replace(['{', '}'], "");
        let answer = browser.request("OPTIONS", &path).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{pattern} is not routed");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_sign_in_comes_first() {
    let installation = Installation::start().await;
    let mut guest = installation.browser();
    assert_eq!(guest.get("/portals/prt_nowhere/products").await.status, StatusCode::SEE_OTHER);
    let mut browser = installation.signed_in().await;
    let portal = &installation.portal;
    for path in [
        "/portals/prt_nowhere/products".to_owned(),
        "/portals/prt_nowhere/settings".to_owned(),
        format!("/portals/{portal}/products/prd_nowhere"),
        format!("/portals/{portal}/products/not%20an%20id"),
        format!("/portals/{portal}/developers/dev_nowhere"),
        format!("/portals/{portal}/applications/app_nowhere"),
        format!("/portals/{portal}/tokens/ptk_nowhere/delete"),
        "/gateway/groups/nowhere".to_owned(),
        "/approvals/apv_nowhere/reject".to_owned(),
        "/nowhere".to_owned(),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(page.html.contains("Page not found"), "{path}");
    }
}

#[tokio::test]
async fn an_object_of_one_portal_is_not_there_in_another() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let product = installation.published_product("Payments").await;
    let application = installation.subscribed("Checkout", &product).await;
    browser.get("/portals/new").await;
    let other = browser.post("/portals/new", &[("name", "Other")]).await.location();
    let other = other.trim_end_matches("/settings");
    for path in [format!("{other}/products/{product}"), format!("{other}/applications/{application}")] {
        assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn names_are_text_wherever_they_are_shown() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let name = "<script>alert(1)</script>";
    let product = installation.published_product(name).await;
    let application = installation.subscribed(name, &product).await;
    let portal = &installation.portal;
    for path in [
        "/portals".to_owned(),
        "/approvals".to_owned(),
        format!("/portals/{portal}/products?search=%3Cscript%3Ealert(1)"),
        format!("/portals/{portal}/products/{product}"),
        format!("/portals/{portal}/products/{product}/delete"),
        format!("/portals/{portal}/applications/{application}"),
    ] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.html.contains("<script>alert"), "{path}");
        assert!(page.html.contains("&lt;script&gt;alert(1)"), "{path}");
    }
}

#[tokio::test]
async fn pages_carry_their_security_headers() {
    let installation = Installation::start().await;
    let mut browser: Browser = installation.signed_in().await;
    let page = browser.get("/portals").await;
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(browser.get("/").await.location(), "/portals");
}
