//! Who calls: portal tokens, and the developer header (portal-api.md §1).

use std::time::Duration;

use forecourt_it::{Client, Forecourt, installations::text};
use serde_json::{Value, json};

use super::{other_portal, pending_developer};

const DEVELOPER: &str = "x-portal-developer-id";

/// One endpoint of each class.
const CLASSES: [&str; 3] = ["/api/developers", "/api/api_products", "/api/applications"];

async fn token(f: &Forecourt, members: Value) -> (String, Client) {
    let path = format!("/api/portal/tokens?portal_id={}", f.portal_id().await);
    let made = f.admin().await.post(&path, members).await.expect(200);
    let client = f.portal_api_guest().with_bearer(&text(&made["value"]["token"]));
    (text(&made["value"]["id"]), client)
}

#[tokio::test]
async fn everything_but_healthz_wants_a_portal_token_and_health_wants_nothing() {
    let f = Forecourt::start().await;
    f.portal_api_guest().get("/healthz").await.expect(200);
    f.portal_api_guest().with_bearer("nonsense").get("/healthz").await.expect(200);
    for path in CLASSES {
        f.portal_api_guest().get(path).await.refused(401, "unauthorized");
        for header in ["", "Bearer", "Bearer ", "a7prt-x", "Basic YTpi", "Bearer  ", "Token a7prt-x"] {
            let client = f.portal_api_guest().with("authorization", header);
            client.get(path).await.refused(401, "unauthorized");
        }
        for unknown in ["a7prt-", "a7prt-unknown", "a7ee-unknown", "unknown", "ä"] {
            f.portal_api_guest().with_bearer(unknown).get(path).await.refused(401, "unauthorized");
        }
    }
}

#[tokio::test]
async fn the_scheme_is_bearer_in_any_case_and_only_the_prefix_of_a_token_has_meaning() {
    let f = Forecourt::start().await;
    let path = format!("/api/portal/tokens?portal_id={}", f.portal_id().await);
    let made = f.admin().await.post(&path, json!({ "name": "x" })).await.expect(200);
    let token = text(&made["value"]["token"]);
    assert!(token.starts_with("a7prt-"), "{token}");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let client = f.portal_api_guest().with("authorization", &format!("{scheme} {token}"));
        client.get("/api/developers").await.expect(200);
    }
    let changed = format!("{}!", &token[..token.len() - 1]);
    f.portal_api_guest().with_bearer(&changed).get("/api/developers").await.refused(401, "unauthorized");
    f.portal_api_guest().with_bearer(&token.to_uppercase()).get("/api/developers").await.refused(401, "");
}

#[tokio::test]
async fn a_token_of_an_administrator_is_no_portal_token() {
    let f = Forecourt::start().await;
    let made = f
        .admin()
        .await
        .post("/api/settings/tokens", json!({ "name": "script", "expires_at": 0 }))
        .await
        .expect(200);
    let token = text(&made["value"]["token"]);
    assert!(token.starts_with("a7ee-"), "{token}");
    for path in CLASSES {
        f.portal_api_guest().with_bearer(&token).get(path).await.refused(401, "unauthorized");
        f.portal_api_guest().with("x-api-key", &token).get(path).await.refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_deleted_a_regenerated_and_an_expired_token_are_refused_from_the_next_call_on() {
    let f = Forecourt::start().await;
    let (id, deleted) = token(&f, json!({ "name": "deleted" })).await;
    deleted.get("/api/developers").await.expect(200);
    f.admin().await.delete(&format!("/api/portal/tokens/{id}")).await.expect(200);
    deleted.get("/api/developers").await.refused(401, "unauthorized");

    let (id, old) = token(&f, json!({ "name": "regenerated" })).await;
    old.get("/api/developers").await.expect(200);
    let path = format!("/api/portal/tokens/{id}/regenerate");
    let made = f.admin().await.put(&path, json!({})).await.expect(200);
    old.get("/api/developers").await.refused(401, "unauthorized");
    let new = f.portal_api_guest().with_bearer(&text(&made["value"]["token"]));
    new.get("/api/developers").await.expect(200);

    let ends = f.clock().now().seconds() + 3_600;
    let (_, expiring) = token(&f, json!({ "name": "expiring", "expires_at": ends })).await;
    expiring.get("/api/developers").await.expect(200);
    f.advance(Duration::from_secs(3_601));
    expiring.get("/api/developers").await.refused(401, "unauthorized");
    new.get("/api/developers").await.expect(200);
}

#[tokio::test]
async fn without_the_developer_header_or_with_an_empty_one_the_caller_is_a_guest() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    for guest in [front_end.clone(), front_end.with(DEVELOPER, "")] {
        for open in ["/api/api_products", "/api/dcr_providers", "/api/labels/api_product"] {
            guest.get(open).await.expect(200);
        }
        for path in [
            "/api/applications",
            "/api/applications/app_1",
            "/api/applications/api_calls?start_at=1&end_at=2",
            "/api/credentials",
            "/api/subscriptions",
            "/api/labels/developer_credential",
            "/api/labels/developer_application",
            "/api/labels/anything",
        ] {
            guest.get(path).await.refused(401, "developer id is required");
        }
    }
}

#[tokio::test]
async fn an_unknown_or_pending_developer_is_refused_even_where_guests_are_welcome() {
    let f = Forecourt::start().await;
    f.developer("ada").await;
    let waiting = pending_developer(&f, "wanda").await;
    let front_end = f.portal_api().await;
    for path in ["/api/api_products", "/api/dcr_providers", "/api/labels/api_product", "/api/applications"] {
        for unknown in ["nobody", "ADA", "ada ada", "%61da", "ä", "../ada", &"x".repeat(300)] {
            front_end.with(DEVELOPER, unknown).get(path).await.refused(401, "unknown developer");
        }
        front_end.with(DEVELOPER, &waiting).get(path).await.refused(401, "developer is not active");
        front_end.with(DEVELOPER, "ada").get(path).await.expect(200);
    }
}

#[tokio::test]
async fn portal_level_endpoints_ignore_the_developer_header_whatever_it_holds() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    for held in ["nobody", "", "not an id"] {
        let client = front_end.with(DEVELOPER, held);
        for path in [
            "/api/developers",
            "/api/approvals",
            "/api/system_settings/public_access",
            "/api/system_settings/smtp_server_status",
        ] {
            client.get(path).await.expect(200);
        }
        client.delete("/api/developers/nobody").await.refused(404, "resource not found");
        client.post("/api/approvals/apv_1/accept", json!({})).await.refused(404, "resource not found");
    }
    front_end
        .with(DEVELOPER, "nobody")
        .post("/api/developers", json!({ "developer_id": "ada" }))
        .await
        .expect(201);
}

#[tokio::test]
async fn objects_of_another_portal_do_not_exist() {
    let f = Forecourt::start().await;
    let (other_id, other) = other_portal(&f).await;
    let orders = f.product_with("Orders", json!({ "subscription_auto_approval": false })).await;
    let ada = f.developer("ada").await;
    let application = ada.application("demo").await;
    let key = application.key("prod").await;
    application.request(&orders).await;
    let subscription = text(&application.subscriptions().await[0]["id"]);
    let approvals = f.portal_api().await.get("/api/approvals").await.expect(200);
    let approval = text(&approvals["list"][0]["id"]);

    assert_eq!(other.get("/api/developers").await.expect(200), json!({ "list": [], "total": 0 }));
    other.with(DEVELOPER, "ada").get("/api/applications").await.refused(401, "unknown developer");
    // The same id may exist in another portal, and is somebody else there.
    other.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    let stranger = other.with(DEVELOPER, "ada");
    for path in ["/api/applications", "/api/credentials", "/api/subscriptions", "/api/api_products"] {
        assert_eq!(stranger.get(path).await.expect(200), json!({ "list": [], "total": 0 }), "{path}");
    }
    let one = format!("/api/applications/{}", application.id);
    let credential = format!("{one}/credentials/{}", key.id);
    stranger.get(&one).await.refused(404, "resource not found");
    stranger.get(&credential).await.refused(404, "resource not found");
    stranger.delete(&credential).await.refused(404, "resource not found");
    stranger.delete(&format!("/api/subscriptions/{subscription}")).await.refused(404, "resource not found");
    for caller in [&other, &stranger] {
        let product = format!("/api/api_products/{}", orders.id);
        caller.get(&product).await.refused(404, "resource not found");
    }
    assert_eq!(other.get("/api/approvals").await.expect(200)["total"], 0);
    for verdict in ["accept", "reject"] {
        let path = format!("/api/approvals/{approval}/{verdict}");
        other.post(&path, json!({})).await.refused(404, "resource not found");
    }
    let made = stranger.post("/api/applications", json!({ "name": "theirs" })).await.expect(201);
    let body = json!({ "applications": [made["id"]], "api_products": [orders.id] });
    stranger.post("/api/subscriptions", body).await.refused(400, &orders.id);

    other.delete("/api/developers/ada").await.empty(204);
    ada.api.get(&one).await.expect(200);
    f.admin().await.delete(&format!("/api/portals/{other_id}")).await.expect(200);
    other.get("/api/developers").await.refused(401, "unauthorized");
}

#[tokio::test]
async fn the_portals_public_access_changes_no_answer_but_its_own() {
    let f = Forecourt::start().await;
    f.product("Orders").await;
    let front_end = f.portal_api().await;
    for public in [false, true] {
        let path = format!("/api/portal/system_settings/public_access?portal_id={}", f.portal_id().await);
        f.admin().await.put(&path, json!({ "portal_public_access": public })).await.expect(200);
        let told = front_end.get("/api/system_settings/public_access").await.expect(200);
        assert_eq!(told, json!({ "portal_public_access": public }));
        assert_eq!(front_end.get("/api/api_products").await.expect(200)["total"], 1);
    }
    let mail = front_end.get("/api/system_settings/smtp_server_status").await.expect(200);
    assert_eq!(mail, json!({ "enable": false }));
}

#[tokio::test]
async fn an_address_that_fails_too_often_is_told_to_wait_while_right_tokens_pass() {
    let f = Forecourt::start().await;
    let front_end = f.portal_api().await;
    let wrong = f.portal_api_guest().with_bearer("a7prt-wrong");
    for _ in 0..100 {
        wrong.get("/api/developers").await.refused(401, "unauthorized");
    }
    let told = wrong.get("/api/developers").await;
    told.refused(429, "too many");
    let wait: u64 = told.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!((1..=300).contains(&wait), "{wait}");
    front_end.get("/api/developers").await.expect(200);
    f.advance(Duration::from_secs(301));
    wrong.get("/api/developers").await.refused(401, "unauthorized");
}

#[tokio::test]
async fn how_often_an_address_may_fail_is_a_setting() {
    let f = Forecourt::start_with(|settings| {
        settings.security.failed_sign_ins.per_address = 2;
        settings.security.failed_sign_ins.window_seconds = 10;
    })
    .await;
    let wrong = f.portal_api_guest().with_bearer("a7prt-wrong");
    for _ in 0..2 {
        wrong.get("/api/developers").await.refused(401, "unauthorized");
    }
    wrong.get("/api/developers").await.refused(429, "too many");
    f.advance(Duration::from_secs(11));
    wrong.get("/api/developers").await.refused(401, "unauthorized");
}
