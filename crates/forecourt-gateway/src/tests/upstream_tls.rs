//! Upstreams over TLS (docs/gateway.md §10): who is believed, what is shown, and what goes wrong.

use forecourt_core::{
    gateway_state::{ServiceState, UpstreamHost, UpstreamNode, UpstreamState},
    secrets::KeptSecret,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    peers::{Authority, acceptor, tls_acting, tls_echo},
    rows::{put, route, service, upstream},
    stage::{Stage, acting, body, read_until, status},
};
use crate::Config;

const UNTRUSTED: &str = r#"{"message":"upstream certificate is not valid"}"#;

fn secure(port: u16, authority: &Authority) -> UpstreamState {
    let mut row = upstream(port);
    row.scheme = "https".into();
    row.tls.ca = Some(authority.pem());
    row
}

fn to(upstream: UpstreamState) -> ServiceState {
    ServiceState { upstream: Some(upstream), ..service("s") }
}

async fn stage(upstream: UpstreamState) -> Stage {
    Stage::with(Config::default(), vec![put(1, to(upstream)), put(1, route("r", "s", "/*"))]).await
}

#[tokio::test]
async fn https_is_spoken_with_what_both_sides_know() {
    let authority = Authority::new();
    let issued = authority.issue("127.0.0.1");
    for (offered, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let stage = stage(secure(tls_echo(acceptor(&issued, offered, None)).await, &authority)).await;
        for _ in 0..3 {
            let answer = stage.ask("/x?y", &[]).await;
            assert_eq!(status(&answer), 200, "{answer}");
            assert!(answer.contains(&format!("{version} none GET ")), "{answer}");
            assert!(answer.contains("x-forwarded-host: api.example"), "{answer}");
        }
    }
}

#[tokio::test]
async fn the_name_that_is_asked_for_is_the_one_that_the_upstream_sees() {
    let authority = Authority::new();
    let port = tls_echo(acceptor(&authority.issue("inner.example"), &["h2", "http/1.1"], None)).await;
    let rewritten = UpstreamState {
        host: UpstreamHost::Rewrite("inner.example:8443".into()),
        ..secure(port, &authority)
    };
    let stage = stage(rewritten).await;
    let answer = stage.ask("/x", &[]).await;
    assert!(answer.contains("HTTP/2.0 inner.example GET https://inner.example:8443/x\n"), "{answer}");
    let named = UpstreamNode { host: "localhost".into(), port, weight: 1, priority: 0 };
    let port = tls_echo(acceptor(&authority.issue("localhost"), &[], None)).await;
    for (revision, host, seen) in [
        (2, UpstreamHost::Pass, "api.example".to_owned()),
        (3, UpstreamHost::Node, format!("localhost:{port}")),
    ] {
        let nodes = vec![UpstreamNode { port, ..named.clone() }];
        stage.apply(vec![put(revision, to(UpstreamState { host, nodes, ..secure(port, &authority) }))]);
        let answer = stage.ask("/x", &[]).await;
        assert!(answer.contains("HTTP/1.1 localhost GET /x\n"), "{answer}");
        assert!(answer.contains(&format!("\nhost: {seen}\n")), "{answer}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_is_refused_and_the_reason_stays_in_the_log() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = tls_echo(acceptor(&authority.issue("127.0.0.1"), &[], None)).await;
    let other_name = tls_echo(acceptor(&authority.issue("other.example"), &[], None)).await;
    let expired = tls_echo(acceptor(&authority.issue_until("127.0.0.1", 2002), &[], None)).await;
    let foreign = tls_echo(acceptor(&stranger.issue("127.0.0.1"), &[], None)).await;
    let stage = stage(secure(good, &authority)).await;
    assert_eq!(status(&stage.ask("/", &[]).await), 200);
    for (revision, port) in [(20, other_name), (30, expired), (40, foreign)] {
        stage.apply(vec![put(revision, to(secure(port, &authority)))]);
        let answer = stage.ask("/", &[]).await;
        assert_eq!((status(&answer), body(&answer)), (502, UNTRUSTED));
        let mut trusting = secure(port, &authority);
        trusting.tls.verify = false;
        stage.apply(vec![put(revision + 1, to(trusting))]);
        assert_eq!(status(&stage.ask("/", &[]).await), 200, "it need not be valid");
    }
    let mut by_the_system = upstream(foreign);
    by_the_system.scheme = "https".into();
    stage.apply(vec![put(100, to(by_the_system))]);
    let answer = stage.ask("/", &[]).await;
    assert_eq!(status(&answer), 502, "{answer}");
    assert!(stage.gateway.rejected().any(|counted| counted == ("untrusted_upstream", 4)), "{answer}");
}

#[tokio::test]
async fn an_upstream_that_demands_a_certificate_gets_the_one_of_the_row() {
    let authority = Authority::new();
    let port = tls_echo(acceptor(&authority.issue("127.0.0.1"), &[], Some(&authority))).await;
    let own = authority.issue("gateway.example");
    let mut row = secure(port, &authority);
    let stage = stage(row.clone()).await;
    assert_eq!(status(&stage.ask("/", &[]).await), 502, "none is shown");
    row.tls.client_chain = Some(own.chain);
    row.tls.client_key = Some(KeptSecret::Clear(own.key));
    stage.apply(vec![put(2, to(row))]);
    assert_eq!(status(&stage.ask("/", &[]).await), 200);
}

#[tokio::test]
async fn settings_that_cannot_be_used_refuse_and_are_never_taken_for_weaker_ones() {
    let authority = Authority::new();
    let port = tls_echo(acceptor(&authority.issue("127.0.0.1"), &[], None)).await;
    let own = authority.issue("gateway.example");
    let stage = stage(secure(port, &authority)).await;
    let broken: [fn(&mut UpstreamState); 5] = [
        |row| row.tls.ca = Some("no certificate".into()),
        |row| row.tls.ca = Some(String::new()),
        |row| row.tls.client_key = Some(KeptSecret::Sealed("sealed".into())),
        |row| row.tls.client_key = Some(KeptSecret::Clear("no key".into())),
        |row| row.tls.client_key = None,
    ];
    for (break_it, revision) in broken.into_iter().zip(2..) {
        let mut row = secure(port, &authority);
        row.tls.client_chain = Some(own.chain.clone());
        row.tls.client_key = Some(KeptSecret::Clear(own.key.clone()));
        break_it(&mut row);
        stage.apply(vec![put(revision, to(row))]);
        let answer = stage.ask("/", &[]).await;
        assert_eq!(
            (status(&answer), body(&answer)),
            (502, r#"{"message":"the upstream's settings cannot be used"}"#)
        );
    }
}

#[tokio::test]
async fn an_upstream_that_speaks_no_tls_or_never_finishes_its_handshake_has_its_own_answer() {
    let authority = Authority::new();
    let plain = acting(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let hanging = acting(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let closing = acting(|stream| async move { drop(stream) });
    let stage = stage(secure(plain.await, &authority)).await;
    let answer = stage.ask("/", &[]).await;
    assert_eq!((status(&answer), body(&answer)), (502, r#"{"message":"upstream unreachable"}"#));
    let slow = UpstreamState { connect_timeout_ms: 60, ..secure(hanging.await, &authority) };
    stage.apply(vec![put(2, to(slow))]);
    let answer = stage.ask("/", &[]).await;
    assert_eq!((status(&answer), body(&answer)), (504, r#"{"message":"upstream timed out"}"#));
    stage.apply(vec![put(3, to(secure(closing.await, &authority)))]);
    assert_eq!(status(&stage.ask("/", &[]).await), 502);
}

#[tokio::test]
async fn a_websocket_passes_over_tls_even_where_http2_would_be_chosen() {
    let authority = Authority::new();
    let acceptor = acceptor(&authority.issue("127.0.0.1"), &["h2", "http/1.1"], None);
    let port = tls_acting(acceptor, |mut stream| async move {
        if stream.get_ref().1.alpn_protocol() != Some(b"http/1.1") {
            return;
        }
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        let mut bytes = [0; 4];
        while stream.read_exact(&mut bytes).await.is_ok() {
            stream.write_all(&bytes).await.unwrap();
        }
    })
    .await;
    let stage = stage(secure(port, &authority)).await;
    let mut stream = stage.connect().await;
    let ask = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    assert_eq!(status(&read_until(&mut stream, "\r\n\r\n").await), 101);
    stream.write_all(b"ping").await.unwrap();
    assert_eq!(read_until(&mut stream, "ping").await, "ping");
}
