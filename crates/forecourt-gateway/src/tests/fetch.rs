//! Calls to providers who answer late, too much, in parts, with junk, or from where no call may go.

use std::{
    io,
    net::{SocketAddr, TcpListener as Witness},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use forecourt_core::addresses::{Destination, Forbidden, OutgoingRules};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::{Fetcher, Names, SIZE, Telling};
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
    over_tls_answering(names, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody".to_owned()).await
}

/// The same, which answers these bytes.
async fn over_tls_answering(names: &[&str], answer: String) -> (u16, Arc<ClientConfig>) {
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
                let _ = stream.write_all(answer.as_bytes()).await;
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

/// A listener that tells whether anybody came.
fn witness(address: (&str, u16)) -> Witness {
    let listener = Witness::bind(address).unwrap();
    listener.set_nonblocking(true).unwrap();
    listener
}

fn redirect(status: u16, location: &str) -> String {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn no_redirect_is_followed_to_another_host_along_a_chain_or_from_https_to_http() {
    let last = witness(("127.0.0.1", 0));
    let address = format!("http://127.0.0.1:{}/", last.local_addr().unwrap().port());
    for status in [301, 302, 303, 307, 308] {
        let expected = format!("the answer is {status}");
        let asked = Arc::new(AtomicUsize::new(0));
        let (counted, second) = (Arc::clone(&asked), redirect(status, &address));
        let second = acting(move |mut stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            let bytes = second.clone();
            async move {
                read_until(&mut stream, "\r\n\r\n").await;
                let _ = stream.write_all(bytes.as_bytes()).await;
            }
        })
        .await;
        let chained = format!("http://127.0.0.1:{second}/");
        for location in [address.as_str(), &chained, "/elsewhere", "http://169.254.169.254/", "file:///etc"] {
            let refused = answer_of(answering(redirect(status, location)).await).await.unwrap_err();
            assert!(refused.starts_with(&expected), "{location}: {refused}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 0, "{status}: a chain ends before it begins");
        let (port, trusting) = over_tls_answering(&["127.0.0.1"], redirect(status, &address)).await;
        let trusting = Fetcher { tls: Some(trusting), ..fetcher() };
        let refused = get(&trusting, &format!("https://127.0.0.1:{port}/")).await.unwrap_err();
        assert!(refused.starts_with(&expected), "{refused}");
    }
    assert!(last.accept().is_err(), "nobody came");
}

/// Hosts inside networks, in every spelling that an address of a call can have.
const INSIDE: [&str; 41] = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0177.0.0.1",
    "0x7f.1",
    "127.1",
    "127.0.0.1.",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "%31%32%37.0.0.1",
    "localhost",
    "LOCALHOST",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2001::1]",
    "[fe80::1]",
    "[fc00::1]",
    "[ff02::1]",
    "[fec0::1]",
];

#[tokio::test]
async fn no_spelling_of_an_address_inside_is_fetched_from() {
    let listener = witness(("127.0.0.1", 0));
    let port = listener.local_addr().unwrap().port();
    let fetcher = Fetcher::new(OutgoingRules { enable: true, ..OutgoingRules::default() });
    let refusals = [Forbidden::Internal.to_string(), Forbidden::LinkLocal.to_string()];
    for host in INSIDE {
        let refused = get(&fetcher, &format!("http://{host}:{port}/")).await.unwrap_err();
        assert!(refusals.contains(&refused), "{host}: {refused}");
    }
    assert!(listener.accept().is_err(), "nobody came");
}

/// A name service that tells these addresses, one list for each time that it is asked, and the last one for ever.
fn telling(lists: &'static [&'static [&'static str]]) -> (Names, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let names: Names = Arc::new(move |_: String, port: u16| -> Telling {
        let time = counted.fetch_add(1, Ordering::SeqCst).min(lists.len() - 1);
        let told = lists[time].iter().map(|address| SocketAddr::new(address.parse().unwrap(), port));
        let told: Vec<SocketAddr> = told.collect();
        Box::pin(async move { Ok::<_, io::Error>(told) })
    });
    (names, asked)
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_fetched_from_whatever_the_name_becomes() {
    let port = answering("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody").await;
    let inside = witness(("127.0.0.2", port));
    let allow_list = vec![Destination::parse("127.0.0.1").unwrap()];
    let rules = OutgoingRules { enable: true, allow_list, deny_list: Vec::new() };
    let url = format!("http://name.example:{port}/");
    let internal = Err(Forbidden::Internal.to_string());

    let (names, asked) = telling(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let rebound = Fetcher { names, ..Fetcher::new(rules.clone()) };
    assert_eq!(get(&rebound, &url).await.as_deref(), Ok("body"));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "nobody asks again between the check and the call");
    assert_eq!(get(&rebound, &url).await, internal, "the next call is judged anew");

    let (names, _) = telling(&[&["127.0.0.1", "127.0.0.2"]]);
    let mixed = Fetcher { names, ..Fetcher::new(rules) };
    assert_eq!(get(&mixed, &url).await, internal, "one address inside is enough");
    assert!(inside.accept().is_err(), "nobody came");
}
