//! Hostile and broken clients (docs/gateway.md §6), byte by byte.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, time::timeout};

use super::stage::{PATIENCE, Stage, acting, body, echo, open_by, read_to_end, read_until, status};
use crate::Config;

async fn in_front_of_echo(config: Config) -> Stage {
    Stage::with(config, open_by(echo().await)).await
}

#[tokio::test]
async fn an_ambiguous_or_malformed_head_is_answered_400_and_closed() {
    let stage = in_front_of_echo(Config::default()).await;
    for head in [
        "GET /open/x HTTP/1.1\r\n\r\n",
        "GET /open/x HTTP/1.0\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: \r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: user@a\r\n\r\n",
        "GET http://b/open/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET https://a/open/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://user@a/open/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a@b/open/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a:81/open/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///open/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a:80:80\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET /open/x\tHTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /open/x#fragment HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /open/x?a=b# HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a/open/x#fragment HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /open/x HTTP/3.0\r\nHost: a\r\n\r\n",
        "GET /open/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        "GET /open/x HTTP/1.1\nHost: a\n\n",
        "GET /open/x HTTP/1.1\r\nHost: a\n\r\n",
        "GET /open/x HTTP/1.1\r\nHost: a..b\r\n\r\n",
        "GET /open/x\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        eprintln!("{head:?}");
        let answer = stage.exchange(head).await;
        assert_eq!(status(&answer), 400, "{head:?} -> {answer:?}");
    }
}

#[tokio::test]
async fn a_body_of_ambiguous_length_is_answered_400_and_closed() {
    let stage = in_front_of_echo(Config::default()).await;
    for head in [
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /open/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\nabc",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\nabc",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\ntransfer-encoding:\tCHUNKED\r\n\r\n0\r\n\r\n",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
    ] {
        eprintln!("{head:?}");
        let answer = stage.exchange(head).await;
        assert_eq!(status(&answer), 400, "{head:?} -> {answer:?}");
    }
}

#[tokio::test]
async fn a_body_with_malformed_chunks_is_answered_400_and_closed() {
    let stage = in_front_of_echo(Config::default()).await;
    for chunks in [
        "5\r\nabcdeXX\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc",
        "5;x\nabc\r\n",
        "5\nabcde\n0\n\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "-5\r\nabcde\r\n0\r\n\r\n",
        "5 5\r\nabcde\r\n0\r\n\r\n",
        "\r\n5\r\nabcde\r\n0\r\n\r\n",
        "5;a=\"\nb\"\r\nabcde\r\n0\r\n\r\n",
        "5\r\nabcde\r\n0\r\nbad trailer\0\r\n\r\n",
    ] {
        let head = "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = stage.exchange(&format!("{head}{chunks}")).await;
        assert_eq!(status(&answer), 400, "{chunks:?} -> {answer:?}");
    }
}

#[tokio::test]
async fn a_second_request_behind_an_ambiguous_one_is_not_served() {
    let stage = in_front_of_echo(Config::default()).await;
    let smuggled = "POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
        GET /open/admin HTTP/1.1\r\nHost: a\r\n\r\n";
    let answer = stage.exchange(smuggled).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert_eq!(status(&answer), 400);
}

#[tokio::test]
async fn nothing_is_served_behind_a_body_whose_end_two_readers_may_see_in_different_places() {
    let stage = in_front_of_echo(Config::default()).await;
    let first = "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\nA: b\n\r\nX: y\r\nContent-Length: 100000\r\n\r\n";
    for second in [
        "POST /open/second HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /open/second HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let answer = stage.exchange(&format!("{first}{second}")).await;
        assert!(!answer.contains("/open/second"), "{answer}");
    }
}

#[tokio::test]
async fn a_caller_who_can_no_longer_be_followed_may_not_stay_for_ever() {
    let soon = Duration::from_millis(200);
    let config = Config { keep_alive_timeout: soon, header_timeout: soon, ..Config::default() };
    let stage = in_front_of_echo(config).await;
    let lost = "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\nA: b\n\r\nX: y\r\nContent-Length: x\r\n\r\n";
    let mut stream = stage.connect().await;
    stream.write_all(lost.as_bytes()).await.unwrap();
    // The caller keeps its side open; the gateway must end the connection.
    timeout(PATIENCE, read_to_end(&mut stream)).await.expect("the gateway should have ended it");
}

#[tokio::test]
async fn an_absolute_target_that_agrees_with_host_is_served() {
    let stage = in_front_of_echo(Config::default()).await;
    let answer =
        stage.exchange("GET http://a:80/open/x?q HTTP/1.1\r\nHost: A\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
    assert!(body(&answer).starts_with("GET /open/x?q\n"), "{answer}");
}

#[tokio::test]
async fn a_head_beyond_its_limits_is_answered_431() {
    let stage = in_front_of_echo(Config::default()).await;
    // No route: what gets past the limits is answered 404, without an upstream's own limits in the way.
    let fields = |count: usize| {
        let lines: String = (0..count).map(|n| format!("f{n}: x\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n")
    };
    assert_eq!(status(&stage.exchange(fields(98)).await), 404);
    assert_eq!(status(&stage.exchange(fields(99)).await), 431);
    let sized = |size: usize| {
        let around = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nPadding: \r\n\r\n".len();
        let padding = "x".repeat(size - around);
        format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nPadding: {padding}\r\n\r\n")
    };
    assert_eq!(status(&stage.exchange(sized(32 * 1_024)).await), 404);
    assert_eq!(status(&stage.exchange(sized(32 * 1_024 + 1)).await), 431);
    assert_eq!(status(&stage.exchange(sized(2_000_000)).await), 431);
}

#[tokio::test]
async fn a_configured_number_of_fields_holds() {
    let stage = in_front_of_echo(Config { max_head_fields: 3, ..Config::default() }).await;
    let three = "GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nA: b\r\n\r\n";
    let four = "GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nA: b\r\nC: d\r\n\r\n";
    assert_eq!(status(&stage.exchange(three).await), 200);
    assert_eq!(status(&stage.exchange(four).await), 431);
}

#[tokio::test]
async fn a_slow_head_is_cut_off_with_408_only_after_its_request_line() {
    let config = Config { header_timeout: Duration::from_millis(400), ..Config::default() };
    let stage = in_front_of_echo(config).await;
    for (sent, answer) in
        [("", 0), ("GET /op", 0), ("GET /open/x HTTP/1.1\r\n", 408), ("GET / HTTP/1.1\r\nHost: a\r\nX", 408)]
    {
        assert_eq!(status(&stage.exchange(sent).await), answer, "{sent:?}");
    }
}

#[tokio::test]
async fn a_trickled_head_does_not_buy_time() {
    let config = Config { header_timeout: Duration::from_millis(400), ..Config::default() };
    let stage = in_front_of_echo(config).await;
    let (mut reader, mut writer) = stage.connect().await.into_split();
    let trickle = async {
        writer.write_all(b"GET /open/x HTTP/1.1\r\nHost: a\r\nX: ").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let mut answer = Vec::new();
    let read = async {
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut answer).await;
    };
    timeout(PATIENCE, async {
        tokio::select! { () = trickle => {}, () = read => {} }
    })
    .await
    .unwrap();
    assert_eq!(status(&String::from_utf8_lossy(&answer)), 408);
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_limit_but_not_its_own() {
    let request = b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n";
    // Each limit beside one that no slow machine reaches.
    let (short, long) = (Duration::from_millis(400), 2 * PATIENCE);
    let config = Config { header_timeout: short, keep_alive_timeout: long, ..Config::default() };
    let stage = in_front_of_echo(config).await;
    let mut stream = stage.connect().await;
    stream.write_all(request).await.unwrap();
    read_until(&mut stream, "x-forwarded-host: a\n\n").await;
    tokio::time::sleep(2 * short).await;
    stream.write_all(request).await.unwrap();
    read_until(&mut stream, "x-forwarded-host: a\n\n").await;

    let config = Config { header_timeout: long, keep_alive_timeout: short, ..Config::default() };
    let stage = in_front_of_echo(config).await;
    let mut stream = stage.connect().await;
    stream.write_all(request).await.unwrap();
    read_until(&mut stream, "x-forwarded-host: a\n\n").await;
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn a_body_without_progress_is_cut_off() {
    let config = Config { body_idle_timeout: Duration::from_millis(80), ..Config::default() };
    let stage = in_front_of_echo(config).await;
    let answer = stage.exchange("POST /open/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await;
    assert_eq!(answer, "");
}

#[tokio::test]
async fn a_caller_who_does_not_read_is_cut_off() {
    let flood = |mut stream: tokio::net::TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    };
    let config = Config { body_idle_timeout: Duration::from_millis(100), ..Config::default() };
    let mut stage = Stage::with(config, open_by(acting(flood).await)).await;
    let mut stream = stage.connect().await;
    stream.write_all(b"GET /open/x HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    // The drain ends only once the connection is gone, which nobody but the gateway ends here.
    stage.stop.take();
    timeout(PATIENCE, &mut stage.serving).await.expect("the caller should have been cut off").unwrap();
    drop(stream);
}

#[tokio::test]
async fn what_the_upstream_reads_is_framed_anew_whatever_the_caller_s_spelling() {
    let stage = in_front_of_echo(Config::default()).await;
    for (head, chunks) in [
        ("Transfer-Encoding: Chunked\r\n", "5;ext=\"1\"\r\nhello\r\n0\r\n\r\n"),
        ("Transfer-Encoding:\tchunked \r\n", "005\r\nhello\r\n0\r\nX-Consumer-Username: admin\r\n\r\n"),
    ] {
        let fields = format!("Host: a\r\nConnection: close\r\n{head}\r\n{chunks}");
        let answer = stage.exchange(format!("POST /open/x HTTP/1.1\r\n{fields}")).await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(body(&answer).ends_with("\n\nhello"), "{answer}");
        assert!(!body(&answer).contains("ext") && !body(&answer).contains("admin"), "{answer}");
    }
}

#[tokio::test]
async fn chunk_extensions_without_end_are_refused() {
    let stage = in_front_of_echo(Config::default()).await;
    let head = "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let long = format!("{head}5;x={}\r\nhello\r\n0\r\n\r\n", "y".repeat(100_000));
    assert_eq!(status(&stage.exchange(long).await), 400);
    let many = format!("{head}{}0\r\n\r\n", format!("1;x={}\r\nz\r\n", "y".repeat(1_000)).repeat(100));
    assert_eq!(status(&stage.exchange(many).await), 400);
    let trailers = format!("{head}0\r\n{}\r\n", format!("t: {}\r\n", "y".repeat(1_000)).repeat(100));
    assert_eq!(status(&stage.exchange(trailers).await), 400);
}

#[tokio::test]
async fn a_chunked_body_without_progress_is_cut_off_too() {
    let config = Config { body_idle_timeout: Duration::from_millis(80), ..Config::default() };
    let stage = in_front_of_echo(config).await;
    let head = "POST /open/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for begun in ["", "5", "5\r\nab", "5\r\nabcde\r\n", "0\r\nX: y\r\n"] {
        assert_eq!(stage.exchange(format!("{head}{begun}")).await, "", "{begun:?}");
    }
}
