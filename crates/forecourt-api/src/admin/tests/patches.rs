//! Patches of every noun that takes some; two at once, very long ones, and ones that fail at their end.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use super::stage::Stage;

#[tokio::test]
async fn of_two_patches_at_once_none_is_lost() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let route = json!({ "name": "r", "service_id": service, "paths": ["/"] });
    let route = stage.id_of("POST", "/apisix/admin/routes?gateway_group_id=default", route).await;
    for path in [format!("/apisix/admin/services/{service}"), format!("/apisix/admin/routes/{route}")] {
        let patch = async |key: usize| {
            let body = json!([{ "op": "add", "path": format!("/labels/k{key}"), "value": "v" }]);
            stage.call("PATCH", &path, body).await.value();
        };
        tokio::join!(patch(0), patch(1), patch(2), patch(3), patch(4), patch(5));
        let labels = stage.get(&path).await.value()["labels"].clone();
        assert_eq!(labels.as_object().unwrap().len(), 6, "{labels}");
    }
}

#[tokio::test]
async fn of_patches_of_portals_products_and_options_at_once_none_is_lost_and_one_test_passes() {
    let stage = Stage::start().await;
    let portal = stage.default_portal().await;
    let product = stage.product(&portal, "Orders").await;
    let option = json!({
        "name": "x", "provider_type": "oidc",
        "config": { "issuer": "https://id.example.com", "client_id": "c", "client_secret": "s", "request_scopes": [] },
    });
    let option = stage.id_of("POST", "/api/login_options", option).await;
    for (path, map) in [
        (format!("/api/portals/{portal}"), "/labels"),
        (format!("/api/api_products/{product}"), "/labels"),
        (format!("/api/login_options/{option}"), "/oidc_config/attributes"),
    ] {
        let patch = async |key: usize| {
            let body = json!([{ "op": "add", "path": format!("{map}/k{key}"), "value": "v" }]);
            stage.call("PATCH", &path, body).await.value();
        };
        tokio::join!(patch(0), patch(1), patch(2), patch(3), patch(4), patch(5));
        let after = stage.get(&path).await.value();
        assert_eq!(after.pointer(map).unwrap().as_object().unwrap().len(), 6, "{after}");
        // Who asked first for the name that all of them saw has it.
        let name = after["name"].clone();
        let claim = async |key: usize| {
            let body = json!([
                { "op": "test", "path": "/name", "value": name },
                { "op": "replace", "path": "/name", "value": format!("claimed by {key}") },
            ]);
            u32::from(stage.call("PATCH", &path, body).await.status == 200)
        };
        let (one, two, three, four) = tokio::join!(claim(0), claim(1), claim(2), claim(3));
        assert_eq!(one + two + three + four, 1, "{path}");
    }
}

#[tokio::test]
async fn a_patch_of_what_has_secrets_is_lost_by_nobody_who_was_told_that_it_is_done() {
    let stage = Stage::start().await;
    let of = |noun: &str| format!("/apisix/admin/{noun}?gateway_group_id=default");
    stage.call("PUT", &of("ssls/t"), super::certificates::body(&["a.example"])).await.value();
    let key = |key: &str| json!({ "plugins": { "key-auth": { "key": key } } });
    stage.call("PUT", &of("consumers/ada"), key("k1")).await.value();
    stage.call("PUT", &of("consumers/ada/credentials/c"), key("k2")).await.value();
    for path in [of("ssls/t"), of("consumers/ada"), of("consumers/ada/credentials/c")] {
        let patch = async |key: usize| {
            let body = json!([{ "op": "add", "path": format!("/labels/k{key}"), "value": "v" }]);
            let answer = stage.call("PATCH", &path, body).await;
            if answer.status != 200 {
                let (status, message) = answer.refusal();
                assert!(status == 400 && message.contains("at the same time"), "{path}: {message}");
            }
            usize::from(answer.status == 200)
        };
        let (a, b, c, d) = tokio::join!(patch(0), patch(1), patch(2), patch(3));
        let labels = stage.get(&path).await.value()["labels"].clone();
        assert_eq!(labels.as_object().unwrap().len(), a + b + c + d, "{path}: {labels}");
        assert!(a + b + c + d > 0, "{path}: one is first");
        assert!(
            !path.contains("ssls") || a + b + c + d == 4,
            "{path}: nothing slow is done before the write"
        );
    }
}

#[tokio::test]
async fn a_patch_that_fails_at_its_end_changes_nothing() {
    let stage = Stage::start().await;
    let service = stage.service("orders").await;
    let path = format!("/apisix/admin/services/{service}");
    let before = stage.get(&path).await.value();
    let label = |key: usize| json!({ "op": "add", "path": format!("/labels/k{key}"), "value": "v" });
    let with_end = |end: Value| -> Value { (0..999).map(label).chain([end]).collect() };
    for (patch, problem) in [
        (with_end(json!({ "op": "test", "path": "/name", "value": "other" })), "operation 999: test failed"),
        (with_end(json!({ "op": "add", "path": "/no/where", "value": 1 })), "operation 999: "),
        (with_end(json!({ "op": "remove", "path": "/hosts/7" })), "operation 999: "),
        (
            with_end(json!({ "op": "add", "path": "/plugins/limit-req", "value": {} })),
            "unknown plugin limit-req",
        ),
        ((0..1_001).map(label).collect(), "a patch holds at most 1000 operations"),
    ] {
        let (status, message) = stage.call("PATCH", &path, patch).await.refusal();
        assert!(status == 400 && message.starts_with(problem), "{message}");
        assert_eq!(stage.get(&path).await.value(), before);
    }
    let whole = with_end(json!({ "op": "test", "path": "/name", "value": "orders" }));
    let patched = stage.call("PATCH", &path, whole).await.value();
    assert_eq!(patched["labels"].as_object().unwrap().len(), 999);
}

/// An object of each noun that everybody patches, by its path; `/id` or what takes its place is read-only.
async fn patched_nouns(stage: &Stage) -> [(String, &'static str); 5] {
    let service = stage.service("orders").await;
    let of_default = |noun: &str, id: &str| format!("/apisix/admin/{noun}/{id}?gateway_group_id=default");
    let route = json!({ "name": "r", "service_id": service, "paths": ["/"] });
    stage.call("PUT", &of_default("routes", "r"), route).await.value();
    stage.call("PUT", &of_default("ssls", "t"), super::certificates::body(&["a.example"])).await.value();
    stage.call("PUT", &of_default("consumers", "ada"), json!({})).await.value();
    [
        (format!("/api/portals/{}", stage.default_portal().await), "id"),
        (of_default("services", &service), "id"),
        (of_default("routes", "r"), "id"),
        (of_default("ssls", "t"), "id"),
        (of_default("consumers", "ada"), "username"),
    ]
}

#[tokio::test]
async fn each_noun_takes_operations_and_objects_to_merge_under_every_type_of_json() {
    let stage = Stage::start().await;
    for (path, _) in patched_nouns(&stage).await {
        let send = async |content_type: &str, patch: Value| {
            let request = Request::patch(&path)
                .header("x-api-key", &stage.token)
                .header("content-type", content_type)
                .body(Body::from(patch.to_string()));
            stage.send(request.unwrap()).await
        };
        let operations = json!([
            { "op": "add", "path": "/labels/a~1b", "value": "1" },
            { "op": "copy", "from": "/labels/a~1b", "path": "/labels/c~0d" },
            { "op": "move", "from": "/labels/a~1b", "path": "/labels/e" },
            { "op": "replace", "path": "/labels/e", "value": "2" },
            { "op": "test", "path": "/labels", "value": { "e": "2", "c~d": "1" } },
            { "op": "remove", "path": "/labels/c~0d" },
        ]);
        let types =
            ["application/json", "application/json-patch+json", "Application/JSON-Patch+JSON; charset=utf-8"];
        for content_type in types {
            let patched = send(content_type, operations.clone()).await.value();
            assert_eq!(patched["labels"], json!({ "e": "2" }), "{path}");
            assert_eq!(stage.get(&path).await.value(), patched, "{path}");
            let merged = json!({ "labels": { "e": null, "portal:tier": "gold" } });
            let merged = send(content_type, merged).await.value();
            assert_eq!(merged["labels"], json!({ "portal:tier": "gold" }), "{path}");
            send(content_type, json!({ "labels": null })).await.value();
        }
        let merged = send("application/merge-patch+json", json!({ "labels": { "a": "b" } })).await.value();
        assert_eq!(merged["labels"], json!({ "a": "b" }), "{path}");
        for (content_type, patch) in [
            ("text/plain", json!([])),
            ("application/x-www-form-urlencoded", json!([])),
            ("application/json", json!("x")),
            ("application/json", json!(1)),
        ] {
            assert_eq!(send(content_type, patch).await.refusal().0, 400, "{path} {content_type}");
        }
    }
}

#[tokio::test]
async fn a_patch_of_any_noun_is_done_whole_or_not_at_all() {
    let stage = Stage::start().await;
    for (path, id) in patched_nouns(&stage).await {
        let before = stage.get(&path).await.value();
        let label = json!({ "op": "add", "path": "/labels/a", "value": "b" });
        let replace = |member: &str| json!({ "op": "replace", "path": format!("/{member}"), "value": 1 });
        for wrong in [
            json!({ "op": "test", "path": "/labels/a", "value": "c" }),
            json!({ "op": "test", "path": "/nonsense", "value": 1 }),
            json!({ "op": "replace", "path": "/nonsense", "value": "x" }),
            json!({ "op": "remove", "path": "/nonsense" }),
            json!({ "op": "add", "path": "/no/where", "value": 1 }),
            json!({ "op": "add", "path": "labels", "value": {} }),
            json!({ "op": "add", "path": "/labels/~2", "value": "x" }),
            json!({ "op": "add", "path": "/labels/c" }),
            json!({ "op": "move", "from": "/nonsense", "path": "/labels/c" }),
            json!({ "op": "merge", "path": "/labels/c", "value": "x" }),
            json!({ "op": "add", "path": "/labels/c", "value": 1 }),
            json!({ "op": "replace", "path": "/labels", "value": [] }),
            json!({ "op": "replace", "path": "", "value": [] }),
            json!({ "op": "remove", "path": format!("/{id}") }),
            replace(id),
            replace("created_at"),
            replace("updated_at"),
        ] {
            let refused = stage.call("PATCH", &path, json!([label, wrong])).await.refusal();
            assert_eq!(refused.0, 400, "{path} {wrong}");
            assert_eq!(stage.get(&path).await.value(), before, "{path} {wrong}");
        }
        // What is read-only may stand there as it is.
        let same = json!({ id: before[id], "created_at": before["created_at"], "labels": { "a": "b" } });
        assert_eq!(stage.call("PATCH", &path, same).await.value()["labels"], json!({ "a": "b" }), "{path}");
        if !path.contains("ssls") {
            assert!(before.get("desc").is_none());
            let replace = json!([{ "op": "replace", "path": "/desc", "value": "x" }]);
            assert_eq!(stage.call("PATCH", &path, replace).await.value()["desc"], "x", "{path}");
            let removed = stage.call("PATCH", &path, json!([{ "op": "remove", "path": "/desc" }])).await;
            assert!(removed.value().get("desc").is_none(), "{path}");
        }
    }
}
