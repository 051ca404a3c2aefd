//! What the log never holds: anything of what callers show (docs/gateway.md §4).

use base64::{Engine, prelude::BASE64_STANDARD};
use forecourt_core::{
    gateway_state::{DcrMethod, JwtAuthMethod},
    ids::DcrProviderId,
};
use serde_json::json;
use tracing::Level;

use super::{
    logs::Log,
    rows::{client, credential, jwt, key, product, put, service, upstream, user},
    signing::Signer,
    stage::{Stage, status},
};

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";

/// As [`Stage::protected`], with all four methods and secrets that begin with `planted`.
async fn stage() -> Stage {
    let stage = Stage::protected().await;
    let mut row = product("prd", &["s"]);
    row.jwt_auth = Some(JwtAuthMethod { hide_credentials: false });
    row.dcr = Some(DcrMethod { provider_id: DcrProviderId::known("provider"), issuer: NOBODY.into() });
    stage.apply(vec![
        put(2, row),
        put(2, credential("crd-key", "app", &[key("planted-key")])),
        put(2, credential("crd-user", "app", &[user("ada", "planted-password")])),
        put(2, credential("crd-jwt", "app", &[jwt("j", "shared")])),
        put(2, credential("crd-client", "app", &[client("provider", "c")])),
    ]);
    stage
}

#[tokio::test]
async fn nothing_of_what_callers_show_is_logged() {
    let log = Log::of(Level::TRACE);
    // For every thread, since passwords are checked beside those that answer.
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let stage = stage().await;
    let ours = Signer::shared("HS256", "shared").token(&json!({}), &json!({ "key": "j", "exp": 1_000_100 }));
    let claims = json!({ "iss": NOBODY, "azp": "c", "exp": 1_000_100 });
    let theirs = Signer::fresh("ES256").token(&json!({ "kid": "one" }), &claims);
    let [right, wrong] = ["planted-password", "planted-guess"]
        .map(|password| BASE64_STANDARD.encode(format!("ada:{password}")));

    let shown = [
        ("apikey: planted-key".to_owned(), 200),
        ("apikey: planted-guess".to_owned(), 401),
        (format!("Authorization: Basic {right}"), 200),
        (format!("Authorization: Basic {wrong}"), 401),
        ("Authorization: Basic planted!".to_owned(), 401),
        (format!("Authorization: Bearer {ours}"), 200),
        (format!("Authorization: Bearer planted.{ours}"), 401),
        (format!("Authorization: Bearer {theirs}"), 401),
    ];
    for (field, expected) in &shown {
        assert_eq!(status(&stage.ask("/s/x", &[field]).await), *expected, "{field}");
    }
    let query = format!("/s/x?apikey=planted-key&jwt={ours}");
    assert_eq!(status(&stage.ask(&query, &[]).await), 200);

    // Where there is something to complain about: heads, callers and upstreams that are broken.
    for (field, _) in &shown {
        for end in ["Host: a\r\nHost: b", "Host: a\r\nplanted field"] {
            let head = format!("GET {query} HTTP/1.1\r\nConnection: close\r\n{field}\r\n{end}\r\n\r\n");
            assert_eq!(status(&stage.exchange(head).await), 400, "{field} {end}");
        }
    }
    let mut nowhere = service("s");
    nowhere.upstream = Some(upstream(1));
    stage.apply(vec![put(3, nowhere)]);
    assert_eq!(status(&stage.ask(&query, &["apikey: planted-key"]).await), 502);

    let lines = log.take();
    for part in ["a malformed request was refused", "no key set could be fetched", "cannot connect"] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part:?} is not in {lines:#?}");
    }
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    for secret in ["planted".to_owned(), right, wrong, signature(&ours), signature(&theirs)] {
        for line in &lines {
            assert!(!line.contains(&secret), "{secret:?} is in {line}");
        }
    }
}
