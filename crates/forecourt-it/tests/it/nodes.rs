//! Nodes and receipts as administrators and front ends see them, over HTTP.

use forecourt_it::{Answer, Forecourt, deadlines::eventually};
use serde_json::{Value, json};

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
