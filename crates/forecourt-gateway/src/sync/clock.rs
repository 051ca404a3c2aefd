//! The control plane's time: what a node goes by where its own clock is off.
//!
//! What is heard was said a moment before, so a reading is never ahead of the truth, and the one that is ahead of the
//! others is the best. Up to [`TOLERATED`] the machine's own clock is followed, which others keep right better.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use forecourt_core::time::Timestamp;

use crate::Clock;

/// Microseconds by which the clocks may differ before it matters.
const TOLERATED: i64 = 2_000_000;
/// How many readings count.
const READINGS: usize = 5;

/// A clock that is put right by what the control plane says. Clones are the same clock.
#[derive(Clone)]
pub(crate) struct CorrectedClock {
    own: Clock,
    offset: Arc<AtomicI64>,
    readings: Arc<Mutex<VecDeque<i64>>>,
}

impl CorrectedClock {
    /// The machine's clock with the last known offset, in microseconds.
    pub(crate) fn new(own: Clock, offset: i64) -> Self {
        Self { own, offset: Arc::new(AtomicI64::new(offset)), readings: Arc::default() }
    }

    /// The time to go by.
    pub(crate) fn now(&self) -> Timestamp {
        let offset = self.offset.load(Ordering::Relaxed);
        Timestamp::from_micros((self.own)().micros().saturating_add(offset))
    }

    /// The same, for a gateway.
    pub(crate) fn as_clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }

    /// By how many microseconds the machine's clock is corrected; 0: it is followed.
    pub(crate) fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Forgets what the last control plane said.
    pub(crate) fn forget_readings(&self) {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The control plane said that it is `at`.
    pub(crate) fn heard(&self, at: Timestamp) {
        let reading = at.micros().saturating_sub((self.own)().micros());
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.push_back(reading);
        if readings.len() > READINGS {
            readings.pop_front();
        }
        let best = readings.iter().copied().max().unwrap_or(0);
        let wanted = if best.saturating_abs() > TOLERATED { best } else { 0 };
        let offset = self.offset.swap(wanted, Ordering::Relaxed);
        if (wanted == 0) != (offset == 0) || wanted.abs_diff(offset) > TOLERATED.unsigned_abs() {
            if wanted == 0 {
                tracing::info!("this machine's clock agrees with the control plane's again");
            } else {
                tracing::warn!(
                    offset_ms = wanted / 1_000,
                    "this machine's clock differs from the control plane's, whose time is used; set it right"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(offset: i64) -> (CorrectedClock, Arc<AtomicI64>) {
        let own = Arc::new(AtomicI64::new(1_000));
        let read = Arc::clone(&own);
        let own_clock: Clock = Arc::new(move || Timestamp::from_seconds(read.load(Ordering::Relaxed)));
        (CorrectedClock::new(own_clock, offset), own)
    }

    #[test]
    fn a_clock_that_is_an_hour_off_is_put_right_and_followed_again_once_it_is_right() {
        let (clock, own) = clock(0);
        clock.heard(Timestamp::from_seconds(4_600));
        assert_eq!(clock.now().seconds(), 4_600);
        assert_eq!(clock.offset(), 3_600_000_000);
        own.store(4_601, Ordering::Relaxed);
        for second in 0..10 {
            clock.heard(Timestamp::from_seconds(4_601 + second));
            own.store(4_602 + second, Ordering::Relaxed);
        }
        assert_eq!(clock.offset(), 0);
    }

    #[test]
    fn small_differences_and_late_words_change_nothing() {
        let (clock, _) = clock(0);
        clock.heard(Timestamp::from_micros(1_001_900_000));
        // Said half a minute before it was heard.
        clock.heard(Timestamp::from_seconds(970));
        assert_eq!(clock.now().seconds(), 1_000);
    }

    #[test]
    fn an_offset_from_before_a_restart_holds_until_the_control_plane_speaks() {
        let (clock, _) = clock(-3_600_000_000);
        assert_eq!(clock.now().seconds(), -2_600);
        clock.heard(Timestamp::from_seconds(1_000));
        assert_eq!(clock.now().seconds(), 1_000);
    }
}
