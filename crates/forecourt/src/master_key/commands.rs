//! A program that prints the master key.
//!
//! Invariant: it is run without a shell and for ten seconds at most, no more than a few kilobytes of it are read, and
//! what it prints is told to nobody. It has a process group of its own, so that all that it started
//! ends with it where it has to be ended.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use forecourt_identity::sealing::MasterKey;
use rustix::process::{Pid, Signal, kill_process_group};

use super::MasterKeyError;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of either output is read, in bytes.
const READ: u64 = 4_096;
/// How many characters of standard error are told.
const TOLD: usize = 300;

/// The key that the program `command` prints; the first part is its name or path, the others are its arguments.
///
/// # Errors
/// When it cannot be run, fails, takes too long, or prints something else.
pub(super) fn run(command: &[String]) -> Result<MasterKey, MasterKeyError> {
    run_within(command, PATIENCE)
}

fn run_within(command: &[String], patience: Duration) -> Result<MasterKey, MasterKeyError> {
    let program = command.first().cloned().unwrap_or_default();
    let problem = |problem: String| MasterKeyError::Command { program: program.clone(), problem };
    let mut run = Command::new(&program);
    run.args(command.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    run.process_group(0);
    let mut child = run.spawn().map_err(|error| problem(format!("cannot be run: {error}")))?;
    let ends = Instant::now() + patience;
    let (printed, said) = (child.stdout.take().map(read), child.stderr.take().map(read));
    let told = |output: Option<Receiver<Vec<u8>>>| {
        let left = ends.saturating_duration_since(Instant::now());
        output.and_then(|output| output.recv_timeout(left).ok())
    };
    let printed = told(printed);
    let said = told(said);
    if printed.is_none() || said.is_none() {
        let _ended = end(&mut child);
        return Err(problem(format!("did not end within {} seconds", patience.as_secs_f32())));
    }
    // Both outputs are closed, or were longer than is read: then it may wait for a reader, and is ended.
    let (_open, pause) = mpsc::channel::<()>();
    let mut ended = None;
    while ended.is_none() && Instant::now() < ends {
        ended = child.try_wait().ok().flatten();
        if ended.is_none() {
            let _paused = pause.recv_timeout(Duration::from_millis(5));
        }
    }
    let status = match ended {
        Some(status) => status,
        None => end(&mut child).map_err(|error| problem(format!("cannot be waited for: {error}")))?,
    };
    let printed = printed.unwrap_or_default();
    let key = std::str::from_utf8(&printed).ok().and_then(MasterKey::from_hex);
    match key {
        Some(key) if status.success() => Ok(key),
        _ if status.success() => Err(problem("printed something else than 64 hex digits".to_owned())),
        _ => {
            let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
            let said: String =
                said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TOLD).collect();
            Err(problem(format!("failed ({status}): {}", said.trim())))
        }
    }
}

/// Ends a program that was not waited for yet, with all that is in its process group.
fn end(child: &mut Child) -> std::io::Result<ExitStatus> {
    // Nobody else can have its id before it was waited for.
    let _ended = kill_process_group(Pid::from_child(child), Signal::KILL);
    child.wait()
}

/// Reads beside the caller, who may give up before.
fn read(output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _read = output.take(READ).read_to_end(&mut bytes);
        let _told = sender.send(bytes);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<MasterKey, MasterKeyError> {
        run(&["sh".into(), "-c".into(), script.into()])
    }

    #[test]
    fn a_program_that_fails_is_told_by_what_it_says_and_never_by_what_it_prints() {
        let failed = shell("echo 0badsecret; echo the vault is closed >&2; exit 3").unwrap_err().to_string();
        assert!(failed.contains("the vault is closed") && failed.contains("\"sh\""), "{failed}");
        assert!(!failed.contains("0badsecret"), "{failed}");
        let long = shell("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1").unwrap_err().to_string();
        assert!(long.len() < 600, "{}", long.len());
        let missing = run(&["/nowhere/program".into()]).unwrap_err().to_string();
        assert!(missing.contains("cannot be run"), "{missing}");
        let other = shell("echo 0badsecret").unwrap_err().to_string();
        assert!(!other.contains("0badsecret"), "{other}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("started");
        // The inner one keeps the outputs open, as a helper that a program left behind does.
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        let begun = Instant::now();
        let hangs = run_within(&["sh".into(), "-c".into(), script], Duration::from_secs(2));
        let refused = hangs.unwrap_err().to_string();
        assert!(refused.contains("did not end within 2 seconds"), "{refused}");
        assert!(begun.elapsed() < Duration::from_secs(60), "the limit holds");
        let inner = std::fs::read_to_string(&file).unwrap();
        // Whoever takes in orphans may not have waited for it yet: then it is there as a zombie, with no command line.
        let is_there = || {
            let command = std::fs::read(format!("/proc/{}/cmdline", inner.trim())).unwrap_or_default();
            String::from_utf8_lossy(&command).contains("sleep")
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while is_there() {
            assert!(Instant::now() < deadline, "what it started lives on");
            thread::yield_now();
        }
    }
}
