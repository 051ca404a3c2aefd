//! Webhooks that are signed, refused, slow, moved, gone and back again.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use forecourt::config::SsrfProtectionSettings;
use forecourt_it::{
    Forecourt, HookAnswer, Upstream, Webhook, deadlines::eventually, installations::text, upstreams::Arrived,
};
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{DELIVERIES, asks, decide, deliveries, impatient, started, telling, there_are};

/// A contact point that calls `url`: its id and its signing secret.
async fn calling(f: &Forecourt, url: &str) -> (String, String) {
    let body = json!({ "name": "Chat", "type": "webhook", "url": url });
    let made = f.admin().await.post("/api/contact_points", body).await.expect(200);
    (text(&made["value"]["id"]), text(&made["value"]["signing_secret"]))
}

/// The signature of a call, as its receiver reckons it.
fn signature(call: &Arrived, secret: &str) -> String {
    let field = |name: &str| call.headers[name].to_str().unwrap().to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", field("webhook-id"), field("webhook-timestamp")).as_bytes());
    mac.update(&call.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn signatures(call: &Arrived) -> Vec<&str> {
    call.headers["webhook-signature"].to_str().unwrap().split(' ').collect()
}

/// The first delivery whose last problem holds `part`.
async fn troubled(f: &Forecourt, part: &str) -> Value {
    eventually(part, || async {
        let found = deliveries(f, "").await;
        found.into_iter().find(|delivery| delivery["last_error"].as_str().unwrap_or_default().contains(part))
    })
    .await
}

#[tokio::test]
async fn a_webhook_is_told_in_five_members_and_signed_with_its_own_secret() {
    let f = started().await;
    let hook = Webhook::start().await;
    let (id, secret) = calling(&f, &hook.url()).await;
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    let call = hook.has_heard(1).await.remove(0);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let pending = f.admin().await.get("/api/approvals?status=pending").await.expect(200)["list"][0].clone();
    assert_eq!(
        body,
        json!({
            "id": pending["id"], "event": "subscription_approval_created", "applicant": "ada", "resource": "Orders",
            "applied_at": pending["applied_at"],
        })
    );
    assert_eq!((call.method, call.target.as_str()), (Method::POST, "/hook"));
    assert_eq!(call.headers["content-type"], "application/json");
    let call = hook.arrived().remove(0);
    assert_eq!(signatures(&call), [signature(&call, &secret)]);
    let second: i64 = call.headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
    assert!((f.clock().now().seconds() - second).abs() < 60);
    let delivered = there_are(&f, 1, "state=delivered").await;
    assert_eq!(call.headers["webhook-id"].to_str().unwrap(), text(&delivered[0]["id"]));
}

#[tokio::test]
async fn for_a_day_after_its_secret_changed_a_webhook_can_verify_by_either() {
    let f = started().await;
    let hook = Webhook::start().await;
    let (id, old) = calling(&f, &hook.url()).await;
    let product = telling(&f, "webhook", &[&id]).await;
    let issue = format!("/api/forecourt/contact_points/{id}/signing_secret");
    let issued = f.admin().await.send(Method::POST, &issue, None).await.expect(200);
    let new = text(&issued["value"]["signing_secret"]);
    asks(&f, &product).await;
    let call = hook.has_heard(1).await.remove(0);
    assert_eq!(signatures(&call), [signature(&call, &new), signature(&call, &old)]);
    f.advance(Duration::from_secs(24 * 3_600));
    decide(&f, "accept", json!({})).await;
    let call = hook.has_heard(2).await.remove(1);
    assert_eq!(signatures(&call), [signature(&call, &new)]);
}

#[tokio::test]
async fn words_of_a_rule_that_are_json_stay_json_whatever_somebody_is_called() {
    let f = started().await;
    let hook = Webhook::start().await;
    let (id, _) = calling(&f, &hook.url()).await;
    let rule = json!({
        "event": "subscription_approval_created", "type": "webhook", "contact_point_ids": [id],
        "content": "{\"text\": \"{{.ResourceName}} for {{.ApplicantName}}\"}",
    });
    let members = json!({ "subscription_auto_approval": false, "notifications": [rule] });
    let product = f.product_with("Orders", members).await;
    product.update(json!({ "name": "Or\"ders" })).await.expect(200);
    asks(&f, &product).await;
    let call = hook.has_heard(1).await.remove(0);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(body, json!({ "text": "Or\"ders for ada" }));
}

#[tokio::test]
async fn a_webhook_that_fails_is_called_again_with_the_same_id_and_body() {
    let f = started().await;
    let hook = Webhook::start().await;
    let (id, secret) = calling(&f, &hook.url()).await;
    hook.answers(HookAnswer::Status(500));
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    troubled(&f, "answered 500").await;
    hook.answers(HookAnswer::Status(204));
    f.advance(Duration::from_secs(13));
    let calls = hook.has_heard(2).await;
    assert_eq!(calls[0].headers["webhook-id"], calls[1].headers["webhook-id"]);
    assert_eq!(calls[0].body, calls[1].body);
    assert_ne!(calls[0].headers["webhook-timestamp"], calls[1].headers["webhook-timestamp"]);
    assert_eq!(signatures(&calls[1]), [signature(&calls[1], &secret)]);
    let delivered = there_are(&f, 1, "state=delivered").await;
    let whole = f.admin().await.get(&format!("{DELIVERIES}/{}", text(&delivered[0]["id"]))).await.expect(200);
    let statuses: Vec<_> =
        whole["value"]["log"].as_array().unwrap().iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(statuses, [json!(500), json!(204)]);
}

#[tokio::test]
async fn a_webhook_that_asks_for_a_pause_gets_it() {
    let f = started().await;
    let hook = Webhook::start().await;
    let (id, _) = calling(&f, &hook.url()).await;
    hook.answers(HookAnswer::RetryAfter(429, "3600".into()));
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    let waiting = troubled(&f, "answered 429").await;
    hook.answers(HookAnswer::Status(200));
    f.advance(Duration::from_secs(3_500));
    // Another event is told meanwhile; the one that waits is not.
    decide(&f, "reject", json!({})).await;
    hook.has_heard(2).await;
    assert_eq!(there_are(&f, 1, "state=waiting").await[0]["id"], waiting["id"]);
    f.advance(Duration::from_secs(101));
    hook.has_heard(3).await;
    there_are(&f, 2, "state=delivered").await;
}

#[tokio::test]
async fn a_webhook_that_is_gone_is_called_no_more_until_somebody_changes_it() {
    let f = started().await;
    let hook = Webhook::start().await;
    let (id, _) = calling(&f, &hook.url()).await;
    hook.answers(HookAnswer::Status(410));
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    assert_eq!(there_are(&f, 1, "state=dead").await[0]["attempts"], 1);
    let path = format!("/api/contact_points/{id}");
    assert!(f.admin().await.get(&path).await.expect(200)["value"]["gone_at"].is_string());
    let records = f.admin().await.get("/api/audit_logs").await.expect(200)["list"].clone();
    let told = |record: &&Value| record["resource_id"] == id.as_str();
    let event_types: Vec<_> =
        records.as_array().unwrap().iter().filter(told).map(|record| text(&record["event_type"])).collect();
    assert!(event_types.iter().any(|known| known == "UpdateContactPoint"), "{records}");
    decide(&f, "reject", json!({})).await;
    let skipped = there_are(&f, 1, "state=skipped").await;
    assert!(text(&skipped[0]["last_error"]).contains("410 Gone"), "{}", skipped[0]);
    assert_eq!(hook.arrived().len(), 1);
    hook.answers(HookAnswer::Status(200));
    let changed = f.admin().await.put(&path, json!({ "url": hook.url() })).await.expect(200);
    assert!(changed["value"].get("gone_at").is_none());
    for delivery in [&there_are(&f, 1, "state=dead").await[0], &skipped[0]] {
        let again = format!("{DELIVERIES}/{}/resend", text(&delivery["id"]));
        f.admin().await.send(Method::POST, &again, None).await.expect(200);
    }
    there_are(&f, 2, "state=delivered").await;
    assert_eq!(hook.arrived().len(), 3);
}

#[tokio::test]
async fn that_a_former_address_is_gone_says_nothing_of_the_new_one() {
    let f = started().await;
    let (old, new) = (Webhook::start().await, Webhook::start().await);
    let (id, _) = calling(&f, &old.url()).await;
    old.answers(HookAnswer::Hangs);
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    old.has_heard(1).await;
    let path = format!("/api/contact_points/{id}");
    f.admin().await.put(&path, json!({ "url": new.url() })).await.expect(200);
    old.answers(HookAnswer::Status(410));
    troubled(&f, "an address that the contact point has no longer").await;
    assert!(f.admin().await.get(&path).await.expect(200)["value"].get("gone_at").is_none());
    f.advance(Duration::from_secs(13));
    new.has_heard(1).await;
    assert_eq!(there_are(&f, 1, "state=delivered").await[0]["attempts"], 2);
    assert_eq!(old.arrived().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_wherever_it_leads() {
    let f = started().await;
    let (hook, inside) = (Webhook::start().await, Upstream::start().await);
    let (id, _) = calling(&f, &hook.url()).await;
    hook.answers(HookAnswer::Redirect(format!("http://{}/latest/meta-data", inside.address())));
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    let waiting = troubled(&f, "redirects are not followed").await;
    assert!(!text(&waiting["last_error"]).contains("meta-data"), "{waiting}");
    assert!(inside.arrived().is_empty());
}

#[tokio::test]
async fn an_address_that_the_operator_keeps_to_himself_is_not_called() {
    let f = Forecourt::start_with(|settings| {
        settings.security.ssrf_protection =
            SsrfProtectionSettings { enable: true, ..SsrfProtectionSettings::default() };
    })
    .await;
    let hook = Webhook::start().await;
    let (id, _) = calling(&f, &hook.url()).await;
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    let refused = troubled(&f, "network").await;
    assert_eq!(refused["attempts"], 1, "{refused}");
    assert!(hook.arrived().is_empty());
    let to = json!({ "to": "me@example.com", "address": "127.0.0.1:25", "sender_address": "apis@nordwind.example" });
    let trial = f.admin().await.post("/api/forecourt/smtp_server/test", to).await.expect(200);
    assert_eq!(trial["value"]["sent"], false, "{trial}");
    assert!(text(&trial["value"]["said"]).contains("network"), "{trial}");
}

#[tokio::test]
async fn an_answer_without_end_is_an_answer_and_none_at_all_is_not() {
    let f = impatient().await;
    let (huge, silent) = (Webhook::start().await, Webhook::start().await);
    huge.answers(HookAnswer::Huge);
    silent.answers(HookAnswer::Hangs);
    let (one, _) = calling(&f, &huge.url()).await;
    let (two, _) = calling(&f, &silent.url()).await;
    asks(&f, &telling(&f, "webhook", &[&one, &two]).await).await;
    let delivered = there_are(&f, 1, "state=delivered").await;
    assert_eq!(delivered[0]["contact_point_id"], json!(one));
    let waiting = troubled(&f, "no whole answer within 1 s").await;
    assert_eq!(waiting["contact_point_id"], json!(two));
}

#[tokio::test]
async fn a_webhook_that_hangs_holds_up_no_other() {
    let f = impatient().await;
    let (slow, quick) = (Webhook::start().await, Webhook::start().await);
    slow.answers(HookAnswer::Hangs);
    let (one, _) = calling(&f, &slow.url()).await;
    let (two, _) = calling(&f, &quick.url()).await;
    let product = telling(&f, "webhook", &[&one, &two]).await;
    let ada = f.developer("ada").await;
    for number in 0..20 {
        ada.application(&format!("mobile {number}")).await.request(&product).await;
    }
    quick.has_heard(20).await;
    let delivered = deliveries(&f, "state=delivered").await;
    assert!(delivered.iter().all(|delivery| delivery["contact_point_id"] == two.as_str()), "{delivered:?}");
    slow.answers(HookAnswer::Status(200));
    f.advance(Duration::from_secs(60));
    there_are(&f, 40, "state=delivered").await;
}

#[tokio::test]
async fn what_is_given_up_after_days_is_listed_and_sent_again_on_request() {
    let f = started().await;
    let hook = Webhook::start().await;
    let (id, _) = calling(&f, &hook.url()).await;
    hook.answers(HookAnswer::Status(503));
    asks(&f, &telling(&f, "webhook", &[&id]).await).await;
    let mut tried = 1;
    while deliveries(&f, "state=dead").await.is_empty() {
        hook.has_heard(tried).await;
        // It is settled a moment after the receiver heard of it.
        eventually("the attempt is written down", || async {
            let found = deliveries(&f, "").await.remove(0);
            let path = format!("{DELIVERIES}/{}", text(&found["id"]));
            let whole = f.admin().await.get(&path).await.expect(200);
            (whole["value"]["log"].as_array().unwrap().len() == tried).then_some(())
        })
        .await;
        f.advance(Duration::from_secs(15 * 3_600));
        tried += 1;
        assert!(tried < 40, "it is never given up");
    }
    assert!(tried > 5, "{tried}");
    let calls = hook.arrived();
    assert!(calls.iter().all(|call| call.headers["webhook-id"] == calls[0].headers["webhook-id"]));
    hook.answers(HookAnswer::Status(200));
    let dead = there_are(&f, 1, "state=dead").await.remove(0);
    assert!(dead.get("next_attempt_at").is_none(), "{dead}");
    let span = json!({
        "state": "dead", "contact_point_id": id,
        "start_at": "2026-08-07T00:00:00.000Z", "end_at": "2026-08-08T00:00:00.000Z",
    });
    let resent = f.admin().await.post(&format!("{DELIVERIES}/resend"), span).await.expect(200);
    assert_eq!(resent["value"]["resent"], 1);
    let delivered = there_are(&f, 1, "state=delivered").await.remove(0);
    assert_eq!(delivered["id"], dead["id"]);
    assert_eq!(hook.arrived().last().unwrap().headers["webhook-id"], calls[0].headers["webhook-id"]);
}
