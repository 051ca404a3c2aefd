//! What upstreams and callers are told of a request's way and name (docs/gateway.md §15), over real connections.

use forecourt_core::addresses::Network;

use super::{
    rows::{put, route},
    stage::{Stage, body, echo, open_by, protected_by, status},
};
use crate::Config;

fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

async fn trusting(network: &str) -> Stage {
    let config = Config { trusted_proxies: vec![Network::parse(network).unwrap()], ..Config::default() };
    Stage::with(config, protected_by(echo().await)).await
}

const GIVEN: [&str; 5] = [
    "X-Forwarded-For: 203.0.113.7",
    "X-Forwarded-Host: shop.example",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Port: 443",
    "Forwarded: for=203.0.113.7;proto=https",
];

#[tokio::test]
async fn an_untrusted_caller_cannot_invent_its_way() {
    let stage = trusting("192.0.2.0/24").await;
    let answer = stage.ask("/open/x", &GIVEN).await;
    let port = stage.address.port().to_string();
    for (name, expected) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "api.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", port.as_str()),
        ("forwarded", "for=127.0.0.1;host=api.example;proto=http"),
    ] {
        assert_eq!(value(body(&answer), name), Some(expected), "{answer}");
        assert_eq!(body(&answer).matches(&format!("\n{name}: ")).count(), 1, "{answer}");
    }
}

#[tokio::test]
async fn neither_spelling_nor_connection_changes_what_the_gateway_says() {
    let stage = trusting("192.0.2.0/24").await;
    for mark in ["_", ".", "!"] {
        let fields = ["X_Forwarded_For: 203.0.113.7", "X_Forwarded_Proto: forged", "X_Request_Id: forged"];
        let fields = fields.map(|field| field.replace('_', mark));
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let answer = stage.ask("/open/x", &fields).await;
        assert!(!body(&answer).contains("203.0.113.7") && !body(&answer).contains("forged"), "{answer}");
    }
    // Other names stay as they are, whatever they look like.
    let answer = stage.ask("/open/x", &["X.Forwarded.Fog: a", "X-Consumers-Username: b"]).await;
    assert_eq!(value(body(&answer), "x.forwarded.fog"), Some("a"), "{answer}");
    assert_eq!(value(body(&answer), "x-consumers-username"), Some("b"), "{answer}");
    let answer = stage.ask("/open/x", &["X-Request-Id: mine", "Connection: x-request-id"]).await;
    assert_eq!(value(body(&answer), "x-request-id"), Some("mine"), "{answer}");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_its_chain_continued() {
    let stage = trusting("127.0.0.0/8").await;
    let answer = stage.ask("/open/x", &GIVEN).await;
    for (name, expected) in [
        ("x-forwarded-for", "203.0.113.7, 127.0.0.1"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "443"),
        ("forwarded", "for=203.0.113.7;proto=https, for=127.0.0.1;host=api.example;proto=http"),
    ] {
        assert_eq!(value(body(&answer), name), Some(expected), "{answer}");
    }
}

#[tokio::test]
async fn calls_are_counted_for_the_address_behind_a_trusted_proxy() {
    for (network, from) in [("127.0.0.0/8", "203.0.113.7"), ("192.0.2.0/24", "127.0.0.1")] {
        let stage = trusting(network).await;
        let answer = stage.ask("/s/x", &["apikey: k", "X-Forwarded-For: 6.6.6.6, 203.0.113.7"]).await;
        assert_eq!(status(&answer), 200);
        let usage = stage.gateway.take_usage();
        assert_eq!(usage[0].last_used_from.to_string(), from);
    }
}

#[tokio::test]
async fn a_request_id_is_kept_or_made_and_told_to_both_sides() {
    let stage = Stage::with(Config::default(), open_by(echo().await)).await;
    stage.apply(vec![put(2, route("r-2", "open", "/more/*"))]);
    let kept = stage.ask("/open/x", &["X-Request-Id: the-caller.s~own"]).await;
    assert_eq!(value(&kept, "x-request-id"), Some("the-caller.s~own"));
    assert_eq!(value(body(&kept), "x-request-id"), Some("the-caller.s~own"));
    for fields in [&[][..], &["X-Request-Id: two words"], &["X-Request-Id: a", "X-Request-Id: b"]] {
        let made = stage.ask("/open/x", fields).await;
        let id = value(&made, "x-request-id").unwrap();
        assert_eq!(id.len(), 36, "{made}");
        assert_eq!(value(body(&made), "x-request-id"), Some(id), "{made}");
        assert_eq!(body(&made).matches("x-request-id").count(), 1, "{made}");
    }
    let own = stage.ask("/nothing", &["X-Request-Id: mine"]).await;
    assert_eq!((status(&own), value(&own, "x-request-id")), (404, Some("mine")));
    let pipelined = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answers = stage.exchange(pipelined).await;
    let ids: Vec<_> = answers.lines().filter_map(|line| line.strip_prefix("x-request-id: ")).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{answers}");
}
