//! The operating system's randomness.

use forecourt_core::random::Random;

/// Draws from the operating system's generator.
pub(crate) struct OsRandom;

impl Random for OsRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        // Without randomness no secret can be made and no id is unique: there is nothing sensible to go on with.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// So many random bytes, in lower-case hex.
pub(crate) fn hex(bytes: usize) -> String {
    let mut drawn = vec![0; bytes];
    OsRandom.fill(&mut drawn);
    drawn.iter().map(|byte| format!("{byte:02x}")).collect()
}
