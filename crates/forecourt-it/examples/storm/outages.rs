//! What a node goes through, as far as it explains what callers meet.

use std::time::{Duration, Instant};

use crate::MAX_STALENESS;

/// What a node may take beyond its `max_staleness` to notice it, on a busy machine.
const NOTICE: Duration = Duration::from_millis(500);
/// How long a count may be in memory alone: the interval of one second, twice for a busy machine.
const UNSAVED: Duration = Duration::from_secs(2);

/// A node's story.
#[derive(Default)]
pub(crate) struct Outage {
    /// Since when none of its wires leads to a living control plane.
    deaf_since: Option<Instant>,
    /// Whether there is a way again, which it may have found or not.
    may_hear: bool,
    /// Whether its process is dead, or was within the last moments.
    dead: bool,
    /// When its last calls were answered 200, no longer ago than [`UNSAVED`].
    recent: std::collections::VecDeque<Instant>,
    /// Calls that were answered shortly before it was killed.
    pub(crate) at_risk: u64,
}

impl Outage {
    /// Its last way to a control plane is gone.
    pub(crate) fn deafen(&mut self) {
        self.deaf_since.get_or_insert_with(Instant::now);
        self.may_hear = false;
    }

    /// There is about to be a way again.
    pub(crate) fn may_hear(&mut self) {
        self.may_hear = true;
    }

    /// It has found the way.
    pub(crate) fn hear(&mut self) {
        self.deaf_since = None;
    }

    /// Whether a call that begins now must be refused.
    pub(crate) fn is_stale(&self) -> bool {
        !self.may_hear && self.deaf_since.is_some_and(|since| since.elapsed() > MAX_STALENESS + NOTICE)
    }

    /// Whether a node that began to be deaf now and then may be stale by now, or not yet be fresh again.
    pub(crate) fn may_refuse(&self) -> bool {
        self.deaf_since.is_some()
    }

    /// A call was answered 200.
    pub(crate) fn answered(&mut self) {
        self.recent.push_back(Instant::now());
        while self.recent.front().is_some_and(|at| at.elapsed() > UNSAVED) {
            self.recent.pop_front();
        }
    }

    /// Its process is about to be killed.
    pub(crate) fn die(&mut self) {
        self.dead = true;
        self.at_risk += self.recent.iter().filter(|at| at.elapsed() <= UNSAVED).count() as u64;
        self.recent.clear();
    }

    /// It is ready again.
    pub(crate) fn live(&mut self) {
        self.dead = false;
    }

    /// Whether its process may not answer.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead
    }
}
