//! What was promised before a stop or a kill is told after it, and what was told is not told again.

use std::time::Duration;

use forecourt_it::{
    Client, Forecourt, ForecourtProcess, HookAnswer, TestDatabase, Webhook,
    deadlines::eventually,
    installations::{ADMIN_PASSWORD, text},
};
use serde_json::json;
use tokio::time::timeout;

use super::{asks, decide, deliveries, started, telling, there_are};

#[tokio::test]
async fn an_attempt_that_a_stop_broke_off_is_made_again_once_after_the_start() {
    let mut f = Forecourt::start_with(|settings| settings.notifications.timeout_ms = 20_000).await;
    let hook = Webhook::start().await;
    let body = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    let made = f.admin().await.post("/api/contact_points", body).await.expect(200);
    let id = text(&made["value"]["id"]);
    hook.answers(HookAnswer::Hangs);
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    hook.has_heard(1).await;
    f.restart().await;
    hook.answers(HookAnswer::Status(200));
    // Whoever had it might still be at it for as long as its lease lasts.
    assert_eq!(there_are(&f, 1, "state=waiting").await.len(), 1);
    f.advance(Duration::from_secs(110));
    let calls = hook.has_heard(2).await;
    assert_eq!(calls[0].headers["webhook-id"], calls[1].headers["webhook-id"]);
    there_are(&f, 1, "state=delivered").await;
    f.advance(Duration::from_secs(24 * 3_600));
    decide(&f, "reject", json!({})).await;
    assert_eq!(hook.has_heard(3).await.len(), 3, "the first one is not told a third time");
}

#[tokio::test]
async fn what_was_told_before_a_restart_is_not_told_after_it() {
    let mut f = started().await;
    let hook = Webhook::start().await;
    let body = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    let made = f.admin().await.post("/api/contact_points", body).await.expect(200);
    let id = text(&made["value"]["id"]);
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    there_are(&f, 1, "state=delivered").await;
    f.restart().await;
    decide(&f, "accept", json!({})).await;
    there_are(&f, 2, "state=delivered").await;
    assert_eq!(hook.arrived().len(), 2);
}

#[tokio::test]
async fn a_copy_that_keeps_to_itself_tells_nobody_and_tells_what_waited_once_it_may() {
    let mut f = Forecourt::start_with(|settings| settings.background.outgoing = false).await;
    let hook = Webhook::start().await;
    let body = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    let made = f.admin().await.post("/api/contact_points", body).await.expect(200);
    let id = text(&made["value"]["id"]);
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    // Whoever sends looks every second, and at once after each act.
    let moment = Duration::from_millis(1_500);
    assert!(timeout(moment, hook.has_heard(1)).await.is_err(), "somebody was told");
    assert!(deliveries(&f, "").await.is_empty());
    f.restart_with(|settings| settings.background.outgoing = true).await;
    there_are(&f, 1, "state=delivered").await;
    assert_eq!(hook.arrived().len(), 1);
    f.restart_with(|settings| settings.background.outgoing = false).await;
    decide(&f, "accept", json!({})).await;
    assert!(timeout(moment, hook.has_heard(2)).await.is_err(), "somebody was told");
}

/// A product of a killed process, whose requests `hook` is to be told of; a front end of its portal.
async fn set_up(process: &ForecourtProcess, hook: &Webhook) -> (Client, String) {
    let one_time = process.client("admin").with_basic("admin", "admin");
    one_time.put("/api/password", json!({ "new_password": ADMIN_PASSWORD })).await.expect(200);
    let admin = process.client("admin").with_basic("admin", ADMIN_PASSWORD);
    let portal = text(&admin.get("/api/portals").await.expect(200)["list"][0]["id"]);
    let made = admin.post(&format!("/api/portal/tokens?portal_id={portal}"), json!({ "name": "t" })).await;
    let token = text(&made.expect(200)["value"]["token"]);
    let contact = json!({ "name": "Chat", "type": "webhook", "url": hook.url() });
    let contact = text(&admin.post("/api/contact_points", contact).await.expect(200)["value"]["id"]);
    let rule = json!({
        "event": "subscription_approval_created", "type": "webhook", "contact_point_ids": [contact],
    });
    let product = json!({
        "type": "gateway", "name": "Orders", "status": "published", "auth": { "key-auth": {} },
        "subscription_auto_approval": false, "notifications": [rule],
    });
    let path = format!("/api/api_products?portal_id={portal}");
    let product = text(&admin.post(&path, product).await.expect(200)["value"]["id"]);
    let front_end = process.client("portal_api").with_bearer(&token);
    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    (front_end.with("x-portal-developer-id", "ada"), product)
}

#[tokio::test]
async fn after_a_kill_between_the_commit_and_the_answer_it_is_told_again_under_the_same_id() {
    let (database, hook) = (TestDatabase::new(), Webhook::start().await);
    let process = ForecourtProcess::serve(&database);
    let (ada, product) = set_up(&process, &hook).await;
    hook.answers(HookAnswer::Hangs);
    let application = ada.post("/api/applications", json!({ "name": "mobile" })).await.expect(201);
    let body = json!({ "applications": [application["id"]], "api_products": [product] });
    ada.post("/api/subscriptions", body).await.expect(201);
    hook.has_heard(1).await;
    process.kill();
    hook.answers(HookAnswer::Status(200));
    let f = Forecourt::start_with(|settings| {
        settings.data_dir = database.folder().display().to_string();
        settings.database.url = database.url();
    })
    .await;
    let admin = f.guest().with_basic("admin", ADMIN_PASSWORD);
    // The killed process had the time of the day, and a lease of some minutes.
    f.advance(Duration::from_secs(20 * 365 * 86_400));
    let calls = hook.has_heard(2).await;
    assert_eq!(calls[0].headers["webhook-id"], calls[1].headers["webhook-id"]);
    eventually("it is delivered", || async {
        let found = admin.get("/api/forecourt/deliveries?state=delivered").await.expect(200);
        (found["total"] == 1).then_some(())
    })
    .await;
    assert_eq!(hook.arrived().len(), 2);
}
