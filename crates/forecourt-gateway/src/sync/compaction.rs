//! Writing a state file anew without what was replaced or deleted since, beside everything else.

use std::{
    collections::{HashMap, hash_map::Entry},
    io,
    path::Path,
};

use forecourt_core::{gateway_state::Kind, ids::NodeId};
use forecourt_wire::{changes::Change, sync::Position};
use sha2::{Digest as _, Sha256};

use super::state_file::{self, StateFile};

/// Below this a file is left alone, in bytes.
const WORTH_IT: u64 = 16 << 20;
/// A file is written anew when it is so many times as long as the state that it begins with.
const TIMES: u64 = 4;

/// Whether a file of this length, of which the first state takes that much, should be written anew.
pub(crate) const fn is_due(length: u64, state_length: u64) -> bool {
    length > WORTH_IT && length > state_length.saturating_mul(TIMES)
}

/// Writes the rows that stand at `position`, where the file `from` has `length` bytes, to a new file `to`. It is not
/// forced onto the disk yet.
///
/// # Errors
/// When the one cannot be read or the other not be written.
pub(crate) fn compact(
    (from, length, position): (&Path, u64, &Position),
    to: &Path,
    node: &NodeId,
) -> io::Result<StateFile> {
    let mut newest: HashMap<u128, i64> = HashMap::new();
    state_file::walk(from, length, |rows| {
        for row in rows {
            match newest.entry(name_of(row.kind, &row.key)) {
                Entry::Occupied(mut known) => {
                    let revision = row.revision.max(*known.get());
                    known.insert(revision);
                }
                Entry::Vacant(place) => {
                    place.insert(row.revision);
                }
            }
        }
        Ok(())
    })?;
    let mut file = StateFile::create(to, node)?;
    state_file::walk(from, length, |rows| {
        let mut standing: Vec<Change> = Vec::new();
        for row in rows {
            let Entry::Occupied(known) = newest.entry(name_of(row.kind, &row.key)) else { continue };
            if *known.get() == row.revision {
                // A row may stand there twice; once is enough.
                known.remove();
                standing.extend(row.resource.is_some().then_some(row));
            }
        }
        file.write(&state_file::row_records(&standing)?)
    })?;
    file.write(&state_file::position_record(position)?)?;
    Ok(file)
}

/// Half of a SHA-256: no two rows share it, and it is a third as long as a key.
fn name_of(kind: Kind, key: &str) -> u128 {
    let mut hash = Sha256::new();
    for part in [kind.name().as_bytes(), &[0], key.as_bytes()] {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.iter().take(16).fold(0, |name, byte| (name << 8) | u128::from(*byte))
}
