//! Other programs: found, run, timed.
//!
//! Every command is shown before it runs, and how long it took is shown after it.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

/// Where `program` lies on the search path.
#[expect(clippy::disallowed_methods, reason = "the search path is an environment variable")]
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// The cargo that runs this program, without the variables that it set for this program alone.
#[expect(clippy::disallowed_methods, reason = "cargo hands over its own path in the environment")]
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_own_settings(&mut command);
    command.current_dir(crate::paths::root());
    command
}

/// Takes from `command` the variables that cargo set for this program alone: build scripts look at them, and what was
/// built before would be built again.
pub(crate) fn without_own_settings(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let own = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "LD_LIBRARY_PATH"
        });
        if own {
            command.env_remove(name);
        }
    }
}

/// Runs a command with its output shown; anything but success is an error that names it.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    match exit_code(command)? {
        0 => Ok(()),
        code => Err(format!("`{}` ended with code {code}", shown(command))),
    }
}

/// Runs a command with its output shown and gives its exit code (128 when a signal ended it).
pub(crate) fn exit_code(command: &mut Command) -> Result<i32, String> {
    println!("   $ {}", shown(command));
    let started = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("`{}` could not be started: {error}", shown(command)))?;
    let code = status.code().unwrap_or(128);
    println!(
        "   {} after {:.1} s",
        if code == 0 { "done" } else { "failed" },
        started.elapsed().as_secs_f64()
    );
    Ok(code)
}

/// What a command writes to standard output; its errors are shown.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{}` could not be started: {error}", shown(command)))?;
    if !output.status.success() {
        return Err(format!("`{}` ended with {}", shown(command), output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| format!("`{}` wrote something that is not text", shown(command)))
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let mut words =
        vec![command.get_program().to_string_lossy().rsplit('/').next().unwrap_or_default().to_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_named_with_its_code() {
        let error = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error, "`sh -c exit 3` ended with code 3");
    }

    #[test]
    fn a_program_that_is_not_there_is_not_found() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
