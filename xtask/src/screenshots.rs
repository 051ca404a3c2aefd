//! Pictures of every page, for eyes: `cargo xtask screenshots`.
//!
//! An empty installation, the demo and the samples of every template run on free ports, one after the other; scripts
//! of the assets walk them with a browser and write `screenshots/`, which git ignores. A script gets the `ready` line
//! in FORECOURT_READY and its folder in OUT.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
};

use crate::{assets, debian, doctor, paths, processes};

/// Does the main job through both sites of an empty installation; relative to the folder of the assets.
const WALK: &str = "scripts/walk.mjs";

/// Opens every page of the demo, whose data are richer.
const TOUR: &str = "scripts/tour.mjs";

/// Opens every sample of every template: what no demo shows, such as refused forms, empty lists and questions.
const SAMPLES: &str = "scripts/screenshots.mjs";

/// How cargo is told to run Forecourt, and the samples.
const FORECOURT: &[&str] = &["--package", "forecourt", "--"];
const PREVIEW: &[&str] =
    &["--package", "forecourt-web", "--example", "preview", "--", "--listen", "127.0.0.1:0"];

/// The listeners, each moved to a free port so that a running Forecourt is not disturbed.
const LISTENERS: [&str; 7] = [
    "FORECOURT__ADMIN__LISTEN",
    "FORECOURT__ADMIN__TLS_LISTEN",
    "FORECOURT__PORTAL_API__LISTEN",
    "FORECOURT__SITE__LISTEN",
    "FORECOURT__GATEWAY__LISTEN",
    "FORECOURT__SYNC__LISTEN",
    "FORECOURT__STATUS__LISTEN",
];

/// Builds, walks through an empty installation, then through the demo, and looks at every sample.
pub(crate) fn run() -> Result<(), String> {
    doctor::run()?;
    assets::run()?;
    debian::require("chromium", "chromium", "it takes the pictures")?;
    processes::run(processes::cargo().args(["build", "--locked", "--package", "forecourt"]))?;
    let folder = paths::root().join("screenshots");
    if folder.is_dir() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    let data = env::temp_dir().join(format!("forecourt-screenshots-{}", process::id()));
    let empty = Running::start(FORECOURT, &["serve"], &[("FORECOURT__DATA_DIR", data.clone())])?;
    let walked = take(&empty, WALK, &folder.join("main-job"));
    drop(empty);
    fs::remove_dir_all(&data).map_err(|error| format!("{}: {error}", data.display()))?;
    walked?;
    take(&Running::start(FORECOURT, &["demo"], &[])?, TOUR, &folder.join("demo"))?;
    take(&Running::start(PREVIEW, &[], &[])?, SAMPLES, &folder.join("samples"))?;
    println!("== screenshots: in {}", folder.display());
    Ok(())
}

/// Runs a script against what is running; its pictures go into `folder`.
fn take(running: &Running, script: &str, folder: &Path) -> Result<(), String> {
    processes::run(
        Command::new("node")
            .arg(script)
            .current_dir(paths::assets())
            .env("FORECOURT_READY", &running.ready)
            .env("OUT", folder),
    )
}

/// A running Forecourt; dropping it stops it.
struct Running {
    process: Child,
    /// The JSON of its `ready` line.
    ready: String,
}

impl Running {
    fn start(program: &[&str], arguments: &[&str], settings: &[(&str, PathBuf)]) -> Result<Self, String> {
        let name = [program, arguments].concat().join(" ");
        let mut command = processes::cargo();
        command.args(["run", "--quiet", "--locked"]).args(program).args(arguments);
        command.envs(LISTENERS.map(|name| (name, "127.0.0.1:0"))).envs(settings.iter().cloned());
        command.env("FORECOURT_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process =
            command.spawn().map_err(|error| format!("`cargo run {name}` could not be started: {error}"))?;
        let output = process.stdout.take().map(BufReader::new);
        let mut lines = output.into_iter().flat_map(BufReader::lines).map_while(Result::ok);
        let ready = lines.by_ref().find_map(|line| ready_json(&line));
        // A pipe that nobody reads would stop the program at its next line.
        std::thread::spawn(move || lines.for_each(drop));
        let running = Self { process, ready: ready.clone().unwrap_or_default() };
        ready.map(|_| running).ok_or_else(|| format!("`cargo run {name}` ended before its `ready` line"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // `cargo run` becomes the program itself on Unix, so this id is the program's; TERM lets it drain.
        let stopped = Command::new("kill").arg(self.process.id().to_string()).status();
        if let Err(error) = stopped.and_then(|_| self.process.wait()) {
            eprintln!("process {} could not be stopped: {error}", self.process.id());
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
