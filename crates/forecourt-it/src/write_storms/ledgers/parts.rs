//! What a call of which no answer is known does, part by part: all of it happened or nothing.

use std::collections::BTreeMap;

use super::{Key, Place, fits};
use crate::consistency::Row;

/// A part of it that can be seen afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It is there, which was not.
    Made(Key),
    /// It is gone, which was there.
    Gone(Key),
    /// A column holds this, which it did not.
    Becomes(Place, String),
}

impl Part {
    /// Whether it was done; `None`: that cannot be seen.
    pub(super) fn is_done(&self, present: &BTreeMap<Key, &Row>) -> Option<bool> {
        match self {
            Self::Made(key) => Some(present.contains_key(key)),
            Self::Gone(key) => Some(!present.contains_key(key)),
            Self::Becomes((key, column), value) => {
                present.get(key).map(|row| fits(column, &row.told(column), value))
            }
        }
    }

    /// What it is about.
    pub(super) const fn key(&self) -> &Key {
        match self {
            Self::Made(key) | Self::Gone(key) | Self::Becomes((key, _), _) => key,
        }
    }
}
