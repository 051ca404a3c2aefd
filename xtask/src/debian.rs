//! Packages of Debian that tests and measurements need: installed when we may, asked for when we may not.

use std::process::Command;

use crate::processes::{find, run};

/// Makes sure that `program` is on the search path, from `package` if it is missing.
pub(crate) fn require(program: &str, package: &str, purpose: &str) -> Result<(), String> {
    if find(program).is_some() {
        return Ok(());
    }
    println!("-- {program} is missing ({purpose})");
    install(package)?;
    match find(program) {
        Some(_) => Ok(()),
        None => Err(format!("{program} is still missing after installing {package}: is its folder on PATH?")),
    }
}

/// Installs one package, or says how to.
pub(crate) fn install(package: &str) -> Result<(), String> {
    if find("apt-get").is_none() {
        return Err(format!("{package} is needed: install it with this system's package tool"));
    }
    if !is_root() {
        return Err(format!("{package} is needed: sudo apt-get install {package}"));
    }
    println!("-- installing {package}");
    // The lists of a fresh machine are empty or old: read them once and try again before giving up.
    if run(&mut apt_get(&["install", "-y", "--no-install-recommends", package])).is_ok() {
        return Ok(());
    }
    run(&mut apt_get(&["update"]))?;
    run(&mut apt_get(&["install", "-y", "--no-install-recommends", package]))
}

/// Whether this process may install packages and change its user.
pub(crate) fn is_root() -> bool {
    crate::processes::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q").args(arguments);
    command
}
