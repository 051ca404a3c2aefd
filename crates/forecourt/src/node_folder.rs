//! Where a gateway of this machine keeps who it is and what it has counted, and what the machine is called.

use std::path::Path;

use forecourt_core::time::Timestamp;
use forecourt_gateway::sync::{Folder, FolderError};

/// How many processes may share a data folder.
const MOST: usize = 64;

/// The folder of the gateway in this process: `data_dir`, which is there, or one below it where another process of
/// this machine has that already, so that each is a node of its own and numbers its own batches.
///
/// # Errors
/// When its files cannot be read or written, or too many processes share it.
pub fn take(data_dir: &Path) -> Result<Folder, FolderError> {
    let now = Timestamp::from_micros(jiff::Timestamp::now().as_microsecond());
    let others = (2..=MOST).map(|number| data_dir.join(format!("gateway-{number}")));
    for folder in std::iter::once(data_dir.to_owned()).chain(others) {
        match Folder::take(&folder, now) {
            Err(FolderError::InUse(_)) => {}
            outcome => return outcome,
        }
    }
    Err(FolderError::InUse(data_dir.to_owned()))
}

/// What this machine calls itself.
pub fn host_name() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim() {
        "" => "gateway".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_on_one_folder_are_two_nodes_and_each_is_itself_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (take(folder.path()).unwrap(), take(folder.path()).unwrap());
        let ids = (one.node().clone(), two.node().clone());
        assert_ne!(ids.0, ids.1);
        drop((one, two));
        let (one, two) = (take(folder.path()).unwrap(), take(folder.path()).unwrap());
        assert_eq!((one.node().clone(), two.node().clone()), ids);
    }
}
