//! Where an upstream's answer ends, over real sockets: each rule of HTTP/1.1 for it, kept and broken.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, mpsc},
    time::timeout,
};

use super::{
    misbehaving::{BROKEN, answered_with},
    rows::{put, route},
    stage::{PATIENCE, Stage, acting, body, open_by, read_to_end, read_until, status},
};
use crate::Config;

const GET: &str = "GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// A gateway before an upstream that gives these answers on each of its connections in turn and then closes it.
async fn closing_after(answer: String) -> Stage {
    let port = acting(move |mut stream| {
        let answer = answer.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    Stage::with(Config::default(), open_by(port)).await
}

#[tokio::test]
async fn a_length_that_two_readers_could_understand_differently_is_a_502() {
    for fields in [
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: 0x5",
        "content-length: 5 5",
        "content-length:",
        "content-length: 18446744073709551616",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: gzip",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ntransfer-encoding: chunked",
    ] {
        let stage =
            answered_with(format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n5\r\nhello\r\n0\r\n\r\n")).await;
        let with_body = GET.replace("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx");
        for request in [GET, &GET.replace("GET", "HEAD"), &with_body, &with_body.replace("GET", "POST")] {
            let seen = stage.exchange(request).await;
            assert_eq!(status(&seen), 502, "{fields} {request}: {seen}");
        }
    }
    let stage = answered_with("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
    let seen = stage.exchange(GET).await;
    assert_eq!((status(&seen), body(&seen)), (502, BROKEN), "HTTP/1.0 knows no chunks");
}

#[tokio::test]
async fn a_head_with_bytes_that_belong_in_none_is_a_502() {
    for head in [
        "HTTP/1.1 200 OK\r\nx: a\r\n folded\r\ncontent-length: 0",
        "HTTP/1.1 200 OK\r\n folded: a\r\ncontent-length: 0",
        "HTTP/1.1 200 OK\r\nx : a\r\ncontent-length: 0",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\ncontent-length: 0",
        "HTTP/1.1 200 OK\r\nx: a\rb\r\ncontent-length: 0",
        "HTTP/1.1 200 OK\r\nx\r\ncontent-length: 0",
        "HTTP/1.1  200 OK\r\ncontent-length: 0",
        "HTTP/1.1 20 OK\r\ncontent-length: 0",
        "HTTP/1.1 099 OK\r\ncontent-length: 0",
        "HTTP/2 200 OK\r\ncontent-length: 0",
        "http/1.1 200 OK\r\ncontent-length: 0",
    ] {
        let seen = answered_with(format!("{head}\r\n\r\n")).await.exchange(GET).await;
        assert_eq!((status(&seen), body(&seen)), (502, BROKEN), "{head:?}: {seen}");
    }
    let megabyte = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(1 << 20));
    assert_eq!(status(&answered_with(megabyte).await.exchange(GET).await), 502);
    let endless = "x: y\r\n".repeat(60_000);
    let seen = answered_with(format!("HTTP/1.1 200 OK\r\n{endless}")).await.exchange(GET).await;
    assert_eq!(status(&seen), 502, "a head that has no end is given up");
}

#[tokio::test]
async fn chunks_that_are_not_written_by_the_letter_cut_the_answer() {
    for chunks in [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";a\r\nhello\r\n0\r\n\r\n",
        "5 5\r\nhello\r\n0\r\n\r\n",
        "5g\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\r\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\n\n",
        "5\r\nhello\r\n0\r\nx: y\n\r\n",
        "5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
        "5\r\nhello\r\n",
        "5\r\nhello\r\n0\r\n",
        "6\r\nhello",
    ] {
        let seen = closing_after(format!("{CHUNKED}{chunks}")).await.exchange(GET).await;
        assert_eq!(status(&seen), 200, "{chunks:?}: {seen}");
        assert!(!seen.ends_with("0\r\n\r\n"), "{chunks:?} came as if it were whole: {seen}");
    }
    for endless in [format!("5;{}", "a".repeat(20_000)), format!("0\r\nx: {}", "y".repeat(20_000))] {
        let seen = answered_with(format!("{CHUNKED}{endless}")).await.exchange(GET).await;
        assert!(!seen.ends_with("0\r\n\r\n"), "{seen:.200}");
    }
}

#[tokio::test]
async fn chunks_are_passed_on_whatever_their_extensions_and_the_spelling_of_their_sizes() {
    for chunks in [
        "5\r\nhello\r\n0\r\n\r\n",
        "0005\r\nhello\r\n000\r\n\r\n",
        "5;name=value;other=\"a;b\"\r\nhello\r\n0;last\r\n\r\n",
        "5 \t \r\nhello\r\n0\r\n\r\n",
        "1\r\nh\r\n4\r\nello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nx-sum: 1\r\nx-consumer-username: mallory\r\n\r\n",
    ] {
        let stage = answered_with(format!("{CHUNKED}{chunks}")).await;
        let ask = GET.replace("\r\n\r\n", "\r\nTE: trailers\r\n\r\n");
        let seen = stage.exchange(ask).await;
        assert_eq!(status(&seen), 200, "{chunks:?}");
        let text: String = body(&seen).split("\r\n").skip(1).step_by(2).collect();
        assert_eq!(text, "hello", "{chunks:?}: {seen}");
        assert!(seen.ends_with("0\r\n\r\n"), "trailers that were not announced: {seen}");
    }
}

#[tokio::test]
async fn announced_trailers_reach_a_caller_who_takes_them() {
    let head = CHUNKED.replace("\r\n\r\n", "\r\ntrailer: x-sum\r\n\r\n");
    let answer = format!("{head}5\r\nhello\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n");
    let takes_them = GET.replace("\r\n\r\n", "\r\nTE: trailers\r\n\r\n");
    let seen = answered_with(answer.as_str()).await.exchange(takes_them).await;
    assert!(seen.ends_with("\r\n0\r\nx-sum: 1\r\n\r\n"), "{seen}");
    let seen = answered_with(answer.as_str()).await.exchange(GET).await;
    assert!(seen.ends_with("\r\n0\r\n\r\n"), "who does not take them gets none: {seen}");
}

#[tokio::test]
async fn interim_answers_without_end_are_a_502_and_a_hundred_are_not() {
    let answer = |count| {
        let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(count);
        format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    };
    let seen = answered_with(answer(100)).await.exchange(GET).await;
    assert_eq!((status(&seen), body(&seen)), (200, "ok"));
    let seen = answered_with(answer(101)).await.exchange(GET).await;
    assert_eq!((status(&seen), body(&seen)), (502, BROKEN));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_cut_and_one_without_a_length_ends_with_its_connection() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.0 200 OK\r\ncontent-length: 9\r\n\r\nhello",
    ] {
        let seen = closing_after(answer.to_owned()).await.exchange(GET).await;
        assert_eq!((status(&seen), body(&seen)), (200, "hello"), "{seen}");
        assert!(seen.contains("content-length: 9\r\n"), "its caller sees that something is missing: {seen}");
    }
    for version in ["1.0", "1.1"] {
        let seen = closing_after(format!("HTTP/{version} 200 OK\r\n\r\nhello")).await.exchange(GET).await;
        assert_eq!(status(&seen), 200);
        assert!(seen.contains("5\r\nhello\r\n") && seen.ends_with("0\r\n\r\n"), "{seen}");
    }
}

/// How many connections an upstream gets for three requests, each of which it answers with these bytes.
async fn connections_for(method: &str, answer: &str) -> usize {
    let count = Arc::new(AtomicUsize::new(0));
    let (counted, owned) = (Arc::clone(&count), answer.to_owned());
    let port = acting(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let answer = owned.clone();
        async move {
            let mut request = Vec::new();
            while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                if request.ends_with(b"\r\n\r\n") {
                    request.clear();
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        }
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    for _ in 0..3 {
        let seen = stage.exchange(GET.replace("GET", method)).await;
        assert!(matches!(status(&seen), 200 | 204), "{answer}: {seen}");
    }
    count.load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_connection_is_used_again_exactly_if_its_answer_leaves_it_clean() {
    for (method, answer, connections) in [
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 1),
        ("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\na: b\r\n\r\n", 1),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 1),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n", 1),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 1),
        ("GET", "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok", 1),
        ("GET", "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok", 3),
        ("GET", "HTTP/1.1 200 OK\r\nconnection: x\r\nconnection: y, close\r\ncontent-length: 2\r\n\r\nok", 3),
        ("GET", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 3),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            3,
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\nsmuggled", 3),
        ("GET", "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", 3),
        ("GET", "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", 3),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 3),
        ("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n\r\n", 3),
    ] {
        assert_eq!(connections_for(method, answer).await, connections, "{method} {answer}");
    }
}

/// Buffers grow with bodies, and are given back behind them.
#[tokio::test]
async fn a_connection_with_bytes_behind_a_long_body_is_not_used_again() {
    for length in [20_000, 33_000, 60_000, 100_000, 200_000] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        let answer = head + &"x".repeat(length);
        assert_eq!(connections_for("GET", &answer).await, 1, "{length}");
        let surplus = answer + "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(connections_for("GET", &surplus).await, 3, "{length}");
    }
}

#[tokio::test]
async fn a_target_without_a_path_reaches_the_upstream_with_one() {
    let seen = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&seen);
    let port = acting(move |mut stream| {
        let told = Arc::clone(&told);
        async move {
            let mut request = Vec::new();
            while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                if request.ends_with(b"\r\n\r\n") {
                    *told.lock().unwrap() = String::from_utf8(std::mem::take(&mut request)).unwrap();
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                }
            }
        }
    })
    .await;
    let mut rows = open_by(port);
    rows.push(put(1, route("r-all", "open", "/*")));
    let stage = Stage::with(Config::default(), rows).await;
    stage.exchange("GET http://a?x=y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let head = seen.lock().unwrap().clone();
    assert!(head.starts_with("GET /?x=y HTTP/1.1\r\n"), "{head:?}");
}

#[tokio::test]
async fn an_answer_that_comes_before_its_request_was_written_is_passed_on() {
    // The request's head is larger than what the kernel takes from a writer whose reader is asleep.
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let port = acting(move |mut stream| {
        let released = Arc::clone(&released);
        async move {
            stream.write_all(b"HTTP/1.1 431 No\r\ncontent-length: 3\r\n\r\nno!").await.unwrap();
            released.notified().await;
        }
    })
    .await;
    let config = Config { max_head_bytes: 16 << 20, ..Config::default() };
    let stage = Stage::with(config, open_by(port)).await;
    let field = format!("X-Long: {}\r\n\r\n", "y".repeat(12 << 20));
    let seen = stage.exchange(GET.replace("\r\n\r\n", "\r\n") + &field).await;
    assert_eq!((status(&seen), body(&seen)), (431, "no!"));
    release.notify_waiters();
}

#[tokio::test]
async fn a_long_body_arrives_whole_and_waits_for_its_caller() {
    const LENGTH: usize = 24 * 1_024 * 1_024;
    let (written, mut wait_written) = mpsc::unbounded_channel();
    let port = acting(move |mut stream| {
        let written = written.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LENGTH}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let pattern: Vec<u8> = (0..LENGTH).map(|place| (place % 251) as u8).collect();
            stream.write_all(&pattern).await.unwrap();
            written.send(()).unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    let mut stream = stage.connect().await;
    stream.write_all(GET.as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    // More than the kernel holds between both ends: it is written only when the caller reads.
    assert!(wait_written.try_recv().is_err());
    let mut seen = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut seen)).await.unwrap().unwrap();
    assert_eq!(seen.len(), LENGTH);
    assert!(seen.iter().enumerate().all(|(place, byte)| *byte == (place % 251) as u8));
    timeout(PATIENCE, wait_written.recv()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reason_of_the_upstreams_own_is_passed_on() {
    let stage = answered_with("HTTP/1.1 404 Nothing Here\r\ncontent-length: 0\r\n\r\n").await;
    assert!(stage.exchange(GET).await.starts_with("HTTP/1.1 404 Nothing Here\r\n"));
}

#[tokio::test]
async fn lines_of_a_head_may_end_in_a_line_feed_alone_since_nobody_gets_them_so() {
    let stage = answered_with("HTTP/1.1 200 OK\nx-a: b\ncontent-length: 2\n\nok").await;
    let seen = stage.exchange(GET).await;
    assert_eq!((status(&seen), body(&seen)), (200, "ok"));
    assert!(seen.contains("\r\nx-a: b\r\n"), "{seen:?}");
}

#[tokio::test]
async fn an_answer_may_come_in_two_pieces_wherever_it_is_cut() {
    let answer = "HTTP/1.1 103 Early Hints\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                  5;a=b\r\nhello\r\n0\r\nx: y\r\n\r\n";
    let place = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&place);
    let port = acting(move |mut stream| {
        let at = Arc::clone(&at);
        async move {
            stream.set_nodelay(true).unwrap();
            let mut request = Vec::new();
            while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                if request.ends_with(b"\r\n\r\n") {
                    request.clear();
                    let (first, second) = answer.as_bytes().split_at(at.load(Ordering::SeqCst));
                    stream.write_all(first).await.unwrap();
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    stream.write_all(second).await.unwrap();
                }
            }
        }
    })
    .await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    let mut stream = stage.connect().await;
    for cut in 0..=answer.len() {
        place.store(cut, Ordering::SeqCst);
        stream.write_all(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let seen = read_until(&mut stream, "\r\n0\r\n\r\n").await;
        assert_eq!(status(&seen), 200, "at {cut}");
        // A chunk that comes in two pieces goes on as two.
        let text: String = body(&seen).split("\r\n").skip(1).step_by(2).collect();
        assert_eq!(text, "hello", "at {cut}: {seen}");
    }
    stream.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
}
