//! Global rules, stream routes and the metadata of plugins.

use serde_json::{Value, json};

use super::stage::Stage;

#[tokio::test]
async fn global_rules_and_stream_routes_are_put_listed_patched_and_deleted() {
    let stage = Stage::start().await;
    for noun in ["global_rules", "stream_routes"] {
        let list = format!("/apisix/admin/{noun}?gateway_group_id=default");
        let item = format!("/apisix/admin/{noun}/one");
        assert!(stage.get(&list).await.list().is_empty());
        let given =
            json!({ "name": "first", "plugins": { "cors": {} }, "labels": { "a": "b" }, "x-own": [1] });
        let put = format!("{item}?gateway_group_id=default");
        let made = stage.call("PUT", &put, given).await.value();
        let at = made["created_at"].clone();
        let wanted = json!({
            "id": "one", "name": "first", "labels": { "a": "b" }, "plugins": { "cors": {} }, "x-own": [1],
            "created_at": at, "updated_at": at,
        });
        assert_eq!(made, wanted);
        assert_eq!(stage.get(&item).await.value(), wanted);
        assert_eq!(stage.get(&list).await.list(), [wanted]);
        let patch =
            json!([{ "op": "replace", "path": "/desc", "value": "d" }, { "op": "remove", "path": "/x-own" }]);
        let patched = stage.call("PATCH", &item, patch).await.value();
        assert_eq!(
            (&patched["desc"], patched.get("x-own"), &patched["created_at"]),
            (&json!("d"), None, &at)
        );
        assert_eq!(stage.call("PATCH", &item, json!({ "id": "two" })).await.refusal().0, 400);
        let issued = stage.id_of("POST", &list, json!({ "plugins": {} })).await;
        assert!(issued.starts_with("gro_"));
        assert_eq!(stage.get(&format!("{list}&search=FIRST")).await.names(), ["first"]);
        for (body, problem) in [
            (json!({ "plugins": { "limit-req": {} } }), "unknown plugin limit-req"),
            (json!({ "plugins": { "cors": { "max_age": "x" } } }), "plugins.cors.max_age must be"),
            (json!({ "plugins": [] }), "plugins must be an object"),
            (json!({ "labels": { "a": 1 } }), "labels must be an object of strings"),
        ] {
            let (status, message) = stage.call("POST", &list, body).await.refusal();
            assert!(status == 400 && message.starts_with(problem), "{message}");
        }
        assert_eq!(stage.call("DELETE", &item, Value::Null).await.value(), json!({ "id": "one" }));
        assert_eq!(stage.call("DELETE", &item, Value::Null).await.refusal().0, 404);
    }
}

#[tokio::test]
async fn an_id_that_several_groups_have_needs_the_group() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let item = "/apisix/admin/global_rules/one";
    for group in ["default", &edge] {
        let body = json!({ "name": group });
        stage.call("PUT", &format!("{item}?gateway_group_id={group}"), body).await.value();
    }
    let (status, message) = stage.get(item).await.refusal();
    assert!(status == 400 && message.contains("gateway_group_id"), "{message}");
    let named = format!("{item}?gateway_group_id={edge}");
    assert_eq!(stage.get(&named).await.value()["name"], json!(edge));
    stage.call("DELETE", &named, Value::Null).await.value();
    assert_eq!(stage.get(item).await.value()["name"], "default");
    assert_eq!(stage.get(&named).await.refusal().0, 404);
}

#[tokio::test]
async fn a_stream_route_names_a_service_of_its_group_and_goes_with_it() {
    let stage = Stage::start().await;
    let list = "/apisix/admin/stream_routes?gateway_group_id=default";
    assert_eq!(stage.call("POST", list, json!({ "service_id": "none" })).await.refusal().0, 400);
    let service = stage.service("orders").await;
    let made = stage.call("POST", list, json!({ "service_id": service })).await.value();
    assert_eq!(made["service_id"], json!(service));
    stage.call("DELETE", &format!("/apisix/admin/services/{service}"), Value::Null).await.value();
    assert!(stage.get(list).await.list().is_empty());
}

#[tokio::test]
async fn the_metadata_of_known_plugins_are_kept_as_a_map_by_name() {
    let stage = Stage::start().await;
    let all = "/apisix/admin/plugin_metadata?gateway_group_id=default";
    assert_eq!(stage.get(all).await.value(), json!({}));
    let item = "/apisix/admin/plugin_metadata/cors?gateway_group_id=default";
    assert_eq!(stage.call("PUT", item, json!({ "a": { "b": 1 } })).await.value(), json!({ "a": { "b": 1 } }));
    assert_eq!(stage.get(item).await.value(), json!({ "a": { "b": 1 } }));
    assert_eq!(stage.get(all).await.value(), json!({ "cors": { "a": { "b": 1 } } }));
    let unknown = "/apisix/admin/plugin_metadata/limit-req?gateway_group_id=default";
    let (status, message) = stage.call("PUT", unknown, json!({})).await.refusal();
    assert!(status == 400 && message.starts_with("unknown plugin limit-req"), "{message}");
    assert_eq!(stage.get(unknown).await.refusal().0, 404);
    stage.call("DELETE", item, Value::Null).await.value();
    assert_eq!(stage.get(all).await.value(), json!({}));
}
