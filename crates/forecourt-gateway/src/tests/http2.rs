//! Callers who speak HTTP/2 (docs/gateway.md §14): over TLS by agreement, on the plain port by its preface.

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};

use super::{
    stage::{PATIENCE, Stage, acting, echo, open_by, read_until},
    tls,
};
use crate::Config;

type Sender = http2::SendRequest<Full<Bytes>>;

/// A client over this stream.
async fn client(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Sender {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn plain(stage: &Stage) -> Sender {
    client(stage.connect().await).await
}

fn get(uri: &str) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).unwrap()
}

async fn send(sender: &mut Sender, request: Request<Full<Bytes>>) -> Response<Incoming> {
    timeout(PATIENCE, sender.send_request(request)).await.expect("an answer hangs").unwrap()
}

async fn text(response: Response<Incoming>) -> String {
    let body = timeout(PATIENCE, response.into_body().collect()).await.expect("a body hangs").unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_request_reaches_the_upstream_in_the_form_of_http_1() {
    let stage = Stage::protected().await;
    let mut sender = plain(&stage).await;
    let request = Request::post("http://api.example:9080/s/a/../b?q=1")
        .header("apikey", "k")
        .header("cookie", "a=b")
        .header("cookie", "c=d")
        .header("te", "trailers")
        .body(Full::from("hello"))
        .unwrap();
    let response = send(&mut sender, request).await;
    assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
    assert!(
        response.headers().contains_key("x-request-id") && !response.headers().contains_key("keep-alive")
    );
    let echoed = text(response).await;
    assert!(echoed.starts_with("POST /s/b?q=1\n") && echoed.ends_with("\n\nhello"), "{echoed}");
    for line in
        ["host: api.example:9080", "cookie: a=b; c=d", "x-consumer-username: app", "x-forwarded-proto: http"]
    {
        assert!(echoed.contains(&format!("{line}\n")), "{line} in {echoed}");
    }
    assert!(echoed.contains("te: trailers\nconnection: te\n"), "trailers are taken: {echoed}");
    assert!(!echoed.contains("transfer-encoding"), "{echoed}");
}

#[tokio::test]
async fn own_answers_and_errors_come_as_over_http_1() {
    let stage = Stage::protected().await;
    let mut sender = plain(&stage).await;
    let missing = send(&mut sender, get("http://api.example/nothing")).await;
    assert_eq!(missing.status(), 404);
    assert_eq!(text(missing).await, r#"{"error_msg":"404 Route Not Found"}"#);
    let refused = send(&mut sender, get("http://api.example/s/x")).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers().get_all("www-authenticate").iter().count(), 2);
    // A bad request ends its stream; the connection goes on.
    let bad = send(&mut sender, get("http://api.example/open/%zz")).await;
    assert_eq!((bad.status(), bad.headers().get("connection")), (StatusCode::BAD_REQUEST, None));
    assert_eq!(send(&mut sender, get("http://api.example/open/x")).await.status(), 200);
}

#[tokio::test]
async fn authority_and_host_must_agree_and_hold_no_user() {
    let stage = Stage::with(Config::default(), open_by(echo().await)).await;
    let mut sender = plain(&stage).await;
    for (uri, host, status) in [
        ("http://a/open/x", Some("a"), 200),
        ("http://a/open/x", Some("A:80"), 200),
        ("https://a/open/x", Some("a:443"), 200),
        ("http://a/open/x", Some("b"), 400),
        ("http://a:81/open/x", Some("a"), 400),
        ("http://user@a/open/x", None, 400),
        ("ftp://a/open/x", None, 400),
    ] {
        let mut request = get(uri);
        if let Some(host) = host {
            request.headers_mut().insert("host", host.parse().unwrap());
        }
        assert_eq!(send(&mut sender, request).await.status(), status, "{uri} {host:?}");
    }
    let mut twice = get("http://a/open/x");
    twice.headers_mut().append("host", "a".parse().unwrap());
    twice.headers_mut().append("host", "a".parse().unwrap());
    assert_eq!(send(&mut sender, twice).await.status(), 400);
}

#[tokio::test]
async fn over_tls_both_protocols_are_offered_and_http_2_is_preferred() {
    let own = tls::made(&["api.example"]);
    let stage = tls::with_rows(vec![tls::row("a", 1, &own, &["api.example"])]).await;
    let agreed = async |protocols: &[&str]| {
        let stream = tls::Caller::trusting(&[&own]).speaking(protocols).call(&stage, "api.example").await;
        stream.unwrap().get_ref().1.alpn_protocol().map(<[u8]>::to_vec)
    };
    assert_eq!(agreed(&["http/1.1", "h2"]).await.as_deref(), Some(&b"h2"[..]));
    assert_eq!(agreed(&["http/1.1"]).await.as_deref(), Some(&b"http/1.1"[..]));
    assert_eq!(agreed(&[]).await, None);
    let stream = tls::Caller::trusting(&[&own]).speaking(&["h2"]).call(&stage, "api.example").await.unwrap();
    let mut sender = client(stream).await;
    let echoed = text(send(&mut sender, get("https://api.example/open/x")).await).await;
    assert!(echoed.contains("x-forwarded-proto: https\n"), "{echoed}");
}

#[tokio::test]
async fn a_head_with_too_many_fields_is_answered_431() {
    let config = Config { max_head_fields: 5, ..Config::default() };
    let stage = Stage::with(config, open_by(echo().await)).await;
    let mut sender = plain(&stage).await;
    let with = |count: usize| {
        let request = (0..count)
            .fold(Request::get("http://a/open/x"), |request, n| request.header(format!("f{n}"), "x"));
        request.body(Full::default()).unwrap()
    };
    assert_eq!(send(&mut sender, with(5)).await.status(), 200);
    assert_eq!(send(&mut sender, with(6)).await.status(), 431);
}

#[tokio::test]
async fn a_head_beyond_the_limit_of_bytes_is_not_served() {
    let stage = Stage::with(Config::default(), open_by(echo().await)).await;
    let mut sender = plain(&stage).await;
    let padded = |size: usize| {
        Request::get("http://a/open/x").header("p", "x".repeat(size)).body(Full::default()).unwrap()
    };
    assert_eq!(send(&mut sender, padded(32_000)).await.status(), 200);
    let sent = timeout(PATIENCE, sender.send_request(padded(33_000))).await.expect("an answer hangs");
    assert!(sent.map_or(true, |response| response.status() == 431));
}

/// An upstream that answers after all of the request has come and `go` has been said.
async fn waiting() -> (u16, tokio::sync::watch::Sender<bool>) {
    let (go, gone) = tokio::sync::watch::channel(false);
    let port = acting(move |mut stream: TcpStream| {
        let mut gone = gone.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let _ = gone.wait_for(|go| *go).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await;
        }
    });
    (port.await, go)
}

#[tokio::test]
async fn a_shutdown_lets_streams_in_flight_finish_and_says_goodbye() {
    let (port, go) = waiting().await;
    let mut stage = Stage::with(Config::default(), open_by(port)).await;
    let mut sender = plain(&stage).await;
    let mut later = sender.clone();
    let (begun, answered) = oneshot::channel();
    tokio::spawn(async move { begun.send(text(send(&mut sender, get("http://a/open/x")).await).await) });
    // The second request is answered by ourselves, so the first is on its way by then.
    assert_eq!(send(&mut later, get("http://a/nothing")).await.status(), 404);
    stage.stop.take();
    while timeout(PATIENCE, later.send_request(get("http://a/nothing"))).await.unwrap().is_ok() {}
    go.send_replace(true);
    assert_eq!(timeout(PATIENCE, answered).await.unwrap().unwrap(), "done");
    timeout(PATIENCE, &mut stage.serving).await.expect("the gateway should have ended").unwrap();
}
