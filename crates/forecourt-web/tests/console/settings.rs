//! Settings in the console: sign-in options of both scopes, mail, contact points and who is told of a product.

use axum::http::StatusCode;

use crate::{
    browsers::{Browser, between},
    installations::Installation,
};

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
    let kept = [("enable", "true"), fields[1], fields[2], fields[4]];
    assert_eq!(browser.post(mail, &kept).await.location(), mail);
    assert!(browser.get(mail).await.html.contains("Remove what is stored: Password"));
    let removed = [kept[0], kept[1], kept[2], kept[3], ("remove_password", "true")];
    assert_eq!(browser.post(mail, &removed).await.location(), mail);
    let shown = browser.get(mail).await;
    assert!(shown.html.contains("mail.example.com:587"), "{}", shown.main());
    assert!(!shown.html.contains("Stored, and not shown") && !shown.html.contains("remove_password"));
}

#[tokio::test]
async fn a_secret_of_a_sign_in_option_that_need_not_be_there_can_be_removed() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let list = format!("/portals/{}/sign-in", installation.portal);
    let new = format!("{list}/new?kind=ldap");
    assert!(!browser.get(&new).await.html.contains("remove_bind_password"), "nothing is stored yet");
    let fields = [
        ("name", "Directory"),
        ("host", "ldap.example.com"),
        ("port", "636"),
        ("base_dn", "dc=example"),
        ("bind_dn", "cn=admin"),
        ("identifier", "uid"),
        ("bind_password", "planted-secret"),
    ];
    assert_eq!(browser.post(&new, &fields).await.location(), list);
    let edit = browser.get(&list).await.link_holding("/delete").replace("/delete", "/edit");
    let form = browser.get(&edit).await;
    assert!(form.html.contains("remove_bind_password") && !form.html.contains("remove_client_key"));
    // What was typed counts more than the box.
    let mut changed = fields;
    changed[6] = ("remove_bind_password", "true");
    let both = [&fields[..], &changed[6..]].concat();
    assert_eq!(browser.post(&edit, &both).await.location(), list);
    assert!(browser.get(&edit).await.html.contains("remove_bind_password"));
    assert_eq!(browser.post(&edit, &changed).await.location(), list);
    let form = browser.get(&edit).await;
    assert!(!form.html.contains("remove_bind_password"), "{}", form.main());
    assert!(!form.html.contains("Stored, and not shown"), "{}", form.main());
}

#[tokio::test]
async fn headers_of_an_oauth_provider_are_removed_by_taking_out_their_lines() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let list = "/gateway/oauth-providers";
    browser.get(&format!("{list}/new")).await;
    let fields = [
        ("name", "OpenID"),
        ("provider_type", "oidc"),
        ("issuer", "https://id.example.com"),
        ("headers", "Authorization: planted-secret\r\nX-Realm: planted-secret"),
    ];
    assert_eq!(browser.post(&format!("{list}/new"), &fields).await.location(), list);
    let edit = browser.get(list).await.link_holding("/edit");
    let form = browser.get(&edit).await;
    assert!(form.html.contains("X-Realm: ******") && !form.html.contains("planted-secret"));
    let save = async |browser: &mut Browser, headers: &str| {
        let fields = [fields[0], fields[2], ("headers", headers)];
        assert_eq!(browser.post(&edit, &fields).await.location(), list);
        browser.get(&edit).await
    };
    let form = save(&mut browser, "Authorization: ******").await;
    assert!(form.html.contains("Authorization: ******") && !form.html.contains("X-Realm"));
    let form = save(&mut browser, "").await;
    assert!(!form.html.contains("Authorization: ******"), "{}", form.main());
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
    let made = browser.post(new, &hook).await;
    assert!(made.html.contains("whsec_"), "its signing secret, once: {}", made.main());
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

#[tokio::test]
async fn a_directory_is_let_in_by_its_settings_and_its_token_is_shown_once() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let portal = format!("/portals/{}", installation.portal);
    let of_portal = format!("{portal}/scim");
    assert!(browser.get(&format!("{portal}/sign-in")).await.links().contains(&of_portal));
    for (settings, endpoint) in
        [(of_portal.as_str(), "https://developers.example.com/scim/v2"), ("/settings/scim", "/api/scim/v2")]
    {
        let page = browser.get(settings).await;
        assert!(page.html.contains("There is no token yet"), "{}", page.main());
        assert_eq!(page.html.contains(endpoint), settings != of_portal, "not known where the site is");
        assert_eq!(browser.post(settings, &[("enable", "true")]).await.location(), settings);
        let shown = browser.post(&format!("{settings}/token"), &[]).await;
        assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "no-store"));
        let token = format!("a7scim-{}", between(&shown.html, "a7scim-", "\""));
        browser.get(&format!("{portal}/settings")).await;
        let named = [("name", "Developers"), ("public_url", "https://developers.example.com")];
        browser.post(&format!("{portal}/settings"), &named).await.location();
        let page = browser.get(settings).await;
        assert!(page.html.contains(endpoint) && page.html.contains("checked"), "{}", page.main());
        assert!(page.html.contains("There is a token") && !page.html.contains(&token));
        let question = browser.get(&format!("{settings}/token")).await;
        assert!(question.html.contains("Create a new token for SCIM?"), "{}", question.main());
        let renewed = browser.post(&format!("{settings}/token"), &[]).await;
        assert!(renewed.html.contains("a7scim-") && !renewed.html.contains(&token));
    }
    let mut reader = installation.signed_in_with("ann", "<.*>", &["<(gateway|iam|portal):Get.*>"]).await;
    let page = reader.get(&of_portal).await;
    assert_eq!((page.status, page.changes().len()), (StatusCode::OK, 0), "{}", page.main());
}

#[tokio::test]
async fn a_developer_s_password_is_reset_to_a_one_time_one_that_is_shown_once() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let list = format!("/portals/{}/developers", installation.portal);
    browser.get(&format!("{list}/invite")).await;
    let invited = browser.post(&format!("{list}/invite"), &[("username", "grace")]).await;
    let first = between(&invited.html, "PORTAL_PASSWORD=", "\"").to_owned();
    let page = invited.link_holding("/developers/dev_");
    let reset = browser.get(&page).await.link_holding("/password");
    assert_eq!(reset, format!("{page}/password"));
    assert!(browser.get(&reset).await.html.contains("Reset the password of grace?"));
    let shown = browser.post(&reset, &[]).await;
    assert_eq!((shown.status, shown.header("cache-control")), (StatusCode::OK, "no-store"));
    assert!(shown.html.contains("grace has a one-time password"), "{}", shown.main());
    assert_ne!(between(&shown.html, "PORTAL_PASSWORD=", "\""), first);
}
