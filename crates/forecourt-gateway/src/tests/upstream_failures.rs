//! Upstreams that are away, slow, mute or broken, and callers slower than any upstream's limit.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{
    rows::{put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, echo, open_by, read_to_end, read_until, status},
};
use crate::Config;

#[tokio::test]
async fn an_upstream_that_closed_its_idle_connection_costs_no_error() {
    let port = acting(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    for _ in 0..20 {
        assert!(stage.ask("/open/x", &[]).await.ends_with("ok"));
        // Lets the end of the upstream's connection arrive, as it would between two real requests.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_an_upstream_does_wrong_has_its_own_answer() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone_port = gone.local_addr().unwrap().port();
    drop(gone);
    let mute = acting(|mut stream: TcpStream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let hasty = acting(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
    });
    let babbling = acting(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"SSH-2.0-what\r\n\r\n").await.unwrap();
    });
    let (mute, hasty, babbling) = (mute.await, hasty.await, babbling.await);
    let stage = Stage::with(Config::default(), Vec::new()).await;
    for (revision, port, expected, text) in [
        (1, gone_port, 502, r#"{"message":"upstream unreachable"}"#),
        (2, mute, 504, r#"{"message":"upstream timed out"}"#),
        (3, hasty, 502, r#"{"message":"upstream sent no valid answer"}"#),
        (4, babbling, 502, r#"{"message":"upstream sent no valid answer"}"#),
    ] {
        let mut row = service("s");
        row.upstream = Some(upstream(port));
        row.upstream.as_mut().unwrap().read_timeout_ms = if port == mute { 60 } else { 10_000 };
        stage.apply(vec![put(revision, row), put(revision, route("r", "s", "/*"))]);
        let answer = stage.ask("/", &[]).await;
        assert_eq!((status(&answer), body(&answer)), (expected, text), "{answer}");
        assert!(answer.contains("content-type: application/json"), "{answer}");
    }
    let mut other = service("s");
    other.upstream = Some(upstream(gone_port));
    other.upstream.as_mut().unwrap().scheme = "tcp".into();
    stage.apply(vec![put(5, other)]);
    let answer = stage.ask("/", &[]).await;
    assert_eq!((status(&answer), body(&answer)), (503, r#"{"message":"no valid upstream node"}"#));
    let mut weightless = service("s");
    weightless.upstream = Some(upstream(gone_port));
    weightless.upstream.as_mut().unwrap().nodes[0].weight = 0;
    for (revision, row) in [(6, weightless), (7, service("s"))] {
        stage.apply(vec![put(revision, row)]);
        let answer = stage.ask("/", &[]).await;
        assert_eq!((status(&answer), body(&answer)), (503, r#"{"message":"no valid upstream node"}"#));
    }
    let counted: Vec<_> = stage.gateway.rejected().filter(|(_, count)| *count > 0).collect();
    assert_eq!(
        counted,
        [
            ("no_upstream_node", 2),
            ("unsupported_scheme", 1),
            ("unreachable", 1),
            ("broken_answer", 2),
            ("timed_out", 1)
        ]
    );
}

#[tokio::test]
async fn an_upstream_that_does_not_take_the_body_is_given_up() {
    let port = acting(|stream: TcpStream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let mut row = service("open");
    row.upstream = Some(upstream(port));
    row.upstream.as_mut().unwrap().send_timeout_ms = 80;
    row.upstream.as_mut().unwrap().read_timeout_ms = 60_000;
    let stage = Stage::with(Config::default(), vec![put(1, row), put(1, route("r", "open", "/*"))]).await;
    let (mut reader, mut writer) = stage.connect().await.into_split();
    let upload = async {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n";
        writer.write_all(head).await.unwrap();
        while writer.write_all(&[b'x'; 65_536]).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 12];
    let read = timeout(PATIENCE, reader.read_exact(&mut answer));
    tokio::select! { () = upload => {}, read = read => { read.unwrap().unwrap(); } }
    assert_eq!(&answer, b"HTTP/1.1 504");
}

#[tokio::test]
async fn a_slow_caller_s_upload_may_take_longer_than_the_upstream_s_limits() {
    let mut row = service("open");
    row.upstream = Some(upstream(echo().await));
    // What the upstream does in an instant must not take so long on a busy machine.
    row.upstream.as_mut().unwrap().send_timeout_ms = 1_500;
    row.upstream.as_mut().unwrap().read_timeout_ms = 1_500;
    let stage = Stage::with(Config::default(), vec![put(1, row), put(1, route("r", "open", "/*"))]).await;
    let mut stream = stage.connect().await;
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nh")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    stream.write_all(b"i").await.unwrap();
    assert!(read_to_end(&mut stream).await.ends_with("\n\nhi"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_cut_never_padded() {
    for (head, part) in
        [("content-length: 100", "partial"), ("transfer-encoding: chunked", "7\r\npartial\r\n")]
    {
        let port = acting(move |mut stream: TcpStream| async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{part}").as_bytes()).await.unwrap();
        })
        .await;
        let stage = Stage::with(Config::default(), open_by(port)).await;
        let answer = stage.exchange("GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(status(&answer), 200);
        assert!(body(&answer).trim_end().ends_with("partial"), "{answer:?}");
        assert!(!answer.contains("\r\n0\r\n"), "{answer:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stalls_is_cut_after_the_read_limit() {
    let port = acting(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let mut changes = open_by(port);
    let mut row = service("open");
    row.upstream = Some(upstream(port));
    row.upstream.as_mut().unwrap().read_timeout_ms = 400;
    changes[0] = put(1, row);
    let stage = Stage::with(Config::default(), changes).await;
    let answer = stage.exchange("GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.ends_with("\r\n\r\npart"), "{answer:?}");
}
