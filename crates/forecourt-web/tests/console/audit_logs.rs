//! The audit log in the console: acts of the console itself are on record, can be narrowed, and are shown with what they
//! changed.

use axum::http::StatusCode;

use crate::installations::Installation;

/// The path of the record that the list names first.
fn first_record(html: &str) -> String {
    let path = html.split('"').find(|part| part.starts_with("/settings/audit/aud_"));
    path.unwrap().to_owned()
}

#[tokio::test]
async fn an_act_of_the_console_is_on_record_with_what_it_changed_and_without_its_secrets() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let new = "/settings/contact-points/new";
    browser.get(new).await;
    let refused =
        browser.post(new, &[("name", ""), ("type", "webhook"), ("url", "https://a.example/planted")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let made = browser
        .post(new, &[("name", "Hook"), ("type", "webhook"), ("url", "https://a.example/planted")])
        .await;
    assert_eq!(made.status, StatusCode::OK, "its signing secret is shown: {}", made.main());
    let list = browser.get("/settings/audit?event_type=CreateContactPoint").await;
    assert!(list.html.contains("Create contact point") && list.html.contains("Console"), "{}", list.main());
    assert!(list.html.contains("name is required"), "the refused form: {}", list.main());
    assert!(list.main().contains("Hook"), "what was made has its name: {}", list.main());
    let record = browser.get(&first_record(list.main())).await;
    assert_eq!(record.status, StatusCode::OK);
    for text in [
        "Contact point added",
        "Hook",
        "https://a.example/******",
        "POST /settings/contact-points/new",
        "200",
    ] {
        assert!(record.html.contains(text), "{text}: {}", record.main());
    }
    assert!(!record.html.contains("planted") && !record.html.contains("whsec_"), "{}", record.main());
}

#[tokio::test]
async fn sign_ins_are_on_record_and_the_list_is_narrowed_by_who_and_when() {
    let installation = Installation::start().await;
    let mut stranger = installation.browser();
    stranger.get("/sign-in").await;
    stranger.post("/sign-in", &[("username", "eve"), ("password", "planted-password")]).await;
    let mut browser = installation.signed_in().await;
    let list = browser.get("/settings/audit?event_type=Login").await;
    assert!(list.html.contains("e******") && list.html.contains("unauthorized"), "{}", list.main());
    assert!(!list.html.contains("planted-password"));
    let nobody = browser.get("/settings/audit?operator_id=usr_nobody").await;
    assert!(
        nobody.html.contains("Nothing matches") || !nobody.html.contains("/settings/audit/aud_"),
        "{}",
        nobody.main()
    );
    for path in ["/settings/audit?from=2000-01-01&to=2000-01-02", "/settings/audit?from=2200-01-01"] {
        let none = browser.get(path).await;
        assert!(!none.html.contains("/settings/audit/aud_"), "{path}: {}", none.main());
    }
    let unread = browser.get("/settings/audit?from=nonsense&page=x").await;
    assert_eq!(unread.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        unread.html.contains("id=\"from-error\"") && unread.html.contains("value=\"nonsense\""),
        "{}",
        unread.main()
    );
    assert!(!unread.html.contains("/settings/audit/aud_"), "no other list in its place: {}", unread.main());
    assert_eq!(browser.get("/settings/audit/aud_unknown").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_log_is_offered_to_those_who_may_see_it_and_its_download_to_those_who_may_have_it() {
    let installation = Installation::start().await;
    let mut reader =
        installation.signed_in_with("reader", "<.*>", &["iam:GetAudit", "portal:GetPortal"]).await;
    let page = reader.get("/portals").await;
    assert!(page.html.contains("href=\"/settings/audit\""), "{}", page.html);
    let list = reader.get("/settings/audit").await;
    assert!(
        list.html.contains("/settings/audit/aud_") && !list.html.contains("audit_logs/export"),
        "{}",
        list.main()
    );
    let mut exporter = installation
        .signed_in_with("exporter", "<.*>", &["iam:GetAudit", "iam:ExportAudits", "portal:GetPortal"])
        .await;
    let list = exporter.get("/settings/audit?event_type=Login").await;
    let form = list.html.split("<form").find(|form| form.contains("/api/audit_logs/export")).unwrap();
    assert!(form.contains("name=\"event_type\" value=\"Login\""), "{form}");
    let mut other = installation.signed_in_with("other", "<.*>", &["portal:GetPortal"]).await;
    assert!(!other.get("/portals").await.html.contains("/settings/audit"));
    assert!(!other.get("/settings/audit").await.html.contains("/settings/audit/aud_"));
    let record = first_record(list.main());
    assert_eq!(other.get(&record).await.status, StatusCode::NOT_FOUND);
}
