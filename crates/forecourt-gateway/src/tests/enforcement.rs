//! Product authentication over real connections: one refusal for everything, and changes that hold at once.

use forecourt_core::{
    gateway_state::{DcrMethod, JwtAuthMethod, Kind},
    ids::DcrProviderId,
    time::Timestamp,
};
use serde_json::json;

use super::{
    rows::{application, credential, delete, delete_grant, grant, jwt, key, product, put, user},
    signing::Signer,
    stage::{Stage, body, status},
};

const ADA: &str = "Authorization: Basic YWRhOnB3";

#[tokio::test]
async fn all_refusals_are_the_same_answer() {
    let stage = Stage::protected().await;
    stage.apply(vec![
        put(2, application("pending")),
        put(2, credential("crd-pending", "pending", &[key("pending"), user("bob", "pw")])),
    ]);
    let mut answers = Vec::new();
    for fields in [
        &[][..],
        &["apikey: wrong"],
        &["apikey: pending"],
        &["Authorization: Basic YWRhOndyb25n"],
        &["Authorization: Basic Ym9iOnB3"],
        &["Authorization: Basic bm9ib2R5OnB3"],
        &["Authorization: Basic broken!"],
        &["Authorization: Bearer token"],
    ] {
        let answer = stage.ask("/s/x", fields).await;
        assert_eq!(
            (status(&answer), body(&answer)),
            (401, r#"{"message":"Authorization Failed"}"#),
            "{fields:?}"
        );
        let own = |line: &&str| line.starts_with("date:") || line.starts_with("x-request-id:");
        let shared: Vec<_> = answer.lines().filter(|line| !own(line)).map(str::to_owned).collect();
        answers.push(shared);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let lines = &answers[0];
    assert!(lines.contains(&r#"www-authenticate: apikey realm="key""#.to_owned()), "{lines:?}");
    assert!(lines.contains(&r#"www-authenticate: Basic realm="basic""#.to_owned()), "{lines:?}");
    assert!(lines.contains(&"content-type: application/json".to_owned()), "{lines:?}");
}

#[tokio::test]
async fn two_methods_that_take_a_bearer_token_have_one_challenge() {
    let stage = Stage::protected().await;
    let mut by_token = product("prd", &["s"]);
    by_token.jwt_auth = Some(JwtAuthMethod { hide_credentials: false });
    by_token.dcr =
        Some(DcrMethod { provider_id: DcrProviderId::known("p"), issuer: "http://127.0.0.1:1".into() });
    stage.apply(vec![put(2, by_token)]);
    let answer = stage.ask("/s/x", &[]).await;
    let challenges: Vec<_> =
        answer.lines().filter_map(|line| line.strip_prefix("www-authenticate: ")).collect();
    assert_eq!(challenges, [r#"apikey realm="key""#, r#"Basic realm="basic""#, "Bearer"], "{answer}");
}

#[tokio::test]
async fn a_password_passes_again_and_again_until_it_changes() {
    let stage = Stage::protected().await;
    for _ in 0..3 {
        assert_eq!(status(&stage.ask("/s/x", &[ADA]).await), 200);
    }
    stage.apply(vec![put(2, credential("crd-user", "app", &[user("ada", "changed")]))]);
    assert_eq!(status(&stage.ask("/s/x", &[ADA]).await), 401);
    stage.apply(vec![put(3, credential("crd-user", "app", &[user("ada", "pw")]))]);
    assert_eq!(status(&stage.ask("/s/x", &[ADA]).await), 200);
}

#[tokio::test]
async fn each_change_holds_for_the_next_request() {
    let stage = Stage::protected().await;
    let mut suspended = application("app");
    suspended.active = false;
    for (revision, change, expected) in [
        (2, delete_grant(2, "app", "prd"), 401),
        (3, put(3, grant("app", "prd")), 200),
        (4, put(4, suspended), 401),
        (5, put(5, application("app")), 200),
        (6, put(6, credential("crd-key", "app", &[key("new")])), 401),
        (7, put(7, credential("crd-key", "app", &[key("k")])), 200),
        (8, delete(8, Kind::Credential, "crd-key"), 401),
        (9, delete(9, Kind::Product, "prd"), 200),
    ] {
        stage.apply(vec![change]);
        assert_eq!(status(&stage.ask("/s/x", &["apikey: k"]).await), expected, "revision {revision}");
        assert_eq!(*stage.gateway.applied().borrow(), revision);
    }
}

#[tokio::test]
async fn a_retiring_version_ends_by_the_clock_alone() {
    let stage = Stage::protected().await;
    let mut rotating = credential("crd-key", "app", &[key("k"), key("next")]);
    rotating.versions[0].valid_until = Some(Timestamp::from_seconds(2_000_000));
    stage.apply(vec![put(2, rotating)]);
    for (at, old, next) in [(1_999_999, 200, 200), (2_000_000, 401, 200)] {
        stage.set_clock(at);
        assert_eq!(status(&stage.ask("/s/x", &["apikey: k"]).await), old);
        assert_eq!(status(&stage.ask("/s/x", &["apikey: next"]).await), next);
    }
}

#[tokio::test]
async fn jwt_auth_hides_what_it_accepted_where_it_is_told_to() {
    let stage = Stage::protected().await;
    let signer = Signer::shared("HS256", "secret");
    let token = signer.token(&json!({}), &json!({ "key": "j", "exp": 1_000_100 }));
    let by_header = format!("Authorization: Bearer {token}");
    let by_query = format!("/s/x?a=1&jwt={token}&b=2");
    for (revision, hide_credentials) in [(2, false), (3, true)] {
        let mut row = product("prd", &["s"]);
        row.jwt_auth = Some(JwtAuthMethod { hide_credentials });
        stage.apply(vec![
            put(revision, row),
            put(revision, credential("crd-jwt", "app", &[jwt("j", "secret"), key("another")])),
        ]);
        for answer in [stage.ask("/s/x", &[&by_header]).await, stage.ask(&by_query, &[]).await] {
            assert_eq!(status(&answer), 200);
            assert!(body(&answer).contains("x-credential-identifier: crd-jwt\n"), "{answer}");
            assert_eq!(body(&answer).contains(&token), !hide_credentials, "{answer}");
        }
        let both = stage.ask(&by_query, &[&by_header]).await;
        assert_eq!(
            body(&both).contains(&token),
            !hide_credentials,
            "header and argument go together: {both}"
        );
        assert_eq!(both.contains("/s/x?a=1&b=2"), hide_credentials, "{both}");
    }
    stage.apply(vec![delete(4, Kind::Credential, "crd-jwt")]);
    assert_eq!(status(&stage.ask("/s/x", &[&by_header]).await), 401, "its tokens end with the credential");
}
