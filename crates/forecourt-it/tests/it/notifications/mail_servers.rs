//! Mail handed to a server that others wrote.

use forecourt_it::{
    MailServer,
    mail_servers::{MAIL_PASSWORD, MAIL_USER},
};
use serde_json::json;

use super::{asks, mailing_list, started, telling, there_are};

#[tokio::test]
async fn a_real_mail_server_takes_mail_from_who_signs_in_and_from_nobody_else() {
    let f = started().await;
    let server = MailServer::start();
    let admin = f.admin().await;
    let settings = |password: &str| {
        json!({
            "enable": true, "address": server.address(), "username": MAIL_USER, "password": password,
            "sender_name": "Größe & Söhne", "sender_address": "apis@nordwind.example",
        })
    };
    let mut wrong = settings("wrong");
    wrong["to"] = json!("ops@example.com");
    let trial = admin.post("/api/forecourt/smtp_server/test", wrong).await.expect(200);
    assert_eq!((&trial["value"]["sent"], &trial["value"]["status"]), (&json!(false), &json!(535)));
    assert!(server.mails().is_empty());

    admin.put("/api/system_settings/smtp_server", settings(MAIL_PASSWORD)).await.expect(200);
    let list = mailing_list(&f, &["ops@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    product.update(json!({ "name": "Bücher" })).await.expect(200);
    asks(&f, &product).await;
    let mail = server.has_taken(1).await.remove(0);
    assert_eq!((&mail["from"], &mail["to"]), (&json!("apis@nordwind.example"), &json!(["ops@example.com"])));
    let text = mail["text"].as_str().unwrap();
    assert!(text.is_ascii() && text.contains("subscription to =?utf-8?b?QsO8Y2hlcg==?="), "{text}");
    there_are(&f, 1, "state=delivered").await;
}
