//! Who is told of what: mails to contact points and developers, sent in the background whatever becomes of them.

mod damaged;
mod links;
mod mail_servers;
mod restarts;
mod webhooks;

use std::{collections::BTreeSet, time::Duration};

use forecourt_it::{
    Application, Browser, Forecourt, MailSink, MailTrouble, PageForm, Product, deadlines::eventually,
    installations::text,
};
use http::Method;
use serde_json::{Value, json};

pub(crate) const DELIVERIES: &str = "/api/forecourt/deliveries";

/// A Forecourt that says where its console is, and whose mails lead to decisions there.
pub(crate) async fn started() -> Forecourt {
    Forecourt::start_with(|settings| {
        settings.admin.public_url = "https://admin.example.com".into();
        settings.notifications.approval_links = true;
    })
    .await
}

/// A Forecourt that gives up on a peer soon.
pub(crate) async fn impatient() -> Forecourt {
    Forecourt::start_with(|settings| settings.notifications.timeout_ms = 1_000).await
}

/// Has mail sent by `sink`.
pub(crate) async fn mails_by(f: &Forecourt, sink: &MailSink) {
    let server = json!({
        "enable": true, "address": sink.address(), "sender_name": "Nordwind", "sender_address": "apis@nordwind.example",
    });
    f.admin().await.put("/api/system_settings/smtp_server", server).await.expect(200);
}

/// A contact point with these mail addresses: its id.
pub(crate) async fn mailing_list(f: &Forecourt, addresses: &[&str]) -> String {
    let body = json!({ "name": "Operations", "type": "email", "addresses": addresses });
    text(&f.admin().await.post("/api/contact_points", body).await.expect(200)["value"]["id"])
}

/// A product that asks for approvals, and tells these contact points of everything.
pub(crate) async fn telling<'a>(f: &'a Forecourt, kind: &str, ids: &[&str]) -> Product<'a> {
    let events = ["created", "accepted", "rejected", "cancelled"];
    let rules: Vec<_> = events
        .iter()
        .map(|event| {
            json!({ "event": format!("subscription_approval_{event}"), "type": kind, "contact_point_ids": ids })
        })
        .collect();
    f.product_with("Orders", json!({ "subscription_auto_approval": false, "notifications": rules })).await
}

/// The deliveries that `query` asks for.
pub(crate) async fn deliveries(f: &Forecourt, query: &str) -> Vec<Value> {
    let found = f.admin().await.get(&format!("{DELIVERIES}?{query}")).await.expect(200);
    found["list"].as_array().unwrap().clone()
}

/// Waits until so many deliveries are as `query` asks.
pub(crate) async fn there_are(f: &Forecourt, count: usize, query: &str) -> Vec<Value> {
    eventually(&format!("{count} deliveries with {query}"), || async {
        Some(deliveries(f, query).await).filter(|found| found.len() == count)
    })
    .await
}

pub(crate) async fn asks<'a>(f: &'a Forecourt, product: &Product<'_>) -> Application<'a> {
    let application = f.developer("ada").await.application("mobile").await;
    application.request(product).await;
    application
}

/// Decides the one approval that waits.
pub(crate) async fn decide(f: &Forecourt, verdict: &str, body: Value) {
    let pending = f.admin().await.get("/api/approvals?status=pending").await.expect(200);
    let id = text(&pending["list"][0]["id"]);
    f.admin().await.post(&format!("/api/approvals/{id}/{verdict}"), body).await.expect(200);
}

#[tokio::test]
async fn a_contact_point_is_told_of_each_act_on_a_subscription() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    let list = mailing_list(&f, &["ops@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    let application = asks(&f, &product).await;
    let mails = sink.has_taken(1).await;
    assert_eq!(mails[0].to, "ops@example.com");
    assert_eq!(mails[0].header("Subject"), "ada asks for a subscription to Orders");
    assert_eq!(mails[0].header("From"), "Nordwind <apis@nordwind.example>");
    assert_eq!(mails[0].header("Auto-Submitted"), "auto-generated");
    let [delivery] = &there_are(&f, 1, "state=delivered").await[..] else { panic!("one") };
    let id = text(&delivery["id"]);
    assert_eq!(mails[0].header("Message-ID"), format!("<{id}@nordwind.example>"));
    let whole = f.admin().await.get(&format!("{DELIVERIES}/{id}")).await.expect(200);
    assert_eq!((&whole["value"]["log"][0]["status"], &whole["value"]["attempts"]), (&json!(250), &json!(1)));
    assert_eq!(whole["value"]["log"].as_array().unwrap().len(), 1);

    decide(&f, "reject", json!({ "reason": "No contract." })).await;
    let mails = sink.has_taken(2).await;
    assert_eq!(mails[1].header("Subject"), "Subscription of ada to Orders rejected");
    assert!(mails[1].text.contains("Reason: No contract."), "{}", mails[1].text);
    application.request(&product).await;
    sink.has_taken(3).await;
    decide(&f, "accept", json!({})).await;
    assert_eq!(sink.has_taken(4).await[3].header("Subject"), "Subscription of ada to Orders accepted");
    application.unsubscribe(&product).await;
    assert_eq!(sink.has_taken(5).await[4].header("Subject"), "Subscription of ada to Orders ended");
    // An approval that nobody needs is told of to nobody, and what ends with its product only where it waited.
    application.request(&product).await;
    sink.has_taken(6).await;
    product.unpublish().await;
    assert_eq!(sink.has_taken(7).await[6].header("Subject"), "Subscription of ada to Orders ended");
    there_are(&f, 7, "state=delivered").await;
}

#[tokio::test]
async fn what_was_in_force_ends_with_its_product_without_a_word() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    let list = mailing_list(&f, &["ops@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    let application = asks(&f, &product).await;
    decide(&f, "accept", json!({})).await;
    sink.has_taken(2).await;
    product.unpublish().await;
    assert!(application.subscriptions().await.is_empty());
    // What comes later is told later: nothing came between.
    product.publish().await;
    application.request(&product).await;
    let subjects: Vec<_> =
        sink.has_taken(3).await.iter().map(|mail| mail.header("Subject").to_owned()).collect();
    assert_eq!(subjects.last().unwrap(), "ada asks for a subscription to Orders");
    assert_eq!(subjects.len(), 3, "{subjects:?}");
}

#[tokio::test]
async fn a_developer_hears_that_their_registration_arrived_and_what_became_of_it() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    for (name, verdict, expected) in [
        ("ada", "accept", "Your registration was accepted"),
        ("eve", "reject", "Your registration was rejected"),
    ] {
        let before = sink.mails().len();
        let person = Browser::new();
        let form = person.opens(&format!("{}/sign-up", f.site().base())).await;
        let address = format!("{name}@example.com");
        let form = PageForm::on(&form)
            .with("name", name)
            .with("email", &address)
            .with("password", "a good long password");
        person.posts_form(&form).await;
        let arrived = sink.has_taken(before + 1).await;
        assert_eq!(arrived[before].to, address);
        assert_eq!(arrived[before].header("Subject"), "Your registration has arrived");
        decide(&f, verdict, json!({ "reason": "As agreed." })).await;
        let decided = sink.has_taken(before + 2).await;
        assert_eq!(
            (decided[before + 1].to.as_str(), decided[before + 1].header("Subject")),
            (address.as_str(), expected)
        );
    }
    // Their rows hold no contact point.
    for delivery in there_are(&f, 4, "state=delivered").await {
        assert!(delivery.get("contact_point_id").is_none(), "{delivery}");
    }
}

#[tokio::test]
async fn one_bad_address_of_three_holds_up_nobody() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    sink.has(MailTrouble::Bounces(BTreeSet::from(["gone@example.com".to_owned()])));
    let list = mailing_list(&f, &["a@example.com", "gone@example.com", "c@example.com"]).await;
    let product = telling(&f, "email", &[&list]).await;
    asks(&f, &product).await;
    let told: BTreeSet<_> = sink.has_taken(2).await.into_iter().map(|mail| mail.to).collect();
    assert_eq!(told, BTreeSet::from(["a@example.com".to_owned(), "c@example.com".to_owned()]));
    let [dead] = &there_are(&f, 1, "state=dead").await[..] else { panic!("one") };
    assert_eq!((&dead["address"], &dead["attempts"]), (&json!("gone@example.com"), &json!(1)));
    assert!(text(&dead["last_error"]).contains("550 5.1.1 no such mailbox"), "{dead}");
    // The mailbox is made, and an administrator sends it again.
    sink.has(MailTrouble::None);
    let path = format!("{DELIVERIES}/{}/resend", text(&dead["id"]));
    f.admin().await.send(Method::POST, &path, None).await.expect(200);
    assert_eq!(sink.has_taken(3).await[2].to, "gone@example.com");
    assert_eq!(sink.mails()[2].header("Message-ID"), format!("<{}@nordwind.example>", text(&dead["id"])));
    there_are(&f, 3, "state=delivered").await;
}

#[tokio::test]
async fn a_server_that_asks_to_come_again_is_asked_again_with_the_same_mail() {
    let f = started().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    sink.has(MailTrouble::Greylists);
    let list = mailing_list(&f, &["ops@example.com"]).await;
    asks(&f, &telling(&f, "email", &[&list]).await).await;
    let waiting = eventually("it was tried", || async {
        let found = deliveries(&f, "state=waiting").await;
        found.into_iter().find(|delivery| delivery["last_error"].is_string())
    })
    .await;
    assert!(text(&waiting["last_error"]).contains("451"), "{waiting}");
    sink.has(MailTrouble::None);
    f.advance(Duration::from_secs(13));
    let mails = sink.has_taken(1).await;
    assert_eq!(mails[0].header("Message-ID"), format!("<{}@nordwind.example>", text(&waiting["id"])));
    let delivered = there_are(&f, 1, "state=delivered").await;
    assert_eq!((&delivered[0]["attempts"], delivered[0].get("last_error")), (&json!(2), None));
}

#[tokio::test]
async fn a_server_that_stalls_or_hangs_up_costs_one_attempt_each() {
    let f = impatient().await;
    let sink = MailSink::start().await;
    mails_by(&f, &sink).await;
    let list = mailing_list(&f, &["ops@example.com"]).await;
    sink.has(MailTrouble::StallsAtData);
    asks(&f, &telling(&f, "email", &[&list]).await).await;
    let with_error = async |part: &str| {
        eventually(part, || async {
            let found = deliveries(&f, "state=waiting").await;
            found
                .into_iter()
                .find(|delivery| delivery["last_error"].as_str().unwrap_or_default().contains(part))
        })
        .await
    };
    with_error("said nothing for 1 s").await;
    sink.has(MailTrouble::HangsUpAtTheEnd);
    f.advance(Duration::from_secs(13));
    with_error("hung up").await;
    sink.has(MailTrouble::None);
    f.advance(Duration::from_secs(25));
    assert_eq!(sink.has_taken(1).await.len(), 1);
    assert_eq!(there_are(&f, 1, "state=delivered").await[0]["attempts"], 3);
}

#[tokio::test]
async fn while_no_mail_is_sent_what_would_be_is_told_as_skipped_and_can_be_sent_later() {
    let f = started().await;
    let sink = MailSink::start().await;
    let list = mailing_list(&f, &["ops@example.com"]).await;
    asks(&f, &telling(&f, "email", &[&list]).await).await;
    let [skipped] = &there_are(&f, 1, "state=skipped").await[..] else { panic!("one") };
    assert!(text(&skipped["last_error"]).contains("the SMTP server is not enabled"), "{skipped}");
    assert_eq!(sink.visits(), 0);
    mails_by(&f, &sink).await;
    let span = json!({
        "state": "skipped", "start_at": "2026-08-07T00:00:00.000Z", "end_at": "2026-08-08T00:00:00.000Z",
    });
    let resent = f.admin().await.post(&format!("{DELIVERIES}/resend"), span).await.expect(200);
    assert_eq!(resent["value"]["resent"], 1);
    assert_eq!(sink.has_taken(1).await[0].to, "ops@example.com");
}

#[tokio::test]
async fn a_test_mail_is_sent_now_and_says_what_the_server_said() {
    let f = started().await;
    let sink = MailSink::start().await;
    let path = "/api/forecourt/smtp_server/test";
    let asked = json!({
        "to": "me@example.com", "address": sink.address(), "sender_address": "apis@nordwind.example",
    });
    let trial = f.admin().await.post(path, asked.clone()).await.expect(200);
    assert_eq!(trial["value"], json!({ "sent": true, "said": "250 2.0.0 queued" }));
    assert_eq!(sink.mails()[0].to, "me@example.com");
    sink.has(MailTrouble::Bounces(BTreeSet::from(["me@example.com".to_owned()])));
    let trial = f.admin().await.post(path, asked).await.expect(200);
    assert_eq!((&trial["value"]["sent"], &trial["value"]["status"]), (&json!(false), &json!(550)));
}
