//! How many requests were answered, by class of status.
//!
//! Invariant: requests of different connections count in different places, so that no core waits for a cache line that
//! another one writes; whoever reads adds the places up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::StatusCode;

/// The first digits of statuses, as metrics tell them.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// How many places there are.
const PLACES: usize = 32;

/// The counts of one place, on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Place([AtomicU64; CLASSES.len()]);

/// The counts.
#[derive(Default)]
pub(crate) struct Answered([Place; PLACES]);

impl Answered {
    /// Counts an answer on the connection that this number was made for.
    pub(crate) fn count(&self, connection: u64, status: StatusCode) {
        // Seeds of connections differ in their high bits too; the remainder is below the number of places.
        let place = (connection ^ (connection >> 32)) % (PLACES as u64);
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let place = usize::try_from(place).ok().and_then(|place| self.0.get(place));
        if let Some(count) = place.and_then(|place| place.0.get(class)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many there were, by class.
    pub(crate) fn read(&self) -> [(&'static str, u64); CLASSES.len()] {
        let mut sums = CLASSES.map(|class| (class, 0));
        for place in &self.0 {
            for ((_, sum), count) in sums.iter_mut().zip(&place.0) {
                *sum += count.load(Relaxed);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_all_connections_are_added_up_by_class() {
        let answered = Answered::default();
        for connection in 0..100 {
            answered.count(connection << 32, StatusCode::OK);
            answered.count(connection, StatusCode::NOT_FOUND);
        }
        answered.count(7, StatusCode::SWITCHING_PROTOCOLS);
        let read = answered.read();
        assert_eq!(read, [("1xx", 1), ("2xx", 100), ("3xx", 0), ("4xx", 100), ("5xx", 0)]);
    }
}
