//! Upstreams that break the rules of HTTP, byte by byte: callers see an answer of ours, or a cut, never a mixture.

use std::sync::{Arc, Mutex};

use forecourt_core::gateway_state::{RouteTimeouts, ServiceState, UpstreamState};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, mpsc},
    time::{Duration, sleep, timeout},
};

use super::{
    rows::{delete, put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, echo, open_by, read_to_end, read_until, status},
};
use crate::Config;

pub(crate) const BROKEN: &str = r#"{"message":"upstream sent no valid answer"}"#;

/// A gateway before an upstream that answers each request's head with these bytes and then reads on.
pub(crate) async fn answered_with(answer: impl Into<Vec<u8>>) -> Stage {
    let answer = Arc::new(answer.into());
    let port = acting(move |mut stream| {
        let answer = Arc::clone(&answer);
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    Stage::with(Config::default(), open_by(port)).await
}

#[tokio::test]
async fn an_answer_that_is_no_http_or_can_be_read_in_two_ways_is_a_502() {
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(300_000));
    for answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/3.7 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        &huge,
    ] {
        let stage = answered_with(answer).await;
        let seen = stage.ask("/open/x", &[]).await;
        assert_eq!((status(&seen), body(&seen)), (502, BROKEN), "{answer:.80}");
    }
}

#[tokio::test]
async fn malformed_chunks_cut_the_answer() {
    for chunks in ["5\r\nhelloX", "zz\r\nhello\r\n0\r\n\r\n", "fffffffffffffffff\r\nhello"] {
        let stage =
            answered_with(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}")).await;
        let seen = stage.exchange("GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(!seen.contains("\r\n0\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn interim_answers_are_taken_and_not_passed_on() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let stage = answered_with(format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")).await;
    let answer = stage.ask("/open/x", &[]).await;
    assert_eq!((status(&answer), body(&answer)), (200, "ok"));
    assert!(!answer.contains("link"), "{answer}");
}

#[tokio::test]
async fn a_body_where_none_may_be_is_given_to_nobody() {
    for (method, head, code) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 46\r\n\r\n", 200),
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-length: 46\r\n\r\n", 204),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 46\r\n\r\n", 304),
    ] {
        let smuggled = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsmuggled";
        let port = acting(move |mut stream| async move {
            let first = read_until(&mut stream, "\r\n\r\n").await;
            let answer = if first.contains("/second") {
                "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue".to_owned()
            } else {
                format!("{head}{smuggled}")
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let stage = Stage::with(Config::default(), open_by(port)).await;
        let mut stream = stage.connect().await;
        stream.write_all(format!("{method} /open/x HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        let first = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(status(&first), code, "{first}");
        stream.write_all(b"GET /open/second HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let second = read_to_end(&mut stream).await;
        assert_eq!((status(&second), body(&second)), (200, "true"), "{method} {code}");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_is_a_504() {
    let port = acting(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        while stream.write_all(b"x: y\r\n").await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let mut row = route("r", "s", "/*");
    row.timeouts = RouteTimeouts { read_ms: Some(80), ..RouteTimeouts::default() };
    let service = ServiceState { upstream: Some(upstream(port)), ..service("s") };
    let stage = Stage::with(Config::default(), vec![put(1, service), put(1, row)]).await;
    assert_eq!(
        status(&stage.ask("/", &[]).await),
        504,
        "the route's limit takes the place of the upstream's"
    );
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_is_passed_on_and_ends_the_upload() {
    let (ended, mut wait_ended) = mpsc::unbounded_channel();
    let port = acting(move |mut stream| {
        let ended = ended.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nno!").await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            ended.send(()).unwrap();
        }
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    for framing in ["Content-Length: 1000000\r\n\r\nsome", "Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n"]
    {
        let mut stream = stage.connect().await;
        stream.write_all(format!("POST /open/x HTTP/1.1\r\nHost: a\r\n{framing}").as_bytes()).await.unwrap();
        assert_eq!(status(&read_until(&mut stream, "no!").await), 413);
        timeout(PATIENCE, wait_ended.recv()).await.expect("the upload should have ended").unwrap();
        // The caller is still there and could go on sending.
        drop(stream);
    }
}

#[tokio::test]
async fn an_upload_goes_on_while_its_caller_reads_nothing_of_an_answer_that_came_early() {
    // More than the kernel holds between two ends that do not read.
    const LENGTH: usize = 24 * 1_024 * 1_024;
    let port = acting(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let (mut reading, mut writing) = stream.split();
        let answer = async {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
            writing.write_all(head.as_bytes()).await.unwrap();
            writing.write_all(&vec![b'a'; LENGTH]).await.unwrap();
        };
        let upload = async { reading.read_exact(&mut vec![0; LENGTH]).await.unwrap() };
        tokio::join!(answer, upload);
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    let mut stream = stage.connect().await;
    let head = format!("POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: {LENGTH}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // The answer has begun before the body does.
    let begun = timeout(PATIENCE, stream.readable()).await;
    begun.expect("the answer should have begun").unwrap();
    let sent = timeout(PATIENCE, stream.write_all(&vec![b'q'; LENGTH])).await;
    sent.expect("the upload should not wait for its caller to read").unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    let mut answer = vec![0; LENGTH];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert!(answer.iter().all(|byte| *byte == b'a'));
}

#[tokio::test]
async fn requests_in_flight_survive_a_change_of_their_route_and_of_their_upstream() {
    let (arrived, mut wait_arrived) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let port = acting(move |mut stream| {
        let (arrived, released) = (arrived.clone(), Arc::clone(&released));
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await.unwrap();
            arrived.send(()).unwrap();
            released.notified().await;
            stream.write_all(b"done").await.unwrap();
        }
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = stage.connect().await;
        stream.write_all(b"GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        timeout(PATIENCE, wait_arrived.recv()).await.unwrap().unwrap();
        streams.push(stream);
    }
    let mut moved = service("open");
    moved.upstream = Some(upstream(echo().await));
    stage.apply(vec![put(2, moved), put(2, route("r-open", "open", "/elsewhere/*"))]);
    assert_eq!(status(&stage.ask("/elsewhere/x", &[]).await), 200);
    stage.apply(vec![delete(3, forecourt_core::gateway_state::Kind::Service, "open")]);
    assert_eq!(status(&stage.ask("/elsewhere/x", &[]).await), 404);
    release.notify_waiters();
    for mut stream in streams {
        assert!(read_to_end(&mut stream).await.ends_with("halfdone"));
    }
}

/// An upstream that answers with the number of the connection that a request came over.
async fn numbering() -> u16 {
    let connections = Arc::new(Mutex::new(0));
    acting(move |mut stream| {
        let number = {
            let mut connections = connections.lock().unwrap();
            *connections += 1;
            *connections
        };
        async move {
            loop {
                read_until(&mut stream, "\r\n\r\n").await;
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

type Change = fn(&mut UpstreamState);

#[tokio::test]
async fn connections_are_kept_as_the_row_says_and_over_changes_elsewhere() {
    let set: [(Change, &str); 4] = [
        (|_| {}, "1111"),
        (|row| row.keepalive.size = 0, "1234"),
        (|row| row.keepalive.idle_timeout_ms = Some(0), "1234"),
        (|row| row.keepalive.requests = Some(2), "1122"),
    ];
    for (set, expected) in set {
        let mut row = service("s");
        row.upstream = Some(upstream(numbering().await));
        set(row.upstream.as_mut().unwrap());
        let stage = Stage::with(Config::default(), vec![put(1, row), put(1, route("r", "s", "/*"))]).await;
        let mut seen = String::new();
        for revision in 2..6 {
            seen += body(&stage.ask("/", &[]).await);
            stage.apply(vec![put(revision, route("other", "s", &format!("/{revision}")))]);
        }
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn a_connection_that_idles_for_long_is_closed_though_nobody_asks_again() {
    let (ended, mut wait_ended) = mpsc::unbounded_channel();
    let port = acting(move |mut stream| {
        let ended = ended.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
            ended.send(()).unwrap();
        }
    })
    .await;
    let mut row = service("s");
    row.upstream = Some(upstream(port));
    row.upstream.as_mut().unwrap().keepalive.idle_timeout_ms = Some(30);
    let stage = Stage::with(Config::default(), vec![put(1, row), put(1, route("r", "s", "/*"))]).await;
    for _ in 0..2 {
        assert_eq!(body(&stage.ask("/", &[]).await), "ok");
        timeout(PATIENCE, wait_ended.recv()).await.expect("it should have been closed").unwrap();
    }
}

#[tokio::test]
async fn a_kept_connection_on_which_something_unasked_came_is_not_used_again() {
    let (arrived, mut wait_arrived) = mpsc::unbounded_channel();
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let port = acting(move |mut stream| {
        let (arrived, released) = (arrived.clone(), Arc::clone(&released));
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            // Only after the answer was taken, or this would come with it.
            released.notified().await;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nunasked").await.unwrap();
            arrived.send(()).unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    for method in ["GET", "POST", "GET", "POST"] {
        let head = format!("{method} /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = stage.exchange(head).await;
        assert_eq!((status(&answer), body(&answer)), (200, "ok"), "{method}");
        release.notify_one();
        timeout(PATIENCE, wait_arrived.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_upgrade_that_the_route_forbids_is_an_ordinary_request() {
    let mut row = route("r", "s", "/*");
    row.websocket = false;
    let service = ServiceState { upstream: Some(upstream(echo().await)), ..service("s") };
    let stage = Stage::with(Config::default(), vec![put(1, service), put(1, row)]).await;
    let ask = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n";
    let answer = stage.exchange(ask).await;
    assert_eq!(status(&answer), 200);
    assert!(!body(&answer).contains("upgrade"), "{answer}");
}
