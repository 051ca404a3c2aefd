//! Outgoing calls to peers who answer late, too much, in parts or elsewhere, and to where no call may go.

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
    let location = format!("302 Found\r\nLocation: {}", target.url("/"));
    let peer = Peer::answering(&location, "").await;
    let answer = get(&outgoing(OutgoingRules::default()), &peer.url("/a")).await.unwrap();
    assert_eq!(answer.status, StatusCode::FOUND);
    assert_eq!(target.heard(), Vec::<String>::new());
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
