//! Points in time, as the whole of Forecourt stores and compares them.

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch; saturates at the ends of the range.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The start of the UTC hour that holds this point; saturates at the start of the range.
    pub const fn hour(self) -> Self {
        Self(self.0.div_euclid(3_600_000_000).saturating_mul(3_600_000_000))
    }

    /// The start of the UTC minute that holds this point; saturates at the start of the range.
    pub const fn minute(self) -> Self {
        Self(self.0.div_euclid(60_000_000).saturating_mul(60_000_000))
    }

    /// This point moved by `seconds` (negative: back); saturates at the ends of the range.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn an_hour_starts_at_a_multiple_of_3600_seconds_before_and_after_1970() {
        assert_eq!(Timestamp::from_seconds(7_201).hour().seconds(), 7_200);
        assert_eq!(Timestamp::from_seconds(-1).hour().seconds(), -3_600);
        assert_eq!(Timestamp::from_seconds(i64::MIN).hour(), Timestamp::from_micros(i64::MIN));
    }
}
