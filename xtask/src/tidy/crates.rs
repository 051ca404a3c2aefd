//! Who may depend on whom: the table of crates in ARCHITECTURE.md, against each `Cargo.toml`.
//!
//! Development dependencies are free, but for core's: they ship nothing.

use super::{File, Finding};
use crate::toml::{self, Table};

const RULE: &str = "dependencies";

/// Each crate with the crates of this workspace that it may use. Crates not listed may use all.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("core", &[]),
    ("conformity", &[]),
    ("wire", &["core"]),
    ("store", &["core"]),
    ("notify", &["core"]),
    ("identity", &["core"]),
    ("app", &["core", "store", "notify", "identity", "wire"]),
    ("http", &["core", "app"]),
    ("api", &["core", "wire", "app", "http"]),
    ("web", &["core", "app", "http"]),
    ("gateway", &["core", "wire"]),
];

/// Libraries that open the outside world, each with the only crates that may use it ("" is the binary).
const OPENED_BY: [(&str, &[&str]); 20] = [
    ("sea-orm", &["store"]),
    ("sea-orm-migration", &["store"]),
    ("sqlx", &["store"]),
    ("axum", &["http", "api", "web", "", "it"]),
    ("axum-extra", &["http", "api", "web"]),
    ("axum-server", &[""]),
    ("tower-http", &["http", "api", "web", ""]),
    ("h2", &["gateway"]),
    ("hyper", &["gateway", "it"]),
    ("hyper-util", &["gateway", "", "it"]),
    ("reqwest", &["notify", "identity", "apisix", "it"]),
    ("lettre", &["notify"]),
    ("argon2", &["identity", "gateway"]),
    ("openidconnect", &["identity"]),
    ("risaml", &["identity"]),
    ("ldap3", &["identity"]),
    ("minijinja", &["web", "notify"]),
    ("rust-embed", &["web"]),
    ("clap", &[""]),
    ("getrandom", &["app", "gateway", "", "it"]),
];

/// Checks `file` if it is the manifest of a crate.
pub(super) fn check(file: &File) -> Vec<Finding> {
    let Some(name) = file.path.strip_prefix("crates/").and_then(|path| path.strip_suffix("/Cargo.toml"))
    else {
        return Vec::new();
    };
    let name = name.trim_start_matches("forecourt").trim_start_matches('-');
    let tables = toml::tables(&file.text);
    let dependencies = tables.iter().flat_map(|table| dependencies(table, name == "core"));
    let problem = |dependency: &str| {
        refusal(name, dependency).map(|message| file.finding(RULE, line_of(&file.text, dependency), message))
    };
    dependencies.filter_map(|dependency| problem(&dependency)).collect()
}

/// The packages that a table of a manifest asks for, if it is a table of dependencies.
fn dependencies(table: &Table, development: bool) -> Vec<String> {
    let kind =
        |name: &str| name.ends_with("dependencies") && (development || !name.ends_with("dev-dependencies"));
    if kind(&table.name) {
        let keys = table.entries.iter();
        return keys.map(|(key, _)| key.split('.').next().unwrap_or(key).to_owned()).collect();
    }
    match table.name.rsplit_once('.') {
        Some((parent, package)) if kind(parent) => vec![package.to_owned()],
        _ => Vec::new(),
    }
}

/// Why the crate `name` (without `forecourt-`; "" is the binary) may not use `dependency`.
fn refusal(name: &str, dependency: &str) -> Option<String> {
    if let Some(own) = dependency.strip_prefix("forecourt").map(|own| own.trim_start_matches('-')) {
        let (_, allowed) = MAY_USE.iter().find(|(user, _)| *user == name)?;
        let said = if allowed.is_empty() { "no other crate of ours".to_owned() } else { allowed.join(", ") };
        return (!allowed.contains(&own)).then(|| format!("{name} may use {said}; not {dependency}"));
    }
    let (_, users) = OPENED_BY.iter().find(|(library, _)| *library == dependency)?;
    let said: Vec<&str> =
        users.iter().map(|user| if user.is_empty() { "the binary" } else { user }).collect();
    (!users.contains(&name)).then(|| format!("{dependency} is for {} alone", said.join(", ")))
}

fn line_of(text: &str, dependency: &str) -> usize {
    text.lines().position(|line| line.contains(dependency)).map_or(0, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(name: &str, text: &str) -> Vec<String> {
        let file = File { path: format!("crates/{name}/Cargo.toml"), text: text.to_owned() };
        check(&file).into_iter().map(|finding| format!("{}: {}", finding.line, finding.message)).collect()
    }

    #[test]
    fn a_face_that_imports_the_store_is_found_in_each_way_of_writing_it() {
        for text in [
            "[dependencies]\nforecourt-store.workspace = true\n",
            "[dependencies]\nforecourt-store = { path = \"../forecourt-store\" }\n",
            "[dependencies.forecourt-store]\nworkspace = true\n",
            "[build-dependencies]\nforecourt-store.workspace = true\n",
            "[target.'cfg(unix)'.dependencies]\nforecourt-store.workspace = true\n",
        ] {
            assert_eq!(messages("forecourt-web", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_gateway_may_use_core_and_wire_but_not_app() {
        let text = "[dependencies]\nforecourt-core.workspace = true\nforecourt-wire.workspace = true\nforecourt-app.workspace = true\n";
        assert_eq!(messages("forecourt-gateway", text), ["4: gateway may use core, wire; not forecourt-app"]);
    }

    #[test]
    fn a_library_outside_its_crate_is_found() {
        let text = "[dependencies]\nsea-orm.workspace = true\n";
        assert_eq!(messages("forecourt-app", text), ["2: sea-orm is for store alone"]);
        assert_eq!(messages("forecourt-store", text), Vec::<String>::new());
    }

    #[test]
    fn tests_may_use_more_but_those_of_core() {
        let text = "[dev-dependencies]\nforecourt-store.workspace = true\n";
        assert_eq!(messages("forecourt-app", text), Vec::<String>::new());
        assert_eq!(messages("forecourt-core", text).len(), 1);
    }

    #[test]
    fn the_binary_may_use_every_crate() {
        assert_eq!(
            messages("forecourt", "[dependencies]\nforecourt-store.workspace = true\n"),
            Vec::<String>::new()
        );
    }
}
