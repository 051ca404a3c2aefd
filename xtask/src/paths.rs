//! Where things lie in the repository, and a walk over its own files.
//!
//! Folders that git ignores (build products, packages, data) are never entered.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What is never part of the repository, wherever it lies.
const IGNORED: [&str; 8] =
    [".git", ".cache", "target", "node_modules", "dist", "data", "screenshots", "test-results"];

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The folder that cargo builds into: this program lies in `debug` there.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().ok();
    let target = own.as_deref().and_then(|own| own.ancestors().nth(2)).map(Path::to_path_buf);
    target.unwrap_or_else(|| root().join("target"))
}

/// The folder of the pages' style sheets and scripts.
pub(crate) fn assets() -> PathBuf {
    root().join("crates/forecourt-web/assets")
}

/// Every file under `folder`, sorted by path; symbolic links are not followed.
pub(crate) fn files_under(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let entry = entry.map_err(|error| format!("{}: {error}", folder.display()))?;
            let kind = entry.file_type().map_err(|error| format!("{}: {error}", entry.path().display()))?;
            // In a worktree `.git` is a file.
            if entry.file_name().to_str().is_some_and(|name| IGNORED.contains(&name)) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
