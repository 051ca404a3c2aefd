//! The pages for operators name commands and options that there are, and all of them.

use clap::{Command as Described, CommandFactory};

use super::CommandLine;

const PAGES: [&str; 8] = [
    include_str!("../../../../README.md"),
    include_str!("../../../../docs/audit.md"),
    include_str!("../../../../docs/configuration.md"),
    include_str!("../../../../docs/limits.md"),
    include_str!("../../../../docs/logging.md"),
    include_str!("../../../../docs/nodes.md"),
    include_str!("../../../../docs/operating.md"),
    include_str!("../../../../docs/sign-in.md"),
];

/// What follows `forecourt` in each command of a page: those that begin a line of a block, or a piece of code.
fn commands(page: &'static str) -> impl Iterator<Item = &'static str> {
    let pieces = page.split('`').skip(1).step_by(2);
    pieces.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("forecourt "))
}

/// The command that the words begin with, and the words after it.
fn described<'a>(words: &[&'a str]) -> (Described, Vec<&'a str>) {
    let mut command = CommandLine::command();
    let mut rest = words;
    while let [word, after @ ..] = rest
        && command.has_subcommands()
    {
        let found = command.find_subcommand(word).cloned();
        command = found.unwrap_or_else(|| panic!("forecourt {words:?}: there is no {word}"));
        rest = after;
    }
    (command, rest.to_vec())
}

#[test]
fn every_command_and_option_that_the_pages_name_is_there() {
    let mut checked = 0;
    for line in PAGES.into_iter().flat_map(commands) {
        let line = line.split(" #").next().unwrap_or_default();
        let words: Vec<_> = line.split_whitespace().map(|word| word.trim_matches(['[', ']'])).collect();
        let (command, rest) = described(&words);
        for option in rest.iter().filter_map(|word| word.strip_prefix("--")) {
            let is_there = command.get_arguments().any(|argument| argument.get_long() == Some(option));
            assert!(is_there, "forecourt {line}: there is no --{option}");
        }
        checked += 1;
    }
    assert!(checked > 15, "{checked} commands were found");
}

/// Each command without further ones, with what leads to it.
fn leaves(command: &Described, path: &str, found: &mut Vec<(String, Described)>) {
    if !command.has_subcommands() {
        found.push((path.to_owned(), command.clone()));
    }
    for below in command.get_subcommands() {
        leaves(below, &format!("{path} {}", below.get_name()), found);
    }
}

#[test]
fn every_command_and_option_that_is_there_stands_on_a_page() {
    let mut found = Vec::new();
    leaves(&CommandLine::command(), "forecourt", &mut found);
    assert!(found.len() > 10, "{found:?}");
    for (path, command) in found {
        assert!(PAGES.iter().any(|page| page.contains(&path)), "{path} is on no page");
        for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
            let option = format!("--{option}");
            assert!(PAGES.iter().any(|page| page.contains(&option)), "{option} of {path} is on no page");
        }
    }
}
