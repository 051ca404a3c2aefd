//! Calls to providers who answer late, too much, in parts, with junk, or from where no call may go.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use forecourt_core::addresses::{Destination, OutgoingRules};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{Fetcher, SIZE};
use crate::tests::stage::{PATIENCE, acting, read_until};

fn fetcher() -> Fetcher {
    Fetcher::new(OutgoingRules::default())
}

async fn get(fetcher: &Fetcher, url: &str) -> Result<String, String> {
    let got =
        timeout(PATIENCE, fetcher.get(&Url::parse(url).unwrap())).await.expect("the call should have ended");
    got.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// A provider that reads a request's head and answers these bytes.
async fn answering(bytes: impl Into<Vec<u8>>) -> u16 {
    let bytes = bytes.into();
    acting(move |mut stream| {
        let bytes = bytes.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let _ = stream.write_all(&bytes).await;
        }
    })
    .await
}

async fn answer_of(port: u16) -> Result<String, String> {
    get(&fetcher(), &format!("http://127.0.0.1:{port}/x?y")).await
}

#[tokio::test]
async fn a_whole_answer_of_200_is_the_body_however_it_is_framed() {
    for framed in [
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nbody",
    ] {
        assert_eq!(answer_of(answering(framed).await).await.as_deref(), Ok("body"), "{framed}");
    }
}

#[tokio::test]
async fn the_request_names_host_and_target() {
    let seen = Arc::new(Mutex::new(String::new()));
    let put = Arc::clone(&seen);
    let port = acting(move |mut stream| {
        let put = Arc::clone(&put);
        async move {
            *put.lock().unwrap() = read_until(&mut stream, "\r\n\r\n").await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        }
    })
    .await;
    assert_eq!(answer_of(port).await.as_deref(), Ok(""));
    let seen = seen.lock().unwrap().to_ascii_lowercase();
    assert!(seen.starts_with("get /x?y http/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("\r\nhost: 127.0.0.1:{port}\r\n")), "{seen}");
}

#[tokio::test]
async fn any_other_answer_is_none() {
    let location = "Location: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let huge_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    for (why, bytes) in [
        ("a redirect", format!("HTTP/1.1 302 Found\r\n{location}")),
        ("a lasting redirect", format!("HTTP/1.1 308 Permanent Redirect\r\n{location}")),
        ("not found", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nbody".into()),
        ("no content", "HTTP/1.1 204 No Content\r\n\r\n".into()),
        ("an error", "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".into()),
        ("no HTTP", "SSH-2.0-OpenSSH_9.6\r\n".into()),
        ("nothing", String::new()),
        ("half a head", "HTTP/1.1 200 OK\r\nContent-Le".into()),
        ("half a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbody".into()),
        ("half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nbody".into()),
        ("a huge head", huge_head),
    ] {
        assert!(answer_of(answering(bytes).await).await.is_err(), "{why}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_not_read() {
    let body = |length: usize| {
        let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        bytes.resize(bytes.len() + length, b'x');
        bytes
    };
    assert_eq!(answer_of(answering(body(SIZE)).await).await.map(|body| body.len()), Ok(SIZE));
    assert!(answer_of(answering(body(SIZE + 1)).await).await.is_err());
    let endless = acting(|mut stream| async move {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        read_until(&mut stream, "\r\n\r\n").await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        while stream.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    assert!(answer_of(endless).await.is_err());
}

#[tokio::test]
async fn who_does_not_answer_in_time_has_not_answered() {
    let impatient = Fetcher { time: Duration::from_millis(200), ..fetcher() };
    let silent = acting(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let dripping = acting(|mut stream: TcpStream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while stream.write_all(b"x").await.is_ok() {
            ticks.tick().await;
        }
    });
    for port in [silent.await, dripping.await] {
        let got = get(&impatient, &format!("http://127.0.0.1:{port}/")).await;
        assert!(got.unwrap_err().starts_with("no answer within"), "{port}");
        let got = get(&impatient, &format!("https://127.0.0.1:{port}/")).await;
        assert!(got.is_err(), "{port}");
    }
    assert_eq!(fetcher().time, Duration::from_secs(10));
}

#[tokio::test]
async fn a_call_goes_only_where_the_rules_let_it() {
    let port = answering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody").await;
    let names = |list: &[&str]| list.iter().map(|text| Destination::parse(text).unwrap()).collect::<Vec<_>>();
    let rules = |enable, allow: &[&str], deny: &[&str]| OutgoingRules {
        enable,
        allow_list: names(allow),
        deny_list: names(deny),
    };
    for (why, rules, host, passes) in [
        ("off", rules(false, &[], &[]), "127.0.0.1", true),
        ("on", rules(true, &[], &[]), "127.0.0.1", false),
        ("on, by name", rules(true, &[], &[]), "localhost", false),
        ("on, in another spelling", rules(true, &[], &[]), "0x7f.1", false),
        ("on, as one number", rules(true, &[], &[]), "2130706433", false),
        ("on, mapped", rules(true, &[], &[]), "[::ffff:127.0.0.1]", false),
        ("on and allowed", rules(true, &["127.0.0.0/8"], &[]), "127.0.0.1", true),
        ("denied", rules(false, &[], &["127.0.0.1"]), "127.0.0.1", false),
        ("denied by name", rules(false, &[], &["localhost"]), "localhost", false),
        ("denied and allowed", rules(true, &["127.0.0.1"], &["127.0.0.0/8"]), "127.0.0.1", false),
        ("link-local, off", rules(false, &[], &[]), "169.254.169.254", false),
        ("link-local, mapped", rules(false, &[], &[]), "[::ffff:a9fe:a9fe]", false),
        ("link-local, allowed", rules(true, &["169.254.0.0/16"], &[]), "169.254.169.254", false),
    ] {
        let got = get(&Fetcher::new(rules), &format!("http://{host}:{port}/")).await;
        assert_eq!(got.is_ok(), passes, "{why}: {got:?}");
        if let Err(reason) = got {
            assert!(!reason.starts_with("no "), "{why} was refused before the call: {reason}");
        }
    }
}

#[tokio::test]
async fn what_is_no_plain_address_is_not_called() {
    for url in
        ["ftp://127.0.0.1/", "file:///etc/passwd", "http://a:b@127.0.0.1/", "http://a@127.0.0.1/", "data:,x"]
    {
        assert!(get(&fetcher(), url).await.is_err(), "{url}");
    }
}

/// A provider over TLS, and what trusts its certificate.
async fn over_tls(names: &[&str]) -> (u16, Arc<ClientConfig>) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let provider = || Arc::new(ring::default_provider());
    let server =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let server = server.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    (port, Arc::new(client.with_root_certificates(roots).with_no_client_auth()))
}

#[tokio::test]
async fn https_wants_a_certificate_that_is_trusted_and_of_that_name() {
    let (port, trusting) = over_tls(&["localhost", "127.0.0.1"]).await;
    let trusting = Fetcher { tls: Some(trusting), ..fetcher() };
    assert_eq!(get(&trusting, &format!("https://localhost:{port}/")).await.as_deref(), Ok("body"));
    assert_eq!(get(&trusting, &format!("https://127.0.0.1:{port}/")).await.as_deref(), Ok("body"));
    let stranger = get(&fetcher(), &format!("https://localhost:{port}/")).await.unwrap_err();
    assert!(stranger.starts_with("no TLS") || stranger.contains("certificate authorities"), "{stranger}");
    let (port, trusting) = over_tls(&["another.example"]).await;
    let trusting = Fetcher { tls: Some(trusting), ..fetcher() };
    let another = get(&trusting, &format!("https://localhost:{port}/")).await.unwrap_err();
    assert!(another.starts_with("no TLS"), "{another}");
}
