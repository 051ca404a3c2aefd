//! A clock that starts at a fixed moment, runs as the real one does, and jumps when the test says so.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use forecourt_core::time::Timestamp;

/// 2026-08-07T09:00:00Z: early in an hour and in a day, so that no test meets the end of one by accident.
const START: i64 = 1_786_093_200;

/// The clock. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct MovedClock {
    started: Instant,
    ahead: Arc<AtomicI64>,
}

impl MovedClock {
    /// A clock at its start.
    pub fn new() -> Self {
        Self { started: Instant::now(), ahead: Arc::default() }
    }

    /// A clock at the time of this machine, by which processes go.
    pub fn of_the_machine() -> Self {
        let clock = Self::new();
        let ahead = forecourt::serve::system_clock()().micros() - clock.now().micros();
        clock.ahead.store(ahead, Ordering::Relaxed);
        clock
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap();
        Timestamp::from_micros(START * 1_000_000 + elapsed + self.ahead.load(Ordering::Relaxed))
    }

    /// Jumps ahead.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    /// The clock as Forecourt takes it.
    pub fn as_argument(&self) -> forecourt::serve::Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}

impl Default for MovedClock {
    fn default() -> Self {
        Self::new()
    }
}
