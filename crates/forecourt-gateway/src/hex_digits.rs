//! Hexadecimal digits of ids, which each request writes several times: eight at once, without a table.
//!
//! Invariant: always lower case, and two digits for each byte.

/// The digits of 16 bytes.
pub(crate) fn of(bytes: [u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    let words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word));
    for (eight, word) in digits.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *eight = of_word(word);
    }
    digits
}

/// The eight digits of a word, each half a byte moved to a byte of its own.
const fn of_word(word: u32) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let word = word as u64;
    let pairs = (word << 16 | word) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs << 8 | pairs) & 0x00ff_00ff_00ff_00ff;
    let halves = (bytes << 4 | bytes) & (0x0f * EACH);
    // 1 where a digit is beyond 9: adding 6 carries into the other half.
    let letters = ((halves + 6 * EACH) >> 4) & EACH;
    (halves + b'0' as u64 * EACH + letters * (b'a' - b'9' - 1) as u64).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn every_byte_has_its_two_digits_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..16 {
                let mut bytes = [0x5a; 16];
                bytes[place] = byte;
                assert_eq!(of(bytes).as_slice(), hex::encode(bytes).as_bytes());
            }
        }
    }
}
