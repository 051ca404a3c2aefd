//! Outgoing calls to peers who answer late, too much, in parts or elsewhere, and to where no call may go.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
};

use forecourt_core::addresses::Destination;

use super::*;
use crate::tests::peers::Peer;

fn outgoing(rules: OutgoingRules) -> Outgoing {
    Outgoing::with_time(rules, Duration::from_millis(500))
}

async fn get(outgoing: &Outgoing, url: &str) -> Result<Answer, CallError> {
    let (url, headers) = (Url::parse(url).unwrap(), HeaderMap::new());
    outgoing.call(Call { method: Method::GET, url, headers, body: Vec::new() }).await
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = Peer::answering("200 OK", "").await;
    for status in [301, 302, 303, 307, 308] {
        for location in [target.url("/"), "http://169.254.169.254/".into(), "file:///etc/passwd".into()] {
            let peer = Peer::answering(&format!("{status} Elsewhere\r\nLocation: {location}"), "").await;
            let answer = get(&outgoing(OutgoingRules::default()), &peer.url("/a")).await.unwrap();
            assert_eq!(answer.status.as_u16(), status, "{location}");
            assert_eq!(peer.heard().len(), 1);
        }
    }
    assert_eq!(target.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn a_chain_of_redirects_ends_with_its_first_answer() {
    for status in [301, 302, 303, 307, 308] {
        let to = |location: String| format!("{status} Elsewhere\r\nLocation: {location}");
        let last = Peer::answering("200 OK", "").await;
        let second = Peer::answering(&to(last.url("/")), "").await;
        let first = Peer::answering(&to(second.url("/")), "").await;
        let answer = get(&outgoing(OutgoingRules::default()), &first.url("/")).await.unwrap();
        assert_eq!(answer.status.as_u16(), status);
        let heard = [&first, &second, &last].map(|peer| peer.heard().len());
        assert_eq!(heard, [1, 0, 0], "{status}");
    }
}

/// A peer over TLS that answers one request with these bytes.
fn over_tls(answer: String) -> u16 {
    use std::io::{Read, Write};

    use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};

    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, listener.accept().unwrap().0);
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        stream.flush().unwrap();
    });
    port
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let plain = Peer::answering("200 OK", "").await;
    for status in [301, 302, 303, 307, 308] {
        let location = plain.url("/");
        let port = over_tls(format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ));
        let outgoing = Outgoing::with_time(OutgoingRules::default(), Duration::from_secs(5)).verifying(false);
        let answer = get(&outgoing, &format!("https://127.0.0.1:{port}/")).await.unwrap();
        assert_eq!(answer.status.as_u16(), status);
    }
    assert_eq!(plain.heard(), Vec::<String>::new());
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
async fn no_spelling_of_an_address_inside_is_called() {
    let peer = Peer::answering("200 OK", "").await;
    let outgoing = outgoing(OutgoingRules { enable: true, ..OutgoingRules::default() });
    for host in INSIDE {
        let refused = get(&outgoing, &format!("http://{host}:{}/", peer.port())).await.unwrap_err();
        assert!(matches!(refused, CallError::Forbidden(_)), "{host}: {refused:?}");
    }
    for url in ["http://good.example@127.0.0.1/", "http://good.example:80@127.0.0.1/", "gopher://127.0.0.1/"]
    {
        let refused = get(&outgoing, url).await.unwrap_err();
        assert!(matches!(refused, CallError::Address(_)), "{url}: {refused:?}");
    }
    for url in ["http://[fe80::1%25eth0]/", "http://[::1%25lo]/", "http://127.0.0.1%00.example/"] {
        assert!(Url::parse(url).is_err(), "{url} is no address at all");
    }
    assert_eq!(peer.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn no_spelling_of_an_address_inside_is_connected_to_without_http() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let outgoing = outgoing(OutgoingRules { enable: true, ..OutgoingRules::default() });
    for host in [
        "127.0.0.1",
        "2130706433",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "0.0.0.0",
        "localhost",
        "LOCALHOST",
        "::1",
        "[::1]",
        "::",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%1",
    ] {
        let refused = outgoing.connect(host, port).await.unwrap_err();
        assert!(matches!(refused, CallError::Forbidden(_)), "{host}: {refused:?}");
    }
    let accepted = listener.accept();
    assert!(accepted.is_err(), "nobody connected: {accepted:?}");
}

/// A name service that tells these addresses, one list for each time that it is asked, and the last one for ever.
fn telling(lists: &'static [&'static [&'static str]]) -> (Names, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let names = Names(Arc::new(move |_: String, port: u16| -> Telling {
        let time = counted.fetch_add(1, Ordering::SeqCst).min(lists.len() - 1);
        let told = lists[time].iter().map(|address| SocketAddr::new(address.parse().unwrap(), port));
        let told: Vec<SocketAddr> = told.collect();
        Box::pin(async move { Ok::<_, io::Error>(told) })
    }));
    (names, asked)
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_called_whatever_the_name_becomes() {
    let peer = Peer::answering("200 OK", "").await;
    let inside = TcpListener::bind(("127.0.0.2", peer.port())).unwrap();
    inside.set_nonblocking(true).unwrap();
    let allow_list = vec![Destination::parse("127.0.0.1").unwrap()];
    let rules = Arc::new(OutgoingRules { enable: true, allow_list, deny_list: Vec::new() });
    let url = format!("http://name.example:{}/", peer.port());
    let over =
        |names| Outgoing::with_names(Arc::clone(&rules), Duration::from_secs(5), Trust::Everybody, names);

    let (names, asked) = telling(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let rebound = over(names);
    assert_eq!(get(&rebound, &url).await.unwrap().status, StatusCode::OK);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "nobody asks again between the check and the call");
    let refused = get(&rebound, &url).await.unwrap_err();
    assert_eq!(refused, CallError::Forbidden(Forbidden::Internal), "the next call is judged anew");

    let (names, asked) = telling(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let rebound = over(names);
    let stream = rebound.connect("name.example", peer.port()).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let refused = rebound.connect("name.example", peer.port()).await.unwrap_err();
    assert_eq!(refused, CallError::Forbidden(Forbidden::Internal));

    let mixed = over(telling(&[&["127.0.0.1", "127.0.0.2"]]).0);
    let refused = get(&mixed, &url).await.unwrap_err();
    assert_eq!(refused, CallError::Forbidden(Forbidden::Internal), "one address inside is enough");
    assert!(inside.accept().is_err(), "nobody connected");
}

#[tokio::test]
async fn an_answer_without_end_and_one_that_never_comes_are_lost() {
    let outgoing = outgoing(OutgoingRules::default());
    let huge = Peer::answering("200 OK", &"x".repeat(SIZE + 1)).await;
    let lost = get(&outgoing, &huge.url("/")).await.unwrap_err();
    assert_eq!(lost, CallError::Lost("the answer is larger than 1 MiB".into()));
    let whole = Peer::answering("200 OK", &"x".repeat(SIZE)).await;
    assert_eq!(get(&outgoing, &whole.url("/")).await.unwrap().body.len(), SIZE);
    let silent = Peer::silent().await;
    let lost = get(&outgoing, &silent.url("/")).await.unwrap_err();
    assert_eq!(lost, CallError::Lost("no whole answer within 0.5 s".into()));
    assert!(lost.may_have_arrived());
    let junk = Peer::raw("this is not HTTP\r\n\r\n").await;
    assert!(get(&outgoing, &junk.url("/")).await.unwrap_err().may_have_arrived());
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let peer = Peer::silent().await;
    let url = peer.url("/");
    drop(peer);
    let away = get(&outgoing(OutgoingRules::default()), &url).await.unwrap_err();
    assert!(matches!(away, CallError::Unreachable(_)), "{away:?}");
    assert!(!away.may_have_arrived());
}

#[tokio::test]
async fn link_local_addresses_are_refused_in_every_form_whatever_is_set() {
    let all = ["169.254.0.0/16", "fe80::/10"].map(|network| Destination::parse(network).unwrap());
    let rules = OutgoingRules { enable: false, allow_list: all.to_vec(), deny_list: Vec::new() };
    for host in [
        "169.254.169.254",
        "0xa9fea9fe",
        "169.254.43518",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::169.254.169.254]",
        "[2002:a9fe:a9fe::1]",
    ] {
        let refused = get(&outgoing(rules.clone()), &format!("http://{host}/")).await.unwrap_err();
        assert_eq!(refused, CallError::Forbidden(Forbidden::LinkLocal), "{host}");
    }
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_that_it_has() {
    let peer = Peer::answering("200 OK", "").await;
    let by_name = format!("http://localhost:{}/", peer.port());
    let rules = OutgoingRules { enable: true, ..OutgoingRules::default() };
    for url in [&by_name, &peer.url("/")] {
        let refused = get(&outgoing(rules.clone()), url).await.unwrap_err();
        assert_eq!(refused, CallError::Forbidden(Forbidden::Internal), "{url}");
    }
    assert_eq!(peer.heard(), Vec::<String>::new(), "no connection was made");
    let allowed = OutgoingRules { allow_list: vec![Destination::parse("localhost").unwrap()], ..rules };
    assert_eq!(get(&outgoing(allowed.clone()), &by_name).await.unwrap().status, StatusCode::OK);
    let denied = OutgoingRules { deny_list: vec![Destination::parse("localhost").unwrap()], ..allowed };
    let refused = get(&outgoing(denied), &by_name).await.unwrap_err();
    assert_eq!(refused, CallError::Forbidden(Forbidden::Denied));
}

#[tokio::test]
async fn other_schemes_and_user_names_are_not_called() {
    for url in ["ftp://127.0.0.1/", "file:///etc/passwd", "http://ann:pw@127.0.0.1/"] {
        let refused = get(&outgoing(OutgoingRules::default()), url).await.unwrap_err();
        assert!(matches!(refused, CallError::Address(_)), "{url}: {refused:?}");
    }
}

#[test]
fn a_call_has_ten_seconds_and_its_answer_a_mebibyte() {
    assert_eq!((TIME, SIZE), (Duration::from_secs(10), 1024 * 1024));
    let outgoing = Outgoing::new(OutgoingRules::default());
    assert_eq!(outgoing.0.time, TIME, "unless a test says otherwise");
}
