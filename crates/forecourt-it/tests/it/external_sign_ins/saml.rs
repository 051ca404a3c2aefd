//! Administrators who sign in through a real SAML identity provider, and everybody who would like to be one of them.

mod attacks;

use std::time::Duration;

use forecourt_it::{Browser, Forecourt, IdentityProvider, Page, PageForm};
use serde_json::{Value, json};

use super::{add, console, me, path, somebody};

/// An identity provider, a Forecourt that has it as an option, and that option.
pub(super) struct Stage {
    pub(super) f: Forecourt,
    pub(super) idp: IdentityProvider,
    pub(super) option: String,
}

impl Stage {
    pub(super) async fn start(settings: Value) -> Self {
        let f = Forecourt::start().await;
        let idp = IdentityProvider::start(f.clock());
        let mut config = json!({
            "idp_metadata_url": idp.metadata_url(), "sp_root_url": f.guest().base(), "sign_request": false,
        });
        let members = config.as_object_mut().unwrap();
        members.extend(settings.as_object().unwrap().clone());
        let option = json!({ "name": "Staff", "provider_type": "saml", "saml_config": config });
        Self { option: add(&f, option).await, f, idp }
    }

    pub(super) async fn plain() -> Self {
        Self::start(json!({})).await
    }

    pub(super) fn url(&self, endpoint: &str) -> String {
        format!("{}/api/saml/{}/{endpoint}", console(&self.f), self.option)
    }

    /// Goes to the identity provider, where `parameters` are added to what we ask; the form that it shows then.
    pub(super) async fn asked(&self, browser: &Browser, parameters: &str) -> PageForm {
        let sent = browser.opens(&self.url("login")).await;
        assert_eq!(sent.status, 307, "{sent:?}");
        let shown = browser.opens(&format!("{}{parameters}", sent.next().unwrap())).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        PageForm::on(&shown)
    }

    /// Posts the form, as the identity provider's page does, and follows where that leads to.
    pub(super) async fn brought(&self, browser: &Browser, form: &PageForm) -> Page {
        let taken = browser.posts_from_elsewhere(form).await;
        assert_eq!(taken.status, 303, "{taken:?}");
        browser.opens(taken.next().unwrap().as_str()).await
    }

    /// The whole way; the session then.
    pub(super) async fn signed_in(&self, browser: &Browser, parameters: &str) -> Value {
        let form = self.asked(browser, parameters).await;
        let arrived = self.brought(browser, &form).await;
        assert_eq!((arrived.status.as_u16(), path(&arrived).as_str()), (303, "/"), "{arrived:?}");
        somebody(&self.f, browser).await.expect("a session")
    }

    pub(super) async fn change(&self, change: Value) {
        let path = format!("/api/login_options/{}", self.option);
        self.f.admin().await.put(&path, change).await.expect(200);
    }
}

#[tokio::test]
async fn a_first_sign_in_makes_a_user_without_roles_and_the_next_one_finds_them_again() {
    let stage = Stage::plain().await;
    let (first, second) = (Browser::new(), Browser::new());
    let ada = stage.signed_in(&first, "").await;
    assert_eq!((&ada["username"], &ada["email"]), (&json!("ada"), &json!("ada@example.com")));
    assert_eq!((&ada["first_name"], &ada["last_name"]), (&json!("ada"), &json!("Lovelace")));
    assert_eq!((&ada["roles"], &ada["state"]), (&json!([]), &json!("Active")));
    assert_eq!(ada["login_option"]["provider_type"], "saml");
    assert_eq!(stage.signed_in(&second, "").await["id"], ada["id"]);
    let grace = stage.signed_in(&Browser::new(), "&user=grace&signs=response").await;
    assert_ne!(grace["id"], ada["id"]);
    let users = stage.f.admin().await.get("/api/users").await.expect(200);
    assert_eq!(users["total"], 3, "admin, ada and grace");
}

#[tokio::test]
async fn who_is_called_like_somebody_is_not_taken_for_them() {
    let stage = Stage::plain().await;
    let impostor = stage.signed_in(&Browser::new(), "&user=admin").await;
    assert_eq!((&impostor["username"], &impostor["roles"]), (&json!("admin-2"), &json!([])));
}

#[tokio::test]
async fn a_signed_request_is_verified_there_and_attributes_are_named_by_the_option() {
    let attributes = json!({ "username": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name" });
    let stage = Stage::start(json!({ "attributes": attributes })).await;
    stage.change(json!({ "saml_config": stage.idp.signing_settings() })).await;
    let browser = Browser::new();
    let ada = stage.signed_in(&browser, "").await;
    assert_eq!(ada["username"], "ada Lovelace");
    let sent = browser.opens(&stage.url("login")).await.next().unwrap();
    assert!(sent.query_pairs().any(|(name, _)| name == "Signature"), "{sent}");
    stage.change(json!({ "saml_config": { "private_key": stage.idp.unknown_key() } })).await;
    let sent = browser.opens(&stage.url("login")).await.next().unwrap();
    let shown = browser.opens(sent.as_str()).await;
    assert_eq!(shown.status, 500, "the identity provider does verify: {shown:?}");
    // Without a key nothing is sent that ought to be signed.
    stage.change(json!({ "saml_config": { "private_key": "" } })).await;
    let sent = browser.opens(&stage.url("login")).await;
    assert_eq!((sent.status.as_u16(), path(&sent).as_str()), (307, "/sign-in?failed=provider"));
}

#[tokio::test]
async fn our_metadata_names_where_responses_go_and_what_requests_are_signed_with() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    let page = browser.opens(&stage.url("metadata")).await;
    assert_eq!(page.status, 200, "{page:?}");
    for part in [
        format!("entityID=\"{}\"", stage.url("metadata")),
        format!("Location=\"{}\"", stage.url("acs")),
        "AuthnRequestsSigned=\"false\"".to_owned(),
    ] {
        assert!(page.text.contains(&part), "{part} in {}", page.text);
    }
    stage.change(json!({ "saml_config": stage.idp.signing_settings() })).await;
    let signed = browser.opens(&stage.url("metadata")).await.text;
    assert!(
        signed.contains("AuthnRequestsSigned=\"true\"") && signed.contains("X509Certificate>"),
        "{signed}"
    );
    assert!(!signed.contains("PRIVATE"));
}

#[tokio::test]
async fn the_sign_in_page_leads_to_the_identity_provider_and_back_to_the_page_that_was_wanted() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    let base = console(&stage.f);
    let page = browser.opens(&format!("{base}/sign-in?next=/portals")).await;
    let link = format!("/api/saml/{}/login?next=", stage.option);
    assert!(page.text.contains(&link), "{}", page.text);
    let sent = browser.opens(&format!("{}?next=/portals", stage.url("login"))).await;
    let form = PageForm::on(&browser.opens(sent.next().unwrap().as_str()).await);
    let arrived = stage.brought(&browser, &form).await;
    assert_eq!(path(&arrived), "/portals");
    // To no other site.
    let sent = browser.opens(&format!("{}?next=//evil.example", stage.url("login"))).await;
    let form = PageForm::on(&browser.opens(sent.next().unwrap().as_str()).await);
    assert_eq!(path(&stage.brought(&browser, &form).await), "/");
}

#[tokio::test]
async fn a_disabled_option_is_not_found_and_a_deleted_one_ends_its_sessions() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    stage.signed_in(&browser, "").await;
    let late = Browser::new();
    let form = stage.asked(&late, "").await;
    stage.change(json!({ "disable": true })).await;
    for endpoint in ["login", "metadata", "finish?state=x"] {
        assert_eq!(late.opens(&stage.url(endpoint)).await.status, 404, "{endpoint}");
    }
    assert_eq!(late.posts_from_elsewhere(&form).await.status, 404);
    assert!(somebody(&stage.f, &browser).await.is_some(), "sessions go on");
    let other = format!("{}/api/saml/lop_unknown/login", console(&stage.f));
    assert_eq!(late.opens(&other).await.status, 404);
    let path = format!("/api/login_options/{}", stage.option);
    stage.f.admin().await.delete(&path).await.expect(200);
    assert!(somebody(&stage.f, &browser).await.is_none());
}

#[tokio::test]
async fn an_identity_provider_that_is_away_is_told_to_nobody_but_operators() {
    let mut stage = Stage::plain().await;
    let browser = Browser::new();
    stage.idp.stop();
    let sent = browser.opens(&stage.url("login")).await;
    assert_eq!((sent.status.as_u16(), path(&sent).as_str()), (307, "/sign-in?failed=provider"));
    let page = browser.opens(sent.next().unwrap().as_str()).await;
    assert!(page.text.contains("does not work at the moment"), "{}", page.text);
}

#[tokio::test]
async fn whoever_takes_too_long_begins_again() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    let form = stage.asked(&browser, "&lifetime=3600").await;
    stage.f.advance(Duration::from_secs(601));
    let arrived = browser.posts_from_elsewhere(&form).await;
    assert_eq!(path(&arrived), "/sign-in?failed=refused");
    // A proven person who does not come for their session is forgotten after a minute.
    let form = stage.asked(&browser, "&lifetime=3600").await;
    let taken = browser.posts_from_elsewhere(&form).await;
    stage.f.advance(Duration::from_secs(61));
    let arrived = browser.opens(taken.next().unwrap().as_str()).await;
    assert_eq!(path(&arrived), "/sign-in?failed=refused");
    assert!(somebody(&stage.f, &browser).await.is_none());
}

#[tokio::test]
async fn a_sign_in_through_saml_ends_the_session_that_the_browser_had() {
    let stage = Stage::plain().await;
    let browser = Browser::new();
    stage.signed_in(&browser, "").await;
    let before = browser.cookie("session");
    stage.signed_in(&browser, "").await;
    assert_ne!(browser.cookie("session"), before);
    me(&stage.f, before).await.refused(401, "unauthorized");
}
