//! For how long a gateway trusts what it knows without hearing from its control plane.
//!
//! Time is counted by a clock that only goes forward, also while the machine sleeps. Past the limit, product and
//! consumer traffic is refused: whoever was cut off that long may have lost every right that is written down here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};

/// Time since some moment in the past, never less than before.
pub(crate) type SteadyClock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Time since the machine was started, with the time that it slept; [`std::time::Instant`] leaves that out.
pub(crate) fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    // Elsewhere this clock counts sleep, or there is none that does.
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// When the control plane was last heard, and how long that counts.
pub(crate) struct Staleness {
    most: Duration,
    clock: SteadyClock,
    began: Duration,
    /// Milliseconds before `began` at which it may have been heard already.
    before: AtomicU64,
    /// Milliseconds since `began` at which it was last heard.
    heard: AtomicU64,
}

impl Staleness {
    /// Heard just now, good for `most`.
    pub(crate) fn new(most: Duration, clock: SteadyClock) -> Self {
        let began = clock();
        Self { most, clock, began, before: AtomicU64::new(0), heard: AtomicU64::new(0) }
    }

    fn elapsed(&self) -> Duration {
        (self.clock)().saturating_sub(self.began)
    }

    /// The control plane was heard so long ago, and not since.
    pub(crate) fn heard(&self, ago: Duration) {
        let now = millis(self.elapsed());
        let ago = millis(ago);
        self.before.store(ago.saturating_sub(now), Ordering::Relaxed);
        self.heard.store(now.saturating_sub(ago), Ordering::Relaxed);
    }

    /// For how long it has not been heard.
    pub(crate) fn since(&self) -> Duration {
        let now = millis(self.elapsed());
        let since = now.saturating_sub(self.heard.load(Ordering::Relaxed));
        Duration::from_millis(since.saturating_add(self.before.load(Ordering::Relaxed)))
    }

    /// Whether what is known does not count any more.
    pub(crate) fn is_past(&self) -> bool {
        self.since() > self.most
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn what_was_heard_counts_for_so_long_and_not_longer() {
        let staleness = Staleness::new(HOUR, Arc::new(since_boot));
        assert!(!staleness.is_past());
        staleness.heard(HOUR - Duration::from_secs(60));
        assert!(!staleness.is_past());
        staleness.heard(HOUR + Duration::from_secs(1));
        assert!(staleness.is_past());
        assert!(staleness.since() > HOUR);
        staleness.heard(Duration::MAX);
        assert!(staleness.is_past(), "never heard at all");
        staleness.heard(Duration::ZERO);
        assert!(!staleness.is_past());
    }

    #[test]
    fn time_that_passes_without_a_word_counts_until_it_is_too_much() {
        let now = Arc::new(AtomicU64::new(1_000));
        let read = Arc::clone(&now);
        let clock: SteadyClock = Arc::new(move || Duration::from_secs(read.load(Ordering::Relaxed)));
        let staleness = Staleness::new(HOUR, clock);
        staleness.heard(Duration::ZERO);
        now.store(1_000 + 3_600, Ordering::Relaxed);
        assert!(!staleness.is_past());
        now.store(1_000 + 3_601, Ordering::Relaxed);
        assert!(staleness.is_past(), "as after a night asleep");
        staleness.heard(Duration::ZERO);
        assert!(!staleness.is_past());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_since_the_start_of_the_machine_is_the_kernels_sleep_included() {
        // The kernel's uptime counts time asleep as well.
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
        let apart = (since_boot().as_secs_f64() - uptime).abs();
        assert!(apart < 5.0, "{apart} s apart");
    }
}
