//! Times as the APIs and pages write them.

use forecourt_core::time::Timestamp;

/// ISO-8601 in UTC with milliseconds: `2026-08-07T09:00:00.000Z`.
pub fn iso(time: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(time.millis()) {
        Ok(time) => format!("{time:.3}"),
        // Beyond the year 9999; no clock of ours gets there.
        Err(_) => jiff::Timestamp::MAX.to_string(),
    }
}

/// The moment that an ISO-8601 text with an offset names; `None`: it names none.
pub fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|time| Timestamp::from_micros(time.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_and_a_z() {
        assert_eq!(iso(Timestamp::from_micros(1_786_093_200_000_999)), "2026-08-07T09:00:00.000Z");
    }
}
