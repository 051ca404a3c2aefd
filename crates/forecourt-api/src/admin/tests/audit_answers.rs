//! The audit log of calls whose callers do not wait for the answer.

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::FutureExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::stage::{Stage, request};

const LOGS: &str = "/api/audit_logs";

#[tokio::test]
async fn a_refused_call_whose_caller_hangs_up_before_the_answer_is_recorded_with_it() {
    let stage = Stage::start().await;
    let basic = format!("Basic {}", STANDARD.encode("admin:changed"));
    let refused = request("DELETE", "/api/portals/prt_gone", &[("authorization", &basic)], Value::Null);
    // The password is hashed on another thread: once asked, nobody knows the answer yet.
    let answer = stage.router.clone().oneshot(refused).now_or_never();
    assert!(answer.is_none(), "whoever waited for it is gone");
    let record = loop {
        let records = stage.get(&format!("{LOGS}?event_type=DeletePortal")).await.list();
        match records.into_iter().next() {
            Some(record) => break record,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(record["http_response"]["status_code"], 404, "{record}");
    assert_eq!(
        (&record["resource_id"], &record["operator"]["username"]),
        (&json!("prt_gone"), &json!("admin"))
    );
}

/// How the members called `name` were before and after the newest call of this kind.
async fn before_and_after(stage: &Stage, event_type: &str, name: &str) -> (Value, Value) {
    let records = stage.get(&format!("{LOGS}?event_type={event_type}")).await.list();
    let change = &records[0]["changes"][0];
    (change["before"][name].clone(), change["after"][name].clone())
}

#[tokio::test]
async fn what_lies_beside_a_thing_is_in_its_before_and_after() {
    let stage = Stage::start().await;
    let role = stage.id_of("POST", "/api/roles", json!({ "name": "readers" })).await;
    let attach = json!({ "permission_policies": ["super-admin-permission-policy"] });
    stage.call("POST", &format!("/api/roles/{role}/attach_permission_policies"), attach).await.value();
    let changed = before_and_after(&stage, "UpdateCustomRole", "permissions").await;
    assert_eq!(changed, (Value::Null, json!(["super-admin-permission-policy"])));

    let invited = json!({ "username": "ann", "password": "first" });
    let ann = stage.id_of("POST", "/api/invites", invited).await;
    stage
        .call("PUT", &format!("/api/users/{ann}/assigned_roles"), json!({ "roles": [{ "role_id": role }] }))
        .await
        .value();
    let changed = before_and_after(&stage, "UpdateUserRole", "roles").await;
    assert_eq!((&changed.0, &changed.1[0]["role_id"]), (&Value::Null, &json!(role)));

    let service = stage.service("orders").await;
    let route = "/apisix/admin/routes/r?gateway_group_id=default";
    let with = |vars: Value| json!({ "name": "r", "service_id": service, "paths": ["/a"], "vars": vars });
    stage.call("PUT", route, with(json!([["arg_v", "==", "2"]]))).await.value();
    stage
        .call("PUT", route, with(json!([["arg_v", "==", "3"], ["http_x_api_key", "==", "planted-1"]])))
        .await
        .value();
    let (before, after) = before_and_after(&stage, "UpdatePublishedService", "vars").await;
    assert_eq!((before, &after[0]), (json!([["arg_v", "==", "2"]]), &json!(["arg_v", "==", "3"])));
    assert!(!after.to_string().contains("planted-1"), "{after}");

    let links = json!([{ "gateway_group_id": "default", "service_id": service, "linked_hosts": [] }]);
    let path = format!("/api/api_products?portal_id={}", stage.default_portal().await);
    let product = json!({ "type": "gateway", "name": "Orders", "auth": { "key-auth": {} }, "linked_gateway_services": links });
    stage.call("POST", &path, product).await.value();
    let (_, linked) = before_and_after(&stage, "CreateAPIProduct", "linked_gateway_services").await;
    assert_eq!(linked, links);
}
