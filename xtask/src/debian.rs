//! Packages of Debian that tests and measurements need: installed when we may, asked for when we may not.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::processes::{find, run};

/// Debian asks this program whether a service may be started; 101 means no.
const POLICY: &str = "/usr/sbin/policy-rc.d";

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
    let _policy = NoServices::while_installing()?;
    // The lists of a fresh machine are empty or old: read them once and try again before giving up.
    if run(&mut apt_get(&["install", "-y", "--no-install-recommends", package])).is_ok() {
        return Ok(());
    }
    run(&mut apt_get(&["update"]))?;
    run(&mut apt_get(&["install", "-y", "--no-install-recommends", package]))
}

/// While this lives, installing a package starts no service: nothing is to listen but what a test starts.
struct NoServices {
    ours: bool,
}

impl NoServices {
    fn while_installing() -> Result<Self, String> {
        // A container often brings this file with it; then it stays as it is.
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n")
            .and_then(|()| fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)))
            .map_err(|error| format!("{POLICY}: {error}"))?;
        Ok(Self { ours: true })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("{POLICY} could not be removed: {error}");
        }
    }
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
