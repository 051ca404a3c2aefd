//! Product authentication over real connections: one refusal for everything, and changes that hold at once.

use forecourt_core::{gateway_state::Kind, time::Timestamp};

use super::{
    rows::{application, credential, delete, delete_grant, grant, key, put, user},
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
