//! Limits on failed sign-ins and failed token checks, per account and per address, in a sliding window.
//!
//! A right credential of another account is never held up: only the failing account, and failures from the failing
//! address, are told to wait.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use forecourt_core::time::Timestamp;
use tokio::sync::Notify;

use crate::{Error, ErrorKind};

/// How many failures are answered plainly.
#[derive(Clone, Copy, Debug)]
pub struct SignInLimits {
    /// For one account within the window.
    pub per_account: usize,
    /// From one address within the window.
    pub per_address: usize,
    /// The window, seconds.
    pub window_seconds: i64,
}

impl Default for SignInLimits {
    fn default() -> Self {
        Self { per_account: 20, per_address: 100, window_seconds: 300 }
    }
}

/// At most this many accounts and addresses are remembered; beyond it the quietest are forgotten.
const REMEMBERED: usize = 50_000;

type Recent = HashMap<String, VecDeque<Timestamp>>;

/// Recent failures, and the attempts that are not decided yet.
pub(crate) struct Failures {
    limits: SignInLimits,
    recent: Mutex<Recent>,
    undecided: Mutex<HashMap<String, usize>>,
    decided: Notify,
}

/// An attempt on an account that is not decided yet. Dropping it, also because nobody waits for it any more, makes it a
/// failure.
pub(crate) struct Attempt<'a> {
    failures: &'a Failures,
    key: String,
    started: Timestamp,
    leaves_no_trace: bool,
}

impl Attempt<'_> {
    /// It was right.
    pub(crate) fn succeeded(mut self) {
        self.leaves_no_trace = true;
    }

    /// A fault of ours kept it from being decided, such as a database that is away.
    pub(crate) fn void(mut self) {
        self.leaves_no_trace = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.leaves_no_trace {
            let mut recent = self.failures.recent.lock().unwrap_or_else(PoisonError::into_inner);
            self.failures.note(&mut recent, self.key.clone(), self.started);
        }
        let mut undecided = self.failures.undecided.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = undecided.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                undecided.remove(&self.key);
            }
        }
        drop(undecided);
        self.failures.decided.notify_waiters();
    }
}

impl Failures {
    pub(crate) fn new(limits: SignInLimits) -> Self {
        Self { limits, recent: Mutex::default(), undecided: Mutex::default(), decided: Notify::new() }
    }

    /// Starts an attempt on an account; refused for one that failed too often.
    ///
    /// No more attempts are undecided at a time than may still fail, so that attempts at the same time cannot slip past
    /// the limit together. One more waits: while right ones are being proved, nobody is refused because of them.
    pub(crate) async fn attempt(&self, account: &str, now: Timestamp) -> Result<Attempt<'_>, Error> {
        let key = format!("account:{account}");
        loop {
            let mut decided = std::pin::pin!(self.decided.notified());
            // Enlisted before the look, so that a decision in between is not missed.
            decided.as_mut().enable();
            if self.enter(&key, now)? {
                return Ok(Attempt { failures: self, key, started: now, leaves_no_trace: false });
            }
            decided.await;
        }
    }

    /// Whether there is room for another undecided attempt; then it is counted as one.
    fn enter(&self, key: &str, now: Timestamp) -> Result<bool, Error> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        self.check(&mut recent, key, self.limits.per_account, now)?;
        let failed = recent.get(key).map_or(0, VecDeque::len);
        let mut undecided = self.undecided.lock().unwrap_or_else(PoisonError::into_inner);
        let count = undecided.get(key).copied().unwrap_or(0);
        let fits = failed + count < self.limits.per_account;
        if fits {
            undecided.insert(key.to_owned(), count + 1);
        }
        Ok(fits)
    }

    /// Notes a failure from an address, and gives the answer to it: unauthorized, or a wait for an address that
    /// failed too often.
    pub(crate) fn failed(&self, address: Option<&str>, now: Timestamp) -> Error {
        let Some(address) = address else { return Error::unauthenticated() };
        let key = format!("address:{address}");
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.check(&mut recent, &key, self.limits.per_address, now);
        self.note(&mut recent, key, now);
        answer.err().unwrap_or_else(Error::unauthenticated)
    }

    fn check(&self, recent: &mut Recent, key: &str, most: usize, now: Timestamp) -> Result<(), Error> {
        let Some(times) = recent.get_mut(key) else { return Ok(()) };
        self.forget_old(times, now);
        let Some(freed) = times.len().checked_sub(most).and_then(|place| times.get(place)) else {
            return Ok(());
        };
        let wait = freed.plus_seconds(self.limits.window_seconds).seconds() - now.seconds();
        let retry_after = u64::try_from(wait).unwrap_or(0).max(1);
        Err(Error::new(
            ErrorKind::Limit { retry_after },
            "too_many_failures",
            "too many failed attempts; try again later",
        ))
    }

    fn note(&self, recent: &mut Recent, key: String, now: Timestamp) {
        if recent.len() >= REMEMBERED {
            recent.retain(|_, times| {
                self.forget_old(times, now);
                !times.is_empty()
            });
        }
        if recent.len() >= REMEMBERED {
            recent.retain(|_, times| times.len() > 1);
        }
        let times = recent.entry(key).or_default();
        // More than the larger limit need not be remembered to know that it is exceeded.
        if times.len() > self.limits.per_account.max(self.limits.per_address) {
            times.pop_front();
        }
        times.push_back(now);
    }

    fn forget_old(&self, times: &mut VecDeque<Timestamp>, now: Timestamp) {
        while times.front().is_some_and(|time| time.plus_seconds(self.limits.window_seconds) <= now) {
            times.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
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
}
