//! What is made, changed and deleted on the pages of services, routes, plugins, certificates and consumers.

use axum::http::StatusCode;

use crate::{browsers::Browser, installations::Installation};

const GROUP: &str = "/gateway/groups/default";

/// A service with one route; its page.
async fn service(browser: &mut Browser) -> String {
    let new = format!("{GROUP}/services/new");
    browser.get(&new).await;
    let fields = [("name", "core"), ("upstreams", "10.0.0.7:8080"), ("path_prefix", "/pay")];
    let page = browser.post(&new, &fields).await.location();
    browser.post(&format!("{page}/routes/new"), &[("name", "all"), ("paths", "/v2/*")]).await;
    page
}

#[tokio::test]
async fn a_service_and_its_route_are_edited_and_keep_what_the_forms_do_not_show() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let page = service(&mut browser).await;
    let plugins = format!("{page}/plugins");
    let saved = browser.post(&plugins, &[("plugins", r#"{"cors":{"max_age":7}}"#)]).await;
    assert_eq!(saved.location(), page);
    let edit = format!("{page}/edit");
    let shown = browser.get(&edit).await;
    assert!(shown.html.contains("10.0.0.7:8080") && shown.html.contains("value=\"core\""));
    let refused = browser.post(&edit, &[("name", "core"), ("upstreams", "")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields =
        [("name", "renamed"), ("upstreams", "10.0.0.8:8080 2 -1"), ("scheme", "grpc"), ("enabled", "true")];
    assert_eq!(browser.post(&edit, &fields).await.location(), page);
    let shown = browser.get(&page).await;
    assert!(shown.html.contains("renamed") && shown.html.contains("10.0.0.8:8080"), "{}", shown.main());
    let again = browser.get(&edit).await;
    assert!(again.html.contains("10.0.0.8:8080 2 -1"), "{}", again.main());
    assert!(browser.get(&plugins).await.html.contains("max_age"), "what the form does not show stays");

    let route = shown
        .link_holding("/routes/rte_")
        .replace("/plugins", "")
        .replace("/delete", "")
        .replace("/edit", "");
    let on_route = format!("{route}/plugins");
    browser.post(&on_route, &[("plugins", r#"{"key-auth":{}}"#)]).await;
    let fields = [("name", "some"), ("paths", "/v3/*"), ("methods", "GET")];
    assert_eq!(browser.post(&format!("{route}/edit"), &fields).await.location(), page);
    let shown = browser.get(&page).await;
    assert!(shown.html.contains("/v3/*") && !shown.html.contains("/v2/*"), "{}", shown.main());
    assert!(browser.get(&on_route).await.html.contains("key-auth&quot;"), "its plugins stay");
}

#[tokio::test]
async fn the_conditions_of_a_route_are_typed_as_json_and_shown_again() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let page = service(&mut browser).await;
    let new = format!("{page}/routes/new");
    let fields = |vars: &'static str| [("name", "new"), ("paths", "/v3/*"), ("vars", vars)];
    for (typed, sentence) in [
        ("[[", "This is no JSON"),
        ("{}", "This must be an array of conditions"),
        (r#"[["arg_v","=","1"]]"#, "must be one of ==, ~="),
    ] {
        let refused = browser.post(&new, &fields(typed)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
        assert!(refused.html.contains(sentence), "{typed}: {}", refused.main());
    }
    let typed = r#"[["arg_v","==","1"],["OR",["host","==","a"],["host","==","b"]]]"#;
    assert_eq!(browser.post(&new, &fields(typed)).await.location(), page);
    let shown = browser.get(&page).await;
    let routes: Vec<_> = shown.html.split('"').filter(|part| part.ends_with("/edit")).collect();
    let edit = *routes.iter().rfind(|link| link.contains("/routes/rte_")).unwrap();
    let form = browser.get(edit).await;
    assert!(form.html.contains("arg_v&quot;,&quot;==&quot;,&quot;1&quot;]"), "{}", form.main());
    assert_eq!(browser.post(edit, &fields("")).await.location(), page);
    assert!(!browser.get(edit).await.html.contains("arg_v&quot;"), "none is typed, so none is left");
}

#[tokio::test]
async fn plugins_that_nobody_could_enforce_are_refused_and_what_was_typed_stays() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let plugins = format!("{}/plugins", service(&mut browser).await);
    for (typed, sentence) in [
        ("{", "This is no JSON object"),
        ("[]", "This is no JSON object"),
        (r#"{"limit-req":{}}"#, "Unknown plugin limit-req"),
        (r#"{"cors":{"max_age":"x"}}"#, "cors.max_age"),
    ] {
        let refused = browser.post(&plugins, &[("plugins", typed)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{typed}");
        assert!(refused.html.contains(sentence), "{typed}: {}", refused.main());
    }
}

#[tokio::test]
async fn a_global_rule_is_made_changed_and_deleted() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let list = format!("{GROUP}/rules");
    assert!(browser.get(&list).await.html.contains("No global rules"));
    let fields = [("name", "everywhere"), ("plugins", r#"{"cors":{}}"#)];
    assert_eq!(browser.post(&format!("{list}/new"), &fields).await.location(), list);
    let edit = browser.get(&list).await.link_holding("/edit");
    let fields = [("name", "nearly everywhere"), ("plugins", r#"{"cors":{"max_age":9}}"#)];
    assert_eq!(browser.post(&edit, &fields).await.location(), list);
    let shown = browser.get(&edit).await;
    assert!(shown.html.contains("nearly everywhere") && shown.html.contains("&quot;max_age&quot;: 9"));
    let delete = edit.replace("/edit", "/delete");
    assert!(browser.get(&delete).await.html.contains("Delete the global rule nearly everywhere?"));
    assert_eq!(browser.post(&delete, &[]).await.location(), list);
    assert_eq!(browser.get(&edit).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_certificate_is_stored_and_changed_and_its_key_is_never_shown() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let list = format!("{GROUP}/certificates");
    let pair = |name: &str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    };
    let ((cert, key), (_, other)) = (pair("a.example"), pair("a.example"));
    let new = format!("{list}/new");
    browser.get(&new).await;
    let refused = browser.post(&new, &[("type", "server"), ("cert", &cert), ("secret", &other)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains("Does not fit the certificate"), "{}", refused.main());
    assert!(refused.html.contains("BEGIN CERTIFICATE") && !refused.html.contains("PRIVATE KEY"));
    let fields = [("type", "server"), ("cert", cert.as_str()), ("secret", &key), ("enabled", "true")];
    assert_eq!(browser.post(&new, &fields).await.location(), list);
    let shown = browser.get(&list).await;
    assert!(shown.html.contains("a.example") && shown.html.contains("Active"), "{}", shown.main());
    let edit = shown.link_holding("/edit");
    assert!(!browser.get(&edit).await.html.contains("PRIVATE KEY"));
    let fields = [("type", "server"), ("cert", cert.as_str()), ("snis", "*.a.example")];
    assert_eq!(browser.post(&edit, &fields).await.location(), list);
    let shown = browser.get(&list).await;
    assert!(shown.html.contains("*.a.example") && shown.html.contains("Suspended"), "{}", shown.main());
    let delete = shown.link_holding("/delete");
    browser.get(&delete).await;
    assert_eq!(browser.post(&delete, &[]).await.location(), list);
    assert!(browser.get(&list).await.html.contains("No certificates"));
}

#[tokio::test]
async fn a_consumer_gets_credentials_keeps_them_when_edited_and_is_deleted_with_them() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let new = format!("{GROUP}/new-consumer");
    browser.get(&new).await;
    let refused = browser.post(&new, &[("username", "a b")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = browser.post(&new, &[("username", "ada"), ("labels", "custom_id: 7")]).await.location();
    assert_eq!(page, format!("{GROUP}/consumers/ada"));
    let credential = format!("{page}/credentials/new");
    assert!(browser.get(&format!("{credential}?kind=jwt-auth")).await.html.contains("name=\"algorithm\""));
    for fields in [
        vec![("kind", "key-auth"), ("name", "first"), ("secret", "hunter2-key")],
        vec![("kind", "basic-auth"), ("username", "ada"), ("secret", "hunter2-password")],
        vec![("kind", "jwt-auth"), ("key", "ada"), ("algorithm", "HS256"), ("secret", "hunter2-secret")],
    ] {
        assert_eq!(browser.post(&credential, &fields).await.location(), page, "{fields:?}");
    }
    let fields = [("kind", "key-auth"), ("secret", "hunter2-key")];
    let taken = browser.post(&credential, &fields).await;
    assert!(
        taken.html.contains("already used by the consumer") && !taken.html.contains("hunter2"),
        "{}",
        taken.main()
    );
    let fields = [("kind", "jwt-auth"), ("key", "x"), ("algorithm", "RS256"), ("public_key", "no key")];
    let wrong = browser.post(&credential, &fields).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.html.contains("no key"), "what was typed stays: {}", wrong.main());

    browser.get(&format!("{page}/edit")).await;
    assert_eq!(browser.post(&format!("{page}/edit"), &[("desc", "Exports")]).await.location(), page);
    let shown = browser.get(&page).await;
    for text in ["Exports", "first", "basic-auth", "jwt-auth"] {
        assert!(shown.html.contains(text), "{text}: {}", shown.main());
    }
    assert!(!shown.html.contains("hunter2") && !shown.html.contains("custom_id"));
    let delete = shown.link_holding("/credentials/ccr_");
    assert_eq!(browser.post(&delete, &[]).await.location(), page);
    let wrong = browser.post(&format!("{page}/delete"), &[("confirm", "bob")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let gone = browser.post(&format!("{page}/delete"), &[("confirm", "ada")]).await;
    assert_eq!(gone.location(), format!("{GROUP}/consumers"));
    assert_eq!(browser.get(&page).await.status, StatusCode::NOT_FOUND);
}
