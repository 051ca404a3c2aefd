//! What a deletion takes along, all of it with the one commit that its answer tells.
//!
//! Applications, developers, products and subscriptions have theirs in `portal_api`, OAuth clients in
//! `oauth_clients.rs` and `dcr_removals.rs`.

use std::collections::BTreeSet;

use forecourt_app::sync_authority;
use forecourt_core::{gateway_state::Kind, ids::NodeId};
use forecourt_it::{
    Client, Forecourt,
    clients::Answer,
    installations::text,
    nodes::{SyncConnection, WatchedStream, hello},
};
use forecourt_wire::sync::{GoodbyeReason, Message, WATCH};
use serde_json::json;

async fn watch(f: &Forecourt, token: &str) -> (SyncConnection, WatchedStream) {
    let pem = sync_authority::certificate_pem(&f.app()).to_owned();
    let url = f.addresses().sync.as_deref().unwrap();
    let connection = SyncConnection::open(url, &pem, None).await.unwrap();
    let stream = connection.watch(token, &NodeId::known("nod_edge"), None).await;
    (connection, stream)
}

fn revision(answer: &Answer) -> i64 {
    answer.header("x-forecourt-revision").expect("a change for gateways").parse().unwrap()
}

/// An instance token of a group.
async fn token(f: &Forecourt, group: &str) -> String {
    let path = format!("/api/gateway_groups/{group}/instance_token");
    text(&f.admin().await.post(&path, json!({})).await.expect(200)["value"]["token_plain_text"])
}

async fn total(client: &Client, path: &str) -> u64 {
    client.get(path).await.expect(200)["total"].as_u64().unwrap()
}

#[tokio::test]
async fn everything_of_a_deleted_developer_leaves_gateways_with_one_revision() {
    let f = Forecourt::start().await;
    let orders = f.product("Orders").await;
    let billing = f.product_with("Billing", json!({ "subscription_auto_approval": false })).await;
    let (ada, bob) = (f.developer("ada").await, f.developer("bob").await);
    let bystander = bob.application("other").await.subscribe(&orders).await;
    let kept = bystander.key("prod").await;
    for name in ["one", "two"] {
        let application = ada.application(name).await.subscribe(&orders).await.subscribe(&billing).await;
        application.key("first").await;
        application.key("second").await;
    }
    let (_connection, mut stream) = watch(&f, &token(&f, "default").await).await;
    let last = bystander.api.post("/api/applications", json!({ "name": "mark" })).await;
    stream.reach(revision(&last)).await;
    let of_portal = |stream: &WatchedStream, kind: Kind| {
        stream
            .rows
            .keys()
            .filter(|(own, _)| *own == kind)
            .map(|(_, key)| key.clone())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(of_portal(&stream, Kind::Credential).len(), 5);
    assert_eq!(of_portal(&stream, Kind::Grant).len(), 3);
    assert_eq!(of_portal(&stream, Kind::Application).len(), 4);

    let gone = f.admin().await.delete("/api/developers/ada").await;
    gone.expect(200);
    assert_eq!(revision(&gone), revision(&last) + 1, "nothing is left to a second commit");
    stream.reach(revision(&gone)).await;
    assert_eq!(of_portal(&stream, Kind::Credential), BTreeSet::from([kept.id.clone()]));
    assert_eq!(of_portal(&stream, Kind::Grant).len(), 1);
    assert_eq!(of_portal(&stream, Kind::Application).len(), 2);
    f.call(&orders, &kept).await.expect(200);
    let admin = f.admin().await;
    assert_eq!(total(admin, "/api/subscriptions").await, 1);
    assert_eq!(total(admin, "/api/forecourt/applications").await, 2);
    assert_eq!(total(admin, "/api/approvals?status=pending").await, 0);
    assert_eq!(total(admin, "/api/approvals?result=cancelled").await, 2);
}

#[tokio::test]
async fn a_portal_goes_only_when_it_is_empty_and_takes_its_tokens_and_sign_in_options_along() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let id = text(&admin.post("/api/portals", json!({ "name": "other" })).await.expect(200)["value"]["id"]);
    let made =
        admin.post(&format!("/api/portals/{id}/tokens"), json!({ "name": "front end" })).await.expect(200);
    let front_end = f.portal_api_guest().with_bearer(&text(&made["value"]["token"]));
    let options = admin.get(&format!("/api/portals/{id}/login_options")).await.expect(200);
    let option = format!("/api/portal/login_options/{}", text(&options["list"][0]["id"]));
    let portal = format!("/api/portals/{id}");

    front_end.post("/api/developers", json!({ "developer_id": "ada" })).await.expect(201);
    admin.delete(&portal).await.refused(400, "developer");
    front_end.delete("/api/developers/ada").await.empty(204);
    let product = json!({ "type": "gateway", "name": "Orders", "auth": { "key-auth": {} } });
    let product = admin.post(&format!("{portal}/api_products"), product).await.expect(200);
    admin.delete(&portal).await.refused(400, "product");
    // A refused deletion took nothing away.
    front_end.get("/api/developers").await.expect(200);
    admin.get(&option).await.expect(200);
    admin.delete(&format!("/api/api_products/{}", text(&product["value"]["id"]))).await.expect(200);

    admin.delete(&portal).await.expect(200);
    admin.get(&portal).await.refused(404, "resource not found");
    admin.get(&option).await.refused(404, "resource not found");
    admin.get(&format!("{portal}/tokens")).await.refused(404, "resource not found");
    front_end.get("/api/developers").await.refused(401, "unauthorized");
    assert_eq!(admin.get("/api/portals").await.expect(200)["list"].as_array().unwrap().len(), 1);
    f.portal_api().await.get("/api/developers").await.expect(200);
}

#[tokio::test]
async fn a_gateway_group_goes_with_its_keys_and_tokens_and_tells_its_nodes_to_stop() {
    let f = Forecourt::start().await;
    let admin = f.admin().await;
    let made = admin.post("/api/gateway_groups", json!({ "name": "edge" })).await.expect(200);
    let id = text(&made["value"]["id"]);
    let group = format!("/api/gateway_groups/{id}");
    let key = admin.put(&format!("{group}/admin_key"), json!({})).await.expect(200);
    let keyed = f.guest().with_bearer(&text(&key["value"]["key"]));
    let at = |noun: &str| format!("/apisix/admin/{noun}?gateway_group_id={id}");
    let service =
        text(&keyed.post(&at("services"), json!({ "name": "orders" })).await.expect(200)["value"]["id"]);
    let route = json!({ "name": "all", "service_id": service, "paths": ["/*"] });
    let route = text(&keyed.post(&at("routes"), route).await.expect(200)["value"]["id"]);
    keyed.put(&at("consumers/batch"), json!({ "plugins": { "key-auth": { "key": "k" } } })).await.expect(200);
    let token = token(&f, &id).await;
    let (connection, mut stream) = watch(&f, &token).await;
    stream.reach(1).await;
    assert!(stream.rows.keys().any(|(kind, _)| *kind == Kind::Consumer), "{:?}", stream.rows.keys());

    let link = json!([{ "gateway_group_id": id, "service_id": service }]);
    let product = json!({
        "type": "gateway", "name": "Orders", "auth": { "key-auth": {} }, "linked_gateway_services": link,
    });
    let products = format!("/api/api_products?portal_id={}", f.portal_id().await);
    let product = text(&admin.post(&products, product).await.expect(200)["value"]["id"]);
    admin.delete(&group).await.refused(400, "Orders");
    keyed.get(&at("services")).await.expect(200);
    admin.delete(&format!("/api/api_products/{product}")).await.expect(200);

    let gone = admin.delete(&group).await;
    gone.expect(200);
    let said = stream.until("a goodbye", |message| match message {
        Message::Goodbye { reason } => Some(*reason),
        _ => None,
    });
    assert_eq!(said.await, GoodbyeReason::Removed);
    let hello = json!(hello(&NodeId::known("nod_edge"), None));
    assert_eq!(connection.ask(WATCH, Some(&token), &hello).await.0, 401);
    keyed.get("/apisix/admin/services").await.refused(401, "unauthorized");
    for path in
        [&group, &format!("/apisix/admin/services/{service}"), &format!("/apisix/admin/routes/{route}")]
    {
        admin.get(path).await.refused(404, "resource not found");
    }
    assert_eq!(total(admin, "/api/forecourt/instance_tokens").await, 0);
}
