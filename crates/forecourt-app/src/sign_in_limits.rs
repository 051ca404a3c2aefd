//! Limits on failed sign-ins and failed token checks, per account and per address, in a sliding window.
//!
//! A right credential of another account is never held up: only the failing account, and failures from the failing
//! address, are told to wait.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use forecourt_core::time::Timestamp;

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

/// Recent failures.
pub(crate) struct Failures {
    limits: SignInLimits,
    recent: Mutex<Recent>,
}

impl Failures {
    pub(crate) fn new(limits: SignInLimits) -> Self {
        Self { limits, recent: Mutex::new(HashMap::new()) }
    }

    /// Starts an attempt on an account: it counts as failed until [`Self::succeeded`] takes it back, so that attempts
    /// at the same time cannot slip past the limit together. Refused for an account that failed too often.
    pub(crate) fn attempt(&self, account: &str, now: Timestamp) -> Result<(), Error> {
        let key = format!("account:{account}");
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        self.check(&mut recent, &key, self.limits.per_account, now)?;
        self.note(&mut recent, key, now);
        Ok(())
    }

    /// Takes back the attempt that was started at `started`: it was right.
    pub(crate) fn succeeded(&self, account: &str, started: Timestamp) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(times) = recent.get_mut(&format!("account:{account}"))
            && let Some(place) = times.iter().rposition(|time| *time == started)
        {
            times.remove(place);
        }
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
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn an_account_waits_after_twenty_failures_and_is_free_again_when_the_window_has_passed() {
        let failures = Failures::new(SignInLimits::default());
        for second in 0..20 {
            assert!(failures.attempt("ann", at(second)).is_ok());
            // A right attempt leaves no trace.
            assert!(failures.attempt("bob", at(second)).is_ok());
            failures.succeeded("bob", at(second));
        }
        let refused = failures.attempt("ann", at(20)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Limit { retry_after: 280 });
        assert!(failures.attempt("bob", at(20)).is_ok());
        assert!(failures.attempt("ann", at(301)).is_ok());
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
