//! Credentials of type `oauth` in every answer (portal-api.md §5.1–§5.5); what becomes of their clients is told in
//! `oauth_clients.rs` and `dcr_removals.rs`.

use std::time::Duration;

use forecourt_it::{Application, Bridge, Forecourt, installations::text};
use serde_json::{Value, json};

use super::{credentials::path, listed, members};

/// Adds a bridge with an issuer to the installation, and gives its id.
async fn provider(f: &Forecourt, bridge: &Bridge) -> String {
    let body = json!({
        "name": "Bridge", "provider_type": "http_bridge", "base_url": bridge.base_url(),
        "issuer": "https://id.example.com/realms/dev",
    });
    text(&f.admin().await.post("/api/dcr_providers", body).await.expect(200)["value"]["id"])
}

fn body(provider: &str, more: Value) -> Value {
    let mut body = json!({ "type": "oauth", "oauth": { "dcr_provider_id": provider } });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn made(application: &Application<'_>, provider: &str, more: Value) -> Value {
    application.api.post(&path(application), body(provider, more)).await.expect(201)
}

#[tokio::test]
async fn a_client_is_told_whole_and_its_secret_only_in_the_answer_that_makes_or_renews_it() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let provider = provider(&f, &bridge).await;
    let application = f.developer("ada").await.application("mobile app").await;
    let asked = json!({
        "name": "ignored", "desc": "web login", "labels": { "env": "prod" }, "unknown": 1,
        "oauth": { "dcr_provider_id": provider, "redirect_uris": ["https://app.example/cb"] },
    });
    let answer = application.api.post(&path(&application), body(&provider, asked)).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let first = answer.expect(201);
    let shown = json!({
        "id": provider, "name": "Bridge", "issuer": "https://id.example.com/realms/dev", "provider_type": "http_bridge",
    });
    let mut wanted = json!({
        "id": first["id"], "type": "oauth", "application_id": application.id, "application_name": "mobile app",
        "desc": "web login", "labels": { "env": "prod" },
        "oauth": {
            "dcr_provider_id": provider, "dcr_provider": shown, "client_id": "client-1", "client_secret": "secret-1",
            "client_secret_expires_at": 7, "redirect_uris": ["https://app.example/cb"],
        },
        "created_at": first["created_at"], "updated_at": first["created_at"],
    });
    assert_eq!(first, wanted);
    wanted["oauth"].as_object_mut().unwrap().remove("client_secret");
    let one = format!("{}/{}", path(&application), text(&first["id"]));
    assert_eq!(application.api.get(&one).await.expect(200), wanted);
    let list = json!({ "list": [wanted], "total": 1 });
    for path in [path(&application), "/api/credentials".to_owned()] {
        assert_eq!(application.api.get(&path).await.expect(200), list);
    }

    f.advance(Duration::from_millis(5));
    let renewed =
        application.api.put(&format!("{one}/regenerate"), json!({ "type": "oauth" })).await.expect(200);
    for kept in ["id", "desc", "labels", "application_id", "created_at"] {
        assert_eq!(renewed[kept], first[kept], "{kept}");
    }
    assert!(text(&renewed["updated_at"]) > text(&first["updated_at"]));
    assert_eq!(renewed["oauth"]["client_id"], "client-1");
    assert_eq!(renewed["oauth"]["client_secret"], "rotated");

    // What is absent is cleared, and the redirect URIs stay.
    let put = application.api.put(&one, json!({ "type": "oauth", "oauth": {} })).await.expect(200);
    assert!(!members(&put).contains(&"desc") && !members(&put["oauth"]).contains(&"client_secret"), "{put}");
    assert_eq!(
        (&put["labels"], &put["oauth"]["redirect_uris"]),
        (&json!({}), &json!(["https://app.example/cb"]))
    );
    assert_eq!(bridge.clients()["client-1"]["redirect_uris"], json!(["https://app.example/cb"]));
}

#[tokio::test]
async fn a_renewal_that_says_more_than_its_type_is_refused_and_asks_the_bridge_nothing() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let provider = provider(&f, &bridge).await;
    let application = f.developer("ada").await.application("demo").await;
    let first = made(&application, &provider, json!({})).await;
    let regenerate = format!("{}/{}/regenerate", path(&application), text(&first["id"]));
    for body in [
        json!({}),
        json!({ "type": "key-auth" }),
        json!({ "type": "oauth", "oauth": {} }),
        json!({ "type": "oauth", "name": "x" }),
        json!({ "type": "oauth", "desc": "x" }),
    ] {
        application.api.put(&regenerate, body).await.refused(400, "");
    }
    assert_eq!(bridge.clients()["client-1"]["client_secret"], "secret-1");
}

#[tokio::test]
async fn clients_are_found_by_description_labels_and_type_and_stand_first_by_name() {
    let f = Forecourt::start().await;
    let bridge = Bridge::start().await;
    let provider = provider(&f, &bridge).await;
    let application = f.developer("ada").await.application("demo").await;
    application.key("Zeta").await;
    f.advance(Duration::from_millis(5));
    made(&application, &provider, json!({ "desc": "50% web", "labels": { "Env": "Prod" } })).await;
    f.advance(Duration::from_millis(5));
    application.key("alpha").await;
    for list in [path(&application), "/api/credentials".to_owned()] {
        let types = async |query: &str| listed(&application.api, &format!("{list}?{query}"), "type").await;
        assert_eq!(types("order_by=name&direction=asc").await, ["oauth", "key-auth", "key-auth"]);
        assert_eq!(types("order_by=name&direction=desc").await, ["key-auth", "key-auth", "oauth"]);
        for query in [
            "auth_method=oauth",
            "plugin_name=oauth",
            "search=0%25",
            "search=WEB",
            "search=env",
            "search=PROD",
            "labels[Env]=Prod",
            "labels[Env]=Prod&auth_method=oauth&search=web",
        ] {
            assert_eq!(types(query).await, ["oauth"], "{query}");
        }
        for query in
            ["auth_method=basic-auth", "auth_method=key-auth&search=web", "search=client-1", "search=Bridge"]
        {
            assert_eq!(types(query).await, Vec::<String>::new(), "{query}");
        }
        assert_eq!(types("auth_method=key-auth").await.len(), 2);
    }
}
