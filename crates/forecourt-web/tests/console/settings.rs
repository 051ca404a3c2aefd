//! Settings in the console: sign-in options of both scopes, mail, contact points and who is told of a product.

use axum::http::StatusCode;

use crate::installations::Installation;

#[tokio::test]
async fn a_sign_in_option_is_added_changed_and_deleted_and_its_secret_is_never_on_a_page() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    for list in [format!("/portals/{}/sign-in", installation.portal), "/settings/sign-in".to_owned()] {
        assert!(browser.get(&list).await.html.contains("Password"));
        let new = format!("{list}/new?kind=oidc");
        browser.get(&new).await;
        let secret = ("client_secret", "planted-secret");
        let wrong = [("name", "Staff"), ("issuer", "nonsense"), ("client_id", "f"), secret];
        let refused = browser.post(&new, &wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.html.contains("This must be an http or https address"), "{}", refused.main());
        assert!(!refused.html.contains("planted-secret"));
        let right = [
            ("name", "Staff"),
            ("enabled", "true"),
            ("issuer", "https://id.example.com"),
            ("client_id", "f"),
            secret,
            ("request_scopes", "openid  email"),
            ("attributes", "email: mail\r\nusername: uid"),
        ];
        assert_eq!(browser.post(&new, &right).await.location(), list);
        let delete = browser.get(&list).await.link_holding("/delete");
        let edit = delete.replace("/delete", "/edit");
        let form = browser.get(&edit).await;
        for text in ["openid email", "email: mail", "https://id.example.com", "Stored, and not shown"] {
            assert!(form.html.contains(text), "{text}: {}", form.main());
        }
        assert!(!form.html.contains("planted-secret"));
        let changed = [("name", "Everybody"), ("issuer", "https://id.example.com"), ("client_id", "f")];
        assert_eq!(browser.post(&edit, &changed).await.location(), list, "the secret stays");
        assert!(browser.get(&list).await.html.contains("Disabled"));
        browser.get(&delete).await;
        assert_eq!(browser.post(&delete, &[]).await.location(), list);
        browser.get(&list).await;
        assert!(!browser.get(&list).await.html.contains("Everybody"), "told once, and gone");
    }
    let built_in = "/settings/sign-in/built_in/edit";
    browser.get(built_in).await;
    let refused = browser.post(built_in, &[("name", "Built-in")]).await;
    assert!(refused.html.contains("last enabled login option"), "{}", refused.main());
}

#[tokio::test]
async fn mail_is_set_up_and_its_password_stays_where_none_is_typed() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let mail = "/settings/mail";
    browser.get(mail).await;
    let refused = browser.post(mail, &[("enable", "true"), ("security", "tls")]).await;
    assert!(refused.html.contains("This is required to enable the SMTP server"), "{}", refused.main());
    let fields = [
        ("enable", "true"),
        ("security", "starttls"),
        ("address", "mail.example.com:587"),
        ("password", "planted-secret"),
        ("sender_address", "apis@example.com"),
    ];
    assert_eq!(browser.post(mail, &fields).await.location(), mail);
    let shown = browser.get(mail).await;
    assert!(shown.html.contains("mail.example.com:587") && shown.html.contains("Stored, and not shown"));
    assert!(!shown.html.contains("planted-secret"));
}

#[tokio::test]
async fn a_product_tells_a_contact_point_which_stays_until_it_is_taken_out() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let (list, new) = ("/settings/contact-points", "/settings/contact-points/new");
    assert!(browser.get(list).await.html.contains("No contact points"));
    browser.get(new).await;
    let refused = browser.post(new, &[("name", "Ops"), ("type", "email"), ("addresses", "")]).await;
    assert!(refused.html.contains("at least one e-mail address"), "{}", refused.main());
    let fields = [("name", "Ops"), ("type", "email"), ("addresses", "a@example.com\r\nb@example.com")];
    assert_eq!(browser.post(new, &fields).await.location(), list);
    let hook = [("name", "Chat"), ("type", "webhook"), ("url", "https://chat.example.com/1?token=x")];
    assert_eq!(browser.post(new, &hook).await.location(), list);
    let shown = browser.get(list).await;
    assert!(shown.html.contains("a@example.com, b@example.com") && !shown.html.contains("token=x"));
    let ids: Vec<_> = shown
        .html
        .match_indices("/contact-points/ctp_")
        .map(|(at, _)| shown.html[at + 16..at + 52].to_owned())
        .collect();
    let (chat, ops) = (ids.first().unwrap(), ids.last().unwrap());
    let product = installation.published_product("Payments").await;
    let page = format!("/portals/{}/products/{product}", installation.portal);
    let form = format!("{page}/notifications");
    browser.get(&form).await;
    let event = ("event_0", "subscription_approval_created");
    let both =
        [event, ("contacts_0", ops.as_str()), ("contacts_0", chat.as_str()), ("content_0", "{{.Nobody}}")];
    let refused = browser.post(&form, &both).await;
    assert!(refused.html.contains("hold no {{.Nobody}}"), "{}", refused.main());
    let both =
        [event, ("contacts_0", ops.as_str()), ("contacts_0", chat.as_str()), ("content_0", "{{.Event}}")];
    assert_eq!(browser.post(&form, &both).await.location(), page);
    let shown = browser.get(&page).await;
    assert!(shown.html.contains("A subscription waits for an approval") && shown.html.contains("Chat"));
    let delete = format!("{list}/{ops}/delete");
    assert!(browser.get(&delete).await.html.contains("The product Payments notifies"));
    assert_eq!(browser.post(&delete, &[]).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let none = [("event_0", ""), ("event_1", "")];
    assert_eq!(browser.post(&form, &none).await.location(), page);
    assert_eq!(browser.post(&delete, &[]).await.location(), list);
}
