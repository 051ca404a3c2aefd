//! Nodes and receipts as administrators and front ends see them, over HTTP.

use forecourt_core::{
    gateway_groups::GatewayGroup,
    ids::{GatewayGroupId, NodeId},
};
use forecourt_it::{Answer, Forecourt, deadlines::eventually};
use forecourt_store::Store;
use serde_json::{Value, json};

use crate::store::location;

fn revision(answer: &Answer) -> i64 {
    answer.header("x-forecourt-revision").expect("a change for gateways").parse().unwrap()
}

async fn receipt(f: &Forecourt, revision: i64) -> Value {
    let path = format!("/api/forecourt/receipts/{revision}");
    f.admin().await.get(&path).await.expect(200)["value"].clone()
}

async fn complete(f: &Forecourt, revision: i64) -> Value {
    eventually("the receipt is complete", async || {
        Some(receipt(f, revision).await).filter(|receipt| receipt["complete"] == true)
    })
    .await
}

#[tokio::test]
async fn what_a_developer_takes_away_has_a_receipt_that_survives_a_restart() {
    let mut f = Forecourt::start().await;
    let taken = {
        let orders = f.product("Orders").await;
        let ada = f.developer("ada").await;
        let application = ada.application("demo").await.subscribe(&orders).await;
        let key = application.key("prod").await;
        f.call(&orders, &key).await.expect(200);
        let path = format!("/api/applications/{}/credentials/{}", application.id, key.id);
        let taken = ada.api.delete(&path).await;
        taken.expect(204);
        f.call(&orders, &key).await.expect(401);
        revision(&taken)
    };
    let whole = complete(&f, taken).await;
    assert_eq!(whole["nodes"].as_array().unwrap().len(), 1, "the embedded gateway is a node: {whole}");
    let node = &whole["nodes"][0];
    assert_eq!((&node["applied"], &node["gateway_group_id"]), (&json!(true), &json!("default")), "{whole}");
    assert!(node["revision"].as_i64().unwrap() >= taken, "{whole}");
    assert!(node["lag_ms"].is_u64(), "{whole}");

    let numbers = f.portal_api().await.get(&format!("/api/forecourt/receipts/{taken}")).await.expect(200);
    assert_eq!(numbers, json!({ "revision": taken, "complete": true, "nodes": 1, "applied": 1 }));
    let guest = f.portal_api_guest().get(&format!("/api/forecourt/receipts/{taken}")).await;
    guest.refused(401, "unauthorized");
    for unknown in ["999999", "0", "x"] {
        let path = format!("/api/forecourt/receipts/{unknown}");
        f.portal_api().await.get(&path).await.refused(404, "resource not found");
        f.admin().await.get(&path).await.refused(404, "resource not found");
    }

    f.restart().await;
    let after = receipt(&f, taken).await;
    assert_eq!(after["nodes"][0]["applied_at"], node["applied_at"], "{after}");
}

#[tokio::test]
async fn the_embedded_gateway_is_listed_as_a_connected_node_that_lacks_nothing() {
    let f = Forecourt::start().await;
    f.product("Orders").await;
    let node = eventually("the embedded gateway has told how far it is", async || {
        let list = f.admin().await.get("/api/forecourt/nodes").await.expect(200);
        let nodes = list["list"].as_array().unwrap();
        assert_eq!(nodes.len(), 1, "{list}");
        Some(nodes[0].clone()).filter(|node| node["lag_ms"] == 0)
    })
    .await;
    assert_eq!((&node["state"], &node["drift"]), (&json!("connected"), &json!([])), "{node}");
    let path = format!("/api/forecourt/nodes/{}", node["id"].as_str().unwrap());
    f.admin().await.delete(&path).await.refused(400, "runs inside a control plane");
}

/// The only node of the list, once there is one.
async fn listed(f: &Forecourt) -> Value {
    eventually("the gateway is listed", async || {
        let list = f.admin().await.get("/api/forecourt/nodes").await.expect(200);
        list["list"].as_array().unwrap().first().cloned()
    })
    .await
}

#[tokio::test]
async fn the_embedded_gateway_is_listed_again_when_its_row_was_removed() {
    let f = Forecourt::start().await;
    let id = NodeId::known(listed(&f).await["id"].as_str().unwrap());
    // As by a database that was put back, or by another process while this one could not reach it.
    let store = Store::open(&location(f.database())).await.unwrap();
    let tx = store.begin().await.unwrap();
    assert!(tx.delete_node(&id).await.unwrap());
    tx.commit(f.clock().now()).await.unwrap();
    let made =
        f.admin().await.post("/apisix/admin/services?gateway_group_id=default", json!({ "name": "s" })).await;
    let whole = eventually("the receipt names it again", async || {
        let whole = receipt(&f, revision(&made)).await;
        (!whole["nodes"].as_array().unwrap().is_empty() && whole["complete"] == true).then_some(whole)
    })
    .await;
    assert_eq!(whole["nodes"][0]["id"], id.as_str(), "{whole}");
}

#[tokio::test]
async fn an_embedded_gateway_whose_group_is_made_later_is_listed_and_counts() {
    let f = Forecourt::start_with(|settings| settings.gateway.group = "later".into()).await;
    let none = f.admin().await.get("/api/forecourt/nodes").await.expect(200);
    assert_eq!(none["list"], json!([]));
    let store = Store::open(&location(f.database())).await.unwrap();
    let tx = store.begin().await.unwrap();
    let now = f.clock().now();
    let group = GatewayGroup {
        id: GatewayGroupId::known("later"),
        name: "later".into(),
        desc: String::new(),
        labels: Default::default(),
        admin_key: None,
        created_at: now,
        updated_at: now,
    };
    tx.insert_gateway_group(&group).await.unwrap();
    tx.commit(now).await.unwrap();
    assert_eq!(listed(&f).await["gateway_group_id"], "later");
    let made =
        f.admin().await.post("/apisix/admin/services?gateway_group_id=later", json!({ "name": "s" })).await;
    let whole = complete(&f, revision(&made)).await;
    assert_eq!(whole["nodes"].as_array().unwrap().len(), 1, "{whole}");
}
