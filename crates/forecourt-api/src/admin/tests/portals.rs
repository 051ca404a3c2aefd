//! Portals, their tokens, public access and sign-in options.

use forecourt_core::{
    ids::{AdminTokenId, PortalTokenId},
    secrets::PlainSecret,
};
use serde_json::{Value, json};

use super::stage::{START, Stage};

async fn portal_named(stage: &Stage, name: &str) -> String {
    let found = stage.get(&format!("/api/portals?search={name}")).await.list();
    found[0]["id"].as_str().unwrap().to_owned()
}

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
        (json!({ "name": "a", "desc": "x".repeat(65_537) }), "desc must be at most 65536 characters"),
        (json!({ "name": "a", "domain": "a b" }), "domain must be a host name, such as portal.example.com"),
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

#[tokio::test]
async fn a_portal_has_its_addresses_in_any_mixture_and_a_name_of_its_own() {
    let stage = Stage::start().await;
    assert_eq!(stage.get("/api/portals").await.names(), ["default"], "it is there from the start");
    let (url, domain) = (json!("https://a.example"), json!("portal.example.com"));
    for (name, public_url, domain) in [
        ("neither", None, None),
        ("url", Some(&url), None),
        ("domain", None, Some(&domain)),
        ("both", Some(&url), Some(&domain)),
    ] {
        let given = json!({ "name": name, "public_url": public_url, "domain": domain });
        let made = stage.call("POST", "/api/portals", given).await.value();
        assert_eq!((made.get("public_url"), made.get("domain")), (public_url, domain), "{name}");
        assert_eq!((made.get("desc"), &made["labels"]), (None, &json!({})), "{name}");
        let access = format!("/api/portals/{}/system_settings/public_access", made["id"].as_str().unwrap());
        assert_eq!(stage.get(&access).await.value(), json!({ "portal_public_access": true }), "{name}");
    }
    let path = format!("/api/portals/{}", portal_named(&stage, "both").await);
    let cleared = stage.call("PUT", &path, json!({ "public_url": "", "domain": "" })).await.value();
    assert_eq!((cleared.get("public_url"), cleared.get("domain")), (None, None));
    let taken = stage.call("PUT", &path, json!({ "name": "url", "desc": "x" })).await.refusal();
    assert_eq!(taken, (400, "name \"url\" is taken by another portal; choose another name".into()));
    assert_eq!(stage.call("PUT", &path, json!({ "name": "both" })).await.value().get("desc"), None);
}

#[tokio::test]
async fn portals_are_found_by_name_description_and_labels_and_sorted_by_their_times() {
    let stage = Stage::start().await;
    for body in [
        json!({ "name": "Alpha", "desc": "for 100% of Partners", "labels": { "env": "prod", "tier": "Gold" } }),
        json!({ "name": "Beta", "labels": { "env": "prod" } }),
    ] {
        stage.call("POST", "/api/portals", body).await.value();
    }
    for (query, names) in [
        ("", "Beta Alpha default"),
        ("direction=asc", "default Alpha Beta"),
        ("order_by=created_at", "Beta Alpha default"),
        ("search=PARTNERS", "Alpha"),
        ("search=0%25", "Alpha"),
        ("search=TIER", "Alpha"),
        ("search=gold", "Alpha"),
        ("search=nowhere", ""),
        ("labels[env]=prod", "Beta Alpha"),
        ("labels[env]=prod&labels[tier]=Gold", "Alpha"),
        ("labels%5Btier%5D=", "Alpha"),
        ("labels[env]=Prod", ""),
    ] {
        assert_eq!(stage.get(&format!("/api/portals?{query}")).await.names().join(" "), names, "{query}");
    }
    let alpha = portal_named(&stage, "Alpha").await;
    stage.call("PUT", &format!("/api/portals/{alpha}"), json!({ "desc": "y" })).await.value();
    assert_eq!(stage.get("/api/portals").await.names(), ["Alpha", "Beta", "default"]);
    assert_eq!(stage.get("/api/portals?order_by=created_at").await.names(), ["Beta", "Alpha", "default"]);
    assert_eq!(stage.get("/api/portals?order_by=name").await.refusal().0, 400);
}

#[tokio::test]
async fn a_portal_token_ends_when_it_was_told_to_or_never() {
    let stage = Stage::start().await;
    let collection = format!("/api/portal/tokens?portal_id={}", stage.default_portal().await);
    for (given, stored) in [
        (json!({ "name": "a" }), 0),
        (json!({ "name": "a", "expires_at": null }), 0),
        (json!({ "name": "a", "expires_at": 0 }), 0),
        (json!({ "name": "a", "expires_at": START + 3_600 }), START + 3_600),
    ] {
        let made = stage.call("POST", &collection, given.clone()).await.value();
        assert_eq!(made["expires_at"], stored, "{given}");
        assert!(made["created_at"].is_i64() && made["updated_at"].is_i64(), "{made}");
    }
    for wrong in [
        json!({ "expires_at": 0 }),
        json!({ "name": " " }),
        json!({ "name": "x".repeat(101) }),
        json!({ "name": "a", "expires_at": START - 1 }),
        json!({ "name": "a", "expires_at": -1 }),
        json!({ "name": "a", "expires_at": "0" }),
        json!({ "name": "a", "expires_at": 1.5 }),
    ] {
        assert_eq!(stage.call("POST", &collection, wrong.clone()).await.refusal().0, 400, "{wrong}");
    }
    let rows = stage.get(&collection).await.list();
    assert_eq!(rows.len(), 4, "names need not be unique, and what was refused is not there");
    let path = format!("/api/portal/tokens/{}", rows[0]["id"].as_str().unwrap());
    assert_eq!(rows[0]["expires_at"], START + 3_600, "the newest is first");
    let anew = stage.call("PUT", &format!("{path}/regenerate"), json!({})).await.value();
    assert_eq!((&anew["id"], &anew["name"], &anew["expires_at"]), (&rows[0]["id"], &json!("a"), &json!(0)));
    let until = json!({ "expires_at": START + 7_200 });
    let anew = stage.call("PUT", &format!("{path}/regenerate"), until).await.value();
    assert_eq!((&anew["expires_at"], anew["token"].is_string()), (&json!(START + 7_200), true));
    let read = stage.get(&path).await.value();
    assert_eq!((read.get("token"), read.get("last_used_at")), (None, None));
    assert_eq!(stage.call("PUT", &path, json!({})).await.refusal(), (400, "name is required".into()));
    assert_eq!(stage.call("PUT", &path, json!({ "name": "b" })).await.value()["expires_at"], START + 7_200);
    assert_eq!(stage.call("DELETE", &path, Value::Null).await.value(), json!({ "id": rows[0]["id"] }));
    assert_eq!(stage.call("PUT", &format!("{path}/regenerate"), json!({})).await.refusal().0, 404);
}

#[tokio::test]
async fn an_unknown_portal_is_not_found_in_any_list_or_create() {
    let stage = Stage::start().await;
    for noun in [
        "api_products",
        "developers",
        "subscriptions",
        "approvals",
        "portal/tokens",
        "portal/login_options",
        "login_options",
        "forecourt/applications",
    ] {
        let path = format!("/api/{noun}?portal_id=");
        assert_eq!(stage.get(&path).await.status, 200, "{noun}: an empty id names none");
        for unknown in ["prt_unknown", "no+id", "%2F"] {
            let refused = stage.get(&format!("{path}{unknown}")).await.refusal();
            assert_eq!(refused, (404, "resource not found".into()), "{noun} {unknown}");
        }
    }
    for noun in
        ["api_products", "developers", "approvals", "tokens", "login_options", "api_products/x/subscriptions"]
    {
        assert_eq!(stage.get(&format!("/api/portals/prt_unknown/{noun}")).await.refusal().0, 404, "{noun}");
    }
    for path in ["api_products", "developers/invites", "portal/tokens", "portal/login_options"] {
        let unnamed = stage.call("POST", &format!("/api/{path}?portal_id="), json!({})).await.refusal();
        assert_eq!(unnamed, (400, "portal_id is required".into()), "{path}");
        let unknown = stage.call("POST", &format!("/api/{path}?portal_id=prt_x"), json!({})).await;
        assert_eq!(unknown.refusal().0, 404, "{path}");
    }
}

#[tokio::test]
async fn nothing_that_happens_at_once_brings_a_regenerated_token_back() {
    let stage = Stage::start().await;
    let portals = format!("/api/portal/tokens?portal_id={}", stage.default_portal().await);
    for (collection, path) in
        [(portals.as_str(), "/api/portal/tokens"), ("/api/settings/tokens", "/api/settings/tokens")]
    {
        for round in 0..5 {
            let body = json!({ "name": format!("round {round}"), "expires_at": 0 });
            let made = stage.call("POST", collection, body).await.value();
            let path = format!("{path}/{}", made["id"].as_str().unwrap());
            let kept = async || {
                let id = made["id"].as_str().unwrap();
                let (one, other) = (PortalTokenId::known(id), AdminTokenId::known(id));
                let portal = stage.store.read().portal_token(&one).await.unwrap().map(|token| token.digest);
                let own = stage.store.read().admin_token(&other).await.unwrap().map(|token| token.digest);
                portal.or(own)
            };
            let regenerate = format!("{path}/regenerate");
            let (anew, renamed) = tokio::join!(
                stage.call("PUT", &regenerate, json!({ "expires_at": 0 })),
                stage.call("PUT", &path, json!({ "name": format!("renamed {round}") })),
            );
            renamed.value();
            let text = PlainSecret::presented(anew.value()["token"].as_str().unwrap());
            assert_eq!(kept().await, Some(text.digest()), "{path}");
            let (deleted, renamed) = tokio::join!(
                stage.call("DELETE", &path, Value::Null),
                stage.call("PUT", &path, json!({ "name": "too late" })),
            );
            deleted.value();
            assert!(matches!(renamed.status, 200 | 404), "{}", renamed.body);
            assert_eq!(kept().await, None);
        }
    }
}
