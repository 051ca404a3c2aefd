//! Answers cut into any pieces, mutilated answers and plain garbage, read by our own reader, beside hyper's.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{super::answer_heads, Framing};
use crate::bodies::{BodyError, RequestBody};

/// What was read: status, fields, body, trailers, and whether the connection may be used again.
#[derive(Debug, PartialEq)]
struct Read {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    stays: bool,
}

/// Reads one answer from these pieces and the end of the connection behind them.
fn read(pieces: &[&[u8]], method: &Method) -> Result<Read, BodyError> {
    let mut pieces = pieces.iter();
    let mut buffer = BytesMut::new();
    let head = loop {
        match answer_heads::take(&mut buffer, method)? {
            answer_heads::Begins::Answer(head) => break *head,
            answer_heads::Begins::Interim => {}
            answer_heads::Begins::Part => buffer.extend_from_slice(pieces.next().ok_or("no head")?),
        }
    };
    let (parts, mut framing): (_, Framing) = head.response.into_parts();
    let mut seen = Read {
        status: parts.status,
        headers: parts.headers,
        body: Vec::new(),
        trailers: None,
        stays: head.stays,
    };
    loop {
        while let Some(frame) = framing.take(&mut buffer)? {
            match frame.into_data() {
                Ok(data) => seen.body.extend_from_slice(&data),
                Err(frame) => seen.trailers = frame.into_trailers().ok(),
            }
        }
        if framing.is_ended() {
            break;
        }
        match pieces.next() {
            Some(piece) => buffer.extend_from_slice(piece),
            None => framing.close()?,
        }
    }
    seen.stays &= buffer.is_empty() && pieces.all(|piece| piece.is_empty());
    Ok(seen)
}

/// Whole answers: bytes, body, and whether the connection stays.
const ANSWERS: [(&str, &str, bool); 9] = [
    ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: b\r\n\r\nhello", "hello", true),
    ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", "", false),
    ("HTTP/1.1 404 Nothing Here\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nno", "no", true),
    (
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
        "",
        true,
    ),
    ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", true),
    (
        "HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\ntrailer: x-sum\r\n\r\n0A;a=b\r\n0123456789\r\n1 \t;c\r\n!\r\n000\r\nx-sum: 1\r\nx-b:\r\n\r\n",
        "0123456789!",
        true,
    ),
    ("HTTP/1.0 200 OK\r\n\r\nuntil the end\r\n\r\n", "until the end\r\n\r\n", false),
    ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nx", "x", true),
    ("HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\netag: \"a\"\r\n\r\n", "", true),
];

#[test]
fn an_answer_reads_the_same_wherever_it_is_cut() {
    for (answer, body, stays) in ANSWERS {
        let whole = read(&[answer.as_bytes()], &Method::GET).unwrap();
        assert_eq!((&*whole.body, whole.stays), (body.as_bytes(), stays), "{answer}");
        for place in 0..=answer.len() {
            let (first, second) = answer.as_bytes().split_at(place);
            assert_eq!(read(&[first, second], &Method::GET).unwrap(), whole, "{answer} at {place}");
        }
        let bytes: Vec<_> = answer.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes, &Method::GET).unwrap(), whole, "{answer} byte by byte");
    }
}

#[test]
fn an_answer_that_is_cut_off_is_no_answer_unless_its_end_is_the_connections() {
    for (answer, body, _) in ANSWERS {
        for place in 0..answer.len() {
            let Some(Ok(seen)) = answer.as_bytes().get(..place).map(|part| read(&[part], &Method::GET))
            else {
                continue;
            };
            assert!(answer.starts_with("HTTP/1.0 200 OK\r\n\r\n"), "{answer} at {place}");
            assert!(body.as_bytes().starts_with(&seen.body));
        }
    }
}

#[test]
fn what_comes_behind_an_answer_is_seen() {
    for (answer, ..) in ANSWERS.iter().filter(|(.., stays)| *stays) {
        let more = format!("{answer}HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled");
        let seen = read(&[more.as_bytes()], &Method::GET).unwrap();
        assert!(!seen.stays, "{answer}");
        assert!(!seen.body.ends_with(b"smuggled"));
    }
}

#[test]
fn fields_of_the_connection_stay_behind_and_what_they_name() {
    let answer = "HTTP/1.1 200 OK\r\nconnection: x-a, Close\r\nx-a: 1\r\nx-b: 2\r\nx-b: 3\r\nkeep-alive: 5\r\n\
                  upgrade: h2c\r\nproxy-authenticate: a\r\ncontent-length: 0\r\n\r\n";
    let seen = read(&[answer.as_bytes()], &Method::GET).unwrap();
    let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "x-b", "x-b"]);
    assert!(!seen.stays);
}

#[test]
fn trailers_are_read_as_they_came() {
    let (answer, ..) = ANSWERS[5];
    let trailers = read(&[answer.as_bytes()], &Method::GET).unwrap().trailers.unwrap();
    let trailers: Vec<_> = trailers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(trailers, [("x-sum", &b"1"[..]), ("x-b", b"")]);
}

#[test]
fn the_longest_of_everything_is_taken_and_one_more_is_not() {
    let fields = |count: usize| format!("HTTP/1.1 204 No Content\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert!(read(&[fields(100).as_bytes()], &Method::GET).is_ok());
    assert!(read(&[fields(101).as_bytes()], &Method::GET).is_err());
    let head = |length: usize| format!("HTTP/1.1 204 No Content\r\na: {}\r\n\r\n", "b".repeat(length - 32));
    assert!(read(&[head(256 * 1_024).as_bytes()], &Method::GET).is_ok());
    assert!(read(&[head(256 * 1_024 + 1).as_bytes()], &Method::GET).is_err());
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let trailers = |length: usize| format!("{chunked}0\r\na: {}\r\n\r\n", "b".repeat(length - 7));
    assert!(read(&[trailers(16 * 1_024).as_bytes()], &Method::GET).is_ok());
    assert!(read(&[trailers(16 * 1_024 + 1).as_bytes()], &Method::GET).is_err());
    let extended = |length: usize| format!("{chunked}1;{}\r\na\r\n0;{}\r\n\r\n", "b".repeat(length - 2), "");
    assert!(read(&[extended(16 * 1_024).as_bytes()], &Method::GET).is_ok());
    assert!(read(&[extended(16 * 1_024 + 1).as_bytes()], &Method::GET).is_err(), "over all chunks");
    let long = [chunked.as_bytes(), b"1;", &[b'b'; 20_000]].concat();
    assert!(read(&[&long], &Method::GET).is_err(), "before its line ends");
}

/// What hyper's client makes of the same bytes.
async fn read_by_hyper(bytes: &[u8], method: &Method) -> Result<(StatusCode, Vec<u8>), hyper::Error> {
    let (mut near, far) = tokio::io::duplex(64 * 1_024);
    let bytes = bytes.to_vec();
    let peer = async move {
        let _ = near.read(&mut [0; 256]).await;
        let _ = near.write_all(&bytes).await;
        let _ = near.shutdown().await;
        near
    };
    let ask = async move {
        let handshake = hyper::client::conn::http1::handshake::<_, RequestBody>(TokioIo::new(far)).await;
        let (mut sender, connection) = handshake?;
        let mut request = http::Request::new(RequestBody::Empty);
        *request.method_mut() = method.clone();
        let answer = async move {
            let response: Response<_> = sender.send_request(request).await?;
            let status = response.status();
            let body: Bytes = response.into_body().collect().await?.to_bytes();
            Ok((status, body.to_vec()))
        };
        let (_, answer) = tokio::join!(connection, answer);
        answer
    };
    let (_peer, answer) = tokio::join!(peer, ask);
    answer
}

/// Answers with a few bytes replaced, taken out or put in, by some that mean something.
fn mutilated() -> impl Strategy<Value = Vec<u8>> {
    let byte =
        prop_oneof![proptest::sample::select(b"\r\n \t:;,0159afgx+-\0\x7f\x80".to_vec()), any::<u8>(),];
    let change = (any::<prop::sample::Index>(), 0..3u8, byte);
    (0..ANSWERS.len(), proptest::collection::vec(change, 0..4)).prop_map(|(which, changes)| {
        let mut bytes = ANSWERS[which].0.as_bytes().to_vec();
        for (place, kind, byte) in changes {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => drop(bytes.remove(place)),
            }
        }
        bytes
    })
}

fn cut(bytes: &[u8], places: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    places.sort_unstable();
    let mut start = 0;
    let mut pieces: Vec<_> = places
        .iter()
        .map(|place| {
            let piece = bytes[start..*place].to_vec();
            start = *place;
            piece
        })
        .collect();
    pieces.push(bytes[start..].to_vec());
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_we_read_is_what_hyper_reads_and_no_more(bytes in mutilated(), is_head in any::<bool>()) {
        let method = if is_head { Method::HEAD } else { Method::GET };
        if let Ok(ours) = read(&[&bytes], &method) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let theirs = runtime.block_on(read_by_hyper(&bytes, &method)).unwrap();
            prop_assert_eq!((ours.status, ours.body), theirs);
        }
    }

    #[test]
    fn any_bytes_read_the_same_in_any_pieces(
        bytes in prop_oneof![mutilated(), proptest::collection::vec(any::<u8>(), 0..200)],
        places in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let pieces = cut(&bytes, &places);
        let pieces: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
        let (whole, cut) = (read(&[&bytes], &Method::GET), read(&pieces, &Method::GET));
        match (whole, cut) {
            (Ok(whole), Ok(cut)) => prop_assert_eq!(whole, cut),
            (Err(_), Err(_)) => {}
            other => prop_assert!(false, "{other:?}"),
        }
    }
}
