//! What tells a control plane and a node that they hold the same rows, without sending them.
//!
//! A set of rows is told by their number and the sum of a 64-bit digest of each (kind, key, revision): a row that
//! comes, goes or changes moves the sum by its own digest, in any order. The body is left out: with one line of
//! revisions a row's revision stands for its body, and two lines of revisions are told apart by their marks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Kind;

/// How many rows there are of a kind, and which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsDigest {
    /// Live rows.
    pub rows: u64,
    /// The sum of their digests, modulo 2⁶⁴.
    pub sum: u64,
}

/// The digest of every kind that has rows; a kind that is absent has none.
pub type Digests = BTreeMap<Kind, RowsDigest>;

impl RowsDigest {
    /// Counts in a row that has come, as it stands since `revision`.
    pub fn add(&mut self, kind: Kind, key: &str, revision: i64) {
        self.rows = self.rows.wrapping_add(1);
        self.sum = self.sum.wrapping_add(row_digest(kind, key, revision));
    }

    /// Counts out a row that has gone or is about to be replaced, as it stood since `revision`.
    pub fn remove(&mut self, kind: Kind, key: &str, revision: i64) {
        self.rows = self.rows.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(row_digest(kind, key, revision));
    }

    /// The digest of both sets of rows, which have no row in common.
    pub const fn with(self, other: Self) -> Self {
        Self { rows: self.rows.wrapping_add(other.rows), sum: self.sum.wrapping_add(other.sum) }
    }
}

/// The kinds in which two sets of rows differ, in the order of [`Kind::ALL`].
pub fn differing(one: &Digests, other: &Digests) -> Vec<Kind> {
    let of = |digests: &Digests, kind| digests.get(&kind).copied().unwrap_or_default();
    Kind::ALL.into_iter().filter(|kind| of(one, *kind) != of(other, *kind)).collect()
}

/// The first 8 bytes, big-endian, of SHA-256 over the kind's name, a zero byte, the key, a zero byte and the revision
/// as 8 big-endian bytes.
fn row_digest(kind: Kind, key: &str, revision: i64) -> u64 {
    let mut hash = Sha256::new();
    for part in [kind.name().as_bytes(), &[0], key.as_bytes(), &[0], &revision.to_be_bytes()] {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_by_what_they_are_and_not_by_the_order_in_which_they_came() {
        let (mut one, mut other) = (RowsDigest::default(), RowsDigest::default());
        one.add(Kind::Grant, "a/b", 4);
        one.add(Kind::Grant, "a/c", 9);
        other.add(Kind::Grant, "a/c", 7);
        other.add(Kind::Grant, "a/b", 4);
        assert_ne!(one, other, "the same keys, one of them at an older revision");
        other.remove(Kind::Grant, "a/c", 7);
        other.add(Kind::Grant, "a/c", 9);
        assert_eq!(one, other);
    }

    #[test]
    fn kinds_that_differ_are_named_also_where_one_side_has_none() {
        let mut digest = RowsDigest::default();
        digest.add(Kind::Credential, "crd_1", 1);
        let one = Digests::from([(Kind::Credential, digest), (Kind::Route, RowsDigest::default())]);
        assert_eq!(differing(&one, &Digests::new()), [Kind::Credential]);
        assert!(differing(&one, &one).is_empty());
    }
}
