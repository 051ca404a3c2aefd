//! Administrators, roles and permission policies as the console invites, assigns, writes and deletes them.

use axum::http::StatusCode;

use crate::{
    browsers::{Browser, between},
    installations::{Installation, PASSWORD},
};

const PEOPLE: &str = "/settings/administrators";
const ROLES: &str = "/settings/roles";
const POLICIES: &str = "/settings/policies";
const READING: &str =
    r#"{"statement":[{"effect":"allow","resources":["<.*>"],"actions":["<(gateway|iam|portal):Get.*>"]}]}"#;

/// Invites somebody; their page and one-time password.
async fn invite(browser: &mut Browser, username: &str) -> (String, String) {
    browser.get(&format!("{PEOPLE}/invite")).await;
    let shown = browser.post(&format!("{PEOPLE}/invite"), &[("username", username)]).await;
    assert_eq!(shown.header("cache-control"), "no-store");
    let password = between(&shown.html, "CONSOLE_PASSWORD=", "\"").to_owned();
    let page = shown.link_holding("/settings/administrators/usr_").trim_end_matches("/roles").to_owned();
    (page, password)
}

/// A role with this policy; its page and the policy's.
async fn role(browser: &mut Browser, name: &str, document: &str) -> (String, String) {
    browser.get(&format!("{POLICIES}/new")).await;
    let policy =
        browser.post(&format!("{POLICIES}/new"), &[("name", name), ("document", document)]).await.location();
    let role = browser.post(&format!("{ROLES}/new"), &[("name", name)]).await.location();
    let attach = format!("{role}/policies");
    assert!(browser.get(&attach).await.html.contains(name));
    let id = policy.rsplit('/').next().unwrap();
    assert_eq!(browser.post(&attach, &[("policies", id)]).await.location(), role);
    (role, policy)
}

fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn an_invited_administrator_works_with_the_roles_that_are_assigned_and_no_longer() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let (page, password) = invite(&mut browser, "ann").await;
    let shown = browser.get(&page).await;
    assert!(
        shown.html.contains("One-time password") && shown.html.contains("No role yet"),
        "{}",
        shown.main()
    );
    assert!(!shown.html.contains(&password));
    let mut ann = installation.signed_in_as("ann", &password).await;
    assert_eq!(ann.get("/portals").await.status, StatusCode::FORBIDDEN);

    let (role, _) = role(&mut browser, "Readers", READING).await;
    let assign = format!("{page}/roles");
    assert!(browser.get(&assign).await.html.contains("Readers"));
    assert_eq!(browser.post(&assign, &[("roles", id(&role))]).await.location(), page);
    assert!(browser.get(&page).await.html.contains("Readers"));
    assert!(browser.get(&role).await.html.contains(">ann<"));
    let overview = ann.get("/portals").await;
    assert_eq!(overview.status, StatusCode::OK);
    assert!(!overview.html.contains("/products/new"));

    browser.get(&assign).await;
    browser.post(&assign, &[]).await.location();
    assert_eq!(ann.get("/portals").await.status, StatusCode::FORBIDDEN, "a role that was taken still works");
}

#[tokio::test]
async fn a_role_is_narrowed_to_gateway_groups_and_shown_so() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    browser.get("/gateway/groups/new").await;
    let other = browser.post("/gateway/groups/new", &[("name", "edge")]).await.location();
    let (page, password) = invite(&mut browser, "ann").await;
    let all = r#"{"statement":[{"effect":"allow","resources":["<.*>"],"actions":["<.*>"]}]}"#;
    let (role, _) = role(&mut browser, "Edge operators", all).await;
    let assign = format!("{page}/roles");
    browser.get(&assign).await;
    let scopes = format!("scopes-{}", id(&role));
    browser.post(&assign, &[("roles", id(&role)), (&scopes, id(&other))]).await.location();
    let shown = browser.get(&page).await;
    assert!(shown.html.contains("Only in edge"), "{}", shown.main());
    let form = browser.get(&assign).await;
    assert!(
        form.html.contains(&format!("name=\"{scopes}\" value=\"{}\" checked", id(&other))),
        "{}",
        form.main()
    );
    let mut ann = installation.signed_in_as("ann", &password).await;
    assert_eq!(ann.get(&other).await.status, StatusCode::OK);
    assert_eq!(ann.get("/gateway/groups/default").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_boundary_holds_whatever_the_roles_say() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let (page, password) = invite(&mut browser, "ann").await;
    browser.get(&format!("{page}/roles")).await;
    browser.post(&format!("{page}/roles"), &[("roles", "super-admin")]).await.location();
    let mut ann = installation.signed_in_as("ann", &password).await;
    assert!(ann.get("/portals").await.html.contains("/products/new"));
    let (_, policy) = role(&mut browser, "Readers", READING).await;
    let boundary = format!("{page}/boundary");
    browser.get(&boundary).await;
    assert_eq!(browser.post(&boundary, &[("policy", id(&policy))]).await.location(), page);
    assert!(browser.get(&page).await.html.contains(&policy));
    assert!(!ann.get("/portals").await.html.contains("/products/new"));
    // The policy is in use now, by a role and by the boundary.
    let kept = browser.post(&format!("{policy}/delete"), &[]).await;
    assert_eq!(kept.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(kept.html.contains("attached to the role"), "{}", kept.main());
    browser.post(&boundary, &[("policy", "")]).await.location();
    assert!(ann.get("/portals").await.html.contains("/products/new"));
}

#[tokio::test]
async fn a_reset_ends_sessions_and_gives_a_one_time_password() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let (page, password) = invite(&mut browser, "ann").await;
    browser.get(&format!("{page}/roles")).await;
    browser.post(&format!("{page}/roles"), &[("roles", "super-admin")]).await.location();
    let mut ann = installation.signed_in_as("ann", &password).await;
    assert_eq!(ann.get("/portals").await.status, StatusCode::OK);
    let reset = format!("{page}/password");
    assert!(browser.get(&reset).await.html.contains("Reset the password of ann?"));
    let shown = browser.post(&reset, &[]).await;
    let fresh = between(&shown.html, "CONSOLE_PASSWORD=", "\"").to_owned();
    assert_ne!(fresh, password);
    assert_eq!(ann.get("/portals").await.status, StatusCode::SEE_OTHER, "the session outlived the reset");
    let mut again = installation.browser();
    again.get("/sign-in").await;
    let refused = again.post("/sign-in", &[("username", "ann"), ("password", PASSWORD)]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "the old password still works");
    let let_in = again.post("/sign-in", &[("username", "ann"), ("password", &fresh)]).await;
    assert_eq!(let_in.location(), "/sign-in/password");
}

#[tokio::test]
async fn the_first_administrator_and_oneself_stay_and_the_page_says_why() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let list = browser.get(PEOPLE).await;
    let first = list.link_holding("/settings/administrators/usr_");
    let shown = browser.get(&first).await;
    assert!(shown.html.contains("cannot be deleted") && !shown.html.contains("/delete"), "{}", shown.main());
    let refused = browser.post(&format!("{first}/delete"), &[("confirm", "admin")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.html.contains("initial administrator cannot be deleted"), "{}", refused.main());
    let demoted = browser.post(&format!("{first}/roles"), &[]).await;
    assert!(demoted.html.contains("keeps the role super-admin"), "{}", demoted.main());

    let (page, password) = invite(&mut browser, "ann").await;
    browser.get(&format!("{page}/roles")).await;
    browser.post(&format!("{page}/roles"), &[("roles", "super-admin")]).await.location();
    let mut ann = installation.signed_in_as("ann", &password).await;
    let own = ann.get(&page).await;
    assert!(own.html.contains("This is you") && !own.html.contains("/delete"), "{}", own.main());
    let refused = ann.post(&format!("{page}/delete"), &[("confirm", "ann")]).await;
    assert!(refused.html.contains("You cannot delete yourself"), "{}", refused.main());

    let unnamed = browser.post(&format!("{page}/delete"), &[("confirm", "bo")]).await;
    assert_eq!(unnamed.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(browser.post(&format!("{page}/delete"), &[("confirm", "ann")]).await.location(), PEOPLE);
    assert_eq!(ann.get("/portals").await.status, StatusCode::SEE_OTHER, "the session outlived its owner");
    assert_eq!(browser.get(&page).await.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.get(&format!("{PEOPLE}?search=ann")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_role_is_changed_and_deleted_when_nobody_holds_it() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let (role, policy) = role(&mut browser, "Readers", READING).await;
    let refused = browser.post(&format!("{role}/edit"), &[("name", ""), ("labels", "")]).await;
    assert!(refused.html.contains("name-error"), "{}", refused.main());
    let fields = [("name", "Onlookers"), ("desc", "Look around"), ("labels", "team: edge")];
    assert_eq!(browser.post(&format!("{role}/edit"), &fields).await.location(), role);
    let shown = browser.get(&role).await;
    assert!(shown.html.contains("Onlookers") && shown.html.contains("team: edge"), "{}", shown.main());

    let (page, _) = invite(&mut browser, "ann").await;
    browser.get(&format!("{page}/roles")).await;
    browser.post(&format!("{page}/roles"), &[("roles", id(&role))]).await.location();
    assert!(!browser.get(&role).await.html.contains("/delete\""), "a role in use offers its deletion");
    let kept = browser.post(&format!("{role}/delete"), &[]).await;
    assert!(kept.html.contains("is held by 1 administrators"), "{}", kept.main());
    browser.post(&format!("{page}/roles"), &[]).await.location();

    let detach = format!("{role}/policies/{}/detach", id(&policy));
    assert!(browser.get(&detach).await.html.contains("Detach the policy Readers?"));
    assert_eq!(browser.post(&detach, &[]).await.location(), role);
    assert!(browser.get(&role).await.html.contains("No policies yet"));
    assert_eq!(browser.post(&format!("{role}/delete"), &[]).await.location(), ROLES);
    assert_eq!(browser.post(&format!("{policy}/delete"), &[]).await.location(), POLICIES);
    assert!(browser.get(POLICIES).await.html.contains("Readers is deleted."));
    assert!(!browser.get(POLICIES).await.html.contains("Readers"));
}

#[tokio::test]
async fn what_is_built_in_is_shown_and_not_changed() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    for (page, act) in [
        (format!("{ROLES}/super-admin"), "/edit"),
        (format!("{POLICIES}/super-admin-permission-policy"), "/edit"),
    ] {
        let shown = browser.get(&page).await;
        assert!(shown.html.contains("came with the installation and stays as it is"), "{}", shown.main());
        for word in ["/edit\"", "/delete\"", "/policies\"", "/detach\""] {
            let own = shown
                .main()
                .split(" href=\"")
                .skip(1)
                .any(|link| link.split('>').next().unwrap().contains(&format!("{page}{word}")));
            assert!(!own, "{page} offers {word}");
        }
        let fields = [("name", "Mine"), ("document", READING)];
        let refused = browser.post(&format!("{page}{act}"), &fields).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.html.contains("built-in"), "{}", refused.main());
    }
}

#[tokio::test]
async fn a_policy_tells_what_it_says_and_a_fault_names_its_statement() {
    let installation = Installation::start().await;
    let mut browser = installation.signed_in().await;
    let new = format!("{POLICIES}/new");
    let form = browser.get(&new).await;
    assert!(form.html.contains("portal:Get&lt;.*&gt;"), "{}", form.main());
    for (document, sentence) in [
        ("{", "This is no JSON object: EOF"),
        ("{}", "statement"),
        (
            r#"{"statement":[{"effect":"allow","resources":["a"],"actions":["b"]},{"effect":"perhaps"}]}"#,
            "Statement 2: effect must be allow or deny.",
        ),
        (
            r#"{"statement":[{"effect":"deny","resources":["arn:<[>"],"actions":["b"]}]}"#,
            "Statement 1: resources[0]",
        ),
    ] {
        let refused = browser.post(&new, &[("name", "Edge"), ("document", document)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{document}");
        assert!(refused.html.contains(sentence), "{document}: {}", refused.main());
        assert!(refused.html.contains("value=\"Edge\""), "what was typed is gone");
    }
    let document = r#"{"statement":[
        {"effect":"allow","resources":["arn:api7:portal:portal/<.*>"],"actions":["portal:<.*>"]},
        {"effect":"deny","resources":["arn:api7:gateway:gatewaygroup/default"],
         "actions":["gateway:DeleteCertificate","gateway:DeleteCertifikate"],
         "conditions":{"gateway_group_label":{"type":"MatchLabel","options":[
            {"key":"env","operator":"exact_match","value":"live"}]}}}]}"#;
    let page = browser.post(&new, &[("name", "Edge"), ("document", document)]).await.location();
    let told = browser.get(&page).await;
    for text in [
        "every portal with all that is in it",
        "every action",
        "Denies",
        "DeleteCertificate",
        "env: live",
        "No action has this name, so it does nothing: gateway:DeleteCertifikate",
    ] {
        assert!(told.html.contains(text), "{text}: {}", told.main());
    }
    let edit = format!("{page}/edit");
    assert!(browser.get(&edit).await.html.contains("DeleteCertifikate"));
    let saved = browser.post(&edit, &[("name", "Edge"), ("document", READING)]).await;
    assert_eq!(saved.location(), page);
    assert!(!browser.get(&page).await.html.contains("DeleteCertificate<"));
}
