//! Labels in use, of each kind of object that has some.

use serde_json::{Value, json};

use super::{certificates, roles, stage::Stage};

async fn labels(stage: &Stage, asked: &str) -> Value {
    stage.get(&format!("/api/labels/{asked}")).await.value()
}

/// An object of each kind in a gateway group, labelled `zone` with the group's name and `env` with this.
async fn labelled(stage: &Stage, group: &str, env: &str) {
    let put = async |noun: &str, more: Value| {
        let mut body = json!({ "name": "x", "labels": { "zone": group, "env": env } });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = format!("/apisix/admin/{noun}-{env}?gateway_group_id={group}");
        stage.call("PUT", &path, body).await.value();
    };
    put("services/s", json!({})).await;
    put("routes/r", json!({ "service_id": format!("s-{env}"), "paths": ["/a"] })).await;
    put("consumers/c", json!({})).await;
    put("ssls/t", certificates::body(&["a.example"])).await;
}

#[tokio::test]
async fn labels_of_gateway_objects_are_distinct_and_sorted_and_a_group_narrows_them() {
    let stage = Stage::start().await;
    let edge = json!({ "name": "edge", "labels": { "zone": "b" } });
    let edge = stage.id_of("POST", "/api/gateway_groups", edge).await;
    assert_eq!(labels(&stage, "gateway_group").await, json!({ "zone": ["b"] }));
    let own = json!({ "labels": { "zone": "a", "a b/c": "x y" } });
    stage.call("PUT", "/api/gateway_groups/default", own).await.value();
    assert_eq!(labels(&stage, "gateway_group").await, json!({ "a b/c": ["x y"], "zone": ["a", "b"] }));
    for noun in ["service", "route", "consumer", "ssl"] {
        assert_eq!(labels(&stage, noun).await, json!({}), "{noun}");
    }
    for (group, env) in [("default", "test"), ("default", "prod"), (edge.as_str(), "stage")] {
        labelled(&stage, group, env).await;
    }
    let mut zones = ["default", edge.as_str()];
    zones.sort_unstable();
    for noun in ["service", "route", "consumer", "ssl"] {
        let all = json!({ "env": ["prod", "stage", "test"], "zone": zones });
        assert_eq!(labels(&stage, noun).await, all, "{noun}");
        let of_default = labels(&stage, &format!("{noun}?gateway_group_id=default")).await;
        assert_eq!(of_default, json!({ "env": ["prod", "test"], "zone": ["default"] }), "{noun}");
        let of_edge = labels(&stage, &format!("{noun}?gateway_group_id={edge}")).await;
        assert_eq!(of_edge, json!({ "env": ["stage"], "zone": [edge] }), "{noun}");
        for unknown in ["none", "a%20b"] {
            let path = format!("/api/labels/{noun}?gateway_group_id={unknown}");
            assert_eq!(stage.get(&path).await.refusal(), (404, "resource not found".into()), "{path}");
        }
    }
}

#[tokio::test]
async fn labels_of_portals_products_roles_and_policies_are_those_in_use() {
    let stage = Stage::start().await;
    for noun in ["portal", "api_product", "role", "permission_policy"] {
        assert_eq!(labels(&stage, noun).await, json!({}), "{noun}");
    }
    let own = stage.default_portal().await;
    let other = json!({ "name": "other", "labels": { "env": "prod" } });
    let other = stage.id_of("POST", "/api/portals", other).await;
    assert_eq!(labels(&stage, "portal").await, json!({ "env": ["prod"] }));

    for (portal, name, team) in
        [(&own, "Orders", "shop"), (&own, "Stock", "depot"), (&other, "Bills", "money")]
    {
        let product = json!({ "type": "gateway", "name": name, "labels": { "team": team } });
        stage.call("POST", &format!("/api/api_products?portal_id={portal}"), product).await.value();
    }
    assert_eq!(
        labels(&stage, "api_product").await,
        json!({ "team": ["depot", "money", "shop"] }),
        "drafts too"
    );
    let of_own = labels(&stage, &format!("api_product?portal_id={own}")).await;
    assert_eq!(of_own, json!({ "team": ["depot", "shop"] }));
    let of_other = labels(&stage, &format!("api_product?portal_id={other}")).await;
    assert_eq!(of_other, json!({ "team": ["money"] }));
    assert_eq!(stage.get("/api/labels/api_product?portal_id=prt_unknown").await.refusal().0, 404);

    stage.call("POST", "/api/roles", json!({ "name": "r", "labels": { "of": "role" } })).await.value();
    assert_eq!(labels(&stage, "role").await, json!({ "of": ["role"] }));
    let statement = json!([{ "effect": "allow", "resources": ["<.*>"], "actions": ["<.*>"] }]);
    let policy =
        json!({ "name": "p", "labels": { "of": "policy" }, "policy_document": { "statement": statement } });
    stage.call("POST", "/api/permission_policies", policy).await.value();
    assert_eq!(labels(&stage, "permission_policy").await, json!({ "of": ["policy"] }));
}

#[tokio::test]
async fn labels_of_another_type_are_refused_and_of_what_one_may_not_read_not_told() {
    let stage = Stage::start().await;
    for other in
        ["developer_application", "developer_credential", "gateway_groups", "Service", "developer", "x"]
    {
        let (status, message) = stage.get(&format!("/api/labels/{other}")).await.refusal();
        assert!(status == 400 && message.contains("gateway_group, service, route"), "{other}: {message}");
    }
    labelled(&stage, "default", "prod").await;
    let own = json!([{ "effect": "allow", "resources": ["<.*>"], "actions": ["gateway:GetConsumer"] }]);
    let ann = roles::Person::with(&stage, "ann", own).await;
    let seen =
        async |noun: &str| ann.call(&stage, "GET", &format!("/api/labels/{noun}"), Value::Null).await.value();
    assert_eq!(seen("consumer").await, json!({ "env": ["prod"], "zone": ["default"] }));
    for noun in
        ["gateway_group", "service", "route", "ssl", "portal", "api_product", "role", "permission_policy"]
    {
        assert_eq!(seen(noun).await, json!({}), "{noun}");
    }
}
