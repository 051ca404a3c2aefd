//! The Developer Portal site over its real router: who gets in, what they see, and what they are shown once.

#[path = "site/accounts.rs"]
mod accounts;
#[path = "site/applications.rs"]
mod applications;
#[path = "site/foreign_forms.rs"]
mod foreign_forms;
mod harness;

use axum::http::{StatusCode, header};
use forecourt_core::products::Visibility;
use forecourt_web::links;
use harness::{Browser, PASSWORD, PAYMENTS, Product, Site};

/// Makes an application and tells its path.
async fn application(browser: &mut Browser, fields: &[(&str, &str)]) -> String {
    let made = browser.submit("/applications/new", fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    made.location().to_owned()
}

#[tokio::test]
async fn whoever_registers_where_registrations_are_active_at_once_goes_on_to_where_they_came_from() {
    let site = Site::open().await;
    site.registration(&site.portal.id, true, true).await;
    let mut ada = site.browser();
    let fields =
        [("name", "Ada"), ("email", "ada@example.com"), ("password", PASSWORD), ("next", "/hub?search=pay")];
    let on = ada.submit("/sign-up?next=%2Fhub%3Fsearch%3Dpay", &fields).await;
    assert_eq!((on.status, on.location()), (StatusCode::SEE_OTHER, "/hub?search=pay"));
    let cookie = on
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .find_map(|line| line.to_str().unwrap().strip_prefix("portal_session=").map(str::to_owned));
    let cookie = cookie.unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let page = ada.get("/applications").await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.headers[header::CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn whoever_waits_for_approval_sees_public_products_and_nothing_else() {
    let site = Site::open().await;
    let public = site.product(&PAYMENTS).await;
    let hidden = Product { name: "Ledger", prefix: "/ledger", visibility: Visibility::LoggedIn, ..PAYMENTS };
    let hidden = site.product(&hidden).await;
    site.registration(&site.portal.id, true, false).await;
    let mut bob = site.browser();
    assert_eq!(bob.register("Bob").await.location(), "/sign-in/pending");
    assert!(bob.get("/sign-in/pending").await.holds("bob@example.com"));
    let hub = bob.get("/hub").await;
    assert!(hub.holds("Payments") && !hub.holds("Ledger"));
    assert_eq!(bob.get(&format!("/products/{public}")).await.status, StatusCode::OK);
    assert_eq!(bob.get(&format!("/products/{hidden}")).await.status, StatusCode::NOT_FOUND);
    for path in ["/applications", "/applications/new"] {
        assert_eq!(bob.get(path).await.location(), "/sign-in/pending", "{path}");
    }
}

#[tokio::test]
async fn a_closed_registration_is_neither_offered_nor_accepted() {
    let site = Site::open().await;
    site.registration(&site.portal.id, false, true).await;
    let mut eve = site.browser();
    assert!(!eve.get("/").await.holds("/sign-up"));
    assert_eq!(eve.get("/sign-up").await.status, StatusCode::NOT_FOUND);
    let fields = [("name", "Eve"), ("email", "eve@example.com"), ("password", PASSWORD)];
    let refused = eve.submit_from("/sign-in", "/sign-up", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.holds("does not offer self-registration"));
}

#[tokio::test]
async fn a_refused_registration_keeps_what_was_typed_and_says_what_is_wrong_beside_the_field() {
    let site = Site::open().await;
    let mut ada = site.browser();
    let refused = ada.submit("/sign-up", &[("name", "Ada"), ("email", "ada@"), ("password", PASSWORD)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.holds(r#"value="Ada""#) && refused.holds(r#"value="ada@""#));
    assert!(refused.holds(r#"id="email-error""#) && !refused.holds(r#"id="name-error""#));
    assert!(!refused.holds(PASSWORD));
}

#[tokio::test]
async fn a_form_without_its_token_or_with_that_of_another_session_changes_nothing() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let mut bob = site.member("Bob").await;
    let foreign = bob.get("/applications/new").await.csrf().to_owned();
    for token in ["", "0", foreign.as_str()] {
        let refused = ada.post("/applications/new", &[("name", "Shop"), ("csrf", token)]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.holds("out of date"), "{}", refused.text);
    }
    assert!(!ada.get("/applications").await.holds("Shop"));
    let mut guest = site.browser();
    let refused = guest.post("/sign-in", &[("username", "ada@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_form_of_more_than_a_mebibyte_is_refused() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let long = "x".repeat(1024 * 1024);
    let refused = ada.submit("/applications/new", &[("name", "Shop"), ("desc", &long)]).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_session_of_another_portal_is_none_here() {
    let site = Site::open().await;
    site.portal("Partners", "partners.test").await;
    let ada = site.member("Ada").await;
    let mut abroad = site.browser_at("partners.test");
    abroad.cookies = ada.cookies.clone();
    assert!(abroad.get("/").await.holds("Partners"));
    assert!(abroad.get("/applications").await.location().starts_with("/sign-in?"));
    let mut at_home = ada;
    assert_eq!(at_home.get("/applications").await.status, StatusCode::OK);
}

#[tokio::test]
async fn guests_see_public_products_only_where_the_portal_lets_them() {
    let site = Site::open().await;
    let public = site.product(&PAYMENTS).await;
    let hidden = Product { name: "Ledger", prefix: "/ledger", visibility: Visibility::LoggedIn, ..PAYMENTS };
    let hidden = site.product(&hidden).await;
    let mut guest = site.browser();
    for path in ["/", "/hub"] {
        let page = guest.get(path).await;
        assert!(page.holds("Payments") && !page.holds("Ledger"), "{path}");
    }
    assert_eq!(guest.get(&format!("/products/{hidden}")).await.status, StatusCode::NOT_FOUND);
    site.close_to_guests().await;
    let product = format!("/products/{public}");
    for path in ["/", "/hub", &product, &format!("{product}/documents/1")] {
        let answer = guest.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        let next = path.replace('/', "%2F");
        assert_eq!(answer.location(), format!("/sign-in?next={next}"));
    }
}

#[tokio::test]
async fn an_api_key_is_shown_once_with_a_line_that_calls_and_never_again() {
    let site = Site::open().await;
    let product = site.product(&PAYMENTS).await;
    let mut ada = site.member("Ada").await;
    let shop = application(&mut ada, &[("name", "Shop"), ("products", product.as_str())]).await;
    let new = format!("{shop}/credentials/new");
    let shown = ada.submit(&new, &[("kind", "key_auth"), ("name", "Production")]).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert_eq!(shown.headers[header::CACHE_CONTROL], "no-store");
    let start = shown.text.find("frc_").unwrap();
    let key = shown.text[start..start + 42].to_owned();
    let line = format!(
        "curl -H &#x27;apikey: {key}&#x27; &#x27;http://gateway.test:9080/payments/v2/payments&#x27;"
    );
    assert!(shown.holds(&line), "{}", shown.text);
    let page = ada.get(&shop).await;
    assert!(page.holds("Production") && !page.holds(&key));
    let edit = page.text.split('"').find(|part| part.ends_with("/edit") && part.contains("credentials"));
    let credential = edit.unwrap().trim_end_matches("/edit").to_owned();
    let again = ada.submit(&format!("{credential}/regenerate"), &[]).await;
    assert!(again.holds("frc_") && !again.holds(&key));
    for path in [&shop, &format!("{credential}/edit"), &new] {
        assert!(!ada.get(path).await.holds("frc_"), "{path}");
    }
    assert_eq!(ada.submit(&format!("{credential}/delete"), &[]).await.location(), shop);
    assert!(!ada.get(&shop).await.holds(&credential));
}

#[tokio::test]
async fn a_username_comes_with_a_password_made_for_it_and_the_services_host() {
    let site = Site::open().await;
    let hosts = Product { hosts: &["api.payments.test"], ..PAYMENTS };
    let product = site.product(&hosts).await;
    let mut ada = site.member("Ada").await;
    let shop = application(&mut ada, &[("name", "Shop"), ("products", product.as_str())]).await;
    let new = format!("{shop}/credentials/new?kind=basic_auth");
    let fields = [("kind", "basic_auth"), ("name", "Batch"), ("username", "shop's")];
    let shown = ada.submit_from(&new, &format!("{shop}/credentials/new"), &fields).await;
    let text = shown.text.replace("&#x27;", "'");
    assert!(text.contains(r"curl -u 'shop'\''s:"), "{text}");
    assert!(text.contains("-H 'Host: api.payments.test' 'http://gateway.test:9080/payments/v2/payments'"));
    let refused = [("kind", "basic_auth"), ("name", "Batch"), ("username", "a:b")];
    let refused = ada.submit_from(&new, &format!("{shop}/credentials/new"), &refused).await;
    assert!(refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.holds(r#"id="username-error""#));
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_found() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let mut bob = site.member("Bob").await;
    let shop = application(&mut ada, &[("name", "Shop")]).await;
    for rest in ["", "/edit", "/delete", "/subscriptions/new", "/credentials/new"] {
        assert_eq!(bob.get(&format!("{shop}{rest}")).await.status, StatusCode::NOT_FOUND, "{rest}");
    }
    for rest in ["/edit", "/delete", "/subscriptions/new", "/credentials/new"] {
        let fields = [("name", "Mine"), ("confirm", "Shop"), ("products", "prd_1")];
        let refused = bob.submit_from("/applications/new", &format!("{shop}{rest}"), &fields).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{rest}");
    }
    assert!(ada.get(&shop).await.holds("Shop"));
}

#[tokio::test]
async fn what_people_type_is_text_on_every_page() {
    let site = Site::open().await;
    let attack = r#"<script>alert(1)</script>"><img src=x onerror=alert(1)>"#;
    let product = Product { name: attack, desc: attack, labels: &[("<b>", "<i>")], ..PAYMENTS };
    let product = site.product(&product).await;
    let mut ada = site.member("Ada").await;
    let shop = application(&mut ada, &[("name", attack), ("products", product.as_str())]).await;
    let key = ada.submit(&format!("{shop}/credentials/new"), &[("name", attack)]).await;
    let mut texts = vec![key.text];
    for path in ["/", "/hub", "/applications", &shop, &format!("{shop}/edit"), &format!("{shop}/delete")] {
        texts.push(ada.get(path).await.text);
    }
    texts.push(ada.get(&format!("/products/{product}")).await.text);
    texts.push(ada.get(&format!("/hub?search={}", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E")).await.text);
    for text in texts {
        assert!(!text.contains("<script>alert") && !text.contains("<img") && !text.contains("<b>"), "{text}");
    }
}

#[tokio::test]
async fn an_application_carries_labels_a_line_each() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let fields = [("name", "Shop"), ("labels", "team: shop\nurl: https://x.test")];
    let shop = application(&mut ada, &fields).await;
    let page = ada.get(&shop).await;
    assert!(page.holds("team: shop") && page.holds("url: https://x.test"), "{}", page.text);
    assert!(ada.get(&format!("{shop}/edit")).await.holds("team: shop\nurl: https://x.test</textarea>"));
    let refused = ada.submit(&format!("{shop}/edit"), &[("name", "Shop"), ("labels", "nonsense")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.holds("“nonsense” is no label") && refused.holds(r#"id="labels-error""#));
}

#[tokio::test]
async fn the_hub_narrows_by_label_search_and_subscription() {
    let site = Site::open().await;
    let payments = site.product(&PAYMENTS).await;
    let labels = &[("domain", "logistics")];
    site.product(&Product { name: "Tracking", prefix: "/tracking", labels, ..PAYMENTS }).await;
    let mut ada = site.member("Ada").await;
    application(&mut ada, &[("name", "Shop"), ("products", payments.as_str())]).await;
    for (query, shown, hidden) in [
        ("label=domain%3Apayments", "Payments", "Tracking"),
        ("label=domain%3Alogistics", "Tracking", "Payments"),
        ("search=track", "Tracking", "Payments"),
        ("status=subscribed", "Payments", "Tracking"),
        ("status=unsubscribed", "Tracking", "Payments"),
    ] {
        let page = ada.get(&format!("/hub?{query}")).await;
        let card = |name: &str| format!(">{name}</a></h2>");
        assert!(page.holds(&card(shown)) && !page.holds(&card(hidden)), "{query}");
    }
    assert!(ada.get("/hub?search=zebra").await.holds("No API matches"));
    assert_eq!(ada.get("/hub?page=x&search=%ff").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_subscription_is_asked_for_and_ended_from_both_sides() {
    let site = Site::open().await;
    let product = site.product(&Product { auto_approval: false, ..PAYMENTS }).await;
    let mut ada = site.member("Ada").await;
    let page = format!("/products/{product}");
    assert!(ada.get(&page).await.holds(&format!("/applications/new?products={product}")));
    let shop = application(&mut ada, &[("name", "Shop")]).await;
    let id = shop.rsplit('/').next().unwrap().to_owned();
    let asked = ada.submit_from(&page, &format!("{page}/subscribe"), &[("application", &id)]).await;
    assert_eq!(asked.location(), page);
    let shown = ada.get(&page).await;
    assert!(shown.holds("waits for approval") && shown.holds("Each of your applications"));
    assert!(!ada.get(&page).await.holds("waits for approval"), "a message is said once");
    let refused = ada.submit_from(&page, &format!("{page}/subscribe"), &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = ada.get(&shop).await;
    let cancel = page.text.split('"').find(|part| part.ends_with("/cancel")).unwrap().to_owned();
    assert_eq!(ada.submit(&cancel, &[]).await.location(), shop);
    assert!(ada.get(&shop).await.holds("No subscriptions"));
    let add = format!("{shop}/subscriptions/new");
    assert_eq!(ada.submit(&add, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(ada.submit(&add, &[("products[]", product.as_str())]).await.location(), shop);
    assert!(ada.get(&add).await.holds("Nothing left to subscribe to"));
}

#[tokio::test]
async fn an_application_with_credentials_is_deleted_only_by_its_name() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let shop = application(&mut ada, &[("name", "Shop")]).await;
    ada.submit(&format!("{shop}/credentials/new"), &[("name", "Production")]).await;
    let delete = format!("{shop}/delete");
    let refused = ada.submit(&delete, &[("confirm", "shop")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.holds("1 credential stops working"));
    assert_eq!(ada.submit(&delete, &[("confirm", "Shop")]).await.location(), "/applications");
    assert_eq!(ada.get(&shop).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn documents_are_for_download_byte_for_byte_and_only_for_those_who_may_read_them() {
    let site = Site::open().await;
    let product = site.product(&Product { shown_to_all: false, ..PAYMENTS }).await;
    let (page, document) = (format!("/products/{product}"), format!("/products/{product}/documents/1"));
    let mut ada = site.member("Ada").await;
    assert!(ada.get(&page).await.holds("Subscribers only"));
    assert_eq!(ada.get(&document).await.status, StatusCode::NOT_FOUND);
    application(&mut ada, &[("name", "Shop"), ("products", product.as_str())]).await;
    assert!(ada.get(&page).await.holds("List payments"));
    let answer = ada.get(&document).await;
    assert_eq!(answer.text, PAYMENTS.document);
    assert!(answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment"));
}

#[tokio::test]
async fn a_document_of_thousands_of_operations_comes_in_pages() {
    let site = Site::open().await;
    let paths: Vec<_> = (0..5000).map(|n| format!(r#""/things/{n}":{{"get":{{"tags":["T"]}}}}"#)).collect();
    let document = format!(
        r#"{{"openapi":"3.1.0","info":{{"title":"Big","version":"1"}},"paths":{{{}}}}}"#,
        paths.join(",")
    );
    let product = site.product(&Product { document: &document, ..PAYMENTS }).await;
    let mut guest = site.browser();
    let first = guest.get(&format!("/products/{product}")).await;
    assert!(first.holds("/things/199<") && !first.holds("/things/200<"));
    assert!(first.text.len() < 150_000, "{}", first.text.len());
    let last = guest.get(&format!("/products/{product}?document=1&page=25")).await;
    assert!(last.holds("/things/4999<") && !last.holds("/things/4799<"));
    let beyond = guest.get(&format!("/products/{product}?document=1&page=18446744073709551615")).await;
    assert_eq!(beyond.status, StatusCode::OK);
}

#[tokio::test]
async fn every_link_has_a_route_and_failures_are_pages_of_the_site() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    for pattern in links::developer::ALL {
        let path: Vec<_> =
            pattern.split('/').map(|part| if part.starts_with('{') { "unknown" } else { part }).collect();
        let path = path.join("/");
        // What is routed at all refuses DELETE; what is not has no such page.
        let mut request = axum::http::Request::delete(&path).header(header::HOST, "portal.test");
        for (name, value) in &ada.cookies {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(site.router.clone(), request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{pattern}");
        assert!(answer.headers().contains_key(header::ALLOW), "{pattern}");
    }
    let missing = ada.get("/nowhere").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.holds("Page not found") && missing.holds("Ada"));
    assert!(missing.headers.contains_key("x-request-id"));
    assert!(
        missing.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("frame-ancestors 'none'")
    );
    assert_eq!(missing.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
}

#[tokio::test]
async fn pages_are_compressed_for_those_who_take_it() {
    let site = Site::open().await;
    let request = axum::http::Request::get("/").header(header::ACCEPT_ENCODING, "br");
    let request = request.body(axum::body::Body::empty()).unwrap();
    let answer = tower::ServiceExt::oneshot(site.router.clone(), request).await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_ENCODING], "br");
}
