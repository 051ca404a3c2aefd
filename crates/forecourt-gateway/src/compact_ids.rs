//! Ids in 24 bytes: an issued id is a fixed prefix and 32 hex digits, of which only the 16 bytes are kept.
//!
//! A million credentials stand on this. Invariant: packing and unpacking with one prefix gives the same text.

use hashbrown::Equivalent;

use crate::hex_digits;

/// An id without its kind's prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CompactId {
    /// `PREFIX_` and these 16 bytes in lower-case hex.
    Issued([u8; 16]),
    /// Any other text, such as an id chosen by a caller.
    Text(Box<str>),
}

impl CompactId {
    /// Packs `text`, an id of the kind with this prefix.
    pub(crate) fn pack(prefix: &str, text: &str) -> Self {
        match issued_bytes(prefix, text) {
            Some(bytes) => Self::Issued(bytes),
            None => Self::Text(text.into()),
        }
    }

    /// The id as its text.
    pub(crate) fn unpack(&self, prefix: &str) -> String {
        match self {
            Self::Issued(bytes) => {
                let mut text = String::with_capacity(prefix.len() + 33);
                text.push_str(prefix);
                text.push('_');
                if let Ok(digits) = std::str::from_utf8(&hex_digits::of(*bytes)) {
                    text.push_str(digits);
                }
                text
            }
            Self::Text(text) => text.as_ref().to_owned(),
        }
    }
}

/// Compares by reference, so that tables can be searched without cloning the id.
impl Equivalent<CompactId> for &CompactId {
    fn equivalent(&self, key: &CompactId) -> bool {
        *self == key
    }
}

/// The bytes of an issued id. Rows are applied by the million and each names several ids, so all digits are looked
/// at alike and judged once at the end.
fn issued_bytes(prefix: &str, text: &str) -> Option<[u8; 16]> {
    const NO_DIGIT: u8 = 0x80;
    const fn value(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            // An id with capitals would not come back as it was.
            _ => NO_DIGIT,
        }
    }
    let digits: &[u8; 32] = text.strip_prefix(prefix)?.strip_prefix('_')?.as_bytes().try_into().ok()?;
    let mut bytes = [0u8; 16];
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let (high, low) = (value(*high), value(*low));
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen & NO_DIGIT == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::CompactId;

    #[test]
    fn every_id_comes_back_as_it_went_in() {
        for text in [
            "crd_019fd9b00c007fffbfffffffffffffff",
            "crd_019FD9B00C007fffbfffffffffffffff",
            "app_019fd9b00c007fffbfffffffffffffff",
            "chosen.by-somebody",
            "crd_019fd9b00c007fffbfffffffffffffffff",
            "crd_019fd9b00c007fffbffffffffffffff",
            "crd_019fd9b00c007fffbffffffffffffff/",
            "crd_019fd9b00c007fffbffffffffffffffg",
            "crd_019fd9b00c007:ffbffffffffffffff`",
            "crd_",
            "",
        ] {
            assert_eq!(CompactId::pack("crd", text).unpack("crd"), text);
        }
        assert_eq!(size_of::<CompactId>(), 24);
        assert!(matches!(
            CompactId::pack("crd", "crd_019fd9b00c007fffbfffffffffffffff"),
            CompactId::Issued(_)
        ));
    }
}
