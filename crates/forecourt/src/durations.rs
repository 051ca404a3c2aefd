//! Lengths of time as people write them: `24h`, `30m`, `90s`, `7d`, `500ms`.

use std::time::Duration;

/// The units, the longest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];

/// Reads a whole number and its unit.
///
/// # Errors
/// What would be right.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("must be a whole number with ms, s, m, h or d behind it, such as 24h; it is {text:?}");
    let (number, millis) = UNITS
        .iter()
        .find_map(|(unit, millis)| Some((text.trim().strip_suffix(unit)?, *millis)))
        .ok_or_else(wrong)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = if is_number { number.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
    let millis = number.checked_mul(millis).filter(|millis| *millis <= i64::MAX.unsigned_abs() / 1_000);
    millis.map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        for (text, millis) in [
            ("24h", 86_400_000),
            ("1d", 86_400_000),
            ("30m", 1_800_000),
            ("5s", 5_000),
            ("250ms", 250),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "h", "24", "1.5h", "-1h", "24 h", "+1h", "24H", "99999999999999999999h", "9999999999999999h"]
        {
            let refused = parse(text).unwrap_err();
            assert!(refused.contains("such as 24h"), "{text}: {refused}");
        }
    }
}
