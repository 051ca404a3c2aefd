//! Banned, unlicensed and foreign dependencies, by the lists of `deny.toml`.
//!
//! Judged is the graph that cargo resolves for the machines we ship to, not the lock file: a package that only
//! another platform would use does no harm. This needs no tool beyond cargo and no network once built.

use std::{
    collections::{HashMap, HashSet},
    fs,
    process::Command,
};

use serde::Deserialize;

use crate::{licences, paths, processes, toml};

/// What `deny.toml` says.
struct Lists {
    target: String,
    licences: Vec<String>,
    banned: Vec<String>,
    registries: Vec<String>,
}

/// The part of `cargo metadata` that is judged.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: HashSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

/// Judges the workspace's dependencies.
pub(crate) fn run() -> Result<(), String> {
    let file = paths::root().join("deny.toml");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lists = lists(&text)?;
    // Offline first: after a build everything is here, and then no registry is asked.
    let json = processes::output(&mut metadata_command(&lists.target, true))
        .or_else(|_| processes::output(&mut metadata_command(&lists.target, false)))?;
    let metadata: Metadata = serde_json::from_str(&json)
        .map_err(|error| format!("cargo metadata gave unexpected JSON: {error}"))?;
    let findings = findings(&metadata, &lists);
    if findings.is_empty() {
        println!(
            "   {} packages, all licensed, none banned, all from crates.io",
            metadata.resolve.nodes.len()
        );
        return Ok(());
    }
    Err(format!("{} dependencies may not be used:\n  {}", findings.len(), findings.join("\n  ")))
}

fn metadata_command(target: &str, offline: bool) -> Command {
    let mut command = processes::cargo();
    command.args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target]);
    if offline {
        command.arg("--offline");
    }
    command
}

/// Reads the lists; one that is missing or empty is an error, since it would forbid or allow everything.
fn lists(text: &str) -> Result<Lists, String> {
    let tables = toml::tables(text);
    let list = |table: &str, key: &str| -> Result<Vec<String>, String> {
        let found = tables
            .iter()
            .find(|candidate| candidate.name == table)
            .map_or(&[][..], |found| found.strings(key));
        if found.is_empty() { Err(format!("deny.toml: [{table}] has no {key}")) } else { Ok(found.to_vec()) }
    };
    Ok(Lists {
        target: list("graph", "targets")?.swap_remove(0),
        licences: list("licenses", "allow")?,
        banned: list("bans", "deny")?,
        registries: list("sources", "allow-registry")?,
    })
}

/// One sentence for each package that may not be used.
fn findings(metadata: &Metadata, lists: &Lists) -> Vec<String> {
    let packages: HashMap<&str, &Package> =
        metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let mut findings = Vec::new();
    for node in metadata.resolve.nodes.iter().filter(|node| !metadata.workspace_members.contains(&node.id)) {
        let Some(package) = packages.get(node.id.as_str()) else {
            findings.push(format!("{} is resolved but not described", node.id));
            continue;
        };
        let problems = [banned(package, lists), unlicensed(package, lists), foreign(package, lists)];
        let named = |problem| format!("{} {}: {problem}", package.name, package.version);
        findings.extend(problems.into_iter().flatten().map(named));
    }
    findings.sort();
    findings
}

fn banned(package: &Package, lists: &Lists) -> Option<String> {
    lists.banned.contains(&package.name).then(|| {
        format!("banned in deny.toml; `cargo tree --invert {} --edges all` shows who brings it", package.name)
    })
}

fn unlicensed(package: &Package, lists: &Lists) -> Option<String> {
    match package.license.as_deref() {
        None => Some("declares no licence".to_owned()),
        Some(expression) => match licences::fits(expression, &lists.licences) {
            Ok(true) => None,
            Ok(false) => Some(format!("its licence {expression:?} is not on the list of deny.toml")),
            Err(problem) => Some(problem),
        },
    }
}

fn foreign(package: &Package, lists: &Lists) -> Option<String> {
    let source = package.source.as_deref().unwrap_or("a local folder outside the workspace");
    let known = lists.registries.iter().any(|registry| source == format!("registry+{registry}"));
    (!known).then(|| format!("comes from {source}, not from crates.io"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: &str = "[graph]\ntargets = [\"t\"]\n[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = [\"cmake\"]\n\
        [sources]\nallow-registry = [\"https://github.com/rust-lang/crates.io-index\"]\n";

    fn judged(name: &str, license: &str, source: &str) -> Vec<String> {
        let json = format!(
            r#"{{"packages":[{{"id":"x","name":"{name}","version":"1.0.0","license":{license},"source":{source}}},
                {{"id":"unused","name":"cmake","version":"1.0.0","license":null,"source":null}}],
                "workspace_members":["own"],"resolve":{{"nodes":[{{"id":"x"}},{{"id":"own"}}]}}}}"#
        );
        findings(&serde_json::from_str(&json).unwrap(), &lists(LISTS).unwrap())
    }

    const CRATES_IO: &str = r#""registry+https://github.com/rust-lang/crates.io-index""#;

    #[test]
    fn a_licensed_package_of_the_registry_passes_and_an_unused_one_is_not_judged() {
        assert_eq!(judged("good", r#""MIT""#, CRATES_IO), Vec::<String>::new());
    }

    #[test]
    fn a_banned_package_is_refused() {
        assert!(judged("cmake", r#""MIT""#, CRATES_IO)[0].contains("banned"));
    }

    #[test]
    fn a_package_without_or_with_another_licence_is_refused() {
        assert!(judged("a", "null", CRATES_IO)[0].contains("declares no licence"));
        assert!(judged("a", r#""GPL-3.0-only""#, CRATES_IO)[0].contains("not on the list"));
    }

    #[test]
    fn a_package_from_git_or_from_a_folder_is_refused() {
        assert!(judged("a", r#""MIT""#, r#""git+https://example.com/a""#)[0].contains("not from crates.io"));
        assert!(judged("a", r#""MIT""#, "null")[0].contains("a local folder"));
    }

    #[test]
    fn lists_that_are_missing_are_an_error() {
        assert_eq!(
            lists("[graph]\ntargets = [\"t\"]\n").err().unwrap(),
            "deny.toml: [licenses] has no allow"
        );
    }
}
