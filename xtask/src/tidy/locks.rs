//! Where packages come from: crates.io and the npm registry, and nowhere else.

use super::{File, Finding};

const RULE: &str = "sources-of-packages";
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM: &str = "https://registry.npmjs.org/";

/// Checks `file` if it is a lock file.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let (key, belongs): (&str, fn(&str) -> bool) = match file.path.rsplit('/').next() {
        Some("Cargo.lock") => ("source = \"", |source| source == CRATES_IO),
        Some("package-lock.json") => ("\"resolved\": \"", |source| source.starts_with(NPM)),
        _ => return Vec::new(),
    };
    let sources = file.text.lines().enumerate().filter_map(|(index, line)| {
        let source = line.trim_start().strip_prefix(key)?.split('"').next()?;
        (!belongs(source)).then_some((index + 1, source))
    });
    sources
        .map(|(line, source)| file.finding(RULE, line, format!("{source} is not the public registry")))
        .collect()
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
    fn a_crate_from_git_or_a_mirror_is_found() {
        let text = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\nsource = \"git+https://example.com/x\"\n\
            source = \"registry+https://mirror.example.com/index\"\n";
        assert_eq!(lines("Cargo.lock", text), [2, 3]);
    }

    #[test]
    fn an_npm_package_from_another_host_is_found() {
        let text = "  \"resolved\": \"https://registry.npmjs.org/a/-/a-1.tgz\",\n  \"resolved\": \"https://registry.npmjs.org.example.com/a.tgz\",\n";
        assert_eq!(lines("crates/forecourt-web/assets/package-lock.json", text), [2]);
    }
}
