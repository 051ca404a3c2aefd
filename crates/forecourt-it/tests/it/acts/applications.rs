//! Acts on applications, their credentials and their subscriptions.

use forecourt_core::events::EventName;
use forecourt_it::{Forecourt, OauthProvider, deadlines::eventually, installations::text};
use serde_json::json;

use super::Scene;

#[tokio::test]
async fn deleting_a_credential_refuses_it_and_no_other_and_removes_its_client() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    let mut expected = [200; 5];
    assert_eq!(scene.statuses().await, expected);
    assert_eq!(scene.at_gateways().await, [1, 4, 1]);
    for (index, own) in scene.credentials.iter().enumerate() {
        let gone = scene.application.api.delete(&scene.path(own)).await;
        gone.empty(204);
        assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
        expected[index] = 401;
        assert_eq!(scene.statuses().await, expected, "without {}", own.kind);
        assert_eq!(scene.at_gateways().await, [1, 3 - index, 1], "without {}", own.kind);
        scene.application.api.delete(&scene.path(own)).await.refused(404, "resource not found");
        scene.told("credential", &own.id, EventName::CredentialDeleted, "portal_api").await;
    }
    scene.no_client_is_left().await;
}

#[tokio::test]
async fn regenerating_a_credential_refuses_its_old_secret_at_once_and_lets_the_new_one_in() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    let mut expected = [200; 5];
    for (index, own) in scene.credentials.iter().enumerate() {
        let mut body = json!({ "type": own.kind });
        if own.kind == "basic-auth" {
            body["basic-auth"] = json!({ "username": "batch", "password": "another" });
        }
        let answer = scene.application.api.put(&format!("{}/regenerate", scene.path(own)), body).await;
        if own.kind == "oauth" {
            answer.refused(400, "cannot be regenerated");
            continue;
        }
        let made = answer.expect(200);
        assert_eq!(made["id"], own.id);
        expected[index] = 401;
        assert_eq!(scene.statuses().await, expected, "with another {}", own.kind);
        scene.told("credential", &own.id, EventName::CredentialRegenerated, "portal_api").await;
        let fresh = match own.kind {
            "key-auth" => f.gateway().with("apikey", &text(&made["key-auth"]["key"])),
            "basic-auth" => f.gateway().with_basic("batch", "another"),
            _ => continue,
        };
        fresh.get(&scene.orders.path).await.expect(200);
    }
    assert_eq!(scene.at_gateways().await, [1, 4, 1], "none is more or less");
}

#[tokio::test]
async fn suspending_an_application_stops_all_its_credentials_until_it_is_resumed() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    let path = format!("/api/forecourt/applications/{}", scene.application.id);
    let suspend = format!("{path}/suspend");
    let suspended = f.admin().await.post(&suspend, json!({ "reason": "too many calls" })).await;
    assert!(suspended.header("x-forecourt-revision").is_some(), "{suspended:?}");
    assert_eq!(suspended.expect(200)["value"]["status"], "suspended");
    assert_eq!(scene.statuses().await, [401, 401, 401, 401, 200]);
    scene.told("application", &scene.application.id, EventName::ApplicationSuspended, "admin_api").await;
    // Repeated it is refused, and nothing of the application is gone.
    f.admin().await.post(&suspend, json!({ "reason": "again" })).await.refused(400, "suspended");
    assert_eq!(scene.at_gateways().await, [1, 4, 1]);
    assert_eq!(scene.application.subscriptions().await.len(), 2);
    assert_eq!(scene.approvals().await, [None]);
    assert_eq!(provider.clients().len(), 1);

    let resume = format!("{path}/resume");
    f.admin().await.post(&resume, json!({ "reason": "talked" })).await.expect(200);
    assert_eq!(scene.statuses().await, [200; 5]);
    scene.told("application", &scene.application.id, EventName::ApplicationResumed, "admin_api").await;
    f.admin().await.post(&resume, json!({})).await.expect(400);
}

#[tokio::test]
async fn deleting_an_application_takes_credentials_subscriptions_requests_and_clients_and_leaves_its_usage() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    assert_eq!(scene.statuses().await, [200; 5]);
    let path = format!("/api/applications/{}", scene.application.id);
    scene.application.api.put(&path, json!({ "name": "tablet" })).await.expect(200);
    let gone = scene.application.api.delete(&path).await;
    gone.empty(204);
    assert!(gone.header("x-forecourt-revision").is_some(), "{gone:?}");
    assert_eq!(scene.statuses().await, [401, 401, 401, 401, 200]);
    assert_eq!(scene.at_gateways().await, [0, 0, 0]);
    for list in ["/api/applications", "/api/credentials", "/api/subscriptions"] {
        assert_eq!(scene.ada.api.get(list).await.expect(200)["total"], 0, "{list}");
    }
    assert_eq!(scene.approvals().await, [Some("cancelled".to_owned())]);
    scene.told("application", &scene.application.id, EventName::ApplicationDeleted, "portal_api").await;
    scene.no_client_is_left().await;
    let usage = "/api/forecourt/usage?start_at=1786092000&end_at=1786098000&group_by=application";
    eventually("its four calls are told under its last name", async || {
        let told = f.admin().await.get(usage).await.expect(200).to_string();
        told.contains("\"tablet\"").then_some(())
    })
    .await;
}

#[tokio::test]
async fn ending_a_subscription_takes_its_grant_alone_and_cancelling_a_request_its_approval() {
    let f = Forecourt::start().await;
    let provider = OauthProvider::start(f.clock());
    let scene = Scene::set(&f, &provider).await;
    let subscriptions = scene.application.subscriptions().await;
    let to = |product: &str| {
        let found = subscriptions.iter().find(|subscription| subscription["api_product_id"] == product);
        text(&found.unwrap()["id"])
    };
    let (granted, waiting) = (to(&scene.orders.id), to(&scene.billing.id));
    scene.application.api.delete(&format!("/api/subscriptions/{waiting}")).await.empty(204);
    assert_eq!(scene.approvals().await, [Some("cancelled".to_owned())]);
    scene.told("subscription", &waiting, EventName::SubscriptionCancelled, "portal_api").await;
    assert_eq!(scene.statuses().await, [200; 5]);

    let ended = scene.application.api.delete(&format!("/api/subscriptions/{granted}")).await;
    ended.empty(204);
    assert!(ended.header("x-forecourt-revision").is_some(), "{ended:?}");
    assert_eq!(scene.statuses().await, [401, 401, 401, 401, 200]);
    assert_eq!(scene.at_gateways().await, [1, 4, 0]);
    scene.told("subscription", &granted, EventName::SubscriptionCancelled, "portal_api").await;
    assert!(scene.application.subscriptions().await.is_empty());
    scene.application.request(&scene.orders).await;
    assert_eq!(scene.statuses().await, [200; 5], "the pair may be asked for again");
}
