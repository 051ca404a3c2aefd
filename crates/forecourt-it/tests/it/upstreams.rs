//! What stands behind a service: further upstreams, limits of a route's own, retries, TLS and protocol upgrades.

use std::{net::SocketAddr, sync::Arc};

use forecourt_it::{Forecourt, Upstream, deadlines::eventually};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::services::{node, put_route, put_service};

/// An address at which nobody listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_route_goes_to_the_upstream_that_it_names_and_the_others_to_the_default_one() {
    let f = Forecourt::start().await;
    let (blue, green) = (Upstream::start().await, Upstream::start().await);
    put_service(&f, "shop", json!({})).await;
    let path = "/apisix/admin/services/shop/upstreams/blue";
    let upstream = |at: &Upstream| json!({ "name": "blue", "nodes": [node(at.address())] });
    f.admin().await.put(path, upstream(&blue)).await.expect(200);
    put_route(&f, "shop", "blue", json!({ "paths": ["/blue/*"], "upstream_id": "blue" })).await;
    let arrived = || [f.upstream(), &blue, &green].map(|upstream| upstream.arrived().len());
    f.gateway().get("/shop/blue/a").await;
    assert_eq!(arrived(), [0, 1, 0]);
    assert_eq!(blue.last().target, "/blue/a");
    f.gateway().get("/shop/a").await;
    assert_eq!(arrived(), [1, 1, 0]);
    f.admin().await.put(path, upstream(&green)).await.expect(200);
    f.gateway().get("/shop/blue/a").await;
    assert_eq!(arrived(), [1, 1, 1], "a changed upstream holds on the next call");
    f.admin().await.delete(path).await.refused(400, "blue");
    put_route(&f, "shop", "blue", json!({ "paths": ["/blue/*"] })).await;
    f.gateway().get("/shop/blue/a").await;
    assert_eq!(arrived(), [2, 1, 1]);
    f.admin().await.delete(path).await.expect(200);
}

#[tokio::test]
async fn a_route_s_own_patience_ends_its_calls_and_no_others() {
    let f = Forecourt::start().await;
    put_service(&f, "shop", json!({})).await;
    put_route(&f, "shop", "quick", json!({ "paths": ["/quick"], "timeout": { "read": 0.2 } })).await;
    f.gateway().get("/shop/quick").await;
    f.upstream().hold();
    let patient = f.gateway();
    let patient = tokio::spawn(async move { patient.get("/shop/patient").await });
    eventually("the patient call has arrived", || async {
        (f.upstream().last().target == "/patient").then_some(())
    })
    .await;
    let late = f.gateway().get("/shop/quick").await.expect(504);
    assert!(late["message"].is_string(), "{late}");
    f.upstream().release();
    assert_eq!(patient.await.unwrap().status, 200);
    assert_eq!(f.gateway().get("/shop/quick").await.status, 200);
}

#[tokio::test]
async fn a_node_that_refuses_connections_costs_no_call_while_another_may_be_tried() {
    let f = Forecourt::start().await;
    let mut dead = node(nobody().await);
    dead["weight"] = json!(1_000);
    let upstream = |retries: u8| {
        let nodes = [dead.clone(), node(f.upstream().address())];
        json!({ "upstream": { "name": "default", "retries": retries, "nodes": nodes } })
    };
    put_service(&f, "shop", upstream(1)).await;
    for _ in 0..5 {
        f.gateway().post("/shop/a", json!({})).await.expect(200);
    }
    assert_eq!(f.upstream().arrived().len(), 5);
    put_service(&f, "shop", upstream(0)).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(f.gateway().get("/shop/a").await.status.as_u16());
    }
    assert!(statuses.contains(&502), "without retries the dead node is seen: {statuses:?}");
}

#[tokio::test]
async fn an_upstream_of_a_scheme_that_is_only_kept_has_no_node_for_anybody() {
    let f = Forecourt::start().await;
    let upstream = |scheme: &str| json!({ "name": "default", "scheme": scheme, "nodes": [node(f.upstream().address())] });
    put_service(&f, "shop", json!({ "upstream": upstream("tcp") })).await;
    let unserved = json!({ "message": "no valid upstream node" });
    assert_eq!(f.gateway().get("/shop/a").await.expect(503), unserved);
    put_service(&f, "shop", json!({ "type": "stream", "upstream": upstream("tcp") })).await;
    f.gateway().get("/shop/a").await.expect(404);
    assert!(f.upstream().arrived().is_empty());
    put_service(&f, "shop", json!({ "upstream": upstream("http") })).await;
    f.gateway().get("/shop/a").await.expect(200);
}

/// An authority, and what a server shows that it vouches for under `name`.
fn authority(name: &str) -> (String, ServerConfig) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let shown = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![shown.der().clone()], key).unwrap();
    (own, config)
}

#[tokio::test]
async fn an_upstream_over_tls_is_believed_with_its_authority_and_under_its_name_alone() {
    let f = Forecourt::start().await;
    let (ca, config) = authority("127.0.0.1");
    let upstream = Upstream::start_tls(config).await;
    let with = async |tls: Value, members: Value| {
        let mut service =
            json!({ "name": "default", "scheme": "https", "tls": tls, "nodes": [node(upstream.address())] });
        for (member, value) in members.as_object().unwrap() {
            service[member] = value.clone();
        }
        put_service(&f, "shop", json!({ "upstream": service })).await;
        f.gateway().get("/shop/a").await
    };
    let untrusted = json!({ "message": "upstream certificate is not valid" });
    assert_eq!(with(json!({}), json!({})).await.expect(502), untrusted);
    let (other, _) = authority("127.0.0.1");
    assert_eq!(with(json!({ "ca": other }), json!({})).await.expect(502), untrusted);
    let renamed = json!({ "pass_host": "rewrite", "upstream_host": "other.example" });
    assert_eq!(with(json!({ "ca": ca }), renamed).await.expect(502), untrusted);
    assert!(upstream.arrived().is_empty());
    assert_eq!(with(json!({ "ca": ca }), json!({})).await.text(), "hello");
    assert_eq!(with(json!({ "verify": false }), json!({})).await.text(), "hello");
    assert_eq!(upstream.arrived().len(), 2);
    assert_eq!(with(json!({}), json!({})).await.expect(502), untrusted, "trust ends with its setting");
}

/// An upstream that agrees to become a WebSocket and then sends back what it gets; else it answers 204.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let head = read_head(&mut stream).await.to_ascii_lowercase();
                let answer = if head.contains("\r\nupgrade: websocket\r\n") {
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
                } else {
                    "HTTP/1.1 204 No Content\r\n\r\n"
                };
                stream.write_all(answer.as_bytes()).await.unwrap();
                let (mut reading, mut writing) = stream.split();
                let _ended = tokio::io::copy(&mut reading, &mut writing).await;
            });
        }
    });
    address
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// Asks the gateway to become a WebSocket at `path`: the connection, and the head of the answer.
async fn upgraded(f: &Forecourt, path: &str) -> (TcpStream, String) {
    let gateway = f.addresses().gateway.clone().unwrap();
    let authority = gateway.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answered = read_head(&mut stream).await;
    (stream, answered)
}

#[tokio::test]
async fn a_websocket_passes_both_ways_unless_its_route_forbids_it() {
    let f = Forecourt::start().await;
    let nodes = [node(echo().await)];
    put_service(&f, "chat", json!({ "upstream": { "name": "default", "nodes": nodes } })).await;
    put_route(&f, "chat", "quiet", json!({ "paths": ["/quiet"], "enable_websocket": false })).await;
    put_route(&f, "chat", "loud", json!({ "paths": ["/loud"], "enable_websocket": true })).await;
    for path in ["/chat/a", "/chat/loud"] {
        let (mut stream, head) = upgraded(&f, path).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        for text in [b"first", b"later"] {
            stream.write_all(text).await.unwrap();
            let mut back = [0; 5];
            stream.read_exact(&mut back).await.unwrap();
            assert_eq!(&back, text);
        }
    }
    let (_stream, head) = upgraded(&f, "/chat/quiet").await;
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
}
