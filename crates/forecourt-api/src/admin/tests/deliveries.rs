//! Deliveries: listed, looked at, and sent again. That they are sent is told by stories.

use forecourt_core::{
    contact_points::ContactType,
    deliveries::{Delivery, DeliveryAttempt, DeliveryState},
    ids::{ContactPointId, DeliveryId, EventId, PortalId},
    notices::NoticeEvent,
    time::Timestamp,
};
use serde_json::{Value, json};

use super::stage::{START, Stage};

const ALL: &str = "/api/forecourt/deliveries";
const HOOKS: &str = "/api/contact_points";

/// Stores a delivery to `contact_point` that was given up after two attempts.
pub(super) async fn dead(stage: &Stage, id: &str, contact_point: &str) -> String {
    dead_of(stage, id, contact_point, NoticeEvent::SubscriptionRequested).await
}

async fn dead_of(stage: &Stage, id: &str, contact_point: &str, event: NoticeEvent) -> String {
    let at = Timestamp::from_seconds(START);
    let delivery = Delivery {
        id: DeliveryId::known(id),
        event,
        event_id: EventId::known(id),
        portal_id: PortalId::known("prt_1"),
        approval_id: None,
        contact_point_id: Some(ContactPointId::known(contact_point)),
        contact_point_name: "Hook".into(),
        contact_type: ContactType::Webhook,
        address: String::new(),
        subject: String::new(),
        content: "{}".into(),
        link: None,
        state: DeliveryState::Dead,
        attempts: 2,
        begun_after: 0,
        begun_at: at,
        last_error: "the webhook answered 500 Internal Server Error".into(),
        next_attempt_at: None,
        created_at: at,
        updated_at: at,
    };
    let tx = stage.store.begin().await.unwrap();
    tx.insert_deliveries(std::slice::from_ref(&delivery)).await.unwrap();
    for number in [1, 2] {
        let error = delivery.last_error.clone();
        let attempt = DeliveryAttempt { number, at, millis: 12, status: Some(500), error };
        tx.insert_delivery_attempt(&delivery.id, &attempt).await.unwrap();
    }
    tx.commit(at).await.unwrap();
    id.to_owned()
}

fn ids(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_delivery_shows_its_attempts_and_is_sent_again_once_it_ended() {
    let stage = Stage::start().await;
    dead(&stage, "dlv_1", "ctp_1").await;
    let whole = stage.get(&format!("{ALL}/dlv_1")).await.value();
    let attempt = json!({
        "number": 1, "at": "2026-08-07T00:00:00.000Z", "duration_ms": 12, "status": 500,
        "error": "the webhook answered 500 Internal Server Error",
    });
    assert_eq!((&whole["log"][0], &whole["log"][1]["number"]), (&attempt, &json!(2)));
    assert_eq!((&whole["state"], &whole["content"]), (&json!("dead"), &json!("{}")));

    let path = format!("{ALL}/dlv_1/resend");
    let again = stage.call("POST", &path, Value::Null).await.value();
    assert_eq!(
        (&again["state"], &again["attempts"], &again["id"]),
        (&json!("waiting"), &json!(2), &json!("dlv_1"))
    );
    let (status, message) = stage.call("POST", &path, Value::Null).await.refusal();
    assert!(status == 400 && message.contains("still waits"), "{status} {message}");
    let unknown = stage.call("POST", &format!("{ALL}/dlv_2/resend"), Value::Null).await.refusal();
    assert_eq!(unknown, (404, "resource not found".into()));
    assert_eq!(stage.get(&format!("{ALL}/dlv_2")).await.refusal().0, 404);
}

#[tokio::test]
async fn deliveries_are_narrowed_by_state_contact_point_event_and_time() {
    let stage = Stage::start().await;
    dead(&stage, "dlv_1", "ctp_1").await;
    dead(&stage, "dlv_2", "ctp_2").await;
    stage.call("POST", &format!("{ALL}/dlv_2/resend"), Value::Null).await.value();
    for (query, expected) in [
        ("", vec!["dlv_2", "dlv_1"]),
        ("direction=asc", vec!["dlv_1", "dlv_2"]),
        ("state=dead", vec!["dlv_1"]),
        ("state=waiting", vec!["dlv_2"]),
        ("contact_point_id=ctp_2", vec!["dlv_2"]),
        ("contact_point_id=%20", vec![]),
        ("event=subscription_approval_created", vec!["dlv_2", "dlv_1"]),
        ("event=developer_registration_rejected", vec![]),
        ("start_at=2026-08-07T00:00:00Z&end_at=2026-08-07T00:00:00.001Z", vec!["dlv_2", "dlv_1"]),
        ("end_at=2026-08-07T00:00:00Z", vec![]),
        ("page=2&page_size=1", vec!["dlv_1"]),
    ] {
        let rows = stage.get(&format!("{ALL}?{query}")).await.body["list"].as_array().unwrap().clone();
        assert_eq!(ids(&rows), expected, "{query}");
    }
    for (query, part) in [
        ("state=gone", "state must be waiting, delivered, dead or skipped"),
        ("event=x", "event must be an event that is told of"),
        ("start_at=yesterday", "start_at must be a time"),
    ] {
        let (status, message) = stage.get(&format!("{ALL}?{query}")).await.refusal();
        assert!(status == 400 && message.contains(part), "{query}: {message}");
    }
}

#[tokio::test]
async fn all_deliveries_of_a_time_that_ended_alike_are_sent_again_together() {
    let stage = Stage::start().await;
    for (id, contact_point) in [("dlv_1", "ctp_1"), ("dlv_2", "ctp_1"), ("dlv_3", "ctp_2")] {
        dead(&stage, id, contact_point).await;
    }
    let path = format!("{ALL}/resend");
    let day = |more: Value| {
        let mut body = json!({
            "state": "dead", "start_at": "2026-08-07T00:00:00.000Z", "end_at": "2026-08-08T00:00:00.000Z",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let resent = stage.call("POST", &path, day(json!({ "contact_point_id": "ctp_1" }))).await.value();
    assert_eq!(resent, json!({ "resent": 2 }));
    assert_eq!(ids(&stage.get(&format!("{ALL}?state=dead")).await.list()), ["dlv_3"]);
    let none = stage.call("POST", &path, day(json!({ "state": "skipped" }))).await.value();
    assert_eq!(none, json!({ "resent": 0 }));
    for (body, part) in [
        (json!({}), "state is required"),
        (day(json!({ "state": "waiting" })), "still waits"),
        (day(json!({ "start_at": null })), "start_at is required"),
        (day(json!({ "end_at": "2026-08-07T00:00:00.000Z" })), "end_at must be later"),
        (day(json!({ "end_at": "soon" })), "end_at must be a time"),
        (day(json!({ "contact_point_id": "a b" })), "contact_point_id must be the id"),
    ] {
        let (status, message) = stage.call("POST", &path, body).await.refusal();
        assert!(status == 400 && message.contains(part), "{part}: {message}");
    }
}

#[tokio::test]
async fn links_to_accounts_are_sent_again_only_where_their_event_is_named() {
    let stage = Stage::start().await;
    dead(&stage, "dlv_1", "ctp_1").await;
    dead_of(&stage, "dlv_2", "ctp_1", NoticeEvent::PasswordForgotten).await;
    dead_of(&stage, "dlv_3", "ctp_1", NoticeEvent::VerificationAsked).await;
    let mut day = json!({
        "state": "dead", "start_at": "2026-08-07T00:00:00.000Z", "end_at": "2026-08-08T00:00:00.000Z",
    });
    let path = format!("{ALL}/resend");
    assert_eq!(stage.call("POST", &path, day.clone()).await.value(), json!({ "resent": 1 }));
    assert_eq!(ids(&stage.get(&format!("{ALL}?state=dead")).await.list()), ["dlv_3", "dlv_2"]);
    day["event"] = json!(NoticeEvent::PasswordForgotten.name());
    assert_eq!(stage.call("POST", &path, day).await.value(), json!({ "resent": 1 }));
}

#[tokio::test]
async fn the_signing_secret_of_a_webhook_is_shown_when_it_is_made_and_never_again() {
    let stage = Stage::start().await;
    let hook = json!({ "name": "Chat", "type": "webhook", "url": "https://chat.example.com/hook" });
    let made = stage.call("POST", HOOKS, hook).await.value();
    let first = made["signing_secret"].as_str().unwrap().to_owned();
    assert!(first.starts_with("whsec_") && first.len() == 50, "{first}");
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    let issue = format!("/api/forecourt/contact_points/{}/signing_secret", made["id"].as_str().unwrap());
    let issued = stage.call("POST", &issue, Value::Null).await.value();
    let second = issued["signing_secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    for reply in [
        stage.get(&path).await,
        stage.get(HOOKS).await,
        stage.call("PUT", &path, json!({ "name": "Talk" })).await,
    ] {
        assert!(!reply.text.contains("whsec_") && !reply.text.contains("signing_secret"), "{}", reply.text);
    }
    let id = ContactPointId::known(made["id"].as_str().unwrap());
    let signing = stage.store.read().contact_point(&id).await.unwrap().unwrap().signing.unwrap();
    let text = serde_json::to_string(&signing).unwrap();
    assert!(
        text.matches("sealed").count() == 2 && !text.contains(&first) && !text.contains(&second),
        "{text}"
    );

    let mail = json!({ "name": "Ops", "type": "email", "addresses": ["ops@example.com"] });
    let mail = stage.call("POST", HOOKS, mail).await.value();
    assert_eq!(mail.get("signing_secret"), None);
    let issue = format!("/api/forecourt/contact_points/{}/signing_secret", mail["id"].as_str().unwrap());
    let (status, message) = stage.call("POST", &issue, Value::Null).await.refusal();
    assert!(status == 400 && message.contains("only contact points of type webhook"), "{message}");
}

#[tokio::test]
async fn a_test_mail_says_what_was_wrong_and_stores_nothing() {
    let stage = Stage::start().await;
    let path = "/api/forecourt/smtp_server/test";
    // A port on which nobody listens: it was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let given = json!({
        "to": "ops@example.com", "address": format!("127.0.0.1:{port}"), "sender_address": "apis@example.com",
        "username": "portal", "password": "s3cret",
    });
    let trial = stage.call("POST", path, given).await;
    assert_eq!(trial.value()["sent"], json!(false));
    assert!(
        trial.value()["said"].as_str().unwrap().starts_with("the mail server: no connection"),
        "{}",
        trial.text
    );
    assert!(!trial.text.contains("s3cret"));
    let stored = stage.get("/api/system_settings/smtp_server").await.value();
    assert_eq!(stored, json!({ "enable": false, "security": "none" }));
    for (body, part) in [
        (json!({}), "to is required"),
        (json!({ "to": "nobody" }), "to must be an e-mail address"),
        (json!({ "to": "ops@example.com" }), "address is required"),
    ] {
        let (status, message) = stage.call("POST", path, body).await.refusal();
        assert!(status == 400 && message.contains(part), "{part}: {message}");
    }
}

#[tokio::test]
async fn a_password_is_told_to_no_other_server_than_the_one_it_was_given_for() {
    let stage = Stage::start().await;
    let (settings, test) = ("/api/system_settings/smtp_server", "/api/forecourt/smtp_server/test");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let foreign = listener.local_addr().unwrap().to_string();
    let given = json!({
        "address": "mail.example.com:587", "username": "portal", "password": "s3cret",
        "sender_address": "portal@example.com", "security": "starttls",
    });
    stage.call("PUT", settings, given).await.value();
    let stored = stage.get(settings).await.value();
    for more in [
        json!({ "address": foreign }),
        json!({ "address": foreign, "security": "none" }),
        json!({ "security": "none" }),
        json!({ "username": "eve" }),
    ] {
        let mut body = json!({ "to": "ops@example.com" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, message) = stage.call("POST", test, body).await.refusal();
        assert!(status == 400 && message.contains("password must be given again"), "{more}: {message}");
    }
    let moved = json!({ "address": foreign });
    let (status, message) = stage.call("PUT", settings, moved.clone()).await.refusal();
    assert!(status == 400 && message.contains("password must be given again"), "{message}");
    assert_eq!(stage.get(settings).await.value(), stored);
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(200), listener.accept()).await.is_err(),
        "nobody was called"
    );
    // What leaves the address alone keeps the password, and whoever knows it may move it.
    stage
        .call("PUT", settings, json!({ "address": "mail.example.com:587", "sender_name": "Portal" }))
        .await
        .value();
    assert!(stage.store.read().smtp_server().await.unwrap().password.is_some());
    let mut moved = moved;
    moved["password"] = json!("s3cret");
    assert_eq!(stage.call("PUT", settings, moved).await.value()["address"], json!(foreign));
}
