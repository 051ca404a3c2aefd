//! What every body has in common: types, limits, emptiness, the order of checks.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::stage::Stage;

#[tokio::test]
async fn an_empty_body_counts_as_an_empty_object_and_others_must_be_json() {
    let stage = Stage::start().await;
    let send = async |content_type: Option<&str>, body: Vec<u8>| {
        let mut request = Request::post("/api/portals").header("x-api-key", &stage.token);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        stage.send(request.body(Body::from(body)).unwrap()).await
    };
    for content_type in [None, Some("text/plain"), Some("application/json")] {
        assert_eq!(send(content_type, Vec::new()).await.refusal(), (400, "name is required".into()));
    }
    assert_eq!(send(Some("application/merge-patch+json"), br#"{"name":"a"}"#.to_vec()).await.status, 200);
    for (content_type, body) in [
        (Some("text/plain"), &br#"{"name":"b"}"#[..]),
        (None, br#"{"name":"b"}"#),
        (Some("application/json"), b"{"),
        (Some("application/json"), b"[]"),
        (Some("application/json"), b"\xff"),
    ] {
        assert_eq!(send(content_type, body.to_vec()).await.refusal().0, 400, "{content_type:?} {body:?}");
    }
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(12 * 1024 * 1024));
    assert_eq!(send(Some("application/json"), large.into_bytes()).await.refusal().0, 413);
}

#[tokio::test]
async fn authentication_then_permission_then_existence_then_the_body() {
    let stage = Stage::start().await;
    stage.call("POST", "/api/invites", json!({ "username": "ann", "password": "first" })).await.value();
    stage.basic("PUT", "/api/password", "ann", "first", json!({ "new_password": "second" })).await.value();
    let broken = json!("no object");
    for path in [
        "/api/portals",
        "/api/gateway_groups",
        "/api/invites",
        "/apisix/admin/services?gateway_group_id=default",
    ] {
        assert_eq!(stage.with_headers("POST", path, &[], broken.clone()).await.refusal().0, 401, "{path}");
        assert_eq!(
            stage.basic("POST", path, "ann", "second", broken.clone()).await.refusal().0,
            403,
            "{path}"
        );
        assert_eq!(stage.call("POST", path, broken.clone()).await.refusal().0, 400, "{path}");
    }
    let portal = stage.default_portal().await;
    for path in
        ["/api/portals/x", "/api/api_products/x", "/api/gateway_groups/x", "/api/portal/login_options/x"]
    {
        assert_eq!(stage.call("PUT", path, broken.clone()).await.refusal().0, 404, "{path}");
    }
    let unseen = format!("/api/portals/{portal}");
    assert_eq!(stage.basic("PUT", &unseen, "ann", "second", broken).await.refusal().0, 404);
    assert_eq!(stage.basic("GET", &unseen, "ann", "second", Value::Null).await.refusal().0, 404);
}
