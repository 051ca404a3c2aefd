//! Caps on what a gateway carries (docs/gateway.md §6): connections, requests in flight, bodies.

use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, watch},
    time::timeout,
};

use super::stage::{PATIENCE, Stage, acting, body, echo, open_by, read_to_end, read_until, status};
use crate::Config;

const ASK: &str = "GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn a_connection_beyond_the_limit_is_closed_at_once_and_counted() {
    let config = Config { max_connections: 1, ..Config::default() };
    let stage = Stage::with(config, open_by(echo().await)).await;
    let mut first = stage.connect().await;
    first.write_all(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut first, "Found\"}").await;
    assert_eq!(stage.exchange(ASK).await, "");
    assert_eq!(read_to_end(&mut TcpStream::connect(stage.tls_address).await.unwrap()).await, "");
    assert_eq!(stage.gateway.refused_connections(), 2);
    drop(first);
    // The gateway hears of the end in its own time.
    timeout(PATIENCE, async { while status(&stage.exchange(ASK).await) != 200 {} }).await.unwrap();
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_answered_503_until_another_has_ended() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let (go, gone) = watch::channel(false);
    let port = acting(move |mut stream: TcpStream| {
        let (arrived, mut gone) = (arrived.clone(), gone.clone());
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let _ = arrived.send(());
            let _ = gone.wait_for(|go| *go).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let config = Config { max_requests_in_flight: 1, ..Config::default() };
    let stage = Stage::with(config, open_by(port.await)).await;
    let mut first = stage.connect().await;
    first.write_all(ASK.as_bytes()).await.unwrap();
    timeout(PATIENCE, arrivals.recv()).await.unwrap();
    let refused = stage.exchange(ASK).await;
    assert_eq!((status(&refused), body(&refused)), (503, r#"{"message":"too many requests in flight"}"#));
    assert!(refused.contains("retry-after: 1\r\n"), "{refused}");
    go.send_replace(true);
    assert_eq!(status(&read_to_end(&mut first).await), 200);
    assert_eq!(status(&stage.exchange(ASK).await), 200);
    let count = stage.gateway.rejected().find(|(label, _)| *label == "too_many_in_flight");
    assert_eq!(count, Some(("too_many_in_flight", 1)));
}

fn post(framing: &str, body: &str) -> String {
    format!("POST /open/x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}")
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_answered_413_in_either_framing_and_closed() {
    let config = Config { max_request_body_bytes: 10, ..Config::default() };
    let stage = Stage::with(config, open_by(echo().await)).await;
    let chunked = "Transfer-Encoding: chunked";
    let close = "Connection: close\r\n";
    for (framing, sent, expected) in [
        ("Content-Length: 10", "0123456789", 200),
        ("Content-Length: 11", "01234567890", 413),
        ("Content-Length: 99999999999999", "", 413),
        (chunked, "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", 200),
        (chunked, "5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n", 413),
        (chunked, "ffffffffffff\r\n0123456789012345", 413),
    ] {
        let close = if expected == 200 { close } else { "" };
        let answer = stage.exchange(post(&format!("{close}{framing}"), sent)).await;
        assert_eq!(status(&answer), expected, "{framing} {sent} -> {answer}");
        if expected == 413 {
            assert_eq!(body(&answer), r#"{"message":"request body too large"}"#);
        }
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_off_and_its_upstream_never_takes_it_for_whole() {
    let (heard, mut hearings) = mpsc::unbounded_channel();
    let port = acting(move |mut stream: TcpStream| {
        let heard = heard.clone();
        async move {
            let mut request = Vec::new();
            let _ = stream.read_to_end(&mut request).await;
            let _ = heard.send(String::from_utf8(request).unwrap());
        }
    });
    let config = Config { max_request_body_bytes: 100_000, ..Config::default() };
    let stage = Stage::with(config, open_by(port.await)).await;
    let (mut reader, mut writer) = stage.connect().await.into_split();
    let endless = async {
        writer.write_all(post("Transfer-Encoding: chunked", "").as_bytes()).await.unwrap();
        let piece = format!("400\r\n{}\r\n", "x".repeat(1_024));
        while writer.write_all(piece.as_bytes()).await.is_ok() {}
    };
    let mut answer = Vec::new();
    let read = async { drop(reader.read_to_end(&mut answer).await) };
    timeout(PATIENCE, async { tokio::join!(endless, read) }).await.expect("it should have been cut off");
    assert_eq!(status(&String::from_utf8_lossy(&answer)), 413);
    let sent_on = timeout(PATIENCE, hearings.recv()).await.unwrap().unwrap();
    assert!(!sent_on.ends_with("0\r\n\r\n"), "the body must not look complete");
}

#[tokio::test]
async fn over_http_2_bodies_have_the_same_limit() {
    let config = Config { max_request_body_bytes: 10, ..Config::default() };
    let stage = Stage::with(config, open_by(echo().await)).await;
    let stream = TokioIo::new(stage.connect().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    for (body, expected) in [("0123456789", 200), ("01234567890", 413)] {
        let request = http::Request::post("http://a/open/x").body(Full::<bytes::Bytes>::from(body)).unwrap();
        let response = timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
        assert_eq!(response.status(), expected);
    }
}
