//! Receipts: who has applied what.

use forecourt_app::nodes;
use serde_json::{Value, json};

use super::stage::{Reply, Stage};

fn revision(reply: &Reply) -> i64 {
    reply.headers["x-forecourt-revision"].to_str().unwrap().parse().unwrap()
}

async fn receipt(stage: &Stage, revision: i64) -> Value {
    stage.get(&format!("/api/forecourt/receipts/{revision}")).await.value()
}

async fn service(stage: &Stage, group: &str) -> i64 {
    let path = format!("/apisix/admin/services?gateway_group_id={group}");
    revision(&stage.call("POST", &path, json!({ "name": "orders" })).await)
}

#[tokio::test]
async fn a_receipt_is_complete_once_every_node_of_the_group_has_told_so() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let (_, token) = stage.instance_token("default").await;
    let one = stage.node(&token, "one").await;
    let two = stage.node(&token, "two").await;
    stage.node(&stage.instance_token(&edge).await.1, "far").await;
    let made = service(&stage, "default").await;
    stage.later(2);
    let before = receipt(&stage, made).await;
    assert_eq!((&before["revision"], &before["complete"]), (&json!(made), &json!(false)));
    let names = |receipt: &Value| {
        let nodes = receipt["nodes"].as_array().unwrap().iter();
        nodes.map(|node| node["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&before), ["one", "two"], "a node of another group is not concerned");

    stage.acknowledge(&one, made, &[]).await.unwrap();
    let half = receipt(&stage, made).await;
    assert_eq!(half["complete"], false);
    let (done, open) = (&half["nodes"][0], &half["nodes"][1]);
    assert_eq!((&done["applied"], &done["revision"]), (&json!(true), &json!(made)), "{half}");
    assert!(done["applied_at"].as_str().unwrap().ends_with('Z'), "{half}");
    assert!((2_000..3_000).contains(&done["lag_ms"].as_i64().unwrap()), "{half}");
    assert!(open["applied"] == json!(false) && open.get("applied_at").is_none(), "{half}");

    // A later revision proves the earlier one; what was told first stays.
    stage.later(60);
    let next = service(&stage, "default").await;
    stage.acknowledge(&one, next, &[]).await.unwrap();
    stage.acknowledge(&two, next, &[]).await.unwrap();
    for written in [false, true] {
        let whole = receipt(&stage, made).await;
        assert_eq!(whole["complete"], true, "{written}: {whole}");
        assert_eq!(whole["nodes"][0]["applied_at"], done["applied_at"], "{written}: {whole}");
        assert!(whole["nodes"][1]["lag_ms"].as_i64().unwrap() > 60_000, "{written}: {whole}");
        nodes::write_down(&stage.app).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_keeps_a_receipt_incomplete_until_it_is_removed() {
    let stage = Stage::start().await;
    let (_, token) = stage.instance_token("default").await;
    let one = stage.node(&token, "one").await;
    nodes::disconnected(&stage.app, &one, "one");
    let made = service(&stage, "default").await;
    assert_eq!(receipt(&stage, made).await["complete"], false);
    stage.call("DELETE", &format!("/api/forecourt/nodes/{one}"), Value::Null).await.value();
    assert_eq!(receipt(&stage, made).await, json!({ "revision": made, "complete": true, "nodes": [] }));
}

#[tokio::test]
async fn a_change_of_a_product_concerns_every_node_and_that_of_an_application_those_who_serve_its_portal() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    stage.node(&stage.instance_token("default").await.1, "near").await;
    stage.node(&stage.instance_token(&edge).await.1, "far").await;
    let portal = stage.default_portal().await;
    let service = stage.service("orders").await;
    let product = stage.product(&portal, "Orders").await;
    let link =
        json!({ "linked_gateway_services": [{ "gateway_group_id": "default", "service_id": service }] });
    let linked = stage.call("PUT", &format!("/api/api_products/{product}"), link).await;
    let (_, ada) = stage.developer(&portal, "ada").await;
    stage.subscribed(&ada, "mobile", &product).await;
    let count = async |revision| receipt(&stage, revision).await["nodes"].as_array().unwrap().len();
    assert_eq!(count(revision(&linked)).await, 2);
    let application = ada.receipt.revision().unwrap();
    assert_eq!(count(application).await, 1);
}

#[tokio::test]
async fn a_revision_that_was_never_made_has_no_receipt() {
    let stage = Stage::start().await;
    let made = service(&stage, "default").await;
    for text in [(made + 1).to_string(), "0".into(), "-1".into(), "x".into(), "99999999999999999999".into()] {
        assert_eq!(stage.get(&format!("/api/forecourt/receipts/{text}")).await.refusal().0, 404, "{text}");
    }
}

#[tokio::test]
async fn a_groups_key_sees_the_nodes_of_its_own_group_and_no_receipt_of_anothers_change() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    stage.node(&stage.instance_token("default").await.1, "near").await;
    stage.node(&stage.instance_token(&edge).await.1, "far").await;
    let key = stage.call("PUT", &format!("/api/gateway_groups/{edge}/admin_key"), Value::Null).await.value();
    let key = key["key"].as_str().unwrap().to_owned();
    let by_key =
        async |path: &str| stage.with_headers("GET", path, &[("x-api-key", &key)], Value::Null).await;
    let own = service(&stage, &edge).await;
    let others = service(&stage, "default").await;
    let seen = by_key(&format!("/api/forecourt/receipts/{own}")).await.value();
    assert_eq!(seen["nodes"].as_array().unwrap().len(), 1, "{seen}");
    assert_eq!(seen["nodes"][0]["name"], "far");
    assert_eq!(by_key(&format!("/api/forecourt/receipts/{others}")).await.refusal().0, 403);
    assert_eq!(by_key("/api/forecourt/nodes").await.names(), ["far"]);
    assert!(by_key("/api/forecourt/nodes?gateway_group_id=default").await.names().is_empty());
}
