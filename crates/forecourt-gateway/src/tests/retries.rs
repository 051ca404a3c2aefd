//! What is tried again, where, and what never is (docs/gateway.md §10).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use forecourt_core::gateway_state::{ServiceState, UpstreamNode, UpstreamState};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::{
    peers::{Authority, acceptor, tls_echo},
    rows::{put, route, service, upstream},
    stage::{Stage, acting, body, echo, open_by, read_until, status},
};
use crate::Config;

async fn gone() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn among(ports: &[u16]) -> UpstreamState {
    let node = |port: &u16| UpstreamNode { host: "127.0.0.1".into(), port: *port, weight: 1, priority: 0 };
    UpstreamState { nodes: ports.iter().map(node).collect(), ..upstream(1) }
}

fn to(upstream: UpstreamState) -> ServiceState {
    ServiceState { upstream: Some(upstream), ..service("s") }
}

async fn stage(upstream: UpstreamState) -> Stage {
    Stage::with(Config::default(), vec![put(1, to(upstream)), put(1, route("r", "s", "/*"))]).await
}

/// Answers the first request of the first connection; every other one is read and then gets `last_words` only.
async fn swallowing(last_words: &'static str, seen: &Arc<AtomicUsize>) -> u16 {
    let seen = Arc::clone(seen);
    acting(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            loop {
                read_until(&mut stream, "\r\n\r\n").await;
                let is_first = seen.fetch_add(1, Ordering::SeqCst) == 0;
                let answer =
                    if is_first { "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok" } else { last_words };
                stream.write_all(answer.as_bytes()).await.unwrap();
                if !is_first {
                    return;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_no_node_has_taken_goes_to_another_whatever_its_method() {
    let stage = stage(among(&[gone().await, echo().await, gone().await])).await;
    for _ in 0..6 {
        let head = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
        let answer = stage.exchange(head).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(answer.ends_with("\n\nhello"), "{answer}");
    }
}

#[tokio::test]
async fn retries_end_where_the_row_says_and_when_no_node_is_left() {
    let stage = stage(UpstreamState { retries: Some(0), ..among(&[gone().await, echo().await]) }).await;
    let statuses = [status(&stage.ask("/", &[]).await), status(&stage.ask("/", &[]).await)];
    assert_eq!(statuses, [502, 200], "each node in its turn, and no second try");
    stage.apply(vec![put(2, to(among(&[gone().await, gone().await])))]);
    let answer = stage.ask("/", &[]).await;
    assert_eq!((status(&answer), body(&answer)), (502, r#"{"message":"upstream unreachable"}"#));
    let five = [gone().await, gone().await, gone().await, gone().await, echo().await];
    stage.apply(vec![put(3, to(among(&five)))]);
    assert_eq!(status(&stage.ask("/", &[]).await), 502, "three further nodes by default");
    stage.apply(vec![put(4, to(UpstreamState { retries: Some(9), ..among(&five) }))]);
    assert_eq!(status(&stage.ask("/", &[]).await), 200);
}

#[tokio::test]
async fn a_node_whose_handshake_hangs_is_passed_over() {
    let authority = Authority::new();
    let hanging = acting(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    });
    let good = tls_echo(acceptor(&authority.issue("127.0.0.1"), &["h2", "http/1.1"], None)).await;
    let mut row = among(&[hanging.await, good]);
    row.scheme = "https".into();
    row.connect_timeout_ms = 100;
    row.tls.verify = false;
    let stage = stage(row).await;
    for _ in 0..2 {
        assert_eq!(status(&stage.ask("/", &[]).await), 200);
    }
}

#[tokio::test]
async fn a_get_that_a_kept_connection_swallowed_is_asked_once_more_over_a_fresh_one() {
    let seen = Arc::new(AtomicUsize::new(0));
    let port = swallowing("", &seen).await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    assert_eq!(status(&stage.ask("/open/x", &[]).await), 200);
    let answer = stage.ask("/open/x", &[]).await;
    assert_eq!((status(&answer), body(&answer)), (502, r#"{"message":"upstream sent no valid answer"}"#));
    assert_eq!(seen.load(Ordering::SeqCst), 3, "once more, and no more than once");
    let flaky = acting(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        read_until(&mut stream, "\r\n\r\n").await;
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(flaky)).await;
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "GET"] {
        let head = format!("{method} /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_eq!(status(&stage.exchange(head).await), 200, "{method}");
    }
}

#[tokio::test]
async fn what_may_not_be_repeated_is_not() {
    for request in [
        "POST /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "PATCH /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "PUT /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let seen = Arc::new(AtomicUsize::new(0));
        let stage = Stage::with(Config::default(), open_by(swallowing("", &seen).await)).await;
        assert_eq!(status(&stage.ask("/open/x", &[]).await), 200);
        assert_eq!(status(&stage.exchange(request).await), 502);
        assert_eq!(seen.load(Ordering::SeqCst), 2, "{request}");
    }
}

#[tokio::test]
async fn nothing_is_repeated_after_a_byte_of_the_answer() {
    let seen = Arc::new(AtomicUsize::new(0));
    let stage = Stage::with(Config::default(), open_by(swallowing("HTTP/1.1 2", &seen).await)).await;
    assert_eq!(status(&stage.ask("/open/x", &[]).await), 200);
    assert_eq!(status(&stage.ask("/open/x", &[]).await), 502);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_request_that_a_fresh_connection_took_is_not_sent_again() {
    let seen = Arc::new(AtomicUsize::new(1));
    let (one, other) = (swallowing("", &seen).await, swallowing("", &seen).await);
    let stage = stage(among(&[one, other])).await;
    assert_eq!(status(&stage.ask("/", &[]).await), 502);
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}
