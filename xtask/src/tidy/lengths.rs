//! How long files and functions may be, and that a Rust file says what it is for.
//!
//! A function's length is the number of its lines that hold code; blank lines and comments are free.

use super::{File, Finding, sources};

/// The rule on files, as exceptions name it.
pub(super) const FILE_RULE: &str = "file-length";
/// The rule on functions, as exceptions name it.
pub(super) const FUNCTION_RULE: &str = "function-length";

const FILE_LIMIT: usize = 400;
const FUNCTION_LIMIT: usize = 60;

/// Checks one file of Rust or script.
pub(super) fn check(file: &File) -> Vec<Finding> {
    if !file.is_rust() && !file.is_script() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let lines = file.text.lines().count();
    if lines > FILE_LIMIT {
        let message = format!("{lines} lines, {FILE_LIMIT} are allowed: split it by what it is about");
        findings.push(file.finding(FILE_RULE, 0, message));
    }
    if file.is_rust() {
        if !file.text.starts_with("//!") {
            let message = "starts without `//!`: say what the file is for, its rule, and where to look next";
            findings.push(file.finding("file-purpose", 1, message.to_owned()));
        }
        findings.extend(
            functions(&sources::code(&file.text))
                .into_iter()
                .filter(|found| found.lines > FUNCTION_LIMIT)
                .map(|Function { name, line, lines }| {
                    let message =
                        format!("fn {name} has {lines} lines of code, {FUNCTION_LIMIT} are allowed");
                    file.finding(FUNCTION_RULE, line, message)
                }),
        );
    }
    findings
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    line: usize,
    /// Lines of its body that hold code, without the braces' own.
    lines: usize,
}

/// All functions with a body.
fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let before = code.get(..at).unwrap_or_default();
        if before.ends_with(|character: char| character.is_alphanumeric() || character == '_') {
            continue;
        }
        let after = code.get(at + 3..).unwrap_or_default();
        let name: String =
            after.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect();
        if name.is_empty() {
            continue;
        }
        let Some(open) = body(after) else { continue };
        let rest = after.get(open..).unwrap_or_default();
        let block = rest.get(..sources::block_length(rest)).unwrap_or(rest);
        let lines = block.lines().filter(|line| !line.trim().is_empty()).count();
        found.push(Function { name, line: before.matches('\n').count() + 1, lines: lines.saturating_sub(2) });
    }
    found
}

/// Where the body of the function opens; none for a declaration. A `;` within `[u8; 4]` ends nothing.
fn body(signature: &str) -> Option<usize> {
    let mut depth = 0_i32;
    for (at, character) in signature.char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' if depth == 0 => return Some(at),
            ';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<&'static str> {
        check(&File { path: path.to_owned(), text: text.to_owned() })
            .into_iter()
            .map(|found| found.rule)
            .collect()
    }

    #[test]
    fn a_file_of_401_lines_is_too_long_and_one_of_400_is_not() {
        assert_eq!(rules("a.rs", &"//! x\n".repeat(400)), Vec::<&str>::new());
        assert_eq!(rules("a.rs", &"//! x\n".repeat(401)), [FILE_RULE]);
        assert_eq!(rules("a.ts", &"x\n".repeat(401)), [FILE_RULE]);
        assert_eq!(rules("a.md", &"x\n".repeat(401)), Vec::<&str>::new());
    }

    #[test]
    fn a_function_of_61_lines_is_too_long_and_comments_are_free() {
        let function = |lines: usize| {
            format!("//! x\nfn a(b: [u8; 2]) {{\n{}}}\n", "    b();\n    // why\n\n".repeat(lines))
        };
        assert_eq!(rules("a.rs", &function(60)), Vec::<&str>::new());
        assert_eq!(rules("a.rs", &function(61)), [FUNCTION_RULE]);
    }

    #[test]
    fn a_file_that_does_not_say_what_it_is_for_is_found() {
        assert_eq!(rules("a.rs", "fn a() {}\n"), ["file-purpose"]);
    }

    #[test]
    fn declarations_and_function_types_have_no_length() {
        assert_eq!(functions("trait A { fn a(&self); }\nfn b(f: fn (u8)) {}\n").len(), 1);
    }
}
