//! What upstreams and callers see of each other (docs/gateway.md §1 and §5), and upstreams that fail.

use std::time::Duration;

use forecourt_core::gateway_state::{BasicAuthMethod, KeyAuthMethod, UpstreamHost};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    rows::{delete, product, put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, echo, open_by, read_to_end, read_until, status},
};
use crate::Config;

/// The value of a field that the echo upstream saw; panics if it saw it twice.
fn seen<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let prefix = format!("{name}: ");
    let mut values = body(answer).lines().filter_map(|line| line.strip_prefix(&prefix));
    let value = values.next();
    assert_eq!(values.next(), None, "{name} came twice");
    value
}

#[tokio::test]
async fn the_upstream_learns_who_calls() {
    let stage = Stage::protected().await;
    let answer = stage.ask("/s/x", &["apikey: k"]).await;
    assert_eq!(status(&answer), 200);
    assert_eq!(seen(&answer, "x-consumer-username"), Some("app"));
    assert_eq!(seen(&answer, "x-credential-identifier"), Some("crd-key"));
    assert_eq!(seen(&answer, "x-consumer-custom-id"), Some("developer-of-app"));
    assert_eq!(seen(&answer, "x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen(&answer, "x-forwarded-proto"), Some("http"));
    assert_eq!(seen(&answer, "x-forwarded-host"), Some("api.example"));
    assert_eq!(seen(&answer, "host"), Some("api.example"));
    assert_eq!(seen(&answer, "apikey"), Some("k"));
    assert!(answer.contains("x-upstream: echo") && !answer.contains("keep-alive"), "{answer}");
}

#[tokio::test]
async fn a_caller_cannot_say_who_it_is() {
    let stage = Stage::protected().await;
    let forged = [
        "X-Consumer-Username: admin",
        "x-credential-identifier: 1",
        "X-Consumer-Custom-ID: 2",
        "X_Consumer_Username: admin",
        "X-Consumer_Custom-ID: 2",
        "X.Consumer.Username: admin",
        "X-Credential.Identifier: 1",
        "X!Consumer~Custom|ID: 2",
    ];
    let answer = stage.ask("/open/x", &forged).await;
    assert_eq!(status(&answer), 200);
    // As servers fold them that make variables of fields.
    let fold = |byte: char| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { '-' };
    let lower: String = body(&answer).chars().map(fold).collect();
    for name in ["x-consumer-username", "x-credential-identifier", "x-consumer-custom-id"] {
        assert!(!lower.contains(name), "{answer}");
    }
    let named =
        ["apikey: k", "Connection: X-Consumer-Username, X-Forwarded-For", "X-Consumer-Username: admin"];
    let answer = stage.ask("/s/x", &named).await;
    assert_eq!(seen(&answer, "x-consumer-username"), Some("app"));
    assert_eq!(seen(&answer, "x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn what_is_meant_for_one_connection_only_goes_no_further() {
    let stage = Stage::protected().await;
    let fields = [
        "Keep-Alive: 5",
        "TE: gzip",
        "X-Private: 1",
        "Connection: x-private",
        "Proxy-Authorization: x",
        "X-Other: 2",
    ];
    let answer = stage.ask("/open/x", &fields).await;
    for name in ["keep-alive", "te", "x-private", "connection", "proxy-authorization"] {
        assert_eq!(seen(&answer, name), None, "{answer}");
    }
    assert_eq!(seen(&answer, "x-other"), Some("2"));
}

#[tokio::test]
async fn a_hidden_credential_does_not_reach_the_upstream() {
    let stage = Stage::protected().await;
    let mut hiding = product("prd", &["s"]);
    hiding.key_auth =
        Some(KeyAuthMethod { header: "X-Key".into(), query: "apikey".into(), hide_credentials: true });
    hiding.basic_auth = Some(BasicAuthMethod { hide_credentials: true });
    stage.apply(vec![put(2, hiding)]);
    let answer = stage.ask("/s/x?a=%7e&apikey=other&b=+", &["x-key: k", "Authorization: Basic YTpi"]).await;
    assert!(body(&answer).starts_with("GET /s/x?a=%7e&b=+\n"), "{answer}");
    assert_eq!(seen(&answer, "x-key"), None);
    assert_eq!(seen(&answer, "authorization"), Some("Basic YTpi"), "it was not what succeeded");
    let answer = stage.ask("/s/x?apikey=k", &[]).await;
    assert!(body(&answer).starts_with("GET /s/x\n"), "{answer}");
    let answer = stage.ask("/s/x?apikey=wrong", &["Authorization: Basic YWRhOnB3"]).await;
    assert!(body(&answer).starts_with("GET /s/x?apikey=wrong\n"), "{answer}");
    assert_eq!(seen(&answer, "authorization"), None);
}

#[tokio::test]
async fn the_matched_path_is_what_is_sent_on() {
    let stage = Stage::protected().await;
    let answer = stage.ask("//open/./a/../%62%2f?q=%41//..", &[]).await;
    assert!(body(&answer).starts_with("GET /open/b%2F?q=%41//..\n"), "{answer}");
    assert_eq!(status(&stage.ask("/open/../s/x", &[]).await), 401);
    assert_eq!(status(&stage.ask("/open/%2e%2e/s/x", &[]).await), 401);
}

#[tokio::test]
async fn prefix_and_host_are_rewritten_as_the_service_says() {
    let port = echo().await;
    let stage = Stage::with(Config::default(), Vec::new()).await;
    let with_host = |host: UpstreamHost| {
        let mut row = service("s");
        row.path_prefix = Some("/shop".into());
        row.strip_path_prefix = true;
        row.upstream = Some(upstream(port));
        row.upstream.as_mut().unwrap().host = host;
        row
    };
    stage.apply(vec![put(1, with_host(UpstreamHost::Pass)), put(1, route("r", "s", "/*"))]);
    let answer = stage.ask("/shop/orders?a", &[]).await;
    assert!(body(&answer).starts_with("GET /orders?a\n"), "{answer}");
    assert_eq!(seen(&answer, "host"), Some("api.example"));
    stage.apply(vec![put(2, with_host(UpstreamHost::Node))]);
    let answer = stage.ask("/shop/", &[]).await;
    assert!(body(&answer).starts_with("GET /\n"), "{answer}");
    assert_eq!(seen(&answer, "host"), Some(format!("127.0.0.1:{port}").as_str()));
    stage.apply(vec![put(3, with_host(UpstreamHost::Rewrite("inner.example".into())))]);
    let answer = stage.ask("/shop/", &[]).await;
    assert_eq!(seen(&answer, "host"), Some("inner.example"));
    assert_eq!(seen(&answer, "x-forwarded-host"), Some("api.example"));
}

#[tokio::test]
async fn a_prefix_that_shall_stay_is_sent_on() {
    let stage = Stage::with(Config::default(), Vec::new()).await;
    let mut row = service("s");
    row.path_prefix = Some("/shop".into());
    row.strip_path_prefix = false;
    row.upstream = Some(upstream(echo().await));
    stage.apply(vec![put(1, row), put(1, route("r", "s", "/orders/*"))]);
    let answer = stage.ask("/shop/orders/7?a", &[]).await;
    assert!(body(&answer).starts_with("GET /shop/orders/7?a\n"), "{answer}");
    assert_eq!(status(&stage.ask("/orders/7", &[]).await), 404, "the prefix is part of what is matched");
}

#[tokio::test]
async fn a_credential_that_is_not_hidden_goes_on_as_it_came() {
    let stage = Stage::protected().await;
    let basic = "Authorization: Basic YWRhOnB3";
    let answer = stage.ask("/s/x?a=%7e&apikey=k&b=+", &[basic]).await;
    assert!(body(&answer).starts_with("GET /s/x?a=%7e&apikey=k&b=+\n"), "{answer}");
    assert_eq!(seen(&answer, "x-credential-identifier"), Some("crd-key"));
    assert_eq!(seen(&answer, "authorization"), Some("Basic YWRhOnB3"));
    let answer = stage.ask("/s/x?b", &[basic, "apikey: wrong"]).await;
    assert_eq!(seen(&answer, "x-credential-identifier"), Some("crd-user"));
    assert_eq!(seen(&answer, "authorization"), Some("Basic YWRhOnB3"));
    assert_eq!(seen(&answer, "apikey"), Some("wrong"));
}

#[tokio::test]
async fn bodies_pass_in_both_framings() {
    let stage = Stage::protected().await;
    let head = "POST /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let answer = stage.exchange(format!("{head}Content-Length: 5\r\n\r\nhello")).await;
    assert!(answer.ends_with("\n\nhello"), "{answer}");
    assert_eq!(seen(&answer, "content-length"), Some("5"));
    let trailer = "0\r\nX-Consumer-Username: admin\r\n\r\n";
    let answer =
        stage.exchange(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n{trailer}")).await;
    assert!(answer.ends_with("\n\nhello"), "{answer}");
    assert_eq!(seen(&answer, "transfer-encoding"), Some("chunked"));
    let get = "GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = stage.exchange(format!("{get}5\r\nhello\r\n0\r\n\r\n")).await;
    assert!(answer.ends_with("\n\nhello"), "{answer}");
    let continued = format!("{head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut stream = stage.connect().await;
    stream.write_all(continued.as_bytes()).await.unwrap();
    read_until(&mut stream, "100 Continue\r\n\r\n").await;
    stream.write_all(b"hello").await.unwrap();
    assert!(read_to_end(&mut stream).await.ends_with("\n\nhello"));
}

#[tokio::test]
async fn a_large_body_is_streamed_while_it_comes() {
    let mirror = |mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.unwrap();
        for _ in 0..4 {
            let byte = stream.read_u8().await.unwrap();
            stream.write_all(&[byte]).await.unwrap();
        }
    };
    let stage = Stage::with(Config::default(), open_by(acting(mirror).await)).await;
    let mut stream = stage.connect().await;
    stream.write_all(b"POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n").await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    for letter in ["a", "b", "c", "d"] {
        stream.write_all(letter.as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut stream, letter).await, letter);
    }
}

#[tokio::test]
async fn connections_on_both_sides_are_used_again() {
    let port = acting(|mut stream: TcpStream| async move {
        for turn in 0.. {
            read_until(&mut stream, "\r\n\r\n").await;
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\nx-turn: {turn}\r\n\r\n.");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    let mut stream = stage.connect().await;
    for turn in 0..3 {
        stream.write_all(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n.").await;
        assert!(answer.contains(&format!("x-turn: {turn}\r\n")), "{answer}");
    }
}

#[tokio::test]
async fn a_websocket_passes_in_both_directions_and_ends_with_the_gateway() {
    let port = acting(|mut stream: TcpStream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(
            head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"),
            "{head}"
        );
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello";
        stream.write_all(answer).await.unwrap();
        let mut bytes = [0; 4];
        while stream.read_exact(&mut bytes).await.is_ok() {
            stream.write_all(&bytes).await.unwrap();
        }
    })
    .await;
    let config = Config { drain_timeout: Duration::from_millis(50), ..Config::default() };
    let mut stage = Stage::with(config, open_by(port)).await;
    let mut stream = stage.connect().await;
    let ask =
        b"GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let head = read_until(&mut stream, "hello").await;
    assert_eq!(status(&head), 101);
    assert!(head.contains("upgrade: websocket"), "{head}");
    for word in ["ping", "GET ", "\r\n\r\n"] {
        stream.write_all(word.as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut stream, word).await, word);
    }
    stage.stop.take();
    timeout(PATIENCE, &mut stage.serving).await.unwrap().unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_request_in_flight_survives_a_shutdown_and_new_callers_are_not_accepted() {
    let (arrived, wait_arrived) = tokio::sync::mpsc::unbounded_channel();
    let release = std::sync::Arc::new(tokio::sync::Notify::new());
    let released = std::sync::Arc::clone(&release);
    let port = acting(move |mut stream: TcpStream| {
        let (arrived, released) = (arrived.clone(), std::sync::Arc::clone(&released));
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            arrived.send(()).unwrap();
            released.notified().await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await.unwrap();
        }
    })
    .await;
    let mut wait_arrived = wait_arrived;
    let mut stage = Stage::with(Config::default(), open_by(port)).await;
    let mut idle = stage.connect().await;
    let mut busy = stage.connect().await;
    busy.write_all(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    wait_arrived.recv().await.unwrap();
    stage.stop.take();
    assert_eq!(read_to_end(&mut idle).await, "", "an idle connection is let go at once");
    assert!(TcpStream::connect(stage.address).await.is_err());
    release.notify_one();
    assert!(read_to_end(&mut busy).await.ends_with("done"));
    timeout(PATIENCE, &mut stage.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn without_configuration_every_path_is_404() {
    let stage = Stage::with(Config::default(), Vec::new()).await;
    for path in ["/", "/any/thing?x=y"] {
        let answer = stage.ask(path, &[]).await;
        assert_eq!((status(&answer), body(&answer)), (404, r#"{"error_msg":"404 Route Not Found"}"#));
    }
    let stage = Stage::protected().await;
    stage.apply(vec![delete(2, forecourt_core::gateway_state::Kind::Route, "r-open")]);
    assert_eq!(status(&stage.ask("/open/x", &[]).await), 404);
}
