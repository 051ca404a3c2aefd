//! The real binary as a process of its own: for what only a process shows, such as exit codes and kill -9.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Client, TestDatabase};

/// How long a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running `forecourt serve` that has said `ready`; dropping it kills it.
#[derive(Debug)]
pub struct ForecourtProcess {
    child: Child,
    /// The JSON of its `ready` line.
    pub ready: Value,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
}

/// What a process that ended left behind.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Everything that it wrote to standard output; without the `ready` line where there was one.
    pub stdout: String,
    /// Everything that it wrote to standard error.
    pub stderr: String,
}

/// The variable that names another binary than the one beside: measurements are made with an optimised one.
pub const BINARY: &str = "FORECOURT_BINARY";

/// The binary beside this test's own executable, or the one that [`BINARY`] names.
///
/// # Panics
/// When it was not built: `cargo xtask test` builds it, and so does `cargo build --package forecourt`.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os(BINARY) {
        return named.into();
    }
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).expect("target/PROFILE/deps/TEST");
    let binary = folder.join("forecourt");
    assert!(binary.is_file(), "{} is missing: cargo build --package forecourt", binary.display());
    binary
}

/// A command on `database` with every listener on a free port of loopback; no other setting of this environment.
pub fn command(program: &Path, arguments: &[&str], database: &TestDatabase) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).envs(environment(database)).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The settings of [`command`] as they stand in the environment.
pub fn environment(database: &TestDatabase) -> HashMap<&'static str, String> {
    let free = || "127.0.0.1:0".to_owned();
    HashMap::from([
        ("FORECOURT__DATA_DIR", database.folder().display().to_string()),
        ("FORECOURT__DATABASE__URL", database.url()),
        ("FORECOURT__ADMIN__LISTEN", free()),
        ("FORECOURT__ADMIN__TLS_LISTEN", String::new()),
        ("FORECOURT__PORTAL_API__LISTEN", free()),
        ("FORECOURT__SITE__LISTEN", free()),
        ("FORECOURT__GATEWAY__LISTEN", free()),
        ("FORECOURT__GATEWAY__TLS_LISTEN", free()),
        ("FORECOURT__SYNC__LISTEN", free()),
        ("FORECOURT__STATUS__LISTEN", free()),
        // What a story's own clock dated may be old by the clock of the machine.
        ("FORECOURT__AUDIT__RETENTION_DAYS", "36500".to_owned()),
        ("FORECOURT_LOG", "warn".to_owned()),
    ])
}

/// Runs a command that ends by itself.
pub fn run(mut command: Command) -> Ended {
    let mut child = command.spawn().unwrap();
    let stderr = collect(child.stderr.take().unwrap());
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    let status = child.wait().unwrap();
    Ended { status, stdout, stderr: stderr.join().unwrap() }
}

impl ForecourtProcess {
    /// `forecourt serve` on `database`, once it is ready.
    ///
    /// Blocks its thread. A story that also runs an installation in its own process needs more than one
    /// (`flavor = "multi_thread"`).
    pub fn serve(database: &TestDatabase) -> Self {
        Self::start(command(&binary(), &["serve"], database))
    }

    /// A command that says `ready`.
    ///
    /// # Panics
    /// When it ends or closes its output before, with what it said.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stderr = collect(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some(ready) = line.strip_prefix("ready ") else {
            child.kill().ok();
            let status = child.wait().unwrap();
            panic!("no ready line but {line:?}, {status}; it said: {}", stderr.join().unwrap());
        };
        let ready = serde_json::from_str(ready).expect("JSON after ready");
        Self { child, ready, stdout, stderr: Some(stderr) }
    }

    /// A client of one of its parts, by the name in the `ready` line.
    pub fn client(&self, part: &str) -> Client {
        Client::new(crate::installations::text(&self.ready[part]))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory in megabytes of 1,048,576 bytes (proc(5), `status`); 0 where there is no such file.
    pub fn resident_megabytes(&self) -> u64 {
        self.kilobytes("VmRSS").unwrap_or(0) / 1_024
    }

    /// A figure of its memory by its name, such as `RssAnon`, in kilobytes of 1,024 bytes (proc(5), `status`).
    pub fn kilobytes(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let figure = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        figure.split_whitespace().next()?.parse().ok()
    }

    /// Ends it as a power cut would: no handler runs, nothing is flushed.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop with `signal`, such as `TERM`, and waits until it has.
    pub fn stop(mut self, signal: &str) -> Ended {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "the signal {signal} could not be sent");
        let deadline = Instant::now() + PATIENCE;
        let mut stdout = String::new();
        // Standard output closes when the process ends.
        self.stdout.read_to_string(&mut stdout).unwrap();
        let status = self.child.wait().unwrap();
        assert!(Instant::now() < deadline, "it took longer than {} s to stop", PATIENCE.as_secs());
        let stderr = self.stderr.take().map(|stderr| stderr.join().unwrap()).unwrap_or_default();
        Ended { status, stdout, stderr }
    }
}

impl Drop for ForecourtProcess {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

/// Reads to the end beside the test, so that the process never waits for a reader.
fn collect(mut stderr: ChildStderr) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).ok();
        String::from_utf8_lossy(&text).into_owned()
    })
}
