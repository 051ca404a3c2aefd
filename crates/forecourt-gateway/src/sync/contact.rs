//! When the control plane was last heard, kept on the disk: a node that was restarted is as stale as it was.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use forecourt_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::records::{self, Found};

const NAME: &str = "contact";

/// The last contact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    /// When, by the control plane's clock.
    pub(crate) at: Timestamp,
    /// By how many microseconds that clock is ahead of this machine's.
    pub(crate) offset: i64,
    /// The last revision that was acknowledged; a state that does not reach it was cut off.
    pub(crate) acknowledged: i64,
}

impl Contact {
    /// What this folder says; `None`: nothing that can be believed.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let bytes = fs::read(folder.join(NAME)).ok()?;
        match records::read(&mut bytes.as_slice()).ok()? {
            Found::Body(body) => serde_json::from_slice(&body).ok(),
            Found::End | Found::Torn | Found::Damaged => None,
        }
    }

    /// Writes it to this folder, in the place of what is there, at once.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut record = Vec::new();
        records::append(&mut record, &serde_json::to_vec(self)?);
        let coming = folder.join("contact.coming");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&coming)?;
        file.write_all(&record)?;
        file.sync_data()?;
        fs::rename(coming, folder.join(NAME))?;
        File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_is_read_back_and_one_with_any_bit_flipped_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Contact::read(folder.path()), None);
        let contact = Contact { at: Timestamp::from_seconds(9), offset: -5, acknowledged: 7 };
        contact.write(folder.path()).unwrap();
        assert_eq!(Contact::read(folder.path()), Some(contact));
        let bytes = fs::read(folder.path().join(NAME)).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(folder.path().join(NAME), flipped).unwrap();
            assert_eq!(Contact::read(folder.path()), None, "bit {bit}");
        }
    }
}
