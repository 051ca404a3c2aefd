//! Certificates: what is taken, what is answered, and that keys never are.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::stage::{START, Stage};

pub(super) const SSLS: &str = "/apisix/admin/ssls?gateway_group_id=default";

/// A chain of one certificate for `names`, valid until `until`, and its key.
pub(super) fn pair(names: &[&str], until: (i32, u8, u8)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let names = names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The body of a certificate for `names`.
pub(super) fn body(names: &[&str]) -> Value {
    let (cert, key) = pair(names, (2030, 1, 1));
    json!({ "cert": cert, "key": key })
}

pub(super) fn with(body: &Value, members: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_certificate_is_answered_with_its_names_and_validity_and_never_with_its_key() {
    let stage = Stage::start().await;
    let given = with(&body(&["A.example", "*.b.example"]), &json!({ "labels": { "team": "edge" }, "x": 1 }));
    let made = stage.call("POST", SSLS, given.clone()).await;
    let id = made.value()["id"].as_str().unwrap().to_owned();
    let expected = json!({
        "id": id, "type": "server", "status": 1, "cert": given["cert"], "snis": ["a.example", "*.b.example"],
        "labels": { "team": "edge" }, "x": 1, "validity_start": 157_766_400, "validity_end": 1_893_456_000,
        "exptime": 1_893_456_000, "created_at": START, "updated_at": START,
    });
    assert_eq!(made.value(), expected);
    assert!(made.headers.contains_key("x-forecourt-revision"), "gateways hear of it");
    let item = format!("/apisix/admin/ssls/{id}");
    assert_eq!(stage.get(&item).await.value(), expected);
    assert_eq!(stage.get(SSLS).await.list(), [expected]);
    assert_eq!(stage.get("/api/labels/ssl").await.value(), json!({ "team": ["edge"] }));
    assert_eq!(stage.get(&format!("{SSLS}&search=B.EXAMPLE")).await.list().len(), 1);
    assert!(stage.get(&format!("{SSLS}&search=c.example")).await.list().is_empty());
    assert!(stage.get(&format!("{SSLS}&labels[team]=x")).await.list().is_empty());
    assert_eq!(stage.get(&format!("{SSLS}&order_by=name")).await.refusal().0, 400);
    let deleted = stage.call("DELETE", &item, Value::Null).await.value();
    assert_eq!(deleted, json!({ "id": id }));
    assert_eq!(stage.get(&item).await.refusal().0, 404);
}

#[tokio::test]
async fn what_no_gateway_could_show_is_refused_with_its_member() {
    let stage = Stage::start().await;
    let (good, other) = (body(&["a.example"]), body(&["a.example"]));
    let (expired, expired_key) = pair(&["a.example"], (2026, 8, 1));
    let nameless = body(&["127.0.0.1"]);
    for (more, problem) in [
        (json!({ "cert": null }), "cert is required"),
        (json!({ "cert": "x" }), "cert must be certificates in PEM"),
        (json!({ "cert": 1 }), "cert must be a string"),
        (json!({ "key": null }), "key is required"),
        (json!({ "key": "x" }), "key must be one unencrypted private key in PEM"),
        (json!({ "key": other["key"] }), "key does not fit the certificate"),
        (json!({ "cert": expired, "key": expired_key }), "cert has expired on Aug"),
        (json!({ "certs": [good["cert"]] }), "keys[0] is required"),
        (json!({ "certs": [good["cert"]], "keys": [] }), "keys must hold one key for each of certs"),
        (json!({ "certs": [good["cert"]], "keys": [other["key"]] }), "keys[0] does not fit"),
        (json!({ "snis": ["a b"] }), "snis[0] must be a host name"),
        (json!({ "snis": ["a.example", "*.*.b"] }), "snis[1] must be a host name"),
        (nameless, "snis is required: the certificate names no host"),
        (json!({ "status": 2 }), "status must be 1 or 0"),
        (json!({ "type": "both" }), "type must be server or client"),
        (json!({ "client": {} }), "client.ca is required"),
        (json!({ "client": { "ca": "x" } }), "client.ca must be certificates of authorities"),
        (json!({ "client": { "ca": good["cert"], "depth": "1" } }), "client.depth must be a"),
        (json!({ "client": { "ca": good["cert"], "depth": 1.5 } }), "client.depth must be a"),
        (
            json!({ "client": { "ca": good["cert"], "depth": -1 } }),
            "client.depth must be a whole number from 0",
        ),
        (
            json!({ "client": { "ca": good["cert"], "depth": 101 } }),
            "client.depth must be a whole number from 0",
        ),
        (
            json!({ "client": { "ca": good["cert"], "skip_mtls_uri_regex": [] } }),
            "skip_mtls_uri_regex is not",
        ),
        (json!({ "type": "client", "client": { "ca": good["cert"] } }), "client belongs to"),
        (json!({ "labels": { "a": "" } }), "labels.a must be"),
    ] {
        let reply = stage.call("POST", SSLS, with(&good, &more)).await;
        let (status, message) = reply.refusal();
        assert!(status == 400 && message.contains(problem), "{problem}: {message}");
    }
    assert!(stage.get(SSLS).await.list().is_empty());
    let idle = with(&good, &json!({ "cert": expired, "key": expired_key, "status": 0 }));
    assert_eq!(stage.call("POST", SSLS, idle).await.value()["exptime"], 1_785_542_400);
    let mutual = with(&good, &json!({ "client": { "ca": good["cert"] } }));
    let made = stage.call("POST", SSLS, mutual).await.value();
    assert_eq!(made["client"], json!({ "ca": good["cert"], "depth": 1 }), "one unless it is said");
    let path = format!("/apisix/admin/ssls/{}", made["id"].as_str().unwrap());
    for depth in [0, 100] {
        let deeper = json!([{ "op": "replace", "path": "/client/depth", "value": depth }]);
        assert_eq!(stage.call("PATCH", &path, deeper).await.value()["client"]["depth"], depth);
        assert_eq!(stage.get(&path).await.value()["client"]["depth"], depth);
    }
    let shown_to_upstreams = with(&good, &json!({ "type": "client" }));
    assert_eq!(stage.call("POST", SSLS, shown_to_upstreams).await.value()["type"], "client");
}

#[tokio::test]
async fn a_patch_may_bring_a_key_and_otherwise_keeps_the_ones_that_are_there() {
    let stage = Stage::start().await;
    let (first, second, third) = (body(&["a.example"]), body(&["b.example"]), body(&["c.example"]));
    let given = with(&first, &json!({ "certs": [second["cert"]], "keys": [second["key"]] }));
    let item = "/apisix/admin/ssls/edge?gateway_group_id=default";
    let before = stage.call("PUT", item, given).await.value();
    assert_eq!((&before["id"], &before["certs"]), (&json!("edge"), &json!([second["cert"]])));
    let patch = async |operations: Value| stage.call("PATCH", item, operations).await;
    let off = json!([{ "op": "replace", "path": "/status", "value": 0 }]);
    assert_eq!(patch(off).await.value()["status"], 0);
    let alone = json!([{ "op": "replace", "path": "/cert", "value": third["cert"] }]);
    assert!(patch(alone.clone()).await.refusal().1.contains("key does not fit the certificate"));
    let mut both = alone.as_array().unwrap().clone();
    both.push(json!({ "op": "add", "path": "/key", "value": third["key"] }));
    both.push(json!({ "op": "remove", "path": "/snis" }));
    let after = patch(json!(both)).await.value();
    assert_eq!((&after["cert"], &after["snis"]), (&third["cert"], &json!(["c.example"])));
    assert_eq!(patch(json!({ "certs": null })).await.value().get("certs"), None);
    for member in ["id", "exptime", "created_at"] {
        assert_eq!(patch(json!({ member: 1 })).await.refusal().0, 400, "{member}");
    }
    let put = json!({ "cert": third["cert"] });
    assert_eq!(stage.call("PUT", item, put).await.refusal().1, "key is required");
}

#[tokio::test]
async fn a_certificate_belongs_to_one_group() {
    let stage = Stage::start().await;
    let edge = stage.id_of("POST", "/api/gateway_groups", json!({ "name": "edge" })).await;
    let of = |group: &str| format!("/apisix/admin/ssls/one?gateway_group_id={group}");
    stage.call("PUT", &of("default"), body(&["a.example"])).await.value();
    let taken = stage.call("PUT", &of(&edge), body(&["a.example"])).await.refusal();
    assert!(
        taken.0 == 400 && taken.1.contains("taken by a certificate of another gateway group"),
        "{}",
        taken.1
    );
    assert_eq!(stage.get(&of(&edge)).await.refusal().0, 404);
    assert_eq!(stage.get("/apisix/admin/ssls").await.refusal(), (400, "gateway_group_id is required".into()));
    let unknown = "/apisix/admin/ssls?gateway_group_id=none";
    assert_eq!(stage.get(unknown).await.refusal().0, 404);
    assert_eq!(stage.call("POST", unknown, body(&["a.example"])).await.refusal().0, 404);
}
