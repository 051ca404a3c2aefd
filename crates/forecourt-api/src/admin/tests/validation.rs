//! `configs/validate`: every error with its place, and nothing changed.

use serde_json::{Value, json};

use super::stage::Stage;

const PATH: &str = "/apisix/admin/configs/validate";

#[tokio::test]
async fn a_configuration_whose_objects_refer_to_each_other_is_valid_and_changes_nothing() {
    let stage = Stage::start().await;
    let body = json!({
        "services": [{ "id": "orders", "name": "orders", "plugins": { "key-auth": {} } }],
        "routes": [{ "name": "r", "service_id": "orders", "paths": ["/a"] }],
        "global_rules": [{ "id": "all", "plugins": { "cors": {} } }],
        "stream_routes": [{ "name": "s", "service_id": "orders" }],
        "plugin_metadata": [{ "id": "cors" }],
        "ssls": [], "consumers": [],
    });
    let revision = async || {
        let reply = stage
            .call("POST", "/apisix/admin/services?gateway_group_id=default", json!({ "name": "a" }))
            .await;
        let id = reply.value()["id"].as_str().unwrap().to_owned();
        let deleted = stage.call("DELETE", &format!("/apisix/admin/services/{id}"), Value::Null).await;
        deleted.headers["x-forecourt-revision"].to_str().unwrap().parse::<i64>().unwrap()
    };
    let before = revision().await;
    assert_eq!(stage.call("POST", PATH, body).await.value(), json!({}));
    assert_eq!(stage.call("POST", PATH, Value::Null).await.value(), json!({}));
    for noun in ["services", "routes", "global_rules", "stream_routes"] {
        assert!(stage.get(&format!("/apisix/admin/{noun}?gateway_group_id=default")).await.list().is_empty());
    }
    assert_eq!(revision().await, before + 2, "gateways heard of the service of this test alone");
}

#[tokio::test]
async fn every_error_is_told_with_its_type_and_place() {
    let stage = Stage::start().await;
    let linked = stage.service("linked").await;
    let portal = stage.default_portal().await;
    let product = json!({
        "type": "gateway", "name": "Orders", "auth": { "key-auth": {} },
        "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": linked }],
    });
    stage.call("POST", &format!("/api/api_products?portal_id={portal}"), product).await.value();
    let body = json!({
        "services": [
            { "name": "fine" }, { "name": "" }, { "name": "a", "hosts": 1 }, "text", { "id": "a b", "name": "a" },
        ],
        "routes": [
            { "name": "r", "service_id": "none", "paths": ["/a"] },
            { "name": "r", "service_id": linked, "paths": ["/a"], "plugins": { "basic-auth": {} } },
        ],
        "global_rules": [{ "plugins": { "key-auth": {} } }],
        "plugin_metadata": [{ "id": "limit-req" }],
    });
    let reply = stage.call("POST", PATH, body).await;
    assert_eq!(reply.status, 400);
    let message = reply.body["message"].as_str().unwrap();
    assert_eq!(
        (message, &reply.body["error_msg"], &reply.body["status"]),
        ("services[1]: name is required", &json!(message), &json!(400))
    );
    let errors: Vec<_> = reply.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            format!(
                "{}[{}] {}",
                error["resource_type"].as_str().unwrap(),
                error["index"],
                error["error"].as_str().unwrap()
            )
        })
        .collect();
    let wanted = [
        "services[1] name is required",
        "services[2] hosts must be an array of strings",
        "services[3] the body must be a JSON object",
        "services[4] id must be 1 to 256",
        "routes[0] service_id \"none\" is not a service",
        "routes[1] plugin basic-auth cannot stand on service \"linked\"",
        "global_rules[0] plugin key-auth cannot stand in a global rule",
        "plugin_metadata[0] unknown plugin limit-req",
    ];
    assert_eq!(errors.len(), wanted.len(), "{errors:?}");
    for (error, wanted) in errors.iter().zip(wanted) {
        assert!(error.starts_with(wanted), "{error}");
    }
}

#[tokio::test]
async fn consumers_and_certificates_are_checked_against_each_other_and_not_stored() {
    let stage = Stage::start().await;
    let certificate = super::certificates::body(&["a.example"]);
    let key = json!({ "key-auth": { "key": "k" } });
    let basic = json!({ "basic-auth": { "username": "u", "password": "p" } });
    let fine = json!({
        "consumers": [{ "username": "ada", "plugins": key }, { "username": "bob", "plugins": basic }],
        "ssls": [certificate],
    });
    assert_eq!(stage.call("POST", PATH, fine).await.value(), json!({}));
    let body = json!({
        "consumers": [{ "username": "ada", "plugins": key }, { "username": "bob", "plugins": key }, {}],
        "ssls": [{ "cert": certificate["cert"] }],
    });
    let errors = stage.call("POST", PATH, body).await.body["errors"].clone();
    let places: Vec<_> =
        errors.as_array().unwrap().iter().map(|error| (&error["resource_type"], &error["index"])).collect();
    let expected = [("ssls", 0), ("consumers", 1), ("consumers", 2)].map(|(kind, n)| (json!(kind), json!(n)));
    assert_eq!(places, expected.each_ref().map(|(kind, n)| (kind, n)), "{errors}");
    for noun in ["consumers", "ssls"] {
        assert!(stage.get(&format!("/apisix/admin/{noun}?gateway_group_id=default")).await.list().is_empty());
    }
}

#[tokio::test]
async fn a_body_that_is_no_configuration_is_refused() {
    let stage = Stage::start().await;
    for body in [json!({ "services": {} }), json!({ "service": [] }), json!([])] {
        assert_eq!(stage.call("POST", PATH, body.clone()).await.refusal().0, 400, "{body}");
    }
    let unknown = format!("{PATH}?gateway_group_id=none");
    assert_eq!(stage.call("POST", &unknown, json!({})).await.refusal().0, 404);
}
