//! DCR providers as administrators keep them, and as portals show them.

use forecourt_it::{Bridge, Forecourt, installations::text};
use serde_json::{Value, json};

use super::oauth_clients::register;

const PROVIDERS: &str = "/api/dcr_providers";

fn oidc(name: &str) -> Value {
    json!({ "name": name, "issuer": "https://id.example.com/realms/dev", "headers": { "Authorization": "Bearer t0p" } })
}

#[tokio::test]
async fn a_provider_is_made_changed_in_part_and_deleted() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let made = admin.post(PROVIDERS, oidc("Keycloak")).await.expect(200)["value"].clone();
    assert_eq!(made["provider_type"], "oidc");
    assert_eq!(made["headers"], json!({ "Authorization": "******" }));
    let path = format!("{PROVIDERS}/{}", text(&made["id"]));
    let changed = json!({ "desc": "dev realm", "headers": { "Authorization": "******", "X-Tenant": "one" } });
    let changed = admin.put(&path, changed).await.expect(200)["value"].clone();
    assert_eq!(changed["headers"], json!({ "Authorization": "******", "X-Tenant": "******" }));
    assert_eq!((&changed["desc"], &changed["issuer"]), (&json!("dev realm"), &made["issuer"]));
    assert_eq!(admin.get(&path).await.expect(200)["value"], changed);
    assert_eq!(admin.get(PROVIDERS).await.expect(200)["list"], json!([changed]));
    let shown = f.portal_api().await.get(PROVIDERS).await.expect(200);
    let public = json!({
        "id": made["id"], "name": "Keycloak", "issuer": "https://id.example.com/realms/dev", "provider_type": "oidc",
    });
    assert_eq!(shown["list"], json!([public]));
    assert_eq!(admin.delete(&path).await.expect(200)["value"]["id"], made["id"]);
    admin.get(&path).await.expect(404);
}

#[tokio::test]
async fn portals_find_providers_by_name_and_issuer_and_see_neither_headers_nor_addresses_of_bridges() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let bridge = json!({
        "name": "100% Bridge", "provider_type": "http_bridge", "base_url": "http://bridge.example:1/inner",
        "headers": { "X-Key": "k3y" }, "desc": "only for us",
    });
    for provider in [oidc("Keycloak"), bridge] {
        admin.post(PROVIDERS, provider).await.expect(200);
        f.advance(std::time::Duration::from_millis(5));
    }
    let front_end = f.portal_api().await;
    let shown = front_end.get(PROVIDERS).await;
    for hidden in ["k3y", "X-Key", "bridge.example", "only for us", "headers", "t0p"] {
        assert!(!shown.text().contains(hidden), "{hidden}: {shown:?}");
    }
    let rows = shown.expect(200)["list"].as_array().unwrap().clone();
    let bridge =
        json!({ "id": rows[0]["id"], "name": "100% Bridge", "issuer": "", "provider_type": "http_bridge" });
    assert_eq!(rows[0], bridge);
    for (query, names) in [
        ("", ["100% Bridge", "Keycloak"].as_slice()),
        ("direction=asc", &["Keycloak", "100% Bridge"]),
        ("order_by=created_at&direction=asc", &["Keycloak", "100% Bridge"]),
        ("search=KEYC", &["Keycloak"]),
        ("search=realms%2FDEV", &["Keycloak"]),
        ("search=0%25", &["100% Bridge"]),
        ("search=bridge.example", &[]),
        ("search=only", &[]),
        ("search=_", &[]),
        ("page=2&page_size=1", &["Keycloak"]),
    ] {
        let list = front_end.get(&format!("{PROVIDERS}?{query}")).await.expect(200);
        let found: Vec<_> = list["list"].as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
        assert_eq!(found, names, "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_a_provider_is_refused() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let made = admin.post(PROVIDERS, oidc("Keycloak")).await.expect(200);
    let path = format!("{PROVIDERS}/{}", text(&made["value"]["id"]));
    for (body, part) in [
        (json!({}), "name is required"),
        (json!({ "name": "x" }), "issuer is required"),
        (json!({ "name": "x", "issuer": "id.example.com" }), "issuer must be an http or https address"),
        (json!({ "name": "x", "provider_type": "http_bridge" }), "base_url is required"),
        (json!({ "name": "x", "provider_type": "ldap" }), "provider_type must be oidc or http_bridge"),
        (
            json!({ "name": "x", "issuer": "https://a.example", "headers": ["a"] }),
            "headers must be an object",
        ),
        (
            json!({ "name": "x", "issuer": "https://a.example", "headers": { "Host": "a" } }),
            "headers must not name host",
        ),
        (
            json!({ "name": "x", "issuer": "https://a.example", "headers": { "X": "******" } }),
            "no such header is stored",
        ),
        (oidc("Keycloak"), "name \"Keycloak\" is taken"),
    ] {
        admin.post(PROVIDERS, body).await.refused(400, part);
    }
    admin.put(&path, json!({ "provider_type": "http_bridge" })).await.refused(400, "provider_type is fixed");
    admin.put(&path, json!({ "issuer": "" })).await.refused(400, "issuer is required");
    admin.patch(&path, json!([])).await.expect(405);
    admin.get(&format!("{PROVIDERS}/dcr_unknown")).await.expect(404);
}

#[tokio::test]
async fn a_product_needs_a_known_provider_with_an_issuer_and_keeps_it() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let bridge =
        json!({ "name": "Bridge", "provider_type": "http_bridge", "base_url": "http://127.0.0.1:1" });
    let made = admin.post(PROVIDERS, bridge).await.expect(200);
    let id = text(&made["value"]["id"]);
    let products = format!("/api/api_products?portal_id={}", f.portal_id().await);
    let product = |id: &str| json!({ "type": "gateway", "name": "Orders", "status": "published", "auth": { "dcr": { "dcr_provider_id": id } } });
    admin.post(&products, product("dcr_unknown")).await.refused(400, "is not a DCR provider");
    admin.post(&products, product(&id)).await.refused(400, "has no issuer");
    let path = format!("{PROVIDERS}/{id}");
    admin.put(&path, json!({ "issuer": "https://id.example.com" })).await.expect(200);
    let made = admin.post(&products, product(&id)).await.expect(200);
    assert_eq!(made["value"]["auth"], json!({ "dcr": { "dcr_provider_id": id } }));
    admin
        .put(&path, json!({ "issuer": "" }))
        .await
        .refused(400, "issuer is required: the API product \"Orders\"");
    admin.delete(&path).await.refused(400, "the API product \"Orders\" uses this DCR provider");
    let product_path = format!("/api/api_products/{}", text(&made["value"]["id"]));
    let shown = f.portal_api().await.get(&product_path).await.expect(200);
    assert_eq!(shown["auth"], json!({ "dcr": { "dcr_provider_id": id } }));
    admin.delete(&product_path).await.expect(200);
    admin.delete(&path).await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_registered_is_refused_before_anybody_is_called() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let bridge = json!({ "name": "Bridge", "provider_type": "http_bridge", "base_url": "http://169.254.169.254/latest" });
    let id = text(&admin.post(PROVIDERS, bridge).await.expect(200)["value"]["id"]);
    let application = f.developer("ada").await.application("mobile").await;
    let path = format!("/api/applications/{}/credentials", application.id);
    let body = |oauth: Value| json!({ "type": "oauth", "oauth": oauth });
    for (wrong, part) in [
        (json!({ "type": "oauth" }), "oauth is required"),
        (body(json!({})), "oauth.dcr_provider_id is required"),
        (body(json!({ "dcr_provider_id": "dcr_unknown" })), "is not a DCR provider"),
        (body(json!({ "dcr_provider_id": "no id" })), "is not a DCR provider"),
        (
            body(json!({ "dcr_provider_id": id, "redirect_uris": "https://a.example" })),
            "must be an array of strings",
        ),
        (body(json!({ "dcr_provider_id": id, "redirect_uris": [7] })), "must be an array of strings"),
        (
            body(json!({ "dcr_provider_id": id, "redirect_uris": ["javascript:alert(1)"] })),
            "must be an absolute URI",
        ),
        (json!({ "type": "oauth", "labels": { "": "x" }, "oauth": { "dcr_provider_id": id } }), "labels"),
    ] {
        application.api.post(&path, wrong).await.refused(400, part);
    }
    // A link-local address is never called, whatever is set.
    let refused = application.api.post(&path, body(json!({ "dcr_provider_id": id }))).await;
    refused.refused(500, "identity provider request failed");
    let left = admin.get("/api/forecourt/dcr_removals").await.expect(200);
    assert_eq!(left["total"], 0);
    assert_eq!(application.api.get(&path).await.expect(200)["total"], 0);
}

#[tokio::test]
async fn saving_a_provider_asks_it_nothing_and_stars_leave_a_header_as_it_was_given() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let bridge = Bridge::start().await;
    let body = json!({
        "name": "Bridge", "provider_type": "http_bridge", "base_url": bridge.base_url(), "desc": "ours",
        "headers": { "X-Key": "k3y", "X-Gone": "away" },
    });
    let made = admin.post(PROVIDERS, body).await.expect(200)["value"].clone();
    assert_eq!((made.get("issuer"), &made["desc"]), (None, &json!("ours")));
    let path = format!("{PROVIDERS}/{}", text(&made["id"]));
    let put = json!({ "headers": { "X-Key": "******", "X-Tenant": "one" }, "issuer": null, "provider_type": "http_bridge" });
    let put = admin.put(&path, put).await.expect(200)["value"].clone();
    assert_eq!((&put["base_url"], &put["desc"]), (&made["base_url"], &json!("ours")));
    admin.put(&path, json!({ "headers": { "X-Other": "******" } })).await.refused(400, "headers.X-Other");
    assert!(bridge.heads().is_empty(), "nobody is asked before somebody registers");

    let application = f.developer("ada").await.application("mobile").await;
    register(&application, &text(&made["id"]), &[]).await.expect(201);
    let heads = bridge.heads();
    assert_eq!(heads[0]["x-key"], "k3y");
    assert_eq!(heads[0]["x-tenant"], "one");
    assert!(!heads[0].contains_key("x-gone"), "given headers are replaced whole");
}

#[tokio::test]
async fn providers_keep_their_names_apart_and_are_listed_for_administrators() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let mut ids = Vec::new();
    for name in ["Keycloak", "Zitadel", "100% ours"] {
        ids.push(text(&admin.post(PROVIDERS, oidc(name)).await.expect(200)["value"]["id"]));
        f.advance(std::time::Duration::from_millis(5));
    }
    let first = format!("{PROVIDERS}/{}", ids[0]);
    admin.put(&first, json!({ "name": "Zitadel" })).await.refused(400, "name \"Zitadel\" is taken");
    admin.put(&first, json!({ "name": "x".repeat(101) })).await.refused(400, "name must be 1 to 100");
    admin.put(&first, json!({ "name": "Keycloak", "desc": "first" })).await.expect(200);
    for (query, names) in [
        ("", ["Keycloak", "100% ours", "Zitadel"].as_slice()),
        ("order_by=created_at", &["100% ours", "Zitadel", "Keycloak"]),
        ("order_by=created_at&direction=asc&page=2&page_size=2", &["100% ours"]),
        ("search=0%25", &["100% ours"]),
    ] {
        let list = admin.get(&format!("{PROVIDERS}?{query}")).await.expect(200);
        let found: Vec<_> = list["list"].as_array().unwrap().iter().map(|row| text(&row["name"])).collect();
        assert_eq!(found, names, "{query}");
    }
    admin.get(&format!("{PROVIDERS}?order_by=name")).await.refused(400, "order_by");
    // A draft uses a provider as much as a published product does.
    let product =
        json!({ "type": "gateway", "name": "Draft", "auth": { "dcr": { "dcr_provider_id": ids[0] } } });
    let products = format!("/api/api_products?portal_id={}", f.portal_id().await);
    let product = text(&admin.post(&products, product).await.expect(200)["value"]["id"]);
    admin.delete(&first).await.refused(400, "the API product \"Draft\" uses this DCR provider");
    admin.put(&format!("/api/api_products/{product}"), json!({ "auth": {} })).await.expect(200);
    admin.delete(&first).await.expect(200);
    admin.delete(&first).await.refused(404, "resource not found");
}
