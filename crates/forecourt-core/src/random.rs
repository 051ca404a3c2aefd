//! Randomness as an argument: production hands in the operating system's, tests a seeded one.

/// A source of unpredictable bytes.
pub trait Random {
    /// Overwrites all of `bytes` with random ones.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// `length` characters of `alphabet`, each equally likely.
///
/// `alphabet` must hold 1 to 256 ASCII characters. Bytes that would favour some characters are thrown away.
pub fn text(random: &mut dyn Random, alphabet: &[u8], length: usize) -> String {
    let fair = 256 - 256 % alphabet.len().max(1);
    let mut out = String::with_capacity(length);
    let mut bytes = [0u8; 64];
    while out.len() < length {
        random.fill(&mut bytes);
        for byte in bytes {
            let byte = usize::from(byte);
            if let Some(character) = alphabet.get(byte % alphabet.len().max(1))
                && byte < fair
                && out.len() < length
            {
                out.push(char::from(*character));
            }
        }
    }
    out
}
