//! Hostile HTTP/2 clients (docs/gateway.md §6), frame by frame.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::stage::{PATIENCE, Stage, acting, echo, open_by, read_until};
use crate::Config;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status: 200` and `:status: 404` as the gateway's compression writes them.
const OK: u8 = 0x88;
const NOT_FOUND: u8 = 0x8d;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field that is written out and remembered by nobody.
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    assert!(name.len() < 127 && value.len() < 127);
    [&[0], &*text(name), &*text(value)].concat()
}

fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

fn head(method: &str, path: &str) -> Vec<u8> {
    fields(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")])
}

fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", path))
}

/// A connection that has said hello.
async fn connect(stage: &Stage) -> TcpStream {
    let mut stream = stage.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// One frame of the gateway's: type, flags, stream, payload; `None`: it has ended the connection.
async fn read_frame(stream: &mut TcpStream) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut header = [0; 9];
    let read = timeout(PATIENCE, stream.read_exact(&mut header)).await.expect("a frame should have come");
    read.ok()?;
    let [a, b, c, kind, flags, id @ ..] = header;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    timeout(PATIENCE, stream.read_exact(&mut payload)).await.expect("a payload should have come").ok()?;
    Some((kind, flags, u32::from_be_bytes(id), payload))
}

/// All frames until the gateway ends the connection.
async fn read_all(stream: &mut TcpStream) -> Vec<(u8, u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while let Some(frame) = read_frame(stream).await {
        frames.push(frame);
    }
    frames
}

/// The frame of this type on this stream.
async fn read_on(stream: &mut TcpStream, kinds: &[u8], id: u32) -> (u8, Vec<u8>) {
    loop {
        let frame = read_frame(stream).await.expect("the connection should have stayed");
        if frame.2 == id && kinds.contains(&frame.0) {
            return (frame.0, frame.3);
        }
    }
}

async fn in_front_of_echo() -> Stage {
    Stage::with(Config::default(), open_by(echo().await)).await
}

/// Whether the gateway ends a connection that sends this again and again.
async fn is_cut_off(stage: &Stage, flood: impl Fn(u32) -> Vec<u8>) -> bool {
    let (mut reader, mut writer) = connect(stage).await.into_split();
    let write = async {
        for number in 0..1_000_000u32 {
            if writer.write_all(&flood(number)).await.is_err() {
                return true;
            }
        }
        false
    };
    // Somebody must read, or the flood would stand still.
    let read = async {
        let mut sink = vec![0; 65_536];
        while reader.read(&mut sink).await.is_ok_and(|read| read > 0) {}
        true
    };
    timeout(PATIENCE, async {
        tokio::select! { cut = write => cut, cut = read => cut }
    })
    .await
    .unwrap_or(false)
}

#[tokio::test]
async fn floods_of_frames_that_carry_nothing_end_the_connection() {
    let stage = in_front_of_echo().await;
    assert!(is_cut_off(&stage, |_| frame(PING, 0, 0, &[0; 8])).await, "pings");
    assert!(is_cut_off(&stage, |_| frame(SETTINGS, 0, 0, &[])).await, "settings");
    assert!(is_cut_off(&stage, |_| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])).await, "priorities");
    assert!(is_cut_off(&stage, |_| frame(77, 0, 0, &[])).await, "unknown frames");
    let empty_data = |number| match number {
        0 => frame(HEADERS, END_HEADERS, 1, &head("POST", "/open/x")),
        _ => frame(DATA, 0, 1, &[]),
    };
    assert!(is_cut_off(&stage, empty_data).await, "empty data");
    let mut sound = connect(&stage).await;
    sound.write_all(&get(1, "/open/x")).await.unwrap();
    assert_eq!(read_on(&mut sound, &[HEADERS], 1).await.1[0], OK, "others are served");
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_without_end_end_the_connection() {
    let (port, _go) = silent().await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    let rapid = |number: u32| {
        let id = number * 2 + 1;
        [get(id, "/open/x"), frame(RESET, 0, id, &[0, 0, 0, 8])].concat()
    };
    assert!(is_cut_off(&stage, rapid).await);
}

/// An upstream that takes requests and answers none of them.
async fn silent() -> (u16, ()) {
    let port = acting(|mut stream: TcpStream| async move {
        let mut sink = [0; 1_024];
        while stream.read(&mut sink).await.is_ok_and(|read| read > 0) {}
    });
    (port.await, ())
}

#[tokio::test]
async fn a_head_continued_without_end_ends_the_connection() {
    let stage = in_front_of_echo().await;
    let continued = |number| match number {
        0 => frame(HEADERS, 0, 1, &head("GET", "/open/x")),
        _ => frame(CONTINUATION, 0, 1, &field("x", "y")),
    };
    assert!(is_cut_off(&stage, continued).await);
    let empty = |number| match number {
        0 => frame(HEADERS, 0, 1, &head("GET", "/open/x")),
        _ => frame(CONTINUATION, 0, 1, &[]),
    };
    assert!(is_cut_off(&stage, empty).await);
}

#[tokio::test]
async fn an_unfinished_head_is_given_up_even_while_another_stream_is_served() {
    let (port, ()) = silent().await;
    let config = Config { header_timeout: Duration::from_millis(300), ..Config::default() };
    let stage = Stage::with(config, open_by(port)).await;
    let mut stream = connect(&stage).await;
    stream.write_all(&get(1, "/open/x")).await.unwrap();
    stream.write_all(&frame(HEADERS, 0, 3, &head("GET", "/open/x"))).await.unwrap();
    read_all(&mut stream).await;
}

#[tokio::test]
async fn a_connection_that_asks_nothing_is_cut_off() {
    let config = Config {
        header_timeout: Duration::from_millis(300),
        keep_alive_timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let stage = Stage::with(config, open_by(echo().await)).await;
    for sent in
        [&b"PRI * HT"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"]
    {
        let mut stream = stage.connect().await;
        stream.write_all(sent).await.unwrap();
        read_all(&mut stream).await;
    }
    let mut stream = connect(&stage).await;
    stream.write_all(&get(1, "/nothing")).await.unwrap();
    assert_eq!(read_on(&mut stream, &[HEADERS], 1).await.1[0], NOT_FOUND);
    read_all(&mut stream).await;
}

#[tokio::test]
async fn a_body_without_progress_ends_the_connection() {
    let config = Config { body_idle_timeout: Duration::from_millis(200), ..Config::default() };
    let stage = Stage::with(config, open_by(echo().await)).await;
    let mut stream = connect(&stage).await;
    stream.write_all(&frame(HEADERS, END_HEADERS, 1, &head("POST", "/open/x"))).await.unwrap();
    stream.write_all(&frame(DATA, 0, 1, b"abc")).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    // Pings are no progress.
    let ping = async {
        while writer.write_all(&frame(PING, 0, 0, &[0; 8])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let read = async {
        let mut sink = Vec::new();
        let _ = reader.read_to_end(&mut sink).await;
    };
    timeout(PATIENCE, async {
        tokio::select! { () = ping => {}, () = read => {} }
    })
    .await
    .expect("the gateway should have closed");
}

#[tokio::test]
async fn an_answer_for_which_the_caller_makes_no_room_ends_the_connection() {
    let flood = |mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    };
    let config = Config { body_idle_timeout: Duration::from_millis(200), ..Config::default() };
    let stage = Stage::with(config, open_by(acting(flood).await)).await;
    let mut stream = connect(&stage).await;
    stream.write_all(&get(1, "/open/x")).await.unwrap();
    // Everything is read, but no window is ever opened again.
    let received: usize =
        read_all(&mut stream).await.iter().filter(|frame| frame.0 == DATA).map(|frame| frame.3.len()).sum();
    assert_eq!(received, 65_535);
}

#[tokio::test]
async fn no_more_than_a_hundred_streams_are_open_at_once() {
    let (port, ()) = silent().await;
    let stage = Stage::with(Config::default(), open_by(port)).await;
    let mut stream = connect(&stage).await;
    let settings = read_on(&mut stream, &[SETTINGS], 0).await.1;
    assert!(settings.chunks(6).any(|pair| pair == [0, 3, 0, 0, 0, 100]), "{settings:?}");
    for number in 0..101 {
        stream.write_all(&get(number * 2 + 1, "/open/x")).await.unwrap();
    }
    let (kind, reason) = read_on(&mut stream, &[RESET, HEADERS], 201).await;
    assert_eq!((kind, reason.as_slice()), (RESET, &[0, 0, 0, 7][..]), "REFUSED_STREAM");
}

#[tokio::test]
async fn connection_specific_fields_and_malformed_heads_are_refused() {
    let stage = in_front_of_echo().await;
    for extra in [
        &[("connection", "close")][..],
        &[("transfer-encoding", "chunked")],
        &[("upgrade", "websocket")],
        &[("keep-alive", "1")],
        &[("proxy-connection", "close")],
        &[("te", "gzip")],
        &[("X-Upper", "case")],
        &[(":late", "x")],
        &[("content-length", "5")],
        &[(":authority", "b")],
    ] {
        let mut stream = connect(&stage).await;
        let head = [head("GET", "/open/x"), fields(extra)].concat();
        stream.write_all(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head)).await.unwrap();
        loop {
            let Some((kind, _, id, payload)) = read_frame(&mut stream).await else { break };
            assert!(!(id == 1 && kind == HEADERS && payload[0] == OK), "{extra:?}");
            if kind == GOAWAY || (id == 1 && kind == RESET) || (id == 1 && kind == HEADERS) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_body_longer_or_shorter_than_it_was_announced_is_not_taken_for_whole() {
    let stage = in_front_of_echo().await;
    for announced in ["2", "9"] {
        let mut stream = connect(&stage).await;
        let head = [head("POST", "/open/x"), field("content-length", announced)].concat();
        stream.write_all(&frame(HEADERS, END_HEADERS, 1, &head)).await.unwrap();
        stream.write_all(&frame(DATA, END_STREAM, 1, b"abc")).await.unwrap();
        let (kind, payload) = read_on(&mut stream, &[RESET, HEADERS], 1).await;
        assert!(kind == RESET || payload[0] != OK, "{announced}");
    }
}

#[tokio::test]
async fn broken_frames_end_the_connection() {
    let stage = in_front_of_echo().await;
    for broken in [
        frame(DATA, 0, 0, b"x"),
        frame(HEADERS, END_HEADERS, 2, &head("GET", "/")),
        frame(HEADERS, END_HEADERS, 1, &[0xff; 20]),
        frame(PING, 0, 0, b"short"),
        frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 0]),
        frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
        frame(CONTINUATION, 0, 1, b""),
        frame(SETTINGS, 0, 0, b"12345"),
        [&[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1][..], &[0; 100]].concat(),
    ] {
        let mut stream = connect(&stage).await;
        stream.write_all(&broken).await.unwrap();
        read_all(&mut stream).await;
    }
}

#[tokio::test]
async fn an_offer_to_upgrade_to_http_2_is_ignored() {
    let stage = in_front_of_echo().await;
    let lists = [
        "h2c",
        "websocket, h2c",
        "h2c, websocket",
        ", h2c",
        "foo,h2c",
        "TLS/1.2",
        "websocket\r\nUpgrade: h2c",
    ];
    for upgrade in lists {
        let offer = format!(
            "GET /open/x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: {upgrade}\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
        );
        let answer = stage.exchange(&offer).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{upgrade}: {answer}");
        let told = answer.to_lowercase();
        assert!(!told.contains("upgrade") && !told.contains("http2-settings"), "{upgrade}: {answer}");
    }
}

#[tokio::test]
async fn a_caller_who_does_not_answer_the_goodbye_does_not_hold_up_a_shutdown() {
    let mut stage = in_front_of_echo().await;
    let mut stream = connect(&stage).await;
    stream.write_all(&get(1, "/open/x")).await.unwrap();
    read_on(&mut stream, &[HEADERS], 1).await;
    read_on(&mut stream, &[DATA], 1).await;
    stage.stop.take();
    let last = read_all(&mut stream).await;
    assert!(last.iter().any(|frame| frame.0 == GOAWAY), "{last:?}");
    // Far within the time that requests in flight would have.
    timeout(Duration::from_secs(15), &mut stage.serving).await.expect("it should have ended").unwrap();
}
