//! HTTP/2 towards upstreams and from callers: all four pairs, streaming, trailers, gRPC (docs/gateway.md §10).

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use forecourt_core::gateway_state::{ServiceState, UpstreamState};
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Notify,
    time::timeout,
};

use super::{
    peers::{Authority, Http2, acceptor, grpc_mirror, mirror, piece, serve_http2, tls_acting, upload},
    rows::{put, route, service, upstream},
    stage::{PATIENCE, Stage, acting, body, read_until, status},
};
use crate::Config;

fn over(scheme: &str, port: u16) -> UpstreamState {
    UpstreamState { scheme: scheme.into(), ..upstream(port) }
}

async fn stage(upstream: UpstreamState) -> Stage {
    let row = ServiceState { upstream: Some(upstream), ..service("s") };
    Stage::with(Config::default(), vec![put(1, row), put(1, route("r", "s", "/*"))]).await
}

/// An upstream of HTTP/1.1 that sends a chunked body back piece by piece, and trailers after it.
async fn chunked_mirror() -> u16 {
    acting(|mut stream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
        let te = if head.contains("te: trailers\r\n") { "trailers" } else { "none" };
        let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-te, x-sum\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        loop {
            let size = read_until(&mut stream, "\r\n").await;
            let length = usize::from_str_radix(size.trim(), 16).unwrap();
            if length == 0 {
                break;
            }
            let mut data = vec![0; length + 2];
            stream.read_exact(&mut data).await.unwrap();
            stream.write_all(size.as_bytes()).await.unwrap();
            stream.write_all(&data).await.unwrap();
        }
        let mut trailers = String::new();
        loop {
            let line = read_until(&mut stream, "\r\n").await;
            if line == "\r\n" {
                break;
            }
            trailers += &line;
        }
        stream.write_all(format!("0\r\nx-te: {te}\r\n{trailers}\r\n").as_bytes()).await.unwrap();
    })
    .await
}

/// Streams two pieces, each of which must come back before the next is sent, and trailers both ways.
async fn stream_both_ways(caller: &mut Http2) {
    let (mut upload, channel) = upload();

    let request = Request::post("http://api.example/x").header("te", "trailers").header("trailer", "x-sum");
    let mut response =
        timeout(PATIENCE, caller.send_request(request.body(channel).unwrap())).await.unwrap().unwrap();
    assert_eq!(response.status(), 200);
    for text in ["first", "second"] {
        upload.send_data(Bytes::from(text)).await.unwrap();
        assert_eq!(timeout(PATIENCE, piece(response.body_mut())).await.unwrap(), text);
    }
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", "11".parse().unwrap());
    trailers.insert("x-consumer-username", "admin".parse().unwrap());
    upload.send_trailers(trailers).await.unwrap();
    drop(upload);
    let rest = timeout(PATIENCE, response.into_body().collect()).await.unwrap().unwrap();
    let trailers = rest.trailers().unwrap();
    assert_eq!(trailers["x-sum"], "11");
    assert_eq!(trailers["x-te"], "trailers", "the upstream knows that trailers are taken");
    assert!(!trailers.contains_key("x-consumer-username"), "{trailers:?}");
}

#[tokio::test]
async fn callers_of_http2_stream_both_ways_through_either_version() {
    let authority = Authority::new();
    let acceptor = acceptor(&authority.issue("127.0.0.1"), &["h2"], None);
    let over_tls = tls_acting(acceptor, |stream| serve_http2(stream, mirror)).await;
    let mut secure = over("grpcs", over_tls);
    secure.tls.ca = Some(authority.pem());
    for row in [over("grpc", grpc_mirror().await), secure, over("http", chunked_mirror().await)] {
        let stage = stage(row).await;
        stream_both_ways(&mut stage.http2().await).await;
    }
}

#[tokio::test]
async fn callers_of_http1_stream_both_ways_through_either_version() {
    for row in [over("grpc", grpc_mirror().await), over("http", chunked_mirror().await)] {
        let stage = stage(row).await;
        let mut stream = stage.connect().await;
        let head = "POST /x HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTrailer: x-sum, x-consumer-username\r\n\
            Transfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(status(&answer), 200);
        for text in ["5\r\nfirst\r\n", "6\r\nsecond\r\n"] {
            stream.write_all(text.as_bytes()).await.unwrap();
            assert_eq!(read_until(&mut stream, text).await, text);
        }
        stream.write_all(b"0\r\nx-sum: 11\r\nx-consumer-username: admin\r\n\r\n").await.unwrap();
        let rest = read_until(&mut stream, "\r\n\r\n").await;
        assert!(rest.contains("x-sum: 11\r\n") && rest.contains("x-te: trailers\r\n"), "{rest}");
        assert!(!rest.contains("x-consumer"), "{rest}");
    }
}

#[tokio::test]
async fn trailers_go_to_no_caller_of_http1_that_did_not_ask_for_them() {
    let stage = stage(over("grpc", grpc_mirror().await)).await;
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
    let answer = stage.exchange(head).await;
    assert!(answer.ends_with("2\r\nhi\r\n0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn large_bodies_pass_both_ways_at_the_pace_of_the_slower_side() {
    for row in [over("grpc", grpc_mirror().await), over("http", chunked_mirror().await)] {
        let stage = stage(row).await;
        let mut caller = stage.http2().await;
        let (mut upload, channel) = upload();
        let request = Request::post("http://api.example/x").body(channel).unwrap();
        let sending = tokio::spawn(async move {
            for _ in 0..160 {
                upload.send_data(Bytes::from(vec![b'x'; 65_536])).await.unwrap();
            }
        });
        let response = timeout(PATIENCE, caller.send_request(request)).await.unwrap().unwrap();
        let whole = timeout(PATIENCE, response.into_body().collect()).await.unwrap().unwrap().to_bytes();
        assert_eq!(whole.len(), 160 * 65_536);
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn one_connection_carries_many_requests_at_a_time_and_is_used_again() {
    let connections = Arc::new(AtomicUsize::new(0));
    let (arrived, release) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let all = {
        let (connections, arrived, release) =
            (Arc::clone(&connections), Arc::clone(&arrived), Arc::clone(&release));
        acting(move |stream| {
            connections.fetch_add(1, Ordering::SeqCst);
            let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
            serve_http2(stream, move |_| {
                let (arrived, release) = (Arc::clone(&arrived), Arc::clone(&release));
                async move {
                    if arrived.fetch_add(1, Ordering::SeqCst) + 1 < 5 {
                        release.notified().await;
                    }
                    release.notify_waiters();
                    Ok(Response::new(Full::new(Bytes::from("ok"))))
                }
            })
        })
        .await
    };
    let stage = stage(over("grpc", all)).await;
    let asked: Vec<_> = (0..5).map(|_| stage.ask("/x", &[])).collect();
    for answer in join(asked).await {
        assert!(answer.ends_with("ok"), "{answer}");
    }
    assert_eq!(status(&stage.ask("/x", &[]).await), 200);
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// Runs all of them at the same time.
async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, output) in running.iter_mut().filter(|(_, output)| output.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
                *output = Some(value);
            }
        }
        let is_ready = running.iter().all(|(_, output)| output.is_some());
        if is_ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    running.into_iter().map(|(_, output)| output.unwrap()).collect()
}

#[tokio::test]
async fn more_requests_than_a_connection_may_carry_get_another() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let number = Arc::new(AtomicUsize::new(0));
    let log = Arc::clone(&seen);
    let port = acting(move |stream| {
        let (log, own) = (Arc::clone(&log), number.fetch_add(1, Ordering::SeqCst));
        serve_http2(stream, move |_| {
            log.lock().unwrap().insert(own);
            async move { Ok(Response::new(Full::new(Bytes::from("ok")))) }
        })
    })
    .await;
    let mut row = over("grpc", port);
    row.keepalive.requests = Some(2);
    let stage = stage(row).await;
    for _ in 0..6 {
        assert_eq!(status(&stage.ask("/x", &[]).await), 200);
    }
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn an_answer_that_breaks_off_resets_the_stream_of_its_caller_and_nothing_else() {
    let port = acting(|mut stream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await;
        let answer = if head.starts_with("GET /broken") { "100\r\n\r\npartial" } else { "2\r\n\r\nok" };
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {answer}").as_bytes()).await.unwrap();
    })
    .await;
    let stage = stage(over("http", port)).await;
    let mut caller = stage.http2().await;
    let mut ask = async |path: &str| {
        let (_, channel) = upload();
        let request = Request::get(format!("http://api.example{path}")).body(channel).unwrap();
        let response = timeout(PATIENCE, caller.send_request(request)).await.unwrap().unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        timeout(PATIENCE, response.into_body().collect()).await.unwrap()
    };
    assert!(ask("/broken").await.is_err());
    assert_eq!(ask("/x").await.unwrap().to_bytes(), "ok");
}

#[tokio::test]
async fn several_cookie_fields_of_http2_become_one_of_http1() {
    let stage = stage(over("http", super::stage::echo().await)).await;
    let (_, channel) = upload();
    let request = Request::get("http://api.example/x").header("cookie", "a=1").header("cookie", "b=2");
    let response = stage.http2().await.send_request(request.body(channel).unwrap()).await.unwrap();
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("cookie: a=1; b=2\n") && text.contains("host: api.example\n"), "{text}");
}

#[tokio::test]
async fn our_own_answers_tell_callers_of_grpc_the_code_that_they_read() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let stage = stage(over("grpc", gone)).await;
    let fields = ["content-type: application/grpc+proto", "te: trailers"];
    let answer = stage.ask("/x", &fields).await;
    assert_eq!(status(&answer), 502);
    assert!(answer.contains("grpc-status: 14\r\n") && answer.contains("grpc-message: "), "{answer}");
    let protected = Stage::protected().await;
    let answer = protected.ask("/s/x", &fields).await;
    assert!(answer.contains("grpc-status: 16\r\n"), "{answer}");
    assert_eq!((status(&answer), body(&answer)), (401, r#"{"message":"Authorization Failed"}"#));
    assert!(protected.ask("/nowhere", &fields).await.contains("grpc-status: 12\r\n"));
    assert!(!protected.ask("/nowhere", &[]).await.contains("grpc-status"));
    assert!(
        !protected.ask("/open/x", &fields).await.contains("grpc-status"),
        "an upstream speaks for itself"
    );
}
