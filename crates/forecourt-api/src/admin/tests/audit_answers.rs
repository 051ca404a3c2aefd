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
