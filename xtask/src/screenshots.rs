//! Pictures of every page, for eyes: `cargo xtask screenshots`.
//!
//! The demo runs on free ports; `scripts/walk.mjs` of the assets walks it with a browser and writes
//! `screenshots/`, which git ignores. The script gets the demo's `ready` line in FORECOURT_READY and the
//! folder in OUT.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use crate::{assets, debian, doctor, paths, processes};

/// Walks the pages; relative to the folder of the assets.
const SCRIPT: &str = "scripts/walk.mjs";

/// The listeners, each moved to a free port so that a running Forecourt is not disturbed.
const LISTENERS: [&str; 6] = [
    "FORECOURT__ADMIN__LISTEN",
    "FORECOURT__ADMIN__TLS_LISTEN",
    "FORECOURT__PORTAL_API__LISTEN",
    "FORECOURT__SITE__LISTEN",
    "FORECOURT__GATEWAY__LISTEN",
    "FORECOURT__STATUS__LISTEN",
];

/// Builds, starts the demo, walks its pages, and stops it.
pub(crate) fn run() -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    if !paths::assets().join(SCRIPT).is_file() {
        return Err(format!("{SCRIPT} is missing in {}", paths::assets().display()));
    }
    debian::require("chromium", "chromium", "it takes the pictures")?;
    processes::run(processes::cargo().args(["build", "--locked", "--package", "forecourt"]))?;
    let demo = Demo::start()?;
    let folder = paths::root().join("screenshots");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    processes::run(
        Command::new("node")
            .arg(SCRIPT)
            .current_dir(paths::assets())
            .env("FORECOURT_READY", &demo.ready)
            .env("OUT", &folder),
    )?;
    println!("== screenshots: in {}", folder.display());
    Ok(())
}

/// A running demo; dropping it stops it.
struct Demo {
    process: Child,
    /// The JSON of its `ready` line.
    ready: String,
}

impl Demo {
    fn start() -> Result<Self, String> {
        let mut command = processes::cargo();
        command.args(["run", "--quiet", "--locked", "--package", "forecourt", "--", "demo"]);
        command.envs(LISTENERS.map(|name| (name, "127.0.0.1:0"))).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process =
            command.spawn().map_err(|error| format!("the demo could not be started: {error}"))?;
        let output = process.stdout.take().map(BufReader::new);
        let mut lines = output.into_iter().flat_map(BufReader::lines).map_while(Result::ok);
        let ready = lines.by_ref().find_map(|line| ready_json(&line));
        // A pipe that nobody reads would stop the demo at its next line.
        std::thread::spawn(move || lines.for_each(drop));
        let demo = Self { process, ready: ready.clone().unwrap_or_default() };
        ready.map(|_| demo).ok_or_else(|| "the demo ended before its `ready` line".to_owned())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // `cargo run` becomes the program itself on Unix, so this id is the demo's; TERM lets it drain.
        let stopped = Command::new("kill").arg(self.process.id().to_string()).status();
        if let Err(error) = stopped.and_then(|_| self.process.wait()) {
            eprintln!("the demo (process {}) could not be stopped: {error}", self.process.id());
        }
    }
}

/// The JSON of a line `ready {…}`.
fn ready_json(line: &str) -> Option<String> {
    line.strip_prefix("ready ").filter(|json| json.starts_with('{')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ready_line_is_taken_for_it() {
        assert_eq!(
            ready_json(r#"ready {"admin":"http://127.0.0.1:1"}"#).unwrap(),
            r#"{"admin":"http://127.0.0.1:1"}"#
        );
        assert_eq!(ready_json("ready soon"), None);
        assert_eq!(ready_json("not ready {}"), None);
    }
}
