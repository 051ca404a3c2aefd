//! Limits by themselves, without a database: failures, waits, turns, and what is forgotten.

use std::{
    pin::Pin,
    task::{Context, Waker},
};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn is_pending<T>(future: Pin<&mut impl Future<Output = T>>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[tokio::test]
async fn an_account_waits_after_twenty_failures_and_is_free_again_when_the_window_has_passed() {
    let failures = Failures::new(SignInLimits::default());
    for second in 0..20 {
        drop(failures.attempt("ann", at(second)).await.unwrap());
        // A right attempt leaves no trace, nor does one that a fault of ours broke off.
        failures.attempt("bob", at(second)).await.unwrap().succeeded();
        failures.attempt("bob", at(second)).await.unwrap().void();
    }
    let refused = failures.attempt("ann", at(20)).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Limit { retry_after: 280 });
    assert!(failures.attempt("bob", at(20)).await.is_ok());
    assert!(failures.attempt("ann", at(301)).await.is_ok());
}

#[tokio::test]
async fn beyond_what_may_still_fail_an_attempt_waits_for_another_to_be_decided() {
    let failures = Failures::new(SignInLimits::default());
    drop(failures.attempt("ann", at(0)).await.unwrap());
    let mut running = Vec::new();
    for _ in 0..19 {
        running.push(failures.attempt("ann", at(1)).await.unwrap());
    }
    let mut next = Box::pin(failures.attempt("ann", at(1)));
    assert!(is_pending(next.as_mut()));
    // Another account has nothing to do with it.
    failures.attempt("bob", at(1)).await.unwrap().succeeded();
    assert!(is_pending(next.as_mut()));
    running.pop().unwrap().succeeded();
    next.await.unwrap().succeeded();
    // All others were wrong: now the account has failed too often, and nobody waits.
    drop(running);
    drop(failures.attempt("ann", at(2)).await.unwrap());
    assert!(failures.attempt("ann", at(2)).await.is_err());
}

#[test]
fn failures_of_an_address_are_told_to_wait_after_a_hundred() {
    let failures = Failures::new(SignInLimits::default());
    for _ in 0..100 {
        assert_eq!(failures.failed(Some("10.0.0.1"), at(0)).kind(), ErrorKind::Unauthenticated);
    }
    assert!(matches!(failures.failed(Some("10.0.0.1"), at(1)).kind(), ErrorKind::Limit { .. }));
    assert_eq!(failures.failed(Some("10.0.0.2"), at(1)).kind(), ErrorKind::Unauthenticated);
}

#[test]
fn addresses_of_one_ipv6_network_are_one() {
    let failures = Failures::new(SignInLimits::default());
    for host in 0..100 {
        failures.failed(Some(&format!("2001:db8:0:1::{host:x}")), at(0));
    }
    let limit =
        |address: &str| matches!(failures.failed(Some(address), at(1)).kind(), ErrorKind::Limit { .. });
    assert!(limit("2001:db8:0:1:ffff:ffff:ffff:ffff"));
    assert!(!limit("2001:db8:0:2::1"));
}

#[tokio::test]
async fn an_address_that_failed_too_often_takes_turns_and_its_crowd_is_told_to_wait() {
    let failures = Failures::new(SignInLimits::default());
    for _ in 0..100 {
        assert!(failures.turn(Some("10.0.0.1"), at(0)).await.unwrap().is_none());
        failures.failed(Some("10.0.0.1"), at(0));
    }
    let first = failures.turn(Some("10.0.0.1"), at(1)).await.unwrap().unwrap();
    let mut others: Vec<_> = (1..CROWD).map(|_| Box::pin(failures.turn(Some("10.0.0.1"), at(1)))).collect();
    assert!(others.iter_mut().all(|other| is_pending(other.as_mut())));
    let refused = failures.turn(Some("10.0.0.1"), at(1)).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Limit { retry_after: 299 });
    // Other addresses, and people behind none, are hashed at once.
    assert!(failures.turn(Some("10.0.0.2"), at(1)).await.unwrap().is_none());
    assert!(failures.turn(None, at(1)).await.unwrap().is_none());
    drop(first);
    assert!(others.remove(0).await.unwrap().is_some());
    assert!(failures.turn(Some("10.0.0.1"), at(301)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_crowd_that_waits_for_one_account_is_bounded_and_leaves_nothing_behind() {
    let failures = Failures::new(SignInLimits::default());
    let mut running = Vec::new();
    for _ in 0..20 {
        running.push(failures.attempt("ann", at(0)).await.unwrap());
    }
    let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(failures.attempt("ann", at(0)))).collect();
    assert!(waiting.iter_mut().all(|other| is_pending(other.as_mut())));
    assert!(failures.attempt("ann", at(0)).await.is_err());
    // Who does not wait any longer makes room.
    waiting.pop();
    waiting.push(Box::pin(failures.attempt("ann", at(0))));
    assert!(is_pending(waiting.last_mut().unwrap().as_mut()));
    drop(waiting);
    running.into_iter().for_each(Attempt::succeeded);
    assert!(failures.undecided.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_flood_of_names_is_forgotten_before_the_account_that_is_guessed_at() {
    let failures = Failures::new(SignInLimits::default());
    for _ in 0..20 {
        drop(failures.attempt("admin", at(0)).await.unwrap());
    }
    for name in 0..3 * REMEMBERED {
        drop(failures.attempt(&format!("name{name}"), at(1)).await.unwrap());
    }
    assert!(failures.recent.lock().unwrap().len() <= REMEMBERED);
    assert!(failures.attempt("admin", at(2)).await.is_err());
}
