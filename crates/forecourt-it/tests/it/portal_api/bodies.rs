//! Bodies that are empty, huge, of another type or none at all (README rules 1, 4 and 11).

use forecourt_it::{Answer, Client, Forecourt};
use http::Method;
use serde_json::json;

async fn post(api: &Client, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    api.send_bytes(Method::POST, path, Some((content_type.to_owned(), body.into()))).await
}

#[tokio::test]
async fn an_empty_body_counts_as_an_empty_object_with_any_content_type_or_none() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        post(&ada.api, "/api/applications", content_type, "").await.refused(400, "name");
    }
    ada.api.send(Method::POST, "/api/applications", None).await.refused(400, "name");
    // Where nothing is required an empty body is enough.
    for content_type in [None, Some("text/plain"), Some("application/json")] {
        let application = ada.application("demo").await;
        application.request(&orders).await;
        let pending = f.portal_api().await.get("/api/approvals?status=pending").await.expect(200);
        let path = format!("/api/approvals/{}/accept", pending["list"][0]["id"].as_str().unwrap());
        let body = content_type.map(|content_type| (content_type.to_owned(), Vec::new()));
        f.portal_api().await.send_bytes(Method::POST, &path, body).await.expect(200);
    }
}

#[tokio::test]
async fn json_comes_as_application_json_or_any_json_type_and_as_nothing_else() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let body = json!({ "name": "demo" }).to_string();
    for content_type in [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "application/merge-patch+json;x=y",
    ] {
        post(&ada.api, "/api/applications", content_type, body.clone()).await.expect(201);
    }
    for content_type in [
        "text/plain",
        "",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
        "+json",
        "text/json",
    ] {
        post(&ada.api, "/api/applications", content_type, body.clone()).await.refused(400, "Content-Type");
    }
    assert_eq!(ada.api.get("/api/applications").await.expect(200)["total"], 5);
}

#[tokio::test]
async fn what_is_no_json_object_in_utf8_is_refused_on_every_endpoint_that_takes_a_body() {
    let f = Forecourt::start().await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await.subscribe(&orders).await;
    let key = application.key("prod").await;
    let pending = f.portal_api().await.get("/api/approvals?status=pending").await.expect(200);
    let one = format!("/api/applications/{}", application.id);
    let deep = "[".repeat(100_000);
    let deeply_named = format!("{{\"name\":{}1{}}}", "{\"a\":".repeat(5_000), "}".repeat(5_000));
    let bodies: [&[u8]; 17] = [
        b"{",
        b"{}x",
        b"null",
        b"[]",
        b"7",
        b"\"text\"",
        b"true",
        b"\xff\xfe{}",
        b"{\"name\":\"\xff\"}",
        b"{\"name\":\"\xed\xa0\x80\"}",
        b"{\"name\":\"\\ud800\"}",
        b"{'name':'x'}",
        b"{\"name\":NaN}",
        b"\xef\xbb\xbf{\"name\":\"x\"}",
        b" ",
        deep.as_bytes(),
        deeply_named.as_bytes(),
    ];
    for (method, path) in [
        (Method::POST, "/api/developers".to_owned()),
        (Method::POST, "/api/applications".to_owned()),
        (Method::PUT, one.clone()),
        (Method::POST, format!("{one}/credentials")),
        (Method::PUT, format!("{one}/credentials/{}", key.id)),
        (Method::PUT, format!("{one}/credentials/{}/regenerate", key.id)),
        (Method::POST, "/api/subscriptions".to_owned()),
        (Method::POST, format!("/api/api_products/{}/subscriptions", orders.id)),
        (Method::POST, format!("/api/approvals/{}/accept", pending["list"][0]["id"].as_str().unwrap())),
        (Method::POST, format!("/api/approvals/{}/reject", pending["list"][0]["id"].as_str().unwrap())),
    ] {
        for body in bodies {
            let sent = Some(("application/json".to_owned(), body.to_vec()));
            ada.api.send_bytes(method.clone(), &path, sent).await.refused(400, "");
        }
    }
    assert_eq!(ada.api.get(&one).await.expect(200)["name"], "demo");
    assert_eq!(application.subscriptions().await[0]["status"], "wait_for_approval");
}

#[tokio::test]
async fn a_body_of_twelve_mebibytes_is_read_and_one_byte_more_is_413() {
    const LIMIT: usize = 12 * 1024 * 1024;
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    let padded = |length: usize| {
        let start = br#"{"name":"padded"}"#;
        let mut body = start.to_vec();
        body.resize(length, b' ');
        body
    };
    post(&ada.api, "/api/applications", "application/json", padded(LIMIT)).await.expect(201);
    post(&ada.api, "/api/applications", "application/json", padded(LIMIT + 1)).await.refused(413, "12 MiB");
    // The right question comes first: nobody's body is read for them.
    let guest = f.portal_api_guest();
    post(&guest, "/api/applications", "application/json", padded(LIMIT + 1))
        .await
        .refused(401, "unauthorized");
    assert_eq!(ada.api.get("/api/applications").await.expect(200)["total"], 1);
}

#[tokio::test]
async fn members_of_another_type_are_refused_by_name_and_unknown_ones_ignored() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let credentials = format!("/api/applications/{}/credentials", application.id);
    let of_product = format!("/api/api_products/{}/subscriptions", orders.id);
    let key = |member: &str, value: serde_json::Value| {
        let mut body = json!({ "type": "key-auth", "name": "k" });
        body[member] = value;
        body
    };
    for (path, body, member) in [
        (credentials.as_str(), key("type", json!(1)), "type"),
        (&credentials, key("type", json!(["key-auth"])), "type"),
        (&credentials, key("type", json!("KEY-AUTH")), "type"),
        (&credentials, key("name", json!({})), "name"),
        (&credentials, key("desc", json!([])), "desc"),
        (&credentials, key("labels", json!(["a"])), "labels"),
        (&credentials, key("key-auth", json!("x")), "key-auth"),
        (&credentials, key("key-auth", json!([])), "key-auth"),
        ("/api/subscriptions", json!({ "applications": "a", "api_products": ["b"] }), "applications"),
        ("/api/subscriptions", json!({ "applications": [1], "api_products": ["b"] }), "applications"),
        ("/api/subscriptions", json!({ "applications": [null], "api_products": ["b"] }), "applications"),
        (
            "/api/subscriptions",
            json!({ "applications": [application.id], "api_products": {} }),
            "api_products",
        ),
        (&of_product, json!({ "application_id": [application.id] }), "application_id"),
        (&of_product, json!({ "application_id": "" }), "application_id"),
        (&of_product, json!({}), "application_id"),
    ] {
        ada.api.post(path, body).await.refused(400, member);
    }
    ada.api.post(&credentials, key("unknown", json!({ "deep": [null] }))).await.expect(201);
    ada.api.post("/api/developers", json!({ "developer_id": "bob", "name": "Bob" })).await.expect(201);
    let body = json!({ "applications": [application.id], "api_products": [orders.id], "plan": "gold" });
    ada.api.post("/api/subscriptions", body).await.empty(201);
}

#[tokio::test]
async fn texts_with_nul_are_refused_and_any_other_text_comes_back_as_it_was() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for body in [
        json!({ "name": "a\u{0}b" }),
        json!({ "name": "a", "desc": "a\u{0}b" }),
        json!({ "name": "a", "labels": { "k": "a\u{0}b" } }),
        json!({ "name": "a", "labels": { "a\u{0}b": "k" } }),
    ] {
        ada.api.post("/api/applications", body).await.refused(400, "");
    }
    for text in
        ["<script>&\"'", "💡 ü \u{202e}", "'; DROP TABLE applications; --", "%s {{x}} ${y}", "\\\\u0000"]
    {
        let body = json!({ "name": text, "desc": format!("{text}\n\t{text}"), "labels": { text: text } });
        let made = ada.api.post("/api/applications", body.clone()).await.expect(201);
        for member in ["name", "desc", "labels"] {
            assert_eq!(made[member], body[member]);
        }
    }
}

#[tokio::test]
async fn errors_are_json_with_three_members_that_agree_and_tell_nothing_of_the_inside() {
    let f = Forecourt::start().await;
    let ada = f.developer("ada").await;
    for (answer, status, message) in [
        (f.portal_api_guest().get("/api/developers").await, 401, "unauthorized"),
        (ada.api.get("/api/applications/app_1").await, 404, "resource not found"),
        (ada.api.get("/api/nothing").await, 404, "resource not found"),
        (ada.api.patch("/api/applications", json!([])).await, 405, "method not allowed"),
        (ada.api.post("/api/applications", json!({})).await, 400, "name is required"),
    ] {
        let told = json!({ "status": status, "message": message, "error_msg": message });
        assert_eq!(answer.expect(status), told);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}
