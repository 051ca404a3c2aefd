//! Words that may stand nowhere: marks of unfinished work, and paths of somebody's machine.
//!
//! The words are put together from halves, so that this file passes its own check.

use super::{File, Finding};

/// Marks that belong into an issue instead.
const MARKS: [&str; 4] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Folders that exist on one machine only, with what may not stand before the slash.
const MACHINE_PATHS: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// A folder that users of a checkout do not have, and what is in it.
const OUTSIDE: [&str; 6] = [
    concat!("shared", "/design"),
    concat!("shared", "/contract"),
    concat!("shared", "/mission"),
    concat!("shared", "/specs"),
    concat!("shared", "/README"),
    concat!("shared", "/requirements"),
];

/// Checks every text but lock files, whose checksums hold any letters.
pub(super) fn check(file: &File) -> Vec<Finding> {
    if file.path.ends_with("Cargo.lock") || file.path.ends_with("package-lock.json") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let number = index + 1;
        if let Some(mark) = MARKS.iter().find(|mark| stands_alone(line, mark)) {
            findings.push(file.finding("unfinished", number, format!("{mark}: finish it, or file an issue")));
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| begins_path(line, path)) {
            findings.push(file.finding("machine-path", number, format!("{path} exists on one machine only")));
        }
        if let Some(path) = OUTSIDE.iter().find(|path| line.contains(**path)) {
            findings.push(file.finding(
                "machine-path",
                number,
                format!("{path} is not part of this repository"),
            ));
        }
    }
    findings
}

/// Whether `word` is in `line` and not a part of a longer one.
fn stands_alone(line: &str, word: &str) -> bool {
    let joins = |character: char| character.is_ascii_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = line.split_at(at);
        !before.ends_with(joins) && !after.get(word.len()..).unwrap_or_default().starts_with(joins)
    })
}

/// Whether an absolute path that begins with `path` is in `line`; `a/b/c` and URLs are none.
fn begins_path(line: &str, path: &str) -> bool {
    let continues = |character: char| character.is_ascii_alphanumeric() || ".-_/}~".contains(character);
    line.match_indices(path).any(|(at, _)| !line.split_at(at).0.ends_with(continues))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<&'static str> {
        check(&File { path: "a.md".to_owned(), text: text.to_owned() })
            .into_iter()
            .map(|found| found.rule)
            .collect()
    }

    #[test]
    fn marks_of_unfinished_work_are_found() {
        for mark in MARKS {
            assert_eq!(rules(&format!("// {mark}: later")), ["unfinished"]);
        }
        assert_eq!(rules(&format!("MY{}LIST", concat!("TO", "DO"))), Vec::<&str>::new());
    }

    #[test]
    fn paths_of_one_machine_are_found_and_urls_are_not() {
        for path in MACHINE_PATHS {
            assert_eq!(rules(&format!("cd {path}x")), ["machine-path"]);
            assert_eq!(rules(&format!("https://example.com{path}x")), Vec::<&str>::new());
        }
        assert_eq!(rules(concat!("see shared", "/design/x.md")), ["machine-path"]);
    }

    #[test]
    fn checksums_in_lock_files_are_left_alone() {
        let file = File { path: "a/package-lock.json".to_owned(), text: concat!("+XX", "X+").to_owned() };
        assert_eq!(check(&file), []);
    }
}
