//! Portals, their tokens, public access and sign-in options.

use serde_json::{Value, json};

use super::stage::{START, Stage};

#[tokio::test]
async fn a_portal_is_made_read_changed_and_deleted() {
    let stage = Stage::start().await;
    let given =
        json!({ "name": "shop", "labels": { "env": "prod" }, "public_url": "https://dev.example.com" });
    let made = stage.call("POST", "/api/portals", given).await.value();
    let (id, at) = (made["id"].as_str().unwrap().to_owned(), made["created_at"].clone());
    assert!(
        at.as_str().unwrap().starts_with("2026-08-07T00:00:0") && at.as_str().unwrap().ends_with('Z'),
        "{at}"
    );
    let wanted = json!({
        "id": id, "name": "shop", "labels": { "env": "prod" }, "public_url": "https://dev.example.com",
        "created_at": at, "updated_at": at,
    });
    assert_eq!(made, wanted);
    let path = format!("/api/portals/{id}");
    assert_eq!(stage.get(&path).await.value(), wanted);
    let changed = stage.call("PUT", &path, json!({ "desc": "x", "labels": null })).await.value();
    assert_eq!((&changed["desc"], &changed["labels"]["env"]), (&json!("x"), &json!("prod")));
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": id }));
    assert_eq!(stage.get(&path).await.refusal(), (404, "resource not found".into()));
}

#[tokio::test]
async fn a_portal_that_breaks_a_rule_is_refused() {
    let stage = Stage::start().await;
    for (body, problem) in [
        (json!({}), "name is required"),
        (json!({ "name": " " }), "name is required"),
        (json!({ "name": "x".repeat(101) }), "name must be 1 to 100 characters"),
        (json!({ "name": 1 }), "name must be a string"),
        (json!({ "name": "a", "labels": { "a": 1 } }), "labels must be an object of strings"),
        (json!({ "name": "default" }), "name \"default\" is taken by another portal; choose another name"),
        (
            json!({ "name": "a", "public_url": "x" }),
            "public_url must be an http or https URL, such as https://portal.example.com",
        ),
    ] {
        assert_eq!(stage.call("POST", "/api/portals", body).await.refusal(), (400, problem.into()));
    }
    assert_eq!(stage.get("/api/portals").await.names(), ["default"]);
    for id in ["prt_unknown", "a%20b", "%ff"] {
        let refused = stage.call("PUT", &format!("/api/portals/{id}"), json!({ "name": 1 })).await;
        assert_eq!(refused.refusal().0, 404, "{id}: existence comes before the body");
    }
}

#[tokio::test]
async fn portals_are_paged_searched_and_filtered() {
    let stage = Stage::start().await;
    for name in ["alpha", "beta", "gamma"] {
        let labels = json!({ "env": if name == "beta" { "test" } else { "prod" } });
        stage.call("POST", "/api/portals", json!({ "name": name, "labels": labels })).await.value();
    }
    let page = stage.get("/api/portals?page=2&page_size=3&order_by=created_at&direction=asc").await;
    assert_eq!((page.names(), &page.body["total"]), (vec!["gamma".to_owned()], &json!(4)));
    assert_eq!(stage.get("/api/portals?page=9").await.body, json!({ "list": [], "total": 4 }));
    assert_eq!(stage.get("/api/portals?search=ALPH").await.names(), ["alpha"]);
    assert_eq!(stage.get("/api/portals?labels[env]=test").await.names(), ["beta"]);
    assert_eq!(stage.get("/api/portals?labels=labels%5Benv%5D%3Dtest").await.names(), ["beta"]);
    let labels = stage.get("/api/labels/portal").await;
    assert_eq!(labels.value(), json!({ "env": ["prod", "test"] }));
    assert_eq!(stage.get("/api/labels/nonsense").await.refusal().0, 400);
    assert_eq!(stage.get("/api/labels/consumer").await.value(), json!({}));
}

#[tokio::test]
async fn a_portal_is_patched_wholly_or_not_at_all() {
    let stage = Stage::start().await;
    let path = format!("/api/portals/{}", stage.default_portal().await);
    let patch = json!([
        { "op": "add", "path": "/labels/portal:tier", "value": "gold" },
        { "op": "replace", "path": "/desc", "value": "x" },
        { "op": "replace", "path": "/name", "value": "main" },
    ]);
    let patched = stage.call("PATCH", &path, patch).await.value();
    assert_eq!((&patched["name"], &patched["labels"]["portal:tier"]), (&json!("main"), &json!("gold")));
    for patch in [
        json!([{ "op": "remove", "path": "/desc" }, { "op": "test", "path": "/name", "value": "x" }]),
        json!([{ "op": "remove", "path": "/desc" }, { "op": "replace", "path": "/id", "value": "x" }]),
        json!([{ "op": "remove", "path": "/name" }]),
        json!([{ "op": "replace", "path": "/name", "value": 1 }]),
        json!("x"),
    ] {
        assert_eq!(stage.call("PATCH", &path, patch.clone()).await.refusal().0, 400, "{patch}");
        assert_eq!(stage.get(&path).await.value(), patched);
    }
    let merged = stage.call("PATCH", &path, json!({ "desc": null, "labels": null })).await.value();
    assert_eq!((merged.get("desc"), &merged["labels"]), (None, &json!({})));
}

#[tokio::test]
async fn a_portal_with_products_or_developers_stays() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let path = format!("/api/portals/{portal}");
    let product = stage.product(&portal, "Orders").await;
    let refused = stage.call("DELETE", &path, Value::Null).await.refusal();
    assert_eq!(refused, (400, "the portal still has API products; delete them first".into()));
    stage.call("DELETE", &format!("/api/api_products/{product}"), Value::Null).await.value();
    stage.developer(&portal, "ada").await;
    let refused = stage.call("DELETE", &path, Value::Null).await.refusal();
    assert_eq!(refused, (400, "the portal still has developers; delete them first".into()));
}

#[tokio::test]
async fn public_access_is_true_at_first_and_set_under_both_paths() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let canonical = format!("/api/portal/system_settings/public_access?portal_id={portal}");
    let alias = format!("/api/portals/{portal}/system_settings/public_access");
    assert_eq!(stage.get(&canonical).await.value(), json!({ "portal_public_access": true }));
    stage.call("PUT", &alias, json!({ "portal_public_access": false })).await.value();
    assert_eq!(stage.get(&canonical).await.value(), json!({ "portal_public_access": false }));
    let refused = stage.call("PUT", &canonical, json!({})).await.refusal();
    assert_eq!(refused, (400, "portal_public_access is required".into()));
    let unnamed = stage.get("/api/portal/system_settings/public_access").await.refusal();
    assert_eq!(unnamed, (400, "portal_id is required".into()));
    assert_eq!(stage.get("/api/portal/system_settings/public_access?portal_id=x").await.refusal().0, 404);
}

#[tokio::test]
async fn a_portal_token_shows_its_text_once_under_both_paths() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let canonical = format!("/api/portal/tokens?portal_id={portal}");
    let made = stage.call("POST", &canonical, json!({ "name": "front" })).await.value();
    let (id, text) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert!(text.starts_with("a7prt-") && text.len() >= 46);
    assert_eq!((&made["portal_id"], &made["expires_at"]), (&json!(portal), &json!(0)));
    assert!(made["created_at"].as_i64().unwrap() >= START);
    for path in ["/api/portal/tokens".to_owned(), canonical.clone(), format!("/api/portals/{portal}/tokens")]
    {
        let rows = stage.get(&path).await.list();
        assert_eq!((rows.len(), rows[0].get("token")), (1, None), "{path}");
    }
    let alias = format!("/api/portals/{portal}/tokens/{id}");
    assert_eq!(stage.call("PUT", &alias, json!({ "name": "site" })).await.value()["name"], "site");
    let anew = stage.call("PUT", &format!("/api/portal/tokens/{id}/regenerate"), Value::Null).await.value();
    assert_ne!(anew["token"], made["token"]);
    let past = stage.call("PUT", &format!("{alias}/regenerate"), json!({ "expires_at": 1 })).await;
    assert_eq!(past.refusal().0, 400);
    let other = stage.id_of("POST", "/api/portals", json!({ "name": "other" })).await;
    assert_eq!(stage.get(&format!("/api/portal/tokens/{id}?portal_id={other}")).await.refusal().0, 404);
    assert_eq!(stage.get(&format!("/api/portals/{other}/tokens")).await.list(), Vec::<Value>::new());
    assert_eq!(stage.call("POST", &canonical, json!({})).await.refusal(), (400, "name is required".into()));
    let nowhere = stage.call("POST", "/api/portal/tokens", json!({ "name": "x" })).await.refusal();
    assert_eq!(nowhere, (400, "portal_id is required".into()));
    let unknown = stage.call("POST", "/api/portal/tokens?portal_id=x", json!({})).await;
    assert_eq!(unknown.refusal().0, 404);
    assert_eq!(stage.call("DELETE", &alias, Value::Null).await.value(), json!({ "id": id }));
    assert_eq!(stage.get(&alias).await.refusal().0, 404);
}
