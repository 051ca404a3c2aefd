//! Python programs that stories judge by: each in a virtual environment of its own under `target/python`.
//!
//! A requirements file names every package with its exact version, those that others need included: nothing that it
//! does not name is installed. A record in the environment says what it was made from; where that still holds, nothing
//! is done.

use std::{fs, path::Path, process::Command};

use crate::{
    debian, paths,
    processes::{output, run},
};

/// Brings the virtual environment `target/python/NAME` up to date with `requirements`, a file of pinned packages.
pub(crate) fn install(requirements: &Path, name: &str) -> Result<(), String> {
    require_python()?;
    let wanted =
        fs::read_to_string(requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    // An environment works with the Python that made it alone.
    let version = output(Command::new("python3").arg("--version"))?;
    let folder = paths::target().join("python").join(name);
    let record = folder.join(".installed-requirements");
    let wanted = format!("{version}{wanted}");
    if is_recorded(&record, &wanted) {
        return Ok(());
    }
    println!("== {name}: installing the packages of {}", requirements.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = || {
        let mut command = Command::new(folder.join("bin/python"));
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    };
    run(pip().args(["install", "--quiet", "--no-deps", "--only-binary", ":all:", "-r"]).arg(requirements))?;
    // Fails where the file leaves out what a package needs.
    run(pip().arg("check"))?;
    fs::write(&record, &wanted).map_err(|error| format!("{}: {error}", record.display()))
}

/// Debian has the interpreter and what makes environments in two packages.
fn require_python() -> Result<(), String> {
    debian::require("python3", "python3", "stories are judged by Python programs")?;
    let makes_environments =
        || output(Command::new("python3").args(["-c", "import ensurepip, venv"])).map(drop);
    makes_environments().or_else(|_| {
        debian::install("python3-venv")?;
        makes_environments()
    })
}

fn is_recorded(record: &Path, wanted: &str) -> bool {
    fs::read_to_string(record).is_ok_and(|recorded| recorded == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_made_anew_when_a_pin_or_the_interpreter_has_changed() {
        let record = std::env::temp_dir().join(format!("forecourt-python-{}", std::process::id()));
        assert!(!is_recorded(&record, "Python 3.11.2\na==1\n"));
        fs::write(&record, "Python 3.11.2\na==1\n").unwrap();
        assert!(is_recorded(&record, "Python 3.11.2\na==1\n"));
        assert!(!is_recorded(&record, "Python 3.11.2\na==2\n"));
        assert!(!is_recorded(&record, "Python 3.13.1\na==1\n"));
        fs::remove_file(&record).unwrap();
    }
}
