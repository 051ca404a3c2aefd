//! What the code of each crate may touch: the outside world has one door each.
//!
//! A manifest says what a crate could use; this says what its code does use, in the standard library too.

use super::{File, Finding, sources};

const RULE: &str = "imports";

/// A path that only some files may mention in code that ships.
struct Door {
    /// What to look for, as whole words.
    path: &'static str,
    /// Prefixes of the files that may.
    allowed: &'static [&'static str],
    reason: &'static str,
}

const PROXY: &[&str] = &[
    "crates/forecourt-gateway/src/proxy.rs",
    "crates/forecourt-gateway/src/serving.rs",
    "crates/forecourt-gateway/src/upstreams",
    "crates/forecourt-gateway/src/fetch.rs",
    "crates/forecourt-gateway/src/sync/connection.rs",
    "crates/forecourt-gateway/examples/",
    "crates/forecourt-it/",
];

const DOORS: [Door; 8] = [
    Door {
        path: "sea_orm",
        allowed: &["crates/forecourt-store/"],
        reason: "tables are known in the store alone",
    },
    Door {
        path: "sea_orm_migration",
        allowed: &["crates/forecourt-store/"],
        reason: "tables are known in the store alone",
    },
    Door {
        path: "axum",
        allowed: &[
            "crates/forecourt-http/",
            "crates/forecourt-api/",
            "crates/forecourt-web/",
            "crates/forecourt/",
            "crates/forecourt-it/",
        ],
        reason: "HTTP of the control plane lives in http, api and web; the binary serves it",
    },
    Door { path: "hyper::server", allowed: PROXY, reason: "the proxy engine has one home" },
    Door { path: "hyper::client", allowed: PROXY, reason: "the proxy engine has one home" },
    Door { path: "hyper_util::client", allowed: PROXY, reason: "the proxy engine has one home" },
    Door { path: "hyper_util::server", allowed: PROXY, reason: "the proxy engine has one home" },
    Door {
        path: "std::env",
        allowed: &["crates/forecourt/", "crates/forecourt-it/", "xtask/"],
        reason: "only the crate forecourt reads settings; take a Config",
    },
];

/// What core never mentions: I/O, the clock, randomness, threads, an executor.
const CLOSED_TO_CORE: [&str; 14] = [
    "std::fs",
    "std::io",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "SystemTime",
    "Instant",
    "tokio",
    "getrandom",
    "jiff",
    "async fn",
    "async move",
];

/// Checks one Rust file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    // Tests in a file of their own and build scripts ship nothing.
    if file.path.contains("/tests/") || ["/tests.rs", "/build.rs"].iter().any(|end| file.path.ends_with(end))
    {
        return Vec::new();
    }
    let shipped = sources::shipped(&file.text);
    let mut findings = Vec::new();
    // An example is a program of its own: it may read its arguments, and nothing else is opened to it.
    let example = file.path.contains("/examples/");
    for Door { path, allowed, reason } in DOORS.iter().filter(|door| !example || door.path != "std::env") {
        if !allowed.iter().any(|prefix| file.path.starts_with(prefix)) {
            let message = format!("{path} may not be used here: {reason}");
            findings.extend(lines_with(&shipped, path).map(|line| file.finding(RULE, line, message.clone())));
        }
    }
    if file.path.starts_with("crates/forecourt-core/") {
        for path in CLOSED_TO_CORE {
            let message =
                format!("core may not use {path}: it has no I/O, no clock, no randomness and does not wait");
            findings.extend(lines_with(&shipped, path).map(|line| file.finding(RULE, line, message.clone())));
        }
    }
    findings
}

/// The lines, counted from 1, that mention `path` as whole words, written out or within a `use a::{b, c}`.
fn lines_with(code: &str, path: &str) -> impl Iterator<Item = usize> {
    let mut lines: Vec<usize> = Vec::new();
    let grouped = path.split_once("::").map(|(first, last)| (format!("{first}::{{"), last));
    for (at, _) in code.match_indices(path).filter(|(at, _)| is_whole(code, *at, path.len())) {
        lines.push(line_at(code, at));
    }
    if let Some((opening, last)) = grouped {
        for (at, _) in code.match_indices(&opening) {
            let start = at + opening.len() - 1;
            let group =
                code.get(start..).map_or("", |rest| rest.get(..sources::block_length(rest)).unwrap_or(rest));
            for (inner, _) in
                group.match_indices(last).filter(|(inner, _)| is_whole(group, *inner, last.len()))
            {
                lines.push(line_at(code, start + inner));
            }
        }
    }
    lines.into_iter()
}

fn line_at(code: &str, at: usize) -> usize {
    code.get(..at).map_or(0, |before| before.matches('\n').count()) + 1
}

/// Whether the text at `at` is neither the end nor the beginning of a longer name.
fn is_whole(code: &str, at: usize, length: usize) -> bool {
    let joins = |character: char| character.is_alphanumeric() || character == '_';
    let before = code.get(..at).and_then(|before| before.chars().next_back());
    let after = code.get(at + length..).and_then(|after| after.chars().next());
    !before.is_some_and(joins) && !after.is_some_and(joins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&File { path: path.to_owned(), text: text.to_owned() })
            .into_iter()
            .map(|found| found.line)
            .collect()
    }

    #[test]
    fn sea_orm_outside_the_store_is_found() {
        assert_eq!(lines("crates/forecourt-app/src/a.rs", "//! x\nuse sea_orm::Select;\n"), [2]);
        assert_eq!(lines("crates/forecourt-store/src/a.rs", "use sea_orm::Select;\n"), Vec::<usize>::new());
    }

    #[test]
    fn the_environment_is_found_written_out_and_within_a_group() {
        assert_eq!(lines("crates/forecourt-app/src/a.rs", "fn a() { std::env::var(\"X\"); }"), [1]);
        assert_eq!(lines("crates/forecourt-app/src/a.rs", "use std::{\n    env,\n    fmt,\n};"), [2]);
        assert_eq!(lines("crates/forecourt/src/a.rs", "use std::env;"), Vec::<usize>::new());
        assert_eq!(lines("crates/forecourt-app/examples/a.rs", "use std::env;\nuse axum::Router;"), [2]);
    }

    #[test]
    fn a_proxy_engine_outside_its_files_is_found() {
        let text = "use hyper::server::conn::http1;";
        assert_eq!(lines("crates/forecourt-gateway/src/verify.rs", text), [1]);
        assert_eq!(lines("crates/forecourt-gateway/src/proxy.rs", text), Vec::<usize>::new());
        assert_eq!(
            lines("crates/forecourt-gateway/src/verify.rs", "use hyper::Request;"),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn core_may_not_read_the_clock_or_a_file_or_wait() {
        for text in
            ["use std::fs;", "let a = SystemTime::now();", "async fn a() {}", "use std::{fmt, net::IpAddr};"]
        {
            assert_eq!(lines("crates/forecourt-core/src/a.rs", text), [1], "{text}");
        }
    }

    #[test]
    fn comments_strings_longer_names_and_tests_do_not_count() {
        let text = "// tokio\nlet a = \"tokio\"; let tokio_like = 1;\n#[cfg(test)]\nmod tests { use tokio::test; }\n";
        assert_eq!(lines("crates/forecourt-core/src/a.rs", text), Vec::<usize>::new());
        assert_eq!(lines("crates/forecourt-store/tests/a.rs", "use axum::Router;"), Vec::<usize>::new());
    }
}
