//! Patches of services and routes: two at once, very long ones, and ones that fail at their end.

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
