//! The SMTP server, contact points, and the notifications of products that name them.

use serde_json::{Value, json};

use super::stage::Stage;

const SMTP: &str = "/api/system_settings/smtp_server";
const POINTS: &str = "/api/contact_points";

fn mail(name: &str) -> Value {
    json!({ "name": name, "type": "email", "addresses": ["ops@example.com"] })
}

#[tokio::test]
async fn the_smtp_server_is_set_in_parts_and_its_password_is_never_shown() {
    let stage = Stage::start().await;
    assert_eq!(stage.get(SMTP).await.value(), json!({ "enable": false, "security": "none" }));
    let given = json!({
        "address": "mail.example.com:587", "username": "portal", "password": "s3cret", "sender_name": "Portal",
        "sender_address": "portal@example.com", "security": "starttls",
    });
    let put = stage.call("PUT", SMTP, given).await;
    assert!(!put.text.contains("s3cret"), "{}", put.text);
    let enabled = stage.call("PUT", SMTP, json!({ "enable": true })).await.value();
    let whole = json!({
        "enable": true, "address": "mail.example.com:587", "username": "portal", "sender_name": "Portal",
        "sender_address": "portal@example.com", "security": "starttls",
    });
    assert_eq!((&enabled, &stage.get(SMTP).await.value()), (&whole, &whole));
    let stored = stage.store.read().smtp_server().await.unwrap().password;
    let stored = serde_json::to_string(&stored).unwrap();
    assert!(stored.contains("sealed") && !stored.contains("s3cret"), "{stored}");
    let status = stage.get("/api/system_settings/smtp_server_status").await.value();
    assert_eq!(status, json!({ "enable": true }));
    for (wrong, part) in [
        (json!({ "enable": "yes" }), "enable must be true or false"),
        (json!({ "address": "" }), "address is required"),
        (json!({ "sender_address": "" }), "sender_address is required"),
        (json!({ "sender_address": "nobody" }), "sender_address must be an e-mail address"),
        (json!({ "sender_name": "a\r\nBcc: all@example.com" }), "sender_name must not hold control"),
        (json!({ "address": "smtp://mail" }), "address must be a host"),
        (json!({ "address": "x".repeat(1024 * 1024) }), "address must be a host"),
        (json!({ "password": "x".repeat(1024 * 1024) }), "password must be at most"),
        (json!({ "security": "ssl" }), "security must be none, starttls or tls"),
        (json!([]), "must be a JSON object"),
    ] {
        let (status, message) = stage.call("PUT", SMTP, wrong).await.refusal();
        assert!(status == 400 && message.contains(part), "{part}: {message}");
    }
    assert_eq!(stage.get(SMTP).await.value(), whole);
}

#[tokio::test]
async fn a_contact_point_is_made_listed_changed_and_deleted() {
    let stage = Stage::start().await;
    assert_eq!(stage.get(POINTS).await.body, json!({ "list": [], "total": 0 }));
    let made = stage.call("POST", POINTS, mail("Operations")).await.value();
    let path = format!("{POINTS}/{}", made["id"].as_str().unwrap());
    assert_eq!((&made["type"], &made["addresses"]), (&json!("email"), &json!(["ops@example.com"])));
    let hook =
        json!({ "name": "Chat", "type": "webhook", "url": "https://chat.example.com/hooks/1?token=x" });
    let hook = stage.call("POST", POINTS, hook).await.value();
    assert_eq!(
        (hook.get("addresses"), &hook["url"]),
        (None, &json!("https://chat.example.com/hooks/1?token=x"))
    );
    let put = json!({ "addresses": ["a@example.com", " B@Example.com ", "b@example.com"] });
    let put = stage.call("PUT", &path, put).await.value();
    assert_eq!(put["addresses"], json!(["a@example.com", "b@example.com"]));
    assert_eq!((&put["name"], &stage.get(&path).await.value()), (&json!("Operations"), &put));
    assert_eq!(stage.get(&format!("{POINTS}?search=OPER")).await.names(), ["Operations"]);
    assert_eq!(stage.get(&format!("{POINTS}?type=webhook")).await.names(), ["Chat"]);
    assert_eq!(stage.get(&format!("{POINTS}?type=sms")).await.refusal().0, 400);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": made["id"] }));
    assert_eq!(stage.get(&path).await.refusal().0, 404);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.refusal().0, 404);
}

#[tokio::test]
async fn what_cannot_be_a_contact_point_is_refused() {
    let stage = Stage::start().await;
    let mail_path = format!("{POINTS}/{}", stage.id_of("POST", POINTS, mail("Mail")).await);
    let many: Vec<_> = (0..101).map(|n| format!("p{n}@example.com")).collect();
    for (body, part) in [
        (json!({}), "name is required"),
        (json!({ "name": "x" }), "type is required"),
        (json!({ "name": "x", "type": "sms" }), "type must be email or webhook"),
        (json!({ "name": "x", "type": "email" }), "addresses must be at least one"),
        (json!({ "name": "x", "type": "email", "addresses": [] }), "addresses must be at least one"),
        (json!({ "name": "x", "type": "email", "addresses": ["nobody"] }), "addresses[0] must be an e-mail"),
        (json!({ "name": "x", "type": "email", "addresses": "a@example.com" }), "addresses must be an array"),
        (json!({ "name": "x", "type": "email", "addresses": many }), "addresses must be at most 100"),
        (
            json!({ "name": "x", "type": "email", "addresses": ["a@example.com"], "url": "https://a.example" }),
            "url is a member",
        ),
        (json!({ "name": "x", "type": "webhook" }), "url is required"),
        (json!({ "name": "x", "type": "webhook", "url": null }), "url is required"),
        (json!({ "name": "x", "type": "webhook", "url": "chat.example.com" }), "url must be"),
        (json!({ "name": "x", "type": "webhook", "url": "https://u:p@chat.example.com" }), "url must be"),
        (
            json!({ "name": "x", "type": "webhook", "url": "https://a.example", "addresses": [] }),
            "addresses is a member",
        ),
        (
            json!({ "name": "x".repeat(1024 * 1024), "type": "webhook", "url": "https://a.example" }),
            "name must be",
        ),
    ] {
        let (status, message) = stage.call("POST", POINTS, body).await.refusal();
        assert!(status == 400 && message.contains(part) && message.len() < 300, "{part}: {message}");
    }
    for (body, part) in [
        (json!({ "type": "webhook" }), "type is fixed"),
        (json!({ "url": "https://a.example" }), "url is a member"),
        (json!({ "addresses": [] }), "addresses must be at least one"),
    ] {
        let (status, message) = stage.call("PUT", &mail_path, body).await.refusal();
        assert!(status == 400 && message.contains(part), "{part}: {message}");
    }
    assert_eq!(stage.get(POINTS).await.list().len(), 1);
}

#[tokio::test]
async fn a_product_names_contact_points_which_stay_while_it_does() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = format!("/api/api_products/{}", stage.product(&portal, "Orders").await);
    let point = stage.id_of("POST", POINTS, mail("Operations")).await;
    let path = format!("{POINTS}/{point}");
    let rule = json!({
        "event": "subscription_approval_created", "type": "email", "contact_point_ids": [point],
        "subject": "{{.ApplicantName}} asks for {{.ResourceName}}",
        "content": "{{.Event}} of {{.ApprovalID}} at {{.AppliedAt.Format \"2006-01-02 15:04\"}}",
    });
    let put = stage.call("PUT", &product, json!({ "notifications": [rule] })).await.value();
    assert_eq!(put["notifications"], json!([rule]));
    let renamed = stage.call("PUT", &product, json!({ "name": "Orders 2" })).await.value();
    assert_eq!(renamed["notifications"], json!([rule]), "absent members stay");
    let refused = stage.call("DELETE", &path, Value::Null).await.refusal();
    assert!(
        refused.0 == 400 && refused.1.contains("\"Orders 2\" notifies this contact point"),
        "{}",
        refused.1
    );
    let patch = json!([{ "op": "replace", "path": "/notifications/0/event", "value": "subscription_approval_rejected" }]);
    let patched = stage.call("PATCH", &product, patch).await.value();
    assert_eq!(patched["notifications"][0]["event"], "subscription_approval_rejected");
    stage.call("DELETE", &product, Value::Null).await.value();
    stage.call("DELETE", &path, Value::Null).await.value();
}

#[tokio::test]
async fn notifications_that_could_not_be_sent_are_refused_and_leave_the_product_as_it_was() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = format!("/api/api_products/{}", stage.product(&portal, "Orders").await);
    let point = stage.id_of("POST", POINTS, mail("Operations")).await;
    let with = |member: &str, value: Value| {
        let mut rule = json!({
            "event": "subscription_approval_created", "type": "email", "contact_point_ids": [point],
        });
        rule[member] = value;
        json!([rule])
    };
    let before = stage.get(&product).await.value();
    for (notifications, part) in [
        (json!("x"), "notifications must be an array"),
        (json!(["x"]), "notifications must be an array of objects"),
        (with("event", Value::Null), "notifications[0].event is required"),
        (with("event", json!("product_created")), "notifications[0].event must be one of"),
        (with("type", Value::Null), "notifications[0].type is required"),
        (with("type", json!("sms")), "notifications[0].type must be email or webhook"),
        (with("type", json!("webhook")), "must name contact points of type webhook"),
        (with("contact_point_ids", json!("x")), "contact_point_ids must be an array"),
        (with("contact_point_ids", json!(["ctp_unknown"])), "\"ctp_unknown\" is none"),
        (with("contact_point_ids", json!(["no id"])), "\"no id\" is none"),
        (with("content", json!("{{.Password}}")), "notifications[0].content must hold no {{.Password}}"),
        (with("content", json!("{{.Event")), "notifications[0].content has {{ without }}"),
        (with("content", json!("x".repeat(1024 * 1024))), "notifications[0].content must be at most"),
        (with("content", json!(7)), "notifications[0].content must be a string"),
        (
            with("subject", json!("a\r\nBcc: all@example.com")),
            "notifications[0].subject must not hold control",
        ),
        (with("subject", json!("x".repeat(1024 * 1024))), "notifications[0].subject must be"),
    ] {
        let body = json!({ "name": "Changed", "notifications": notifications });
        let (status, message) = stage.call("PUT", &product, body).await.refusal();
        assert!(status == 400 && message.contains(part) && message.len() < 400, "{part}: {message}");
    }
    assert_eq!(stage.get(&product).await.value(), before);
}

#[tokio::test]
async fn a_contact_point_is_either_deleted_or_named_never_both() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = format!("/api/api_products/{}", stage.product(&portal, "Orders").await);
    for _ in 0..5 {
        let point = stage.id_of("POST", POINTS, mail("Operations")).await;
        let path = format!("{POINTS}/{point}");
        let rule = json!({ "event": "subscription_approval_created", "type": "email", "contact_point_ids": [point] });
        let (named, deleted) = tokio::join!(
            stage.call("PUT", &product, json!({ "notifications": [rule] })),
            stage.call("DELETE", &path, Value::Null),
        );
        let mut statuses = [named.status, deleted.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400]);
        assert_eq!(stage.get(&path).await.status, if named.status == 200 { 200 } else { 404 });
        stage.call("PUT", &product, json!({ "notifications": [] })).await.value();
    }
}

#[tokio::test]
async fn whoever_may_not_see_contact_points_cannot_find_them_through_a_product() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = format!("/api/api_products/{}", stage.product(&portal, "Orders").await);
    let point = stage.id_of("POST", POINTS, mail("Operations")).await;
    let statement =
        json!([{ "effect": "allow", "resources": ["arn:api7:portal:<.*>"], "actions": ["portal:<.*>"] }]);
    let policy = json!({ "name": "products", "policy_document": { "statement": statement } });
    let policy = stage.id_of("POST", "/api/permission_policies", policy).await;
    let role = stage.id_of("POST", "/api/roles", json!({ "name": "products" })).await;
    let attach = json!({ "permission_policies": [policy] });
    stage.call("POST", &format!("/api/roles/{role}/attach_permission_policies"), attach).await.value();
    let ann = stage.id_of("POST", "/api/invites", json!({ "username": "ann", "password": "first" })).await;
    let roles = json!({ "roles": [{ "role_id": role }] });
    stage.call("PUT", &format!("/api/users/{ann}/assigned_roles"), roles).await.value();
    stage.basic("PUT", "/api/password", "ann", "first", json!({ "new_password": "second" })).await.value();
    let rule =
        json!({ "event": "subscription_approval_created", "type": "email", "contact_point_ids": [point] });
    let body = json!({ "notifications": [rule] });
    let refused = stage.basic("PUT", &product, "ann", "second", body.clone()).await.refusal();
    assert!(refused.0 == 400 && refused.1.contains("is none"), "{}", refused.1);
    assert_eq!(stage.basic("GET", POINTS, "ann", "second", Value::Null).await.list().len(), 0);
    stage.call("PUT", &product, body.clone()).await.value();
    // What is there already stays, whoever changes the rest.
    stage.basic("PUT", &product, "ann", "second", body).await.value();
}

#[tokio::test]
async fn every_event_may_be_told_by_both_types_in_words_of_ones_own_or_ours() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let mail = stage.id_of("POST", POINTS, mail("Operations")).await;
    let hook = json!({ "name": "Chat", "type": "webhook", "url": "https://chat.example.com/hooks/1" });
    let hook = stage.id_of("POST", POINTS, hook).await;
    let words = "{{.ApprovalID}} {{.ApplicantName}} {{.Event}} {{.AppliedAt}} {{.ResourceName}} \
                 {{.AppliedAt.Format \"2006-01-02 15:04\"}}";
    let mut rules = Vec::new();
    for event in ["created", "accepted", "rejected", "cancelled"] {
        let event = format!("subscription_approval_{event}");
        rules.push(json!({ "event": event, "type": "email", "contact_point_ids": [mail] }));
        rules.push(json!({
            "event": event, "type": "webhook", "contact_point_ids": [hook], "subject": words, "content": words,
        }));
    }
    // Nobody need be named, on a draft or an external product neither.
    rules.push(json!({ "event": "subscription_approval_created", "type": "email", "contact_point_ids": [] }));
    let text =
        "openapi: 3.0.3\ninfo: {title: T, version: '1'}\nservers: [{url: https://a.example}]\npaths: {}\n";
    for body in [
        json!({ "type": "gateway", "name": "Orders", "notifications": rules }),
        json!({ "type": "external", "name": "Bills", "raw_openapi": text, "notifications": rules }),
    ] {
        let made = stage.call("POST", &format!("/api/api_products?portal_id={portal}"), body).await.value();
        assert_eq!(made["notifications"], json!(rules));
        let path = format!("/api/api_products/{}", made["id"].as_str().unwrap());
        assert_eq!(stage.get(&path).await.value()["notifications"], json!(rules));
        for point in [&mail, &hook] {
            let refused = stage.call("DELETE", &format!("{POINTS}/{point}"), Value::Null).await.refusal();
            assert_eq!(refused.0, 400, "{}", refused.1);
        }
        let put = stage.call("PUT", &path, json!({ "notifications": [rules[8]] })).await.value();
        assert_eq!(put["notifications"], json!([rules[8]]), "given ones are replaced whole");
    }
    for point in [&mail, &hook] {
        stage.call("DELETE", &format!("{POINTS}/{point}"), Value::Null).await.value();
    }
}

#[tokio::test]
async fn mail_is_not_sent_before_there_is_a_server_and_a_sender() {
    let stage = Stage::start().await;
    let status = async || stage.get("/api/system_settings/smtp_server_status").await.value();
    assert_eq!(status().await, json!({ "enable": false }));
    let whole =
        json!({ "enable": true, "address": "mail.example.com", "sender_address": "portal@example.com" });
    for missing in ["address", "sender_address"] {
        for empty in [Value::Null, json!("")] {
            let mut body = whole.clone();
            body[missing] = empty;
            let refused = stage.call("PUT", SMTP, body).await.refusal();
            assert!(
                refused.0 == 400 && refused.1.starts_with(&format!("{missing} is required")),
                "{}",
                refused.1
            );
        }
    }
    assert_eq!(stage.get(SMTP).await.value(), json!({ "enable": false, "security": "none" }));
    let put = stage.call("PUT", SMTP, whole).await.value();
    assert_eq!((&put["security"], put.get("password"), put.get("username")), (&json!("none"), None, None));
    assert_eq!(status().await, json!({ "enable": true }));
    for security in ["starttls", "tls", "none"] {
        let put = stage.call("PUT", SMTP, json!({ "security": security })).await.value();
        assert_eq!((&put["security"], &put["address"]), (&json!(security), &json!("mail.example.com")));
    }
    stage.call("PUT", SMTP, json!({ "enable": false })).await.value();
    assert_eq!(status().await, json!({ "enable": false }));
}
