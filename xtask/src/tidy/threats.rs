//! The threat model and its tests: what docs/threat-model.md says a test shows, a test of that name shows.
//!
//! A name in backticks of four words or more, joined by underscores, is a test's. Each row of a threat (`| T1 | …`)
//! names one at least.

use std::{collections::HashSet, iter};

use super::{File, Finding, sources};

const RULE: &str = "threats";

/// Where the threats stand.
const MODEL: &str = "docs/threat-model.md";

/// Checks the threat model against the functions of all crates.
pub(super) fn check(files: &[File]) -> Vec<Finding> {
    let Some(model) = files.iter().find(|file| file.path == MODEL) else { return Vec::new() };
    let known = functions(files);
    let mut findings = Vec::new();
    for (index, line) in model.text.lines().enumerate() {
        let tests: Vec<&str> = line.split('`').skip(1).step_by(2).filter(|word| is_test(word)).collect();
        for test in tests.iter().filter(|test| !known.contains(**test)) {
            let message = format!("there is no test {test}: name the one that shows it");
            findings.push(model.finding(RULE, index + 1, message));
        }
        if is_threat(line) && tests.is_empty() {
            let message = "a threat without a test: name the one that shows what stops it".to_owned();
            findings.push(model.finding(RULE, index + 1, message));
        }
    }
    findings
}

/// The names of all functions in `crates/`.
fn functions(files: &[File]) -> HashSet<String> {
    let mut found = HashSet::new();
    for file in files.iter().filter(|file| file.is_rust() && file.path.starts_with("crates/")) {
        let code = sources::code(&file.text);
        let words: Vec<&str> = sources::words(&code).map(|(_, word)| word).collect();
        let pairs = iter::zip(&words, words.iter().skip(1));
        found.extend(pairs.filter(|(keyword, _)| **keyword == "fn").map(|(_, name)| (*name).to_owned()));
    }
    found
}

fn is_test(word: &str) -> bool {
    let fits = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    word.matches('_').count() >= 3 && word.chars().all(|character| character == '_' || fits(character))
}

/// Whether the line is the row of a threat: its first cell is a T and a number.
fn is_threat(line: &str) -> bool {
    let number = line.strip_prefix("| T").and_then(|rest| rest.split(' ').next());
    number.is_some_and(|number| !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(model: &str) -> Vec<String> {
        let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
        let test = "async fn a_wrong_key_is_refused() {}\n// fn one_that_is_gone() {}";
        let files = [
            file("crates/a/tests/a.rs", test),
            file("xtask/src/a.rs", "fn one_that_is_elsewhere() {}"),
            file(MODEL, model),
        ];
        check(&files).into_iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
    }

    #[test]
    fn a_test_that_exists_passes_and_other_words_are_no_tests() {
        let model =
            "| T1 | guessing | limits (`per_account`, `Some_Thing_Else_Here`) | `a_wrong_key_is_refused` |";
        assert_eq!(messages(model), Vec::<String>::new());
        assert_eq!(messages("See `a.rs`.\n| Tokens | x |"), Vec::<String>::new());
    }

    #[test]
    fn a_test_that_is_gone_commented_out_or_of_no_crate_is_found() {
        for gone in ["one_that_is_gone", "one_that_is_elsewhere", "one_that_never_was"] {
            let found = messages(&format!("# Threats\n| T1 | a | b | `a_wrong_key_is_refused`, `{gone}` |"));
            assert_eq!(found, [format!("2: there is no test {gone}: name the one that shows it")]);
        }
    }

    #[test]
    fn a_threat_without_a_test_is_found() {
        let found = messages("| T12 | guessing | limits | somebody looked |");
        assert_eq!(found, ["1: a threat without a test: name the one that shows what stops it"]);
    }

    #[test]
    fn without_a_threat_model_there_is_nothing_to_check() {
        assert_eq!(check(&[]), []);
    }
}
