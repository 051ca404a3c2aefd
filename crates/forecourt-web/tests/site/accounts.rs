//! A person's own account: passwords, sessions, signing out.

use axum::http::StatusCode;
use forecourt_app::{audit_logs, developers};
use forecourt_core::audit_logs::AuditFilter;

use super::harness::{PASSWORD, Site};

#[tokio::test]
async fn a_one_time_password_opens_nothing_but_the_choice_of_another() {
    let site = Site::open().await;
    let administrator = site.administrator();
    let (portal, one_time) = (&site.portal.id, "one-time-password");
    developers::invite(&site.app, &administrator, portal, "grace", one_time, Some("Grace")).await.unwrap();
    let mut grace = site.browser();
    grace.submit("/sign-in", &[("username", "grace"), ("password", one_time)]).await;
    for path in ["/", "/applications", "/account/password"] {
        assert_eq!(grace.get(path).await.location(), "/sign-in/password", "{path}");
    }
    let differ = [("password", PASSWORD), ("again", "another")];
    assert!(grace.submit("/sign-in/password", &differ).await.holds("The two passwords differ."));
    let chosen = [("password", PASSWORD), ("again", PASSWORD)];
    assert_eq!(grace.submit("/sign-in/password", &chosen).await.location(), "/");
    assert_eq!(grace.get("/applications").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_address_is_a_user_name_as_good_as_any_and_belongs_to_one_person() {
    let site = Site::open().await;
    let administrator = site.administrator();
    let (portal, one_time) = (&site.portal.id, "one-time-password");
    let invite =
        async |name| developers::invite(&site.app, &administrator, portal, name, one_time, None).await;
    invite("grace@example.com").await.unwrap();
    let mut grace = site.browser();
    let signed_in = [("username", "grace@example.com"), ("password", one_time)];
    assert_eq!(grace.submit("/sign-in", &signed_in).await.status, StatusCode::SEE_OTHER);
    assert_eq!(grace.get("/").await.location(), "/sign-in/password", "she is in, and chooses a password");
    let registered = site.browser().register("Grace").await;
    assert_eq!(registered.status, StatusCode::UNPROCESSABLE_ENTITY, "her address is a user name here");
    let mut ada = site.member("Ada").await;
    let taken = invite("Ada@example.com").await.unwrap_err();
    assert!(taken.to_string().contains("is taken in this portal"), "{taken}");
    assert_eq!(ada.get("/account").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_person_changes_the_password_and_ends_other_sessions() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let mut phone = site.browser();
    phone.submit("/sign-in", &[("username", "ada@example.com"), ("password", PASSWORD)]).await;
    let page = ada.get("/account/sessions").await;
    let end = page.text.split('"').find(|part| part.ends_with("/end")).unwrap().to_owned();
    let mut bob = site.member("Bob").await;
    let foreign = bob.submit_from("/account/sessions", &end, &[]).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    assert_eq!(phone.get("/account").await.status, StatusCode::OK);
    assert_eq!(ada.submit_from("/account/sessions", &end, &[]).await.location(), "/account/sessions");
    assert_eq!(phone.get("/account").await.status, StatusCode::SEE_OTHER);
    let wrong = [("current", "wrong"), ("password", "another good one"), ("again", "another good one")];
    let refused = ada.submit("/account/password", &wrong).await;
    assert!(refused.status == StatusCode::UNPROCESSABLE_ENTITY && refused.holds(r#"id="current-error""#));
    let right = [("current", PASSWORD), ("password", "another good one"), ("again", "another good one")];
    assert_eq!(ada.submit("/account/password", &right).await.location(), "/account/password");
}

#[tokio::test]
async fn whoever_signs_out_is_out() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let before = ada.cookies.clone();
    assert_eq!(ada.submit_from("/account", "/sign-out", &[]).await.location(), "/sign-out");
    assert!(ada.get("/sign-out").await.holds("You are signed out"));
    let mut stolen = site.browser();
    stolen.cookies = before;
    assert_eq!(stolen.get("/account").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn sign_in_never_leads_to_another_site() {
    let site = Site::open().await;
    site.member("Ada").await;
    for (next, expected) in [
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/applications", "/applications"),
    ] {
        let mut ada = site.browser();
        let fields = [("username", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let on = ada.submit("/sign-in", &fields).await;
        assert_eq!((on.status, on.location()), (StatusCode::SEE_OTHER, expected), "{next}");
    }
}

#[tokio::test]
async fn a_wrong_password_keeps_the_name_and_tells_nothing() {
    let site = Site::open().await;
    site.member("Ada").await;
    let mut answers = Vec::new();
    for name in ["ada@example.com", "nobody@example.com"] {
        let refused = site.browser().submit("/sign-in", &[("username", name), ("password", "wrong")]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.holds(name) && refused.holds("is not right"));
        answers.push(refused);
    }
}

#[tokio::test]
async fn a_failed_sign_in_is_on_record_under_a_name_that_is_known_or_the_first_letter_of_another() {
    let site = Site::open().await;
    site.member("Ada").await;
    for (typed, told) in [("ada@example.com", "ada@example.com"), (PASSWORD, "c******")] {
        site.browser().submit("/sign-in", &[("username", typed), ("password", "planted")]).await;
        let filter = AuditFilter { event_type: Some("Login".to_owned()), ..AuditFilter::default() };
        let found = audit_logs::list(&site.app, &site.administrator(), &filter).await.unwrap();
        let mut records = found.rows.iter().map(|listed| &listed.told.record);
        let record = records.find(|record| record.operator.username == told).unwrap();
        assert_eq!(
            (record.source.as_str(), record.error_message.as_deref()),
            ("portal", Some("unauthorized"))
        );
        let whole = format!("{record:?}");
        assert_eq!(whole.contains(typed), typed == told, "{whole}");
        assert!(!whole.contains("planted"), "{whole}");
    }
}

#[tokio::test]
async fn a_registration_ends_the_session_that_the_browser_had() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let mut before = site.browser();
    before.cookies = ada.cookies.clone();
    assert_eq!(before.get("/account").await.status, StatusCode::OK);
    let fields = [("name", "Eve"), ("email", "eve@example.com"), ("password", PASSWORD)];
    assert_eq!(ada.submit_from("/account", "/sign-up", &fields).await.status, StatusCode::SEE_OTHER);
    assert!(ada.get("/account").await.holds("eve@example.com"));
    assert_eq!(before.get("/account").await.status, StatusCode::SEE_OTHER, "it is over");
}

#[tokio::test]
async fn a_sign_in_ends_the_session_that_the_browser_had() {
    let site = Site::open().await;
    let mut ada = site.member("Ada").await;
    let mut before = site.browser();
    before.cookies = ada.cookies.clone();
    assert_eq!(before.get("/account").await.status, StatusCode::OK);
    let fields = [("username", "ada@example.com"), ("password", PASSWORD)];
    assert_eq!(ada.submit_from("/account", "/sign-in", &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(ada.get("/account").await.status, StatusCode::OK);
    assert_eq!(before.get("/account").await.status, StatusCode::SEE_OTHER, "it is over");
}
