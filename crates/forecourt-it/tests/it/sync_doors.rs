//! Those who try instance tokens at the sync port.

use std::time::Duration;

use forecourt_app::sync_authority;
use forecourt_core::ids::NodeId;
use forecourt_it::{
    Forecourt,
    deadlines::PATIENCE,
    installations::text,
    nodes::{SyncConnection, hello},
};
use forecourt_wire::sync::{ACKNOWLEDGEMENTS, USAGE, WATCH};
use serde_json::json;
use tokio::time::timeout;

#[tokio::test]
async fn an_address_that_tries_instance_tokens_is_told_to_wait_while_right_ones_pass() {
    let f = Forecourt::start_with(|settings| settings.security.failed_sign_ins.per_address = 2).await;
    let issued = f.admin().await.post("/api/gateway_groups/default/instance_token", json!({})).await;
    let right = text(&issued.expect(200)["value"]["token_plain_text"]);
    let pem = sync_authority::certificate_pem(&f.app()).to_owned();
    let connection = SyncConnection::open(f.addresses().sync.as_deref().unwrap(), &pem, None).await.unwrap();
    let node = NodeId::known("nod_1");
    let greeting = json!(hello(&node, None));
    let told = json!({ "node": "nod_1", "revision": 1, "mark": "0123456789abcdef" });
    // A request without a token tries none.
    for _ in 0..3 {
        assert_eq!(connection.ask(WATCH, None, &greeting).await.0, 401);
    }
    assert_eq!(connection.ask(WATCH, Some("made-up"), &greeting).await.0, 401);
    assert_eq!(connection.ask(ACKNOWLEDGEMENTS, Some("made-up"), &told).await.0, 401);
    for (path, body) in [(WATCH, &greeting), (ACKNOWLEDGEMENTS, &told)] {
        let (status, text) = connection.ask(path, Some("made-up"), body).await;
        assert!(status == 429 && text.contains("too many failed attempts"), "{path}: {status} {text}");
    }
    // Nobody is held up by that, also not from the same address.
    let mut stream = connection.watch(&right, &node, None).await;
    assert!(stream.next().await.is_some());
}

#[tokio::test]
async fn of_who_shows_a_wrong_instance_token_no_body_is_read() {
    let f = Forecourt::start().await;
    let issued = f.admin().await.post("/api/gateway_groups/default/instance_token", json!({})).await;
    let right = text(&issued.expect(200)["value"]["token_plain_text"]);
    let pem = sync_authority::certificate_pem(&f.app()).to_owned();
    let connection = SyncConnection::open(f.addresses().sync.as_deref().unwrap(), &pem, None).await.unwrap();
    for path in [WATCH, ACKNOWLEDGEMENTS, USAGE] {
        let answered = timeout(PATIENCE, connection.begin(path, "made-up")).await;
        assert_eq!(answered.expect("the end of the body is not waited for"), 401, "{path}");
        // The body of one who may send it is waited for.
        let moment = Duration::from_millis(300);
        assert!(timeout(moment, connection.begin(path, &right)).await.is_err(), "{path}");
    }
}
