//! The id of the gateway in this process: made at its first start, kept as `node-id` under `data_dir`, so that it is the
//! same node after a restart.

use std::{fs, path::Path};

use forecourt_core::ids::{NodeId, is_chosen_id};

/// The id that is kept in `folder`; `fresh` is kept where there is none, or none that can be one.
///
/// # Errors
/// When the file cannot be read or written.
pub fn of(folder: &Path, fresh: NodeId) -> std::io::Result<NodeId> {
    let path = folder.join("node-id");
    match fs::read_to_string(&path) {
        Ok(text) if is_node_id(text.trim()) => return Ok(NodeId::known(text.trim())),
        Ok(_) => {
            tracing::warn!(file = %path.display(), "this file holds no id of a node; it is written anew")
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::write(&path, format!("{fresh}\n"))?;
    Ok(fresh)
}

fn is_node_id(text: &str) -> bool {
    text.starts_with("nod_") && is_chosen_id(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_kept_and_rubbish_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let of = |fresh: &str| of(folder.path(), NodeId::known(fresh)).unwrap();
        assert_eq!(of("nod_1"), NodeId::known("nod_1"));
        assert_eq!(of("nod_2"), NodeId::known("nod_1"));
        fs::write(folder.path().join("node-id"), "app_1\n").unwrap();
        assert_eq!(of("nod_3"), NodeId::known("nod_3"));
        assert_eq!(of("nod_4"), NodeId::known("nod_3"));
    }
}
