//! The members of API products: their ranges, their defaults, and which sort of product has them.

use serde_json::{Value, json};

use super::stage::Stage;

const TEXT: &str =
    "openapi: 3.0.3\ninfo: {title: T, version: '1'}\nservers: [{url: https://a.example}]\npaths: {}\n";
const WITHOUT_SERVERS: &str = "openapi: 3.0.3\ninfo: {title: T, version: '1'}\npaths: {}\n";

async fn collection(stage: &Stage) -> String {
    format!("/api/api_products?portal_id={}", stage.default_portal().await)
}

fn gateway(more: Value) -> Value {
    with(json!({ "type": "gateway", "name": "Orders" }), more)
}

fn external(more: Value) -> Value {
    with(json!({ "type": "external", "name": "Billing", "raw_openapi": TEXT }), more)
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_product_has_a_type_that_is_fixed_and_a_name_that_others_may_have_too() {
    let stage = Stage::start().await;
    let collection = collection(&stage).await;
    for (body, problem) in [
        (json!({ "name": "x" }), "type is required: gateway or external"),
        (json!({ "type": null, "name": "x" }), "type is required: gateway or external"),
        (json!({ "type": "gateway" }), "name is required"),
        (gateway(json!({ "name": "" })), "name is required"),
        (gateway(json!({ "name": " \u{a0}" })), "name is required"),
        (gateway(json!({ "name": "ä".repeat(101) })), "name must be 1 to 100 characters"),
        (gateway(json!({ "desc": "x".repeat(65_537) })), "desc must be at most 65536 characters"),
        (gateway(json!({ "logo": "<svg>" })), "logo must be base64 or a data:image/… URL of at most 2 MiB"),
        (
            gateway(json!({ "labels": { "a": "" } })),
            "labels.a must be 1 to 65536 characters without line breaks or control characters",
        ),
        (
            gateway(json!({ "labels": { "a": "x\ny" } })),
            "labels.a must be 1 to 65536 characters without line breaks or control characters",
        ),
        (gateway(json!({ "labels": ["a"] })), "labels must be an object of strings"),
        (gateway(json!({ "visibility": "secret" })), "visibility must be public or logged_in"),
        (
            gateway(json!({ "subscription_auto_approval": "yes" })),
            "subscription_auto_approval must be true or false",
        ),
        (gateway(json!({ "can_view_unsubscribed": 1 })), "can_view_unsubscribed must be true or false"),
    ] {
        let refused = stage.call("POST", &collection, body.clone()).await.refusal();
        assert_eq!(refused, (400, problem.into()), "{body}");
    }
    let whole = gateway(json!({
        "name": "ä".repeat(100), "desc": "x".repeat(65_536), "logo": "data:image/png;base64,iVBORw0KGgo=",
        "labels": { "a key": "a/value with spaces" }, "visibility": "logged_in",
        "subscription_auto_approval": true, "can_view_unsubscribed": false,
    }));
    let made = stage.call("POST", &collection, whole.clone()).await.value();
    for (member, value) in whole.as_object().unwrap() {
        assert_eq!(made[member], *value, "{member}");
    }
    let path = format!("/api/api_products/{}", made["id"].as_str().unwrap());
    let twin = stage.call("POST", &collection, whole).await.value();
    assert_ne!(twin["id"], made["id"], "names need not be unique");
    assert_eq!(stage.call("PUT", &path, json!({ "type": "gateway" })).await.value()["type"], "gateway");
    let other = stage.call("PUT", &path, json!({ "type": "external" })).await.refusal();
    assert_eq!(other, (400, "type is fixed: this API product is gateway".into()));
    let patch = json!([{ "op": "replace", "path": "/type", "value": "external" }]);
    assert_eq!(stage.call("PATCH", &path, patch).await.refusal().0, 400);
    let cleared = json!({ "desc": "", "logo": "iVBORw0KGgo=" });
    let cleared = stage.call("PUT", &path, cleared).await.value();
    assert_eq!((cleared.get("desc"), &cleared["logo"]), (None, &json!("iVBORw0KGgo=")));
}

#[tokio::test]
async fn auth_is_closed_in_each_method_and_any_combination_has_its_defaults_filled_in() {
    let stage = Stage::start().await;
    let collection = collection(&stage).await;
    let provider = json!({ "name": "Keycloak", "issuer": "https://id.example.com" });
    let provider = stage.id_of("POST", "/api/dcr_providers", provider).await;
    for (auth, problem) in [
        (json!({ "basic-auth": { "realm": "x" } }), "auth.basic-auth.realm is not a member here"),
        (json!({ "jwt-auth": { "key": "x" } }), "auth.jwt-auth.key is not a member here"),
        (
            json!({ "dcr": { "dcr_provider_id": provider, "scope": "x" } }),
            "auth.dcr.scope is not a member here",
        ),
        (json!({ "basic_auth": {}, "basic-auth": {} }), "are the same member"),
        (json!({ "oauth": {} }), "auth.oauth is not a member here"),
        (json!({ "key-auth": { "hide_credentials": "no" } }), "auth.key-auth.hide_credentials must be true"),
        (json!({ "dcr": { "dcr_provider_id": "dcr_unknown" } }), "\"dcr_unknown\" is not a DCR provider"),
        (json!([]), "auth must be an object"),
    ] {
        let (status, message) =
            stage.call("POST", &collection, gateway(json!({ "auth": auth }))).await.refusal();
        assert!(status == 400 && message.contains(problem), "{auth}: {message}");
    }
    let hidden = |hidden: bool| json!({ "hide_credentials": hidden });
    let key = |header: &str, query: &str, hidden: bool| json!({ "header": header, "query": query, "hide_credentials": hidden });
    for (given, stored) in [
        (json!({}), json!({})),
        (json!({ "key-auth": null }), json!({})),
        (json!({ "basic_auth": {} }), json!({ "basic-auth": hidden(false) })),
        (json!({ "jwt-auth": {} }), json!({ "jwt-auth": hidden(false) })),
        (
            json!({ "key-auth": { "header": "X-Key", "hide_credentials": true } }),
            json!({ "key-auth": key("X-Key", "apikey", true) }),
        ),
        (
            json!({
                "key_auth": { "query": "k" }, "basic-auth": hidden(true), "jwt-auth": hidden(true),
                "dcr": { "dcr_provider_id": provider },
            }),
            json!({
                "key-auth": key("apikey", "k", false), "basic-auth": hidden(true), "jwt-auth": hidden(true),
                "dcr": { "dcr_provider_id": provider },
            }),
        ),
    ] {
        let made = stage.call("POST", &collection, gateway(json!({ "auth": given }))).await.value();
        assert_eq!(made["auth"], stored, "{given}");
        let path = format!("/api/api_products/{}", made["id"].as_str().unwrap());
        assert_eq!(stage.get(&path).await.value()["auth"], stored, "{given}");
    }
}

#[tokio::test]
async fn an_external_products_servers_are_those_given_or_else_those_of_its_text() {
    let stage = Stage::start().await;
    let collection = collection(&stage).await;
    let longest = format!("https://b.example/{}", "ä".repeat(4_096 - 18));
    for (more, servers, single) in [
        (json!({}), json!(["https://a.example"]), None),
        (json!({ "server_urls": [] }), json!(["https://a.example"]), None),
        (
            json!({ "server_urls": ["https://b.example", "https://c.example"] }),
            json!(["https://b.example", "https://c.example"]),
            None,
        ),
        (
            json!({ "server_url": "https://b.example" }),
            json!(["https://b.example"]),
            Some("https://b.example"),
        ),
        (json!({ "server_urls": [longest] }), json!([longest]), None),
        (
            json!({ "raw_openapi": WITHOUT_SERVERS, "server_urls": ["https://b.example"] }),
            json!(["https://b.example"]),
            None,
        ),
    ] {
        let made = stage.call("POST", &collection, external(more.clone())).await.value();
        assert_eq!(made["server_urls"], servers, "{more}");
        assert_eq!(made.get("server_url").and_then(Value::as_str), single, "{more}");
    }
    let made = stage.get(&collection).await.list().len();
    for more in [
        json!({ "raw_openapi": WITHOUT_SERVERS }),
        json!({ "raw_openapi": WITHOUT_SERVERS, "server_urls": [] }),
        json!({ "server_urls": [""] }),
        json!({ "server_urls": [format!("{longest}x")] }),
        json!({ "server_urls": "https://b.example" }),
        json!({ "server_url": format!("{longest}x") }),
        json!({ "server_url": ["https://b.example"] }),
        json!({ "server_urls": ["https://b.example"], "server_url": format!("{longest}x") }),
        json!({ "raw_openapi": "" }),
        json!({ "raw_openapi": "just words" }),
        json!({ "raw_openapi": "{\"openapi\":" }),
        json!({ "raw_openapi": { "openapi": "3.0.3" } }),
        json!({ "raw_openapi": null }),
        json!({ "tags": "money" }),
        json!({ "api_desc": "x".repeat(65_537) }),
        json!({ "auth": { "key-auth": {} } }),
    ] {
        assert_eq!(stage.call("POST", &collection, external(more.clone())).await.refusal().0, 400, "{more}");
    }
    assert_eq!(stage.get(&collection).await.list().len(), made);
}

#[tokio::test]
async fn the_deprecated_server_is_taken_away_and_leaves_the_others() {
    let stage = Stage::start().await;
    let given = external(json!({ "server_url": "https://b.example" }));
    let made = stage.call("POST", &collection(&stage).await, given).await.value();
    let path = format!("/api/api_products/{}", made["id"].as_str().unwrap());
    for (method, change) in [
        ("PATCH", json!({ "server_url": null })),
        ("PATCH", json!([{ "op": "remove", "path": "/server_url" }])),
        ("PUT", json!({ "server_url": "" })),
    ] {
        let again = stage.call("PUT", &path, json!({ "server_url": "https://b.example" })).await.value();
        assert_eq!(again["server_url"], "https://b.example");
        let changed = stage.call(method, &path, change.clone()).await.value();
        assert_eq!(changed.get("server_url"), None, "{method} {change}");
        assert_eq!(changed["server_urls"], json!(["https://b.example"]));
        assert_eq!(stage.get(&path).await.value(), changed);
    }
    let own = stage.call("PATCH", &path, json!({ "server_urls": null })).await.value();
    assert_eq!(own["server_urls"], json!(["https://a.example"]), "those of the text");
}

#[tokio::test]
async fn an_external_product_is_changed_in_part_and_published_without_auth() {
    let stage = Stage::start().await;
    let given = json!({ "tags": ["money"], "api_desc": "Bills", "status": "published" });
    let made = stage.call("POST", &collection(&stage).await, external(given)).await.value();
    assert_eq!((&made["status"], &made["tags"]), (&json!("published"), &json!(["money"])));
    let path = format!("/api/api_products/{}", made["id"].as_str().unwrap());
    let refused = stage.call("PUT", &path, json!({ "raw_openapi": "just words", "name": "x" })).await;
    assert_eq!(refused.refusal().0, 400);
    assert_eq!(stage.get(&path).await.value(), made);
    // Servers that are there stay when the text comes anew.
    let text = TEXT.replace("https://a.example", "https://z.example");
    let put =
        stage.call("PUT", &path, json!({ "raw_openapi": text, "tags": ["bills", "due"] })).await.value();
    assert_eq!((&put["raw_openapis"], &put["tags"]), (&json!([text]), &json!(["bills", "due"])));
    assert_eq!((&put["server_urls"], &put["api_desc"]), (&made["server_urls"], &json!("Bills")));
    let put = stage.call("PUT", &path, json!({ "server_urls": ["https://b.example"] })).await.value();
    assert_eq!(put["server_urls"], json!(["https://b.example"]));
    let put = stage.call("PUT", &path, json!({ "server_urls": [] })).await.value();
    assert_eq!(put["server_urls"], json!(["https://z.example"]), "those of the text, once none are given");
    let draft = stage.call("PUT", &path, json!({ "status": "draft" })).await;
    assert!(draft.body["warning_msg"].is_string(), "{}", draft.body);
    assert_eq!(draft.value()["status"], "draft");
}
