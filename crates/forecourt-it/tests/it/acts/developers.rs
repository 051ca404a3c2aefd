//! Acts on developers, those of front ends and those of people.

use forecourt_core::events::EventName;
use forecourt_it::{Answer, Client, Forecourt, OauthProvider, installations::text};
use http::Method;
use serde_json::json;

use super::Scene;

#[tokio::test]
async fn deleting_a_developer_takes_all_its_applications_and_what_it_waits_for_through_either_door() {
    for by_administrator in [false, true] {
        let f = Forecourt::start().await;
        let provider = OauthProvider::start(f.clock());
        let scene = Scene::set(&f, &provider).await;
        let second = scene.ada.application("second").await.subscribe(&scene.orders).await;
        let key = second.key("prod").await;
        assert_eq!(scene.statuses().await, [200; 5]);
        let listed = f.admin().await.get("/api/developers?search=ada").await.expect(200);
        let id = listed["list"][0]["id"].as_str().unwrap().to_owned();
        let gone = if by_administrator {
            f.admin().await.delete("/api/developers/ada").await
        } else {
            f.portal_api().await.delete("/api/developers/ada").await
        };
        assert!(gone.status.is_success(), "{gone:?}");
        assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
        assert_eq!(scene.statuses().await, [401, 401, 401, 401, 200]);
        f.call(&scene.orders, &key).await.expect(401);
        assert_eq!(scene.at_gateways().await, [0, 0, 0]);
        scene.ada.api.get("/api/applications").await.refused(401, "unknown developer");
        let applications = f.admin().await.get("/api/forecourt/applications").await.expect(200);
        assert_eq!(applications["total"], 1, "the bystander's");
        assert_eq!(scene.approvals().await, [Some("cancelled".to_owned())]);
        let source = if by_administrator { "admin_api" } else { "portal_api" };
        scene.told("developer", &id, EventName::DeveloperDeleted, source).await;
        scene.no_client_is_left().await;
        // The name is free again, and its new holder inherits nothing.
        let again = f.developer("ada").await;
        for list in ["/api/applications", "/api/credentials", "/api/subscriptions"] {
            assert_eq!(again.api.get(list).await.expect(200)["total"], 0, "{list}");
        }
        assert_eq!(scene.statuses().await, [401, 401, 401, 401, 200]);
    }
}

/// The cookies that an answer sets, as a browser sends them back.
fn cookies(answer: &Answer) -> String {
    let set = answer.headers.get_all("set-cookie").iter();
    let pairs = set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    pairs.collect::<Vec<_>>().join("; ")
}

/// What the site answers to a browser that signs in.
async fn sign_in(f: &Forecourt, username: &str, password: &str) -> Answer {
    let page = f.site().get("/sign-in").await;
    let html = page.text();
    let token = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let form = format!("csrf={token}&username={username}&password={password}");
    let form = ("application/x-www-form-urlencoded".to_owned(), form.into_bytes());
    f.site().with("cookie", &cookies(&page)).send_bytes(Method::POST, "/sign-in", Some(form)).await
}

/// Where the site leads who wants to see applications.
async fn led_to(browser: &Client) -> String {
    let answer = browser.get("/applications").await;
    answer.header("location").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn deleting_a_developer_of_the_site_takes_its_person_and_ends_their_sessions() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let portal = f.portal_id().await;
    let invites = format!("/api/developers/invites?portal_id={portal}");
    let grace = json!({ "username": "grace", "password": "first" });
    let invited = admin.post(&invites, grace.clone()).await.expect(200);
    let path = format!("/api/developers/{}", text(&invited["value"]["developer_id"]));
    let signed_in = sign_in(&f, "grace", "first").await;
    assert_eq!(signed_in.status, 303, "{signed_in:?}");
    let browser = f.site().with("cookie", &cookies(&signed_in));
    assert_eq!(led_to(&browser).await, "/sign-in/password", "she is known, and must choose a password");

    let preview = admin.delete(&format!("{path}?portal_id={portal}&dry_run=true")).await.expect(200);
    assert_eq!(preview["value"]["impact"]["sessions"], 1, "{preview}");
    assert_eq!(led_to(&browser).await, "/sign-in/password");
    admin.delete(&format!("{path}?portal_id={portal}")).await.expect(200);
    let led = led_to(&browser).await;
    assert!(led.starts_with("/sign-in") && led != "/sign-in/password", "{led}");
    assert_eq!(sign_in(&f, "grace", "first").await.status, 422);
    // The name is free again.
    admin.post(&invites, grace).await.expect(200);
}
