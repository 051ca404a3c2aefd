//! How long is waited before an identity provider that could not be told something is told again.

/// The pause after the first attempt, seconds; each further one doubles it.
const FIRST: i64 = 10;
/// The longest pause between two attempts, seconds.
const LONGEST: i64 = 3_600;

/// The pause after so many attempts in vain (1 or more), in seconds: 10, 20, 40 … 3600.
pub(crate) fn after(attempts: i64) -> i64 {
    let doublings = attempts.saturating_sub(1).clamp(0, 16);
    (FIRST << doublings).min(LONGEST)
}
