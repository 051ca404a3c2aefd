//! Peers that are processes of node: scripts of `peers/`, with the packages that are installed there.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

/// What runs `script`, which needs `package`; it takes further arguments, and hears nothing unless told so.
///
/// # Panics
/// When the packages are not installed.
pub fn command(script: &str, package: &str) -> Command {
    let peers = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers");
    assert!(
        peers.join("node_modules").join(package).is_dir(),
        "{} has no packages: `cargo xtask test` installs them, and so does `npm ci` there",
        peers.display()
    );
    let mut command = Command::new("node");
    command.arg(script).current_dir(&peers).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Starts it: the process, and what it says.
///
/// # Panics
/// When there is no node.
pub fn start(command: &mut Command) -> (Child, BufReader<ChildStdout>) {
    let mut child =
        command.spawn().expect("node could not be started: `cargo xtask doctor` says how to get it");
    let said = BufReader::new(child.stdout.take().unwrap());
    (child, said)
}

/// The next line that it says; empty where it ended.
///
/// # Panics
/// When that is not a text.
pub fn heard(said: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line
}

/// Blocks its thread until `peer` says that it is ready.
///
/// # Panics
/// When it says something else, or ends.
pub fn ready(peer: &str, said: &mut BufReader<ChildStdout>) {
    let line = heard(said);
    assert!(line.starts_with("ready "), "{peer} did not start: {line:?}");
}
