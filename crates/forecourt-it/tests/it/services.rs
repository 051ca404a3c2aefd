//! Services and routes of the default gateway group in few words, for the stories about what they carry.
//!
//! Invariant: everything goes through the Admin API, as an administrator would write it.

use std::net::SocketAddr;

use forecourt_it::{Forecourt, installations::text};
use serde_json::{Value, json};

/// A path of the Admin API in the default group.
pub(crate) fn admin_path(object: &str) -> String {
    format!("/apisix/admin/{object}?gateway_group_id=default")
}

/// One node of an upstream.
pub(crate) fn node(address: SocketAddr) -> Value {
    json!({ "host": address.ip().to_string(), "port": address.port(), "weight": 1 })
}

/// A service under the path prefix `/ID` to the installation's upstream, but for `members`, with a route for
/// everything.
pub(crate) async fn put_service(f: &Forecourt, id: &str, members: Value) {
    let upstream = json!({ "name": "default", "nodes": [node(f.upstream().address())] });
    let mut service = json!({ "name": id, "path_prefix": format!("/{id}"), "upstream": upstream });
    for (member, value) in members.as_object().unwrap() {
        service[member] = value.clone();
    }
    f.admin().await.put(&admin_path(&format!("services/{id}")), service).await.expect(200);
    put_route(f, id, &format!("{id}-all"), json!({ "paths": ["/*"] })).await;
}

/// A route of a service with these members.
pub(crate) async fn put_route(f: &Forecourt, service: &str, id: &str, members: Value) {
    let mut route = json!({ "name": id, "service_id": service });
    for (member, value) in members.as_object().unwrap() {
        route[member] = value.clone();
    }
    f.admin().await.put(&admin_path(&format!("routes/{id}")), route).await.expect(200);
}

/// A consumer with these members.
pub(crate) async fn put_consumer(f: &Forecourt, username: &str, members: Value) {
    f.admin().await.put(&admin_path(&format!("consumers/{username}")), members).await.expect(200);
}

/// A credential of a consumer with this one plugin; its id.
pub(crate) async fn put_credential(f: &Forecourt, username: &str, id: &str, plugins: Value) -> String {
    let path = admin_path(&format!("consumers/{username}/credentials/{id}"));
    let made = f.admin().await.put(&path, json!({ "plugins": plugins })).await.expect(200);
    text(&made["value"]["id"])
}
