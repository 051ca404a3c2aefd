//! The files of `deploy/`: judged in seconds, and with `--run` built and run by podman.
//!
//! What judges them are Python packages, pinned in `xtask/deploy/requirements.txt`: Helm's own library, the schemas of
//! Kubernetes, the rules of Compose, hadolint. Nothing here needs a cluster or Docker.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    assets, debian, paths,
    processes::{self, find},
    python_tools,
};

const UNITS: [&str; 2] = ["forecourt.service", "forecourt-gateway.service"];

/// Where the units expect the program.
const PROGRAM: &str = "/usr/local/bin/forecourt";

/// The most that systemd may find a unit to be exposed, in tenths of its ten steps.
const EXPOSURE: &str = "--threshold=15";

/// Judges everything; `arguments` may ask for `--run`, and for `--stand-ins` beside it.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (mut runs, mut stand_ins) = (false, false);
    for argument in arguments {
        match argument.as_str() {
            "--run" => runs = true,
            "--stand-ins" => stand_ins = true,
            unknown => {
                return Err(format!("{unknown:?} is not known to it: there are --run and --stand-ins"));
            }
        }
    }
    if stand_ins && !runs {
        return Err("--stand-ins are for --run".to_owned());
    }
    lint()?;
    if runs { run_it(stand_ins) } else { Ok(()) }
}

/// Judges what can be judged without running it.
pub(crate) fn lint() -> Result<(), String> {
    println!("== deploy: image, compose file, chart, units");
    python_tools::install(&scripts().join("requirements.txt"), ENVIRONMENT)?;
    let images = [paths::root().join("deploy/Dockerfile"), scripts().join("postgres/Dockerfile")];
    processes::run(Command::new(tool("hadolint")).args(images))?;
    processes::run(Command::new(tool("python")).arg(scripts().join("lint.py")).arg(paths::root()))?;
    units()
}

/// Whether systemd understands each line of the units, and how much they leave open.
fn units() -> Result<(), String> {
    debian::require("systemd-analyze", "systemd", "it reads the units")?;
    let folder = folder()?;
    for unit in UNITS {
        let source = paths::root().join("deploy/systemd").join(unit);
        let copy = folder.join(unit);
        // Whether the program is there is another machine's question.
        fs::read_to_string(&source)
            .and_then(|text| fs::write(&copy, text.replace(PROGRAM, "/bin/true")))
            .map_err(|error| format!("{unit}: {error}"))?;
        silent(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy))?;
        let judged = ["security", "--offline=yes", "--no-pager", EXPOSURE];
        processes::output(Command::new("systemd-analyze").args(judged).arg(&copy))?;
    }
    println!("   {} units", UNITS.len());
    Ok(())
}

/// Runs a command that says something only where it finds something: a key that systemd does not know is told, and
/// the exit code is that of success.
fn silent(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("systemd-analyze: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() && said.trim().is_empty() {
        return Ok(());
    }
    Err(format!("systemd-analyze says\n{}", said.trim()))
}

/// Builds the program as it is released, the image around it, and runs both kinds of containers.
fn run_it(stand_ins: bool) -> Result<(), String> {
    if find("podman").is_none() {
        return Err("podman is needed: install it with this system's package tool".to_owned());
    }
    assets::run()?;
    processes::run(processes::cargo().args(["build", "--release", "--locked", "--package", "forecourt"]))?;
    println!("== deploy: running the image and the compose file");
    let mut command = Command::new(tool("python"));
    command.arg(scripts().join("run.py")).arg(paths::root()).arg(paths::target().join("release/forecourt"));
    command.arg(folder()?);
    if stand_ins {
        debian::require("debootstrap", "debootstrap", "it makes what stands in for base images")?;
        command.arg("--stand-ins");
    }
    processes::run(&mut command)
}

/// The name of the Python environment of the judges.
const ENVIRONMENT: &str = "deploy";

fn tool(name: &str) -> PathBuf {
    paths::target().join("python").join(ENVIRONMENT).join("bin").join(name)
}

fn scripts() -> PathBuf {
    paths::root().join("xtask/deploy")
}

/// The folder of what is made on the way.
fn folder() -> Result<PathBuf, String> {
    let folder = paths::target().join("deploy");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_does_not_know_is_refused_before_anything_is_judged() {
        let refused = |words: &[&str]| {
            run(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap_err()
        };
        assert!(refused(&["--run", "--stand-in"]).starts_with("\"--stand-in\" is not known"));
        assert_eq!(refused(&["--stand-ins"]), "--stand-ins are for --run");
    }
}
