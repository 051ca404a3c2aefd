//! For how long a gateway trusts what it knows without hearing from its control plane.
//!
//! Time is counted by a clock that only goes forward. Past the limit, product and consumer traffic is refused: whoever
//! was cut off that long may have lost every right that is written down here.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// When the control plane was last heard, and how long that counts.
pub(crate) struct Staleness {
    most: Duration,
    began: Instant,
    /// Milliseconds before `began` at which it may have been heard already.
    before: AtomicU64,
    /// Milliseconds since `began` at which it was last heard.
    heard: AtomicU64,
}

impl Staleness {
    /// Heard just now, good for `most`.
    pub(crate) fn new(most: Duration) -> Self {
        Self { most, began: Instant::now(), before: AtomicU64::new(0), heard: AtomicU64::new(0) }
    }

    /// The control plane was heard so long ago, and not since.
    pub(crate) fn heard(&self, ago: Duration) {
        let now = millis(self.began.elapsed());
        let ago = millis(ago);
        self.before.store(ago.saturating_sub(now), Ordering::Relaxed);
        self.heard.store(now.saturating_sub(ago), Ordering::Relaxed);
    }

    /// For how long it has not been heard.
    pub(crate) fn since(&self) -> Duration {
        let now = millis(self.began.elapsed());
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

    #[test]
    fn what_was_heard_counts_for_so_long_and_not_longer() {
        let hour = Duration::from_secs(3_600);
        let staleness = Staleness::new(hour);
        assert!(!staleness.is_past());
        staleness.heard(hour - Duration::from_secs(60));
        assert!(!staleness.is_past());
        staleness.heard(hour + Duration::from_secs(1));
        assert!(staleness.is_past());
        assert!(staleness.since() > hour);
        staleness.heard(Duration::MAX);
        assert!(staleness.is_past(), "never heard at all");
        staleness.heard(Duration::ZERO);
        assert!(!staleness.is_past());
    }
}
