//! Exceptions to a few rules, each with a reason and a date, from `xtask/tidy.toml`.
//!
//! No other rule has exceptions. One that covers nothing any more, or says too little, is itself a finding.

use super::{Finding, lengths, traits};
use crate::toml::{self, Table};

/// Where they stand.
pub(super) const FILE: &str = "xtask/tidy.toml";

const RULE: &str = "exceptions";

/// The rules that may have exceptions.
const EXCEPTED: [&str; 3] = [lengths::FILE_RULE, lengths::FUNCTION_RULE, traits::RULE];

/// The findings without those that are excepted, and with what is wrong about the exceptions.
pub(super) fn apply(listed: &str, mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut problems = Vec::new();
    for table in toml::tables(listed).iter().filter(|table| table.name == "exception") {
        match exception(table) {
            Ok((rule, file)) => {
                let before = findings.len();
                findings.retain(|finding| finding.rule != rule || finding.file != file);
                if findings.len() == before {
                    problems.push(format!("{rule} of {file} is kept now: remove the exception"));
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    let finding = |message| Finding { rule: RULE, file: FILE.to_owned(), line: 0, message };
    findings.extend(problems.into_iter().map(finding));
    findings
}

/// The rule and the file that an exception names.
fn exception(table: &Table) -> Result<(&str, &str), String> {
    let text = |key: &str| {
        let value = table.text(key).filter(|value| !value.trim().is_empty());
        value.ok_or_else(|| format!("an exception without {key}: rule, file, reason and date are needed"))
    };
    let (rule, file, _, date) = (text("rule")?, text("file")?, text("reason")?, text("date")?);
    if !EXCEPTED.contains(&rule) {
        return Err(format!("{rule:?} has no exceptions, only {} have", EXCEPTED.join(", ")));
    }
    let digits = date.chars().filter(char::is_ascii_digit).count();
    if date.len() != 10 || digits != 8 || date.matches('-').count() != 2 {
        return Err(format!("the date {date:?} of {file} is not of the form 2026-11-21"));
    }
    Ok((rule, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding() -> Finding {
        Finding { rule: lengths::FILE_RULE, file: "a.rs".to_owned(), line: 0, message: String::new() }
    }

    fn listed(rule: &str, reason: &str, date: &str) -> String {
        format!(
            "[[exception]]\nrule = \"{rule}\"\nfile = \"a.rs\"\nreason = \"{reason}\"\ndate = \"{date}\"\n"
        )
    }

    #[test]
    fn an_exception_with_reason_and_date_covers_its_finding() {
        assert_eq!(apply(&listed("file-length", "a table", "2026-11-21"), vec![finding()]), []);
        assert_eq!(apply("", vec![finding()]).len(), 1);
    }

    #[test]
    fn an_exception_that_covers_nothing_is_a_finding() {
        let left = apply(&listed("file-length", "a table", "2026-11-21"), vec![]);
        assert!(left[0].message.contains("remove the exception"));
    }

    #[test]
    fn an_exception_without_reason_or_date_or_for_another_rule_covers_nothing() {
        for text in [
            listed("file-length", "", "2026-11-21"),
            listed("file-length", "a table", "yesterday"),
            listed("imports", "I wanted to", "2026-11-21"),
        ] {
            assert_eq!(apply(&text, vec![finding()]).len(), 2, "{text}");
        }
    }
}
