//! HTTP/2 connections to upstreams that end, hang, refuse or are none (docs/gateway.md §10).

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use forecourt_core::gateway_state::{ServiceState, UpstreamState};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, mpsc},
    time::timeout,
};

use super::{
    peers::{serve_http2, upload},
    rows::{put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, status},
};
use crate::Config;

async fn stage(port: u16) -> Stage {
    let upstream = UpstreamState { scheme: "grpc".into(), read_timeout_ms: 200, ..upstream(port) };
    let row = ServiceState { upstream: Some(upstream), ..service("s") };
    Stage::with(Config::default(), vec![put(1, row), put(1, route("r", "s", "/*"))]).await
}

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn fine() -> Answer {
    Ok(Response::new(Full::new(Bytes::from("ok"))))
}

/// Drops each connection when its request with this number, counted from 1, has come, and never answers that one.
async fn dropping_at(number: usize, connections: &Arc<AtomicUsize>) -> u16 {
    let connections = Arc::clone(connections);
    acting(move |stream: TcpStream| {
        connections.fetch_add(1, Ordering::SeqCst);
        let (seen, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        async move {
            let told = Arc::clone(&enough);
            let serving = serve_http2(stream, move |_: Request<Incoming>| {
                let (seen, told) = (Arc::clone(&seen), Arc::clone(&told));
                async move {
                    if seen.fetch_add(1, Ordering::SeqCst) + 1 == number {
                        told.notify_one();
                        std::future::pending::<()>().await;
                    }
                    fine()
                }
            });
            tokio::select! { () = serving => {}, () = enough.notified() => {} }
        }
    })
    .await
}

#[tokio::test]
async fn a_get_that_a_shared_connection_swallowed_is_asked_once_more_over_another() {
    let connections = Arc::new(AtomicUsize::new(0));
    let stage = stage(dropping_at(2, &connections).await).await;
    for expected in 1..4 {
        assert_eq!(status(&stage.ask("/", &[]).await), 200);
        assert_eq!(connections.load(Ordering::SeqCst), expected);
    }
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(status(&stage.exchange(post).await), 502, "what may not be repeated is not");
}

#[tokio::test]
async fn a_fresh_connection_that_swallows_is_a_502_and_is_not_asked_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let stage = stage(dropping_at(1, &connections).await).await;
    assert_eq!(status(&stage.ask("/", &[]).await), 502);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_told_to_stop() {
    struct Told(mpsc::UnboundedSender<()>);
    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (stopped, mut wait_stopped) = mpsc::unbounded_channel();
    let port = acting(move |stream| {
        let stopped = stopped.clone();
        serve_http2(stream, move |_| {
            let told = Told(stopped.clone());
            async move {
                std::future::pending::<()>().await;
                drop(told);
                fine()
            }
        })
    })
    .await;
    let stage = stage(port).await;
    assert_eq!(status(&stage.ask("/", &[]).await), 504);
    timeout(PATIENCE, wait_stopped.recv()).await.expect("the stream should have been reset").unwrap();
}

#[tokio::test]
async fn an_answer_before_the_body_was_read_ends_the_upload_of_both_versions() {
    let (ended, mut wait_ended) = mpsc::unbounded_channel();
    let port = acting(move |stream| {
        let ended = ended.clone();
        serve_http2(stream, move |request: Request<Incoming>| {
            let ended = ended.clone();
            async move {
                tokio::spawn(async move {
                    let _ = request.into_body().collect().await;
                    ended.send(()).unwrap();
                });
                fine()
            }
        })
    })
    .await;
    let stage = stage(port).await;
    let mut stream = stage.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome").await.unwrap();
    timeout(PATIENCE, wait_ended.recv()).await.expect("the upload should have ended").unwrap();
    let (mut upload, channel) = upload();
    let request = Request::post("http://api.example/").body(channel).unwrap();
    upload.send_data(Bytes::from("some")).await.unwrap();
    let response = stage.http2().await.send_request(request).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    timeout(PATIENCE, wait_ended.recv()).await.expect("the upload should have ended").unwrap();
}

#[tokio::test]
async fn what_is_no_http2_is_a_502() {
    for answer in
        ["HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", "nonsense, and enough of it to be a frame"]
    {
        let port = acting(move |mut stream| async move {
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        })
        .await;
        let answer = stage(port).await.ask("/", &[]).await;
        assert_eq!((status(&answer), body(&answer)), (502, r#"{"message":"upstream sent no valid answer"}"#));
    }
    let mute = acting(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(status(&stage(mute.await).await.ask("/", &[]).await), 504);
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
/// The peer's end of stream 3: it was reset as refused, or is beyond the last one that is admitted.
const REFUSED: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 7];
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];

/// Reads frames up to one of this kind.
async fn read_up_to(stream: &mut TcpStream, kind: u8) {
    loop {
        let mut header = [0; 9];
        stream.read_exact(&mut header).await.unwrap();
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if header[3] == kind {
            return;
        }
    }
}

/// A first connection that answers one request 200 and ends the stream of the next one with `end` when a frame of
/// the kind `after` has come for it; later ones say the method and send back the body.
async fn refusing(after: u8, end: &'static [u8], connections: &Arc<AtomicUsize>) -> u16 {
    let connections = Arc::clone(connections);
    acting(move |mut stream: TcpStream| {
        let is_first = connections.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            if !is_first {
                return serve_http2(stream, |request: Request<Incoming>| async move {
                    let method = request.method().to_string();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    Ok::<_, Infallible>(Response::new(Full::new([method.as_bytes(), &body].concat().into())))
                })
                .await;
            }
            stream.read_exact(&mut [0; 24]).await.unwrap();
            stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
            read_up_to(&mut stream, HEADERS).await;
            // `:status: 200` is one byte of the static table, and the stream ends with it.
            stream.write_all(&[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88]).await.unwrap();
            read_up_to(&mut stream, HEADERS).await;
            if after == DATA {
                read_up_to(&mut stream, DATA).await;
            }
            stream.write_all(end).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_the_upstream_did_not_process_goes_once_more_with_its_whole_body() {
    for end in [&REFUSED[..], &GOAWAY[..]] {
        let connections = Arc::new(AtomicUsize::new(0));
        let stage = stage(refusing(HEADERS, end, &connections).await).await;
        assert_eq!(status(&stage.ask("/", &[]).await), 200);
        let mut stream = stage.connect().await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // The caller takes its time until the gateway has been refused.
        timeout(PATIENCE, async {
            while connections.load(Ordering::SeqCst) < 2 {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("the request should go over a second connection");
        stream.write_all(b"hello").await.unwrap();
        let answer = super::stage::read_to_end(&mut stream).await;
        assert_eq!((status(&answer), body(&answer)), (200, "POSThello"));
    }
}

#[tokio::test]
async fn a_request_without_a_body_that_was_not_processed_goes_once_more_whatever_its_method() {
    let connections = Arc::new(AtomicUsize::new(0));
    let stage = stage(refusing(HEADERS, &GOAWAY, &connections).await).await;
    assert_eq!(status(&stage.ask("/", &[]).await), 200);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let answer = stage.exchange(post).await;
    assert_eq!((status(&answer), body(&answer)), (200, "POST"));
}

#[tokio::test]
async fn a_body_of_which_a_piece_was_read_is_not_sent_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let stage = stage(refusing(DATA, &GOAWAY, &connections).await).await;
    assert_eq!(status(&stage.ask("/", &[]).await), 200);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(status(&stage.exchange(post).await), 502);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}
