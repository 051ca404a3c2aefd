//! Durations counted by how long they are, for metrics.
//!
//! Invariant: counting takes no lock. A reading while others count may be off by what they are about to count, and is
//! never less than an earlier one.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The upper bounds of what is told apart, in seconds; above the last one it is told apart no more.
pub const BOUNDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Durations by length.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How many are at most as long as the bound of the same place, and longer than the one before it.
    counts: [AtomicU64; BOUNDS.len()],
    longer: AtomicU64,
    micros: AtomicU64,
}

/// What was counted, as Prometheus tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramReading {
    /// For each of [`BOUNDS`] how many were at most as long.
    pub at_most: Vec<u64>,
    /// How many there were.
    pub count: u64,
    /// How long all were together, in seconds.
    pub sum: f64,
}

impl Histogram {
    /// Counts one.
    pub fn count(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let place = BOUNDS.iter().position(|bound| seconds <= *bound);
        let counter = place.and_then(|place| self.counts.get(place)).unwrap_or(&self.longer);
        counter.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn read(&self) -> HistogramReading {
        let mut sum = 0;
        let at_most = self.counts.iter().map(|count| {
            sum += count.load(Ordering::Relaxed);
            sum
        });
        let at_most: Vec<_> = at_most.collect();
        let count = at_most.last().copied().unwrap_or(0) + self.longer.load(Ordering::Relaxed);
        HistogramReading { at_most, count, sum: self.micros.load(Ordering::Relaxed) as f64 / 1e6 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_counted_once_and_in_every_bound_that_it_keeps() {
        let histogram = Histogram::default();
        for millis in [1, 2, 40, 60_000] {
            histogram.count(Duration::from_millis(millis));
        }
        let read = histogram.read();
        assert_eq!(read.at_most, [1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!((read.count, read.sum), (4, 60.043));
    }
}
