//! The pages' style sheets and scripts: built by Vite, only when something that they are made of has changed.
//!
//! Two stamps lie in `node_modules`: one of the lock file that was installed, one of the inputs of the last
//! build. Templates are inputs too, since the style sheet holds only the classes that they use.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    paths,
    processes::{self, run as run_command},
};

/// Brings `dist/` up to date.
pub(crate) fn run() -> Result<(), String> {
    let folder = paths::assets();
    if !folder.join("package.json").is_file() {
        return Err(format!("{}/package.json is missing: is this a whole checkout?", folder.display()));
    }
    install(&folder, "assets")?;
    if built(&folder)?.differs() || !folder.join("dist/manifest.json").is_file() {
        println!("== assets: building");
        run_command(npm(&folder).args(["run", "build"]))?;
        // Taken anew: the build writes one of its own inputs, the sprite of the icons.
        built(&folder)?.write()?;
    } else {
        println!("== assets: unchanged since the last build");
    }
    Ok(())
}

/// Installs the packages of the lock file in `folder`, if it has changed since it was installed; `step` is what
/// developers are told it is for.
pub(crate) fn install(folder: &Path, step: &str) -> Result<(), String> {
    let lock = Stamp {
        file: folder.join("node_modules/.installed-lock"),
        value: digest(&[folder.join("package-lock.json")])?,
    };
    if lock.differs() {
        println!("== {step}: installing the packages of package-lock.json");
        run_command(npm(folder).args(["ci", "--no-audit", "--no-fund"]))?;
        lock.write()?;
    }
    Ok(())
}

/// The stamp of what the build reads as it stands now.
fn built(folder: &Path) -> Result<Stamp, String> {
    Ok(Stamp { file: folder.join("node_modules/.built-inputs"), value: digest(&inputs(folder)?)? })
}

fn npm(folder: &Path) -> Command {
    let program = processes::find("npm").unwrap_or_else(|| "npm".into());
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

/// Everything that the build reads: the folder itself and the templates beside it.
fn inputs(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = paths::files_under(folder)?;
    let templates = folder.with_file_name("templates");
    if templates.is_dir() {
        files.extend(paths::files_under(&templates)?);
    }
    Ok(files)
}

/// What a step was last done with.
struct Stamp {
    file: PathBuf,
    value: String,
}

impl Stamp {
    fn differs(&self) -> bool {
        fs::read_to_string(&self.file).map_or(true, |written| written != self.value)
    }

    fn write(&self) -> Result<(), String> {
        // A project without packages has no node_modules of its own yet.
        self.file
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&self.file, &self.value))
            .map_err(|error| format!("{}: {error}", self.file.display()))
    }
}

/// A digest of names and contents; equal digests mean that nothing was touched.
fn digest(files: &[PathBuf]) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_differs_until_it_is_written_and_again_when_an_input_changes() {
        let folder = std::env::temp_dir().join(format!("forecourt-assets-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let input = folder.join("style.css");
        fs::write(&input, "a {}").unwrap();
        let stamp = |files: &[PathBuf]| Stamp { file: folder.join("stamp"), value: digest(files).unwrap() };

        assert!(stamp(std::slice::from_ref(&input)).differs());
        stamp(std::slice::from_ref(&input)).write().unwrap();
        assert!(!stamp(std::slice::from_ref(&input)).differs());
        fs::write(&input, "b {}").unwrap();
        assert!(stamp(std::slice::from_ref(&input)).differs());
        fs::remove_dir_all(&folder).unwrap();
    }
}
