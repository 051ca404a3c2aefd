//! A program that prints the master key.
//!
//! Invariant: it is run without a shell and for ten seconds at most, no more than a few kilobytes of it are read, and
//! what it prints is told to nobody.

use std::{
    io::Read,
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use forecourt_identity::sealing::MasterKey;

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
    let program = command.first().cloned().unwrap_or_default();
    let problem = |problem: String| MasterKeyError::Command { program: program.clone(), problem };
    let mut run = Command::new(&program);
    run.args(command.iter().skip(1)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = run.spawn().map_err(|error| problem(format!("cannot be run: {error}")))?;
    let ends = Instant::now() + PATIENCE;
    let (printed, said) = (child.stdout.take().map(read), child.stderr.take().map(read));
    let told = |output: Option<Receiver<Vec<u8>>>| {
        let left = ends.saturating_duration_since(Instant::now());
        output.and_then(|output| output.recv_timeout(left).ok())
    };
    let printed = told(printed);
    let said = told(said);
    if printed.is_none() || said.is_none() {
        let _ended = child.kill();
        let _reaped = child.wait();
        return Err(problem(format!("did not end within {} seconds", PATIENCE.as_secs())));
    }
    // Both outputs are closed, or were longer than is read: then it may wait for a reader, and is ended.
    let (_open, pause) = mpsc::channel::<()>();
    while Instant::now() < ends && matches!(child.try_wait(), Ok(None)) {
        let _paused = pause.recv_timeout(Duration::from_millis(5));
    }
    let _ended = child.kill();
    let status = child.wait().map_err(|error| problem(format!("cannot be waited for: {error}")))?;
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
}
