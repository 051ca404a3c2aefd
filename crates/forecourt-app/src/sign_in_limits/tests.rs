//! Limits by themselves, without a database: failures, waits, turns, and what is forgotten.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{
    turns::{CROWD, CROWDS},
    *,
};

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
        drop(failures.attempt("ann", None, at(second)).await.unwrap());
        // A right attempt leaves no trace, nor does one that a fault of ours broke off.
        failures.attempt("bob", None, at(second)).await.unwrap().succeeded();
        failures.attempt("bob", None, at(second)).await.unwrap().void();
    }
    let refused = failures.attempt("ann", None, at(20)).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Limit { retry_after: 280 });
    assert!(failures.attempt("bob", None, at(20)).await.is_ok());
    assert!(failures.attempt("ann", None, at(301)).await.is_ok());
}

#[tokio::test]
async fn beyond_what_may_still_fail_an_attempt_waits_for_another_to_be_decided() {
    let failures = Failures::new(SignInLimits::default());
    drop(failures.attempt("ann", None, at(0)).await.unwrap());
    let mut running = Vec::new();
    for _ in 0..19 {
        running.push(failures.attempt("ann", None, at(1)).await.unwrap());
    }
    let mut next = Box::pin(failures.attempt("ann", None, at(1)));
    assert!(is_pending(next.as_mut()));
    // Another account has nothing to do with it.
    failures.attempt("bob", None, at(1)).await.unwrap().succeeded();
    assert!(is_pending(next.as_mut()));
    running.pop().unwrap().succeeded();
    next.await.unwrap().succeeded();
    // All others were wrong: now the account has failed too often, and nobody waits.
    drop(running);
    drop(failures.attempt("ann", None, at(2)).await.unwrap());
    assert!(failures.attempt("ann", None, at(2)).await.is_err());
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

fn fail_often(failures: &Failures, address: &str) {
    for _ in 0..100 {
        failures.failed(Some(address), at(0));
    }
}

#[tokio::test]
async fn an_address_with_a_full_crowd_keeps_no_other_address_from_its_turn() {
    let failures = Failures::new(SignInLimits::default());
    let (flooding, other) = (Some("10.0.0.1"), Some("10.0.0.2"));
    fail_often(&failures, "10.0.0.1");
    fail_often(&failures, "10.0.0.2");
    let first = failures.turn(flooding, at(1)).await.unwrap().unwrap();
    let mut crowd: Vec<_> = (1..CROWD).map(|_| Box::pin(failures.turn(flooding, at(1)))).collect();
    assert!(crowd.iter_mut().all(|waiting| is_pending(waiting.as_mut())));
    assert!(failures.turn(flooding, at(1)).await.is_err());
    let mut own = Box::pin(failures.turn(other, at(1)));
    assert!(is_pending(own.as_mut()), "it waits, and is not refused");
    drop(first);
    assert!(crowd.iter_mut().all(|waiting| is_pending(waiting.as_mut())), "they stand behind it");
    let turn = own.await.unwrap().unwrap();
    assert!(crowd.iter_mut().all(|waiting| is_pending(waiting.as_mut())), "one at a time");
    drop(turn);
    assert!(crowd.remove(0).await.unwrap().is_some());
    drop(crowd);
    assert_eq!(failures.turns.addresses(), 0, "nothing is left behind");
}

#[tokio::test]
async fn addresses_that_wait_for_their_turn_are_bounded() {
    let failures = Failures::new(SignInLimits::default());
    let addresses = (0..=CROWDS / CROWD).map(|number| format!("10.1.{}.{}", number / 256, number % 256));
    let addresses: Vec<_> = addresses.collect();
    let (last, full) = addresses.split_last().unwrap();
    let (mut held, mut waiting) = (Vec::new(), Vec::new());
    for address in full {
        fail_often(&failures, address);
        for _ in 0..CROWD {
            let mut turn = Box::pin(failures.turn(Some(address), at(1)));
            match turn.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(turn) => held.push(turn.unwrap()),
                Poll::Pending => waiting.push(turn),
            }
        }
    }
    assert_eq!((held.len(), waiting.len(), failures.turns.addresses()), (1, CROWDS - 1, CROWDS / CROWD));
    fail_often(&failures, last);
    assert!(failures.turn(Some(last), at(1)).await.is_err());
    waiting.pop();
    assert!(is_pending(Box::pin(failures.turn(Some(last), at(1))).as_mut()));
}

#[tokio::test]
async fn a_crowd_that_waits_for_one_account_is_bounded_and_leaves_nothing_behind() {
    let failures = Failures::new(SignInLimits::default());
    let mut running = Vec::new();
    for _ in 0..20 {
        running.push(failures.attempt("ann", None, at(0)).await.unwrap());
    }
    let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(failures.attempt("ann", None, at(0)))).collect();
    assert!(waiting.iter_mut().all(|other| is_pending(other.as_mut())));
    assert!(failures.attempt("ann", None, at(0)).await.is_err());
    // Who does not wait any longer makes room.
    waiting.pop();
    waiting.push(Box::pin(failures.attempt("ann", None, at(0))));
    assert!(is_pending(waiting.last_mut().unwrap().as_mut()));
    drop(waiting);
    running.into_iter().for_each(Attempt::succeeded);
    assert!(failures.undecided.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_flood_of_names_is_forgotten_before_the_account_that_is_guessed_at() {
    let failures = Failures::new(SignInLimits::default());
    for _ in 0..20 {
        drop(failures.attempt("admin", None, at(0)).await.unwrap());
    }
    for name in 0..3 * REMEMBERED {
        drop(failures.attempt(&format!("name{name}"), None, at(1)).await.unwrap());
    }
    assert!(failures.recent.lock().unwrap().len() <= REMEMBERED);
    assert!(failures.attempt("admin", None, at(2)).await.is_err());
}

#[test]
fn directories_are_asked_by_thirty_two_at_a_time_and_each_place_is_given_again() {
    let failures = Failures::new(SignInLimits::default());
    let mut places: Vec<_> = (0..ASKED).map(|_| failures.place().unwrap()).collect();
    let refused = failures.place().unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Limit { retry_after: 1 }), "{refused:?}");
    drop(places.pop());
    assert!(failures.place().is_ok());
}

#[tokio::test]
async fn who_fails_under_a_name_from_elsewhere_does_not_keep_its_owner_out() {
    let failures = Failures::new(SignInLimits::default());
    let (home, elsewhere) = (Some("10.0.0.1"), Some("10.0.0.2"));
    failures.attempt("ann", home, at(0)).await.unwrap().succeeded();
    for _ in 0..20 {
        drop(failures.attempt("ann", elsewhere, at(1)).await.unwrap());
    }
    assert!(failures.attempt("ann", elsewhere, at(2)).await.is_err());
    assert!(failures.attempt("ann", Some("10.0.0.3"), at(2)).await.is_err(), "one count for all others");
    assert!(failures.attempt("ann", None, at(2)).await.is_err());
    failures.attempt("ann", home, at(2)).await.unwrap().succeeded();
    // Nor does a name that is made to look like the pair.
    for _ in 0..20 {
        drop(failures.attempt("address:10.0.0.1 ann", elsewhere, at(3)).await.unwrap());
    }
    failures.attempt("ann", home, at(3)).await.unwrap().succeeded();
}

#[tokio::test]
async fn a_familiar_address_is_limited_as_well_and_is_strange_again_after_thirty_days() {
    let failures = Failures::new(SignInLimits::default());
    let home = Some("10.0.0.1");
    failures.attempt("ann", home, at(0)).await.unwrap().succeeded();
    for _ in 0..20 {
        drop(failures.attempt("ann", home, at(1)).await.unwrap());
    }
    assert!(failures.attempt("ann", home, at(2)).await.is_err());
    let later = familiar::SECONDS;
    for _ in 0..20 {
        drop(failures.attempt("ann", Some("10.0.0.2"), at(later)).await.unwrap());
    }
    assert!(failures.attempt("ann", home, at(later)).await.is_err(), "it counts with all others");
}

#[tokio::test]
async fn familiar_addresses_are_bounded_and_the_oldest_are_forgotten_first() {
    let failures = Failures::new(SignInLimits::default());
    for number in 0..=REMEMBERED {
        let seconds = i64::try_from(number).unwrap();
        let attempt = failures.attempt(&format!("name{number}"), Some("10.0.0.1"), at(seconds)).await;
        attempt.unwrap().succeeded();
    }
    assert_eq!(failures.familiar.len(), REMEMBERED - REMEMBERED / 4 + 1);
    let now = at(i64::try_from(REMEMBERED).unwrap());
    let holds = |name: usize| failures.familiar.holds(&format!("familiar:address:10.0.0.1 name{name}"), now);
    assert!(!holds(0) && holds(REMEMBERED - 1) && holds(REMEMBERED));
}

#[test]
fn mails_beyond_five_for_an_account_are_not_sent_and_only_an_address_is_told_to_wait() {
    let failures = Failures::new(SignInLimits::default());
    for _ in 0..5 {
        assert!(failures.mailed(Some("10.0.0.1"), "reset:ann", at(0)).unwrap());
    }
    assert!(!failures.mailed(Some("10.0.0.2"), "reset:ann", at(1)).unwrap());
    assert!(failures.mailed(Some("10.0.0.2"), "verification:ann", at(1)).unwrap(), "kinds are counted apart");
    assert!(failures.mailed(Some("10.0.0.2"), "reset:ann", at(300)).unwrap(), "the window has passed");
    for _ in 0..100 {
        assert!(failures.mailed(Some("10.0.0.3"), "reset:bob", at(400)).is_ok());
    }
    assert!(matches!(
        failures.mailed(Some("10.0.0.3"), "reset:eve", at(401)).err().unwrap().kind(),
        ErrorKind::Limit { .. }
    ));
}
