//! Ids in 16 bytes: an issued id is a fixed prefix and 32 hex digits, of which only the 16 bytes are kept.
//!
//! A million credentials stand on this. Invariant: packing and unpacking with one prefix gives the same text.

use std::{
    hash::{Hash, Hasher},
    num::NonZeroU8,
};

use hashbrown::Equivalent;

use crate::hex_digits;

/// An id without its kind's prefix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CompactId {
    /// `PREFIX_` and 16 bytes in lower-case hex.
    Issued(Issued),
    /// Any other text, such as an id chosen by a caller.
    Text(Box<Chosen>),
}

/// The bytes of an issued id. They begin with the time, whose first byte has not been 0 since 2004; that value tells
/// [`CompactId::Text`] apart without a byte of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    first: NonZeroU8,
    rest: [u8; 15],
}

/// A text behind a single word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chosen(Box<str>);

impl CompactId {
    /// Packs `text`, an id of the kind with this prefix.
    pub(crate) fn pack(prefix: &str, text: &str) -> Self {
        match issued_bytes(prefix, text).and_then(Issued::of) {
            Some(issued) => Self::Issued(issued),
            None => Self::Text(Box::new(Chosen(text.into()))),
        }
    }

    /// The id as its text.
    pub(crate) fn unpack(&self, prefix: &str) -> String {
        match self {
            Self::Issued(issued) => {
                let mut text = String::with_capacity(prefix.len() + 33);
                text.push_str(prefix);
                text.push('_');
                if let Ok(digits) = std::str::from_utf8(&hex_digits::of(issued.bytes())) {
                    text.push_str(digits);
                }
                text
            }
            Self::Text(text) => text.0.as_ref().to_owned(),
        }
    }
}

impl Issued {
    fn of(bytes: [u8; 16]) -> Option<Self> {
        let [first, rest @ ..] = bytes;
        Some(Self { first: NonZeroU8::new(first)?, rest })
    }

    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        let [first, rest @ ..] = &mut bytes;
        *first = self.first.get();
        *rest = self.rest;
        bytes
    }
}

/// In one step: tables of ids are searched with each row.
impl Hash for Issued {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_le_bytes(self.bytes()));
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
            "crd_00000000000000000000000000000000",
            "crd_009fd9b00c007fffbfffffffffffffff",
            "crd_01000000000000000000000000000000",
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
        assert_eq!(size_of::<CompactId>(), 16);
        assert!(matches!(
            CompactId::pack("crd", "crd_019fd9b00c007fffbfffffffffffffff"),
            CompactId::Issued(_)
        ));
    }

    #[test]
    fn ids_are_equal_where_their_texts_are() {
        let texts = [
            "app_019fd9b00c007fffbfffffffffffffff",
            "app_019fd9b00c007fffbffffffffffffffe",
            "app_01",
            "app_00",
        ];
        let ids = || texts.map(|text| CompactId::pack("app", text));
        for (place, id) in ids().iter().enumerate() {
            for (other_place, other) in ids().iter().enumerate() {
                assert_eq!(id == other, place == other_place, "{id:?} {other:?}");
            }
        }
    }
}
