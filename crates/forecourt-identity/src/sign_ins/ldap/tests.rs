//! What identifies an entry, and what a directory is asked whoever it is asked for.

use forecourt_core::addresses::OutgoingRules;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Semaphore,
};

use super::*;

fn entry(attrs: &[(&str, &str)], binary: &[(&str, &[u8])]) -> SearchEntry {
    SearchEntry {
        dn: "uid=Ann,dc=example".into(),
        attrs: attrs.iter().map(|(name, value)| ((*name).into(), vec![(*value).into()])).collect(),
        bin_attrs: binary.iter().map(|(name, value)| ((*name).into(), vec![value.to_vec()])).collect(),
    }
}

#[test]
fn somebody_is_known_by_what_outlives_a_rename_or_else_by_their_place() {
    let uuid = entry(&[("entryuuid", "0B6E4C52-a"), ("objectGUID", "abcdefghijklmnop")], &[]);
    assert_eq!(subject(&uuid), "entryUUID=0b6e4c52-a");
    assert_eq!(subject(&entry(&[], &[("objectGUID", &[0, 255])])), "objectGUID=00ff");
    assert_eq!(subject(&entry(&[("objectGUID", "ab")], &[])), "objectGUID=6162");
    assert_eq!(subject(&entry(&[("cn", "Ann")], &[])), "dn=uid=ann,dc=example");
}

async fn asked(rules: OutgoingRules, username: &str, password: &str) -> Asked {
    // Nobody listens there: a call would be told as unreachable.
    let settings = LdapSignIn { host: "127.0.0.1".into(), port: 1, ..LdapSignIn::default() };
    let directory = Directory { settings, bind_password: None, client_key: None };
    let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    directory.sign_in(&Outgoing::new(rules), username, &PlainSecret::presented(password), place).await
}

#[tokio::test]
async fn an_empty_password_is_refused_before_anybody_is_called() {
    for (username, password) in [("ann", ""), ("", "secret"), (" ", "secret")] {
        let refused = asked(OutgoingRules::default(), username, password).await;
        assert!(matches!(refused.person, Err(SignInFault::Refused(_))), "{refused:?}");
    }
    let away = asked(OutgoingRules::default(), "ann", "secret").await;
    assert!(matches!(away.person, Err(SignInFault::Unreachable(_))), "{away:?}");
    assert!(!away.password_sent, "nobody was there to take it");
}

const NOBODY_FOUND: &[&str] = &[];
const ANN: &[&str] = &["uid=ann"];
const TWINS: &[&str] = &["uid=ann,ou=a", "uid=ann,ou=b"];

/// The message with this number: a response of this type that only says how it went.
fn result(message: u8, response: u8, code: u8) -> Vec<u8> {
    vec![0x30, 12, 2, 1, message, response, 7, 10, 1, code, 4, 0, 4, 0]
}

/// One entry of a search, without attributes.
fn found(dn: &str) -> Vec<u8> {
    let length = u8::try_from(dn.len()).unwrap();
    let mut message = vec![0x30, length + 9, 2, 1, 2, 0x64, length + 4, 4, length];
    message.extend(dn.as_bytes());
    message.extend([0x30, 0]);
    message
}

/// Lets anybody bind, finds these entries, and answers the next request with `last`, or hangs up on it. Gives what
/// that request was.
async fn directory(listener: TcpListener, entries: &[&str], last: Option<Vec<u8>>) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut search: Vec<u8> = entries.iter().flat_map(|dn| found(dn)).collect();
    search.extend(result(2, 0x65, 0));
    let mut read = [0; 4_096];
    for answer in [result(1, 0x61, 0), search] {
        assert!(stream.read(&mut read).await.unwrap() > 0);
        stream.write_all(&answer).await.unwrap();
    }
    let length = stream.read(&mut read).await.unwrap();
    if let Some(last) = last {
        stream.write_all(&last).await.unwrap();
        // Until it is left.
        while stream.read(&mut [0; 64]).await.is_ok_and(|length| length > 0) {}
    }
    read[..length].to_vec()
}

/// Asks such a directory for `ann` with the password `secret`, and what its last request was.
async fn asked_of(entries: &'static [&'static str], last: Option<Vec<u8>>) -> (Asked, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = LdapSignIn {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        base_dn: "dc=example".into(),
        identifier: "uid".into(),
        ..LdapSignIn::default()
    };
    let serving = tokio::spawn(directory(listener, entries, last));
    let directory = Directory { settings, bind_password: None, client_key: None };
    let places = Arc::new(Semaphore::new(1));
    let place = Arc::clone(&places).try_acquire_owned().unwrap();
    let outgoing = Outgoing::new(OutgoingRules::default());
    let asked = directory.sign_in(&outgoing, "ann", &PlainSecret::presented("secret"), place).await;
    assert_eq!(places.available_permits(), 1, "the place is free again");
    (asked, String::from_utf8_lossy(&serving.await.unwrap()).into_owned())
}

#[tokio::test]
async fn a_password_that_was_sent_is_told_as_sent_whatever_came_back() {
    let (asked, sent) = asked_of(ANN, None).await;
    assert!(matches!(asked.person, Err(SignInFault::Unreachable(_))), "{asked:?}");
    assert!(asked.password_sent && sent.contains("secret"), "{sent}");
}

#[tokio::test]
async fn a_name_that_is_unknown_or_ambiguous_costs_a_bind_like_any_other_and_is_never_let_in() {
    // Invalid credentials, no such object, and a directory that lets everybody in.
    for code in [49, 32, 0] {
        for entries in [NOBODY_FOUND, TWINS] {
            let (asked, sent) = asked_of(entries, Some(result(3, 0x61, code))).await;
            assert!(matches!(asked.person, Err(SignInFault::Refused(_))), "{asked:?}");
            assert!(asked.password_sent);
            assert!(sent.contains("cn=whom the forecourt did not find,dc=example"), "{sent}");
            assert!(sent.contains("secret") && !sent.contains("uid=ann"), "{sent}");
        }
    }
    let (asked, sent) = asked_of(ANN, Some(result(3, 0x61, 49))).await;
    assert!(matches!(asked.person, Err(SignInFault::Refused(_))), "{asked:?}");
    assert!(sent.contains("uid=ann") && sent.contains("secret"), "{sent}");
    // Its own fault is told as such, whoever was asked for.
    for entries in [NOBODY_FOUND, ANN] {
        let (asked, _) = asked_of(entries, Some(result(3, 0x61, 52))).await;
        assert!(matches!(asked.person, Err(SignInFault::Unreachable(_))), "{asked:?}");
    }
}

#[tokio::test]
async fn a_directory_is_called_only_where_outgoing_calls_may_go() {
    let rules = OutgoingRules { enable: true, ..Default::default() };
    let refused = asked(rules, "ann", "secret").await;
    let Err(SignInFault::Misconfigured(why)) = refused.person else { panic!("{refused:?}") };
    assert!(why.contains("security.ssrf_protection"), "{why}");
}
