//! Counting calls within a time, exactly.
//!
//! Two ways, told apart by the length of the window. **Short windows slide**: a window is cut into 16 steps, and what
//! counts is the step that runs and the 16 before it, which hold the last whole window whatever the moment. So no
//! interval of the window's length ever holds more calls than the limit, not even across a boundary (where a fixed
//! window would let twice as many pass); a call's room is free again after one window and at most 1/16 more. A list
//! of all moments would be exact to the microsecond, and as large as the limit; a leaking bucket would be smaller, and
//! let nearly twice as many pass within one window after a rest. **Quotas are fixed**: an hour, a day of UTC, as
//! people who buy them expect, and one number each to keep over a restart.

use forecourt_core::gateway_state::PlanLimit;

use super::plan::Room;

/// Steps of a sliding window. A window of whole seconds has steps of whole microseconds.
pub(super) const STEPS: i64 = 16;
/// The steps that count: the running one too.
const PLACES: usize = STEPS as usize + 1;
const MICROS: i64 = 1_000_000;

/// The calls within one window.
#[derive(Clone)]
pub(super) struct Counter {
    /// Seconds.
    pub(super) window_seconds: u32,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Sliding(Box<Ring>),
    Quota { window: i64, used: u64 },
}

/// Calls per step, at the step's number modulo the places.
#[derive(Clone, Default)]
struct Ring {
    latest: i64,
    calls: [u32; PLACES],
}

/// Begins the window `current`. A call whose time was read just before the window began counts in the open one, so
/// that it cannot give away again what was used; a clock that went back further has its own windows.
const fn turn_over(window: &mut i64, used: &mut u64, current: i64) {
    if current > *window || current < *window - 1 {
        (*window, *used) = (current, 0);
    }
}

impl Counter {
    /// A counter for this limit's window that has counted nothing.
    pub(super) fn new(limit: PlanLimit) -> Self {
        let kind = if limit.is_quota() {
            Kind::Quota { window: i64::MIN, used: 0 }
        } else {
            Kind::Sliding(Box::default())
        };
        Self { window_seconds: limit.window_seconds, kind }
    }

    /// How the limit stands at `now` (microseconds since the epoch) for one more call.
    pub(super) fn room(&mut self, limit: PlanLimit, now: i64) -> Room {
        let (used, free_at) = self.used(now);
        Room { remaining: limit.count.saturating_sub(used), wait: (free_at - now).max(1) }
    }

    /// Calls that count at `now`, and when the first of them, or of those that come now, stop to count.
    fn used(&mut self, now: i64) -> (u64, i64) {
        let length = self.length();
        match &mut self.kind {
            Kind::Quota { window, used } => {
                let current = now.div_euclid(length);
                turn_over(window, used, current);
                (*used, (*window + 1) * length)
            }
            Kind::Sliding(ring) => {
                let step = length / STEPS;
                ring.advance(now.div_euclid(step));
                (ring.sum(), (ring.oldest() + STEPS + 1) * step)
            }
        }
    }

    /// Counts `calls` more at `now`.
    pub(super) fn add(&mut self, calls: u32, now: i64) {
        let length = self.length();
        match &mut self.kind {
            Kind::Quota { window, used } => {
                let current = now.div_euclid(length);
                turn_over(window, used, current);
                *used += u64::from(calls);
            }
            Kind::Sliding(ring) => {
                ring.advance(now.div_euclid(length / STEPS));
                if let Some(place) = ring.place(ring.latest) {
                    *place = place.saturating_add(calls);
                }
            }
        }
    }

    /// The quota's running window and its calls; `None` where the window slides, or nothing counts at `now`.
    pub(super) fn quota(&self, now: i64) -> Option<(i64, u64)> {
        match self.kind {
            Kind::Quota { window, used } if used > 0 && window == now.div_euclid(self.length()) => {
                Some((window, used))
            }
            _ => None,
        }
    }

    /// Raises a quota's count of `window` to at least `used`.
    pub(super) fn raise(&mut self, window: i64, used: u64) {
        if let Kind::Quota { window: own, used: counted } = &mut self.kind {
            if *own < window {
                (*own, *counted) = (window, used);
            } else if *own == window {
                *counted = (*counted).max(used);
            }
        }
    }

    /// Whether it counts the window of this limit.
    pub(super) const fn is_of(&self, limit: PlanLimit) -> bool {
        self.window_seconds == limit.window_seconds
    }

    /// Whether nothing counts any more at `now`.
    pub(super) fn is_idle(&self, now: i64) -> bool {
        match &self.kind {
            Kind::Quota { window, .. } => *window < now.div_euclid(self.length()),
            Kind::Sliding(ring) => ring.latest + STEPS < now.div_euclid(self.length() / STEPS),
        }
    }

    /// The window in microseconds.
    fn length(&self) -> i64 {
        i64::from(self.window_seconds.max(1)) * MICROS
    }
}

impl Ring {
    /// Forgets what is too old at step `now`. A clock that was set back a little goes on in the latest step.
    fn advance(&mut self, now: i64) {
        if now > self.latest + STEPS || now < self.latest - STEPS {
            *self = Self { latest: now, calls: [0; PLACES] };
        }
        while self.latest < now {
            self.latest += 1;
            if let Some(place) = self.place(self.latest) {
                *place = 0;
            }
        }
    }

    fn place(&mut self, step: i64) -> Option<&mut u32> {
        self.calls.get_mut(step.rem_euclid(PLACES as i64) as usize)
    }

    fn sum(&self) -> u64 {
        self.calls.iter().map(|calls| u64::from(*calls)).sum()
    }

    /// The oldest step that has calls; the running one where none has.
    fn oldest(&mut self) -> i64 {
        let latest = self.latest;
        let has_calls = |step: &i64| self.place(*step).is_some_and(|calls| *calls > 0);
        (latest - STEPS..latest).find(has_calls).unwrap_or(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_whose_time_was_read_before_the_window_began_gives_nothing_away() {
        const HOUR: i64 = 3_600 * MICROS;
        let mut quota = Counter { window_seconds: 3_600, kind: Kind::Quota { window: 0, used: 0 } };
        quota.add(5, 10 * HOUR - 1);
        quota.add(2, 10 * HOUR);
        assert_eq!(quota.used(10 * HOUR - 1), (2, 11 * HOUR), "it counts in the window that is open");
        quota.add(1, 10 * HOUR - 1);
        assert_eq!(quota.used(10 * HOUR + 1), (3, 11 * HOUR));
        assert_eq!(quota.used(4 * HOUR).0, 0, "a clock that went back by hours has its own windows");
    }
}
