//! Reading tokens: what is no token, and what is one at the wrong time.

use forecourt_core::time::Timestamp;
use serde_json::{Value, json};

use super::Token;
use crate::tests::signing::{Signer, encoded};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
const HEADER: &str = r#"{"alg":"HS256"}"#;

fn text(header: &str, claims: &str) -> String {
    Signer::shared("HS256", "secret").token_of(header, claims)
}

fn with_claims(claims: &Value) -> String {
    text(HEADER, &claims.to_string())
}

#[test]
fn what_is_no_token_is_refused() {
    let good = text(HEADER, "{}");
    assert!(Token::read(&good).is_some());
    let [header, claims, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let long = "k".repeat(257);
    for (why, bad) in [
        ("empty", String::new()),
        ("one part", header.into()),
        ("two parts", format!("{header}.{claims}")),
        ("four parts", format!("{good}.x")),
        ("five parts", format!("{good}.x.y")),
        ("five empty parts", "....".into()),
        ("an empty header", format!(".{claims}.{signature}")),
        ("padding", format!("{header}.{claims}.{signature}=")),
        ("the other alphabet", format!("{header}.{claims}.++//")),
        ("trailing bits", format!("{header}.{claims}.QR")),
        ("spaces", format!("{header}. {claims}.{signature}")),
        ("a header that is no object", text("[]", "{}")),
        ("a header that is no JSON", text("{", "{}")),
        ("claims that are no object", text(HEADER, "7")),
        ("claims with something after them", text(HEADER, "{} {}")),
        ("claims that are no UTF-8", format!("{header}.{}.{signature}", encoded([b'{', b'"', 0xff]))),
        ("a repeated header member", text(r#"{"alg":"HS256","alg":"HS256"}"#, "{}")),
        ("a repeated claim", text(HEADER, r#"{"key":"a","key":"b"}"#)),
        ("a repeated unknown claim", text(HEADER, r#"{"x":1,"\u0078":2}"#)),
        ("a critical extension", text(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}")),
        ("an empty critical extension", text(r#"{"alg":"HS256","crit":[]}"#, "{}")),
        ("no algorithm", text("{}", "{}")),
        ("the algorithm none", text(r#"{"alg":"none"}"#, "{}")),
        ("the algorithm nOnE", text(r#"{"alg":"nOnE"}"#, "{}")),
        ("an algorithm that is no text", text(r#"{"alg":["HS256"]}"#, "{}")),
        ("an unknown algorithm", text(r#"{"alg":"HS257"}"#, "{}")),
        ("a kid that is no text", text(r#"{"alg":"HS256","kid":7}"#, "{}")),
        ("a kid of 257 bytes", text(&format!(r#"{{"alg":"HS256","kid":"{long}"}}"#), "{}")),
        ("claims of great depth", text(HEADER, &format!(r#"{{"x":{deep}}}"#))),
        ("a header of great depth", text(&format!(r#"{{"alg":"HS256","x":{deep}}}"#), "{}")),
    ] {
        assert!(Token::read(&bad).is_none(), "{why}");
    }
}

#[test]
fn a_claim_names_the_credential_and_only_without_it_the_kid() {
    let header = r#"{"alg":"HS256","kid":"from-kid"}"#;
    let name = |claims: Value| {
        let text = text(header, &claims.to_string());
        Token::read(&text).unwrap().name("key").map(str::to_owned)
    };
    assert_eq!(name(json!({ "key": "from-claim" })).as_deref(), Some("from-claim"));
    assert_eq!(name(json!({})).as_deref(), Some("from-kid"));
    assert_eq!(name(json!({ "key": 7 })), None);
    assert_eq!(name(json!({ "key": null })), None);
    assert_eq!(name(json!({ "key": "k".repeat(257) })), None);
    assert_eq!(name(json!({ "key": "k".repeat(256) })).map(|name| name.len()), Some(256));
}

#[test]
fn the_first_claim_that_is_present_names_the_client() {
    let client = |claims: Value| {
        let text = with_claims(&claims);
        Token::read(&text).unwrap().first_of(&["azp", "client_id", "cid"]).map(str::to_owned)
    };
    assert_eq!(client(json!({ "azp": "a", "client_id": "b", "cid": "c" })).as_deref(), Some("a"));
    assert_eq!(client(json!({ "cid": "c", "client_id": "b" })).as_deref(), Some("b"));
    assert_eq!(client(json!({ "cid": "c" })).as_deref(), Some("c"));
    assert_eq!(client(json!({ "azp": 1, "cid": "c" })), None, "one that is no text hides the others");
    assert_eq!(client(json!({ "sub": "c" })), None);
}

/// Whether it is short-lived, and whether it is current.
fn timely(claims: &Value) -> Option<(bool, bool)> {
    let text = with_claims(claims);
    Token::read(&text).map(|token| (token.is_short_lived(NOW), token.is_current(NOW)))
}

#[test]
fn times_are_kept_to_the_second() {
    let now = NOW.seconds();
    let day = 24 * 60 * 60;
    for (why, claims, expected) in [
        ("no end", json!({}), (false, false)),
        ("ends now", json!({ "exp": now }), (false, true)),
        ("ended within the leeway", json!({ "exp": now - 59 }), (false, true)),
        ("ended before the leeway", json!({ "exp": now - 60 }), (false, false)),
        ("ends in a second", json!({ "exp": now + 1 }), (true, true)),
        ("ends in a day", json!({ "exp": now + day }), (true, true)),
        ("ends later than in a day", json!({ "exp": now + day + 1 }), (false, true)),
        ("ends in 9999", json!({ "exp": 253_402_300_799_i64 }), (false, true)),
        ("a fraction is cut off", json!({ "exp": 1_000_001.9 }), (true, true)),
        ("a fraction of a second is left", json!({ "exp": 1_000_000.9 }), (false, true)),
        ("an end before 1970", json!({ "exp": -1 }), (false, false)),
        ("an end beyond all numbers", json!({ "exp": u64::MAX }), (false, true)),
        ("an end of 1e300", json!({ "exp": 1e300 }), (false, true)),
        ("an end of -1e300", json!({ "exp": -1e300 }), (false, false)),
        ("begins within the leeway", json!({ "exp": now + 100, "nbf": now + 60 }), (true, true)),
        ("begins after the leeway", json!({ "exp": now + 100, "nbf": now + 61 }), (false, false)),
        ("issued within the leeway", json!({ "exp": now + 100, "iat": now + 60 }), (true, true)),
        ("issued after the leeway", json!({ "exp": now + 100, "iat": now + 61 }), (true, false)),
    ] {
        assert_eq!(timely(&claims), Some(expected), "{why}");
    }
}

#[test]
fn a_time_that_is_no_number_makes_no_token() {
    for name in ["exp", "nbf", "iat"] {
        for bad in [json!("1000100"), json!(null), json!(true), json!([1_000_100]), json!({})] {
            assert_eq!(timely(&json!({ "exp": 1_000_100, name: bad })), None, "{name}");
        }
    }
    assert!(Token::read(&text(HEADER, r#"{"exp":1e999}"#)).is_none());
    assert!(Token::read(&text(HEADER, r#"{"exp":NaN}"#)).is_none());
}

#[test]
fn scopes_are_whole_names_in_scope_or_scp() {
    let wanted: [Box<str>; 2] = ["orders:read".into(), "admin".into()];
    for (claims, has) in [
        (json!({ "scope": "orders:read" }), true),
        (json!({ "scope": "openid admin" }), true),
        (json!({ "scp": ["openid", "admin"] }), true),
        (json!({ "scp": "openid admin" }), true),
        (json!({ "scope": "openid", "scp": ["admin"] }), true),
        (json!({ "scope": "orders:reader" }), false),
        (json!({ "scope": "Admin" }), false),
        (json!({ "scope": "orders" }), false),
        (json!({ "scope": ["admin"] }), false),
        (json!({ "scp": ["orders:read admin"] }), false),
        (json!({ "scp": [["admin"], 7] }), false),
        (json!({ "scp": { "admin": true } }), false),
        (json!({ "roles": "admin" }), false),
        (json!({}), false),
    ] {
        let text = with_claims(&claims);
        assert_eq!(Token::read(&text).unwrap().has_scope_of(&wanted), has, "{claims}");
    }
}
