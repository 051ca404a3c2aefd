//! Is everything here that a build needs? Each missing thing is named, with how to get it.

use std::process::Command;

use crate::processes;

/// A version as major and minor number.
type Version = (u32, u32);

/// A program that must be there, and how to get it.
struct Need {
    program: &'static str,
    /// The oldest version that will do; `None`: any.
    at_least: Option<Version>,
    remedy: &'static str,
}

const NEEDS: [Need; 5] = [
    Need {
        program: "cargo",
        at_least: Some((1, 95)),
        remedy: "get Rust from https://rustup.rs, or `rustup update stable`",
    },
    Need { program: "rustc", at_least: Some((1, 95)), remedy: "`rustup update stable`" },
    Need {
        program: "node",
        at_least: Some((20, 19)),
        remedy: "Debian 13: `apt-get install nodejs npm`; older: https://nodejs.org/en/download",
    },
    Need { program: "npm", at_least: None, remedy: "comes with Node; Debian 13: `apt-get install npm`" },
    Need { program: "cc", at_least: None, remedy: "`apt-get install gcc libc6-dev`" },
];

/// Checks everything and reports all that is missing at once.
pub(crate) fn run() -> Result<(), String> {
    let mut missing = Vec::new();
    for need in &NEEDS {
        match verdict(need, version_text(need.program).as_deref()) {
            Ok(found) => println!("   {:<6} {found}", need.program),
            Err(problem) => missing.push(problem),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("this machine lacks something:\n  {}", missing.join("\n  ")))
}

/// What `program --version` says, if it runs at all.
fn version_text(program: &str) -> Option<String> {
    processes::find(program)?;
    processes::output(Command::new(program).arg("--version")).ok()
}

/// The first line of the version, or what is wrong and how to mend it.
fn verdict(need: &Need, text: Option<&str>) -> Result<String, String> {
    let Need { program, at_least, remedy } = need;
    let Some(text) = text else {
        return Err(format!("{program} is missing: {remedy}"));
    };
    let line = text.lines().next().unwrap_or_default().trim();
    let Some((major, minor)) = *at_least else {
        return Ok(line.to_owned());
    };
    match version(line) {
        Some(found) if found >= (major, minor) => Ok(line.to_owned()),
        Some(_) => {
            Err(format!("{program} is too old ({line}), {major}.{minor} or newer is needed: {remedy}"))
        }
        None => Err(format!(
            "{program} answers {line:?} to --version, {major}.{minor} or newer is needed: {remedy}"
        )),
    }
}

/// The first `MAJOR.MINOR` in a line such as `rustc 1.95.0 (…)` or `v20.20.2`.
fn version(line: &str) -> Option<Version> {
    line.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.').map(str::parse);
        match (numbers.next()?, numbers.next()?) {
            (Ok(major), Ok(minor)) => Some((major, minor)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Need = Need { program: "node", at_least: Some((20, 19)), remedy: "get it" };

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(version("v20.20.2"), Some((20, 20)));
        assert_eq!(version("no numbers here"), None);
    }

    #[test]
    fn a_version_is_compared_by_number_and_not_by_text() {
        assert!(verdict(&NODE, Some("v20.19.0")).is_ok());
        assert!(verdict(&NODE, Some("v20.9.0")).unwrap_err().contains("too old"));
        assert!(verdict(&NODE, Some("v100.0.0")).is_ok());
    }

    #[test]
    fn a_missing_program_is_named_with_its_remedy() {
        assert_eq!(verdict(&NODE, None).unwrap_err(), "node is missing: get it");
    }
}
