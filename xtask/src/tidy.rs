//! The rules of ARCHITECTURE.md that a program can check: `cargo xtask tidy`, and a test of the test run.
//!
//! Each rule is a function from texts to findings, with its own tests that show it can fail. This file reads
//! the repository once and asks them all.

mod crates;
mod exceptions;
mod imports;
mod lengths;
mod locks;
mod names;
mod sources;
mod texts;
mod threats;
mod traits;

use std::fmt;

use crate::paths;

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule's name, as exceptions name it.
    pub(crate) rule: &'static str,
    /// The file, relative to the root.
    pub(crate) file: String,
    /// Counted from 1; 0 means the whole file.
    pub(crate) line: usize,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {} [{}]", self.file, self.line, self.message, self.rule)
    }
}

/// A text file of the repository.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_script(&self) -> bool {
        [".ts", ".mts", ".js", ".mjs"].iter().any(|ending| self.path.ends_with(ending))
    }

    fn finding(&self, rule: &'static str, line: usize, message: String) -> Finding {
        Finding { rule, file: self.path.clone(), line, message }
    }
}

/// Prints every breach; any is an error.
pub(crate) fn run() -> Result<(), String> {
    let findings = findings()?;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("   tidy");
            Ok(())
        }
        count => Err(format!("{count} breaches of the rules of ARCHITECTURE.md")),
    }
}

/// All breaches in this repository that no exception covers.
fn findings() -> Result<Vec<Finding>, String> {
    let files = files()?;
    let mut findings = traits::check(&files);
    findings.extend(threats::check(&files));
    for file in &files {
        if file.is_rust() {
            findings.extend(imports::check(file));
            findings.extend(names::check(file));
        }
        findings.extend(crates::check(file));
        findings.extend(lengths::check(file));
        findings.extend(locks::check(file));
        findings.extend(texts::check(file));
    }
    let listed = files.iter().find(|file| file.path == exceptions::FILE).map_or("", |file| &file.text);
    let mut findings = exceptions::apply(listed, findings);
    findings.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
    Ok(findings)
}

/// Every file of the repository that is UTF-8 text.
fn files() -> Result<Vec<File>, String> {
    let root = paths::root();
    let mut files = Vec::new();
    for path in paths::files_under(&root)? {
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let relative = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File { path: relative, text });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let findings: Vec<String> = findings().unwrap().iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }

    #[test]
    fn the_repository_is_read_at_all() {
        let files = files().unwrap();
        assert!(files.iter().any(|file| file.path == "xtask/src/tidy.rs"));
        assert!(!files.iter().any(|file| file.path.starts_with("target/")));
    }
}
