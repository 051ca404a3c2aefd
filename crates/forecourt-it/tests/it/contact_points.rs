//! The SMTP server, contact points and the notifications of products, over HTTP.

use forecourt_it::{Forecourt, installations::text};
use serde_json::json;

#[tokio::test]
async fn whether_mail_is_sent_is_told_on_both_apis_at_once() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let (front_end, status) = (f.portal_api().await, "/api/system_settings/smtp_server_status");
    assert_eq!(front_end.get(status).await.expect(200), json!({ "enable": false }));
    let server = json!({
        "enable": true, "address": "127.0.0.1:1025", "sender_address": "apis@example.com", "password": "planted-secret",
    });
    let put = admin.put("/api/system_settings/smtp_server", server).await;
    assert!(!put.text().contains("planted-secret"), "{put:?}");
    put.expect(200);
    assert_eq!(front_end.get(status).await.expect(200), json!({ "enable": true }));
    assert_eq!(admin.get(status).await.expect(200), json!({ "value": { "enable": true } }));
    f.portal_api_guest().get(status).await.refused(401, "unauthorized");
    admin.put("/api/system_settings/smtp_server", json!({ "enable": false })).await.expect(200);
    assert_eq!(front_end.get(status).await.expect(200), json!({ "enable": false }));
}

#[tokio::test]
async fn a_product_tells_contact_points_which_are_free_once_it_is_gone() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let mail = json!({ "name": "Operations", "type": "email", "addresses": ["ops@example.com"] });
    let hook = json!({ "name": "Chat", "type": "webhook", "url": "https://chat.example.com/1" });
    let mail = text(&admin.post("/api/contact_points", mail).await.expect(200)["value"]["id"]);
    let hook = text(&admin.post("/api/contact_points", hook).await.expect(200)["value"]["id"]);
    let notifications = json!([
        { "event": "subscription_approval_created", "type": "email", "contact_point_ids": [mail],
          "subject": "{{.ApplicantName}}", "content": "{{.AppliedAt.Format \"2006-01-02\"}}" },
        { "event": "subscription_approval_cancelled", "type": "webhook", "contact_point_ids": [hook] },
    ]);
    let product = json!({ "type": "gateway", "name": "Orders", "notifications": notifications });
    let path = format!("/api/api_products?portal_id={}", f.portal_id().await);
    let made = admin.post(&path, product).await.expect(200);
    assert_eq!(made["value"]["notifications"], notifications);
    let shown = format!("/api/api_products/{}", text(&made["value"]["id"]));
    let in_use = "the API product \"Orders\" notifies this contact point";
    // The preview of what is refused is that refusal, which names the product.
    for query in ["", "?dry_run=true"] {
        admin.delete(&format!("/api/contact_points/{hook}{query}")).await.refused(400, in_use);
    }
    admin.put(&shown, json!({ "status": "draft", "desc": "x" })).await.expect(200);
    assert_eq!(admin.get(&shown).await.expect(200)["value"]["notifications"], notifications);
    admin.delete(&shown).await.expect(200);
    for id in [mail, hook] {
        admin.delete(&format!("/api/contact_points/{id}")).await.expect(200);
    }
    assert_eq!(admin.get("/api/contact_points").await.expect(200), json!({ "list": [], "total": 0 }));
}
