//! Names that say nothing: of files, functions and types.

use std::iter;

use super::{File, Finding, sources};

const RULE: &str = "names";

/// Words that fit anything and so name nothing.
const EMPTY_WORDS: [&str; 10] =
    ["manager", "managers", "helper", "helpers", "util", "utils", "utility", "utilities", "common", "misc"];

/// Beginnings that a verb of the field replaces.
const EMPTY_PREFIXES: [&str; 3] = ["handle_", "do_", "get_"];

/// Checks the name of a Rust file and the names that it defines.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let folders = file.path.strip_suffix(".rs").unwrap_or(&file.path).split(['/', '-']);
    for word in folders.flat_map(parts).filter(|part| EMPTY_WORDS.contains(&part.as_str())) {
        findings.push(file.finding(RULE, 0, format!("{word:?} in a path says nothing: name what is in it")));
    }
    let code = sources::code(&file.text);
    let words: Vec<(usize, &str)> = sources::words(&code).collect();
    for ((_, keyword), (line, name)) in iter::zip(&words, words.iter().skip(1)) {
        let defines = matches!(*keyword, "fn" | "struct" | "enum" | "trait" | "mod" | "type");
        if !defines {
            continue;
        }
        let prefix = EMPTY_PREFIXES.iter().find(|prefix| *keyword == "fn" && name.starts_with(**prefix));
        if let Some(prefix) = prefix {
            findings.push(file.finding(
                RULE,
                *line,
                format!("{name}: drop {prefix:?} and use the field's own verb"),
            ));
        }
        if let Some(word) = parts(name).find(|part| EMPTY_WORDS.contains(&part.as_str())) {
            findings.push(file.finding(
                RULE,
                *line,
                format!("{name}: {word:?} says nothing, name what it is"),
            ));
        }
    }
    findings
}

/// The words of a name, in lower case: `SessionManager` and `session_manager` have the same two.
fn parts(name: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::new();
    for character in name.chars() {
        if character.is_uppercase() {
            spaced.push('_');
        }
        spaced.extend(character.to_lowercase());
    }
    spaced.split('_').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn empty_words_are_found_in_files_functions_and_types() {
        assert_eq!(count("crates/a/src/utils.rs", ""), 1);
        assert_eq!(count("crates/a/src/common/b.rs", ""), 1);
        assert_eq!(count("a.rs", "fn session_helper() {}"), 1);
        assert_eq!(count("a.rs", "struct SessionManager;"), 1);
        assert_eq!(count("a.rs", "pub(crate) fn handle_request() {}"), 1);
        assert_eq!(count("a.rs", "fn get_name() {}"), 1);
    }

    #[test]
    fn words_that_only_contain_one_and_comments_do_not_count() {
        assert_eq!(count("a.rs", "fn commonly_utilised() {} // fn helper()\nfn target() {} fn done() {}"), 0);
        assert_eq!(count("a.rs", "fn a() { map.get_mut(); handle_request(); }"), 0);
    }
}
