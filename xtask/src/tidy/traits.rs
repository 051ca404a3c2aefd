//! A trait is for two things that differ: one with a single implementation is a detour.
//!
//! Counted over the whole repository, tests included, since a test's stand-in is a second implementation.

use std::collections::HashMap;

use super::{File, Finding, sources};

/// The rule, as exceptions name it.
pub(super) const RULE: &str = "single-trait";

/// Checks all Rust files together.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let code: Vec<(&File, String)> =
        files.iter().filter(|file| file.is_rust()).map(|file| (file, sources::code(&file.text))).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (name, many) in code.iter().flat_map(|(_, code)| implemented(code)) {
        *counts.entry(name).or_default() += if many { 2 } else { 1 };
    }
    let mut findings = Vec::new();
    for (file, code) in &code {
        for (line, name) in defined(code) {
            let count = counts.get(name).copied().unwrap_or_default();
            if count < 2 {
                let message =
                    format!("trait {name} has {count} implementations: use the type, or a function");
                findings.push(file.finding(RULE, line, message));
            }
        }
    }
    findings
}

/// The traits that a file defines, each with its line.
fn defined(code: &str) -> Vec<(usize, &str)> {
    let words: Vec<(usize, &str)> = sources::words(code).collect();
    let pairs = words.iter().zip(words.iter().skip(1));
    pairs.filter(|((_, keyword), _)| *keyword == "trait").map(|(_, (line, name))| (*line, *name)).collect()
}

/// The traits that a file implements, each with whether a macro makes many implementations of it.
fn implemented(code: &str) -> Vec<(&str, bool)> {
    let starts = code.match_indices("impl").map(|(at, word)| at + word.len());
    let headers = starts.filter_map(|start| code.get(start..)?.split(['{', ';']).next());
    headers.filter_map(|header| Some((trait_of(header)?, header.contains('$')))).collect()
}

/// `Name` in `<T> path::Name<U> for Type`.
fn trait_of(header: &str) -> Option<&str> {
    if !header.starts_with([' ', '<', '\n']) {
        return None;
    }
    let (path, _) = without_parameters(header).split_once(" for ")?;
    let path = path.split('<').next()?;
    path.rsplit("::").next().map(str::trim).filter(|name| !name.is_empty())
}

/// The header behind the `<…>` that it begins with.
fn without_parameters(header: &str) -> &str {
    if !header.starts_with('<') {
        return header;
    }
    let mut depth = 0_i32;
    for (at, character) in header.char_indices() {
        match character {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return header.get(at + 1..).unwrap_or_default();
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(texts: &[&str]) -> Vec<usize> {
        let files: Vec<File> =
            texts.iter().map(|text| File { path: "a.rs".to_owned(), text: (*text).to_owned() }).collect();
        check(&files).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_trait_with_one_implementation_or_none_is_found() {
        assert_eq!(findings(&["\npub trait Clock {}\nstruct A;\nimpl Clock for A {}"]), [2]);
        assert_eq!(findings(&["trait Clock {}"]), [1]);
    }

    #[test]
    fn two_implementations_in_different_files_are_enough() {
        let other = "impl<'a, T: Into<u8>> time::Clock<T> for B<'a> {}";
        assert_eq!(findings(&["trait Clock<T> {}\nimpl Clock<u8> for A {}", other]), Vec::<usize>::new());
    }

    #[test]
    fn a_macro_implements_for_many_and_an_argument_implements_nothing() {
        assert_eq!(findings(&["trait Id {}\nimpl Id for $name {}"]), Vec::<usize>::new());
        assert_eq!(findings(&["trait Id {}\nfn a(b: impl Id) {} impl A { }"]), [1]);
    }
}
