//! Certificates of a gateway group: whom a caller who trusts one certificate alone can talk to, and when.

use forecourt_core::{
    gateway_state::{Resource, Scope},
    ids::GatewayGroupId,
};
use forecourt_it::{Forecourt, databases::logged};
use forecourt_store::Store;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use serde_json::{Value, json};

use crate::services::{admin_path, put_service};

async fn start() -> Forecourt {
    let f = Forecourt::start_with(|settings| settings.gateway.tls_listen = "127.0.0.1:0".into()).await;
    put_service(&f, "shop", json!({})).await;
    f
}

pub(crate) fn pair(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec![name.to_owned()]).unwrap()
}

pub(crate) fn ssl(pair: &CertifiedKey<KeyPair>) -> Value {
    json!({ "cert": pair.cert.pem(), "key": pair.signing_key.serialize_pem() })
}

async fn put(f: &Forecourt, id: &str, body: Value) -> Value {
    f.admin().await.put(&admin_path(&format!("ssls/{id}")), body).await.expect(200)
}

/// The status that a new connection to `name` gets, by a caller who believes this certificate and no other; nothing
/// where the handshake fails.
pub(crate) async fn status(f: &Forecourt, name: &str, trusted: &CertifiedKey<KeyPair>) -> Option<u16> {
    let listener = f.addresses().gateway_tls.clone().unwrap();
    let address: std::net::SocketAddr = listener.strip_prefix("https://").unwrap().parse().unwrap();
    let http = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(trusted.cert.pem().as_bytes()).unwrap()])
        .resolve(name, address)
        .no_proxy()
        .build()
        .unwrap();
    match http.get(format!("https://{name}:{}/shop/a", address.port())).send().await {
        Ok(answer) => Some(answer.status().as_u16()),
        Err(problem) => {
            assert!(problem.is_connect(), "no handshake that failed: {problem:?}");
            None
        }
    }
}

#[tokio::test]
async fn each_name_is_answered_with_its_own_certificate() {
    let f = start().await;
    let (a, b) = (pair("a.example"), pair("b.example"));
    assert_eq!(status(&f, "a.example", &a).await, None, "nobody has a certificate yet");
    put(&f, "a", ssl(&a)).await;
    put(&f, "b", ssl(&b)).await;
    assert_eq!(status(&f, "a.example", &a).await, Some(200));
    assert_eq!(status(&f, "b.example", &b).await, Some(200));
    assert_eq!(status(&f, "a.example", &b).await, None, "the caller checks what it is shown");
    assert_eq!(status(&f, "c.example", &a).await, None);
    let headers = f.upstream().last().headers;
    assert_eq!(headers["x-forwarded-proto"], "https");
}

#[tokio::test]
async fn a_certificate_is_replaced_switched_off_and_deleted_for_the_next_connection() {
    let f = start().await;
    let (old, new) = (pair("a.example"), pair("a.example"));
    put(&f, "one", ssl(&old)).await;
    assert_eq!(status(&f, "a.example", &old).await, Some(200));
    put(&f, "one", ssl(&new)).await;
    assert_eq!(status(&f, "a.example", &new).await, Some(200));
    assert_eq!(status(&f, "a.example", &old).await, None);
    let path = admin_path("ssls/one");
    f.admin().await.patch(&path, json!({ "status": 0 })).await.expect(200);
    assert_eq!(status(&f, "a.example", &new).await, None, "status 0 is not served");
    // The key is still there, although nobody sent it again.
    f.admin().await.patch(&path, json!({ "status": 1, "snis": ["*.example"] })).await.expect(200);
    assert_eq!(status(&f, "a.example", &new).await, Some(200));
    f.admin().await.delete(&path).await.expect(200);
    assert_eq!(status(&f, "a.example", &new).await, None);
}

#[tokio::test]
async fn a_certificate_is_served_again_after_a_restart() {
    let mut f = start().await;
    let a = pair("a.example");
    put(&f, "one", ssl(&a)).await;
    f.restart().await;
    assert_eq!(status(&f, "a.example", &a).await, Some(200));
}

#[tokio::test]
async fn no_key_is_answered_or_lies_in_clear_in_the_database() {
    let f = start().await;
    let (first, second) = (pair("a.example"), pair("a.example"));
    let mut body = ssl(&first);
    body["certs"] = json!([second.cert.pem()]);
    body["keys"] = json!([second.signing_key.serialize_pem()]);
    let admin = f.admin().await;
    let path = admin_path("ssls/one");
    let mut texts = vec![
        admin.put(&path, body).await.text(),
        admin.patch(&path, json!({ "labels": { "team": "edge" } })).await.text(),
        admin.get(&path).await.text(),
        admin.get(&admin_path("ssls")).await.text(),
    ];
    for text in &texts {
        assert!(text.contains("a.example") && !text.contains("PRIVATE KEY"), "{text}");
    }
    assert_eq!(status(&f, "a.example", &first).await, Some(200));
    let store = Store::open(&crate::store::location(f.database())).await.unwrap();
    let scope = Scope::GatewayGroup(GatewayGroupId::default_group());
    let logged = logged(&store, &[scope], 0).await;
    texts.extend(logged.iter().map(|change| serde_json::to_string(&change.resource).unwrap()));
    if !f.database().is_postgres() {
        for file in ["forecourt.db", "forecourt.db-wal"] {
            let bytes = std::fs::read(f.database().folder().join(file)).unwrap_or_default();
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    assert!(texts.iter().any(|text| text.contains("sealed")), "the rows are read");
    for pair in [&first, &second] {
        let pem = pair.signing_key.serialize_pem();
        let line = pem.lines().nth(1).unwrap();
        assert!(line.len() > 40 && !texts.iter().any(|text| text.contains(line)), "a key lies in clear");
    }
}

#[tokio::test]
async fn gateways_are_told_how_long_callers_chains_may_be() {
    let f = start().await;
    let (a, authority) = (pair("a.example"), pair("authority"));
    let mut body = ssl(&a);
    let told = async |f: &Forecourt| {
        let store = Store::open(&crate::store::location(f.database())).await.unwrap();
        let scope = Scope::GatewayGroup(GatewayGroupId::default_group());
        let rows = logged(&store, &[scope], 0).await;
        let mut certificates = rows.into_iter().rev().filter_map(|change| match change.resource {
            Some(Resource::Certificate(state)) => Some((state.client_ca.is_some(), state.client_depth)),
            _ => None,
        });
        certificates.next().unwrap()
    };
    put(&f, "one", body.clone()).await;
    assert_eq!(told(&f).await, (false, None));
    body["client"] = json!({ "ca": authority.cert.pem() });
    put(&f, "one", body.clone()).await;
    assert_eq!(told(&f).await, (true, Some(1)));
    body["client"]["depth"] = json!(0);
    put(&f, "one", body).await;
    assert_eq!(told(&f).await, (true, Some(0)));
}
