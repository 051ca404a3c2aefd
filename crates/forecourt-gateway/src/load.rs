//! How much the gateway carries now, and where it says no (docs/gateway.md §6): connections and requests in flight.
//!
//! Counts are of the whole gateway, whatever listener a caller came by. A limit of 0 is none.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// The counts.
#[derive(Default)]
pub(crate) struct Load {
    connections: AtomicUsize,
    requests: AtomicUsize,
    refused: AtomicU64,
    seen: AtomicU64,
}

/// A connection's place among those that are counted; given up when dropped.
pub(crate) struct Seat(Arc<Load>);

impl Load {
    /// A place for one more connection; `None`: `most` are open.
    pub(crate) fn seat(self: &Arc<Self>, most: usize) -> Option<Seat> {
        let seat = Seat(Arc::clone(self));
        if self.connections.fetch_add(1, Relaxed) < most || most == 0 {
            return Some(seat);
        }
        self.refused.fetch_add(1, Relaxed);
        None
    }

    /// A number that no other connection has.
    pub(crate) fn next_connection(&self) -> u64 {
        self.seen.fetch_add(1, Relaxed)
    }

    /// How many connections were closed at once because too many were open.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Counts a request in; true: more than `most` are in flight now.
    pub(crate) fn begin(&self, most: usize) -> bool {
        self.requests.fetch_add(1, Relaxed) >= most && most > 0
    }

    /// Whether no request is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.requests.load(Relaxed) == 0
    }

    /// Counts a request out.
    pub(crate) fn end(&self) {
        self.requests.fetch_sub(1, Relaxed);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Load;

    #[test]
    fn seats_are_limited_counted_and_given_back() {
        let load = Arc::new(Load::default());
        let first = load.seat(1).unwrap();
        assert!(load.seat(1).is_none() && load.seat(1).is_none());
        assert_eq!(load.refused(), 2);
        assert!(load.seat(0).is_some(), "0 is no limit");
        drop(first);
        assert!(load.seat(1).is_some());
    }

    #[test]
    fn requests_are_limited_and_counted_out() {
        let load = Load::default();
        assert!(!load.begin(1));
        assert!(load.begin(1) && !load.begin(0));
        load.end();
        load.end();
        load.end();
        assert!(!load.begin(1));
    }
}
