//! The files in `deploy/` name settings, ports and values that there are.

use std::{collections::BTreeSet, fs, path::Path};

use crate::config::Settings;

/// The variables in `text` that begin with `prefix`.
fn variables<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_part =
        |character: char| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_';
    text.match_indices(prefix)
        .map(|(at, _)| {
            let rest = &text[at..];
            &rest[..rest.find(|character| !is_part(character)).unwrap_or(rest.len())]
        })
        .collect()
}

fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_variable_in_the_files_of_deployments_is_a_setting() {
    let configuration = include_str!("../../../../docs/configuration.md");
    let nodes = include_str!("../../../../docs/nodes.md");
    let mut texts = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy"), &mut texts);
    let mut checked = 0;
    for text in &texts {
        for (prefix, document) in [("FORECOURT__", configuration), ("FORECOURT_GATEWAY_", nodes)] {
            for variable in variables(text, prefix) {
                assert!(document.contains(&format!("`{variable}`")), "{variable} is not a setting");
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked} variables were found");
}

/// What stands after each `mark`, as far as `is_part` says.
fn after<'a>(text: &'a str, mark: &str, is_part: fn(char) -> bool) -> Vec<&'a str> {
    let rests = text.split(mark).skip(1);
    rests.map(|rest| &rest[..rest.find(|character| !is_part(character)).unwrap_or(rest.len())]).collect()
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

#[test]
fn every_port_in_the_files_of_deployments_is_one_that_something_listens_on() {
    let settings = Settings::default();
    let listeners = [
        &settings.admin.listen,
        &settings.admin.tls_listen,
        &settings.portal_api.listen,
        &settings.site.listen,
        &settings.gateway.listen,
        &settings.gateway.tls_listen,
        &settings.sync.listen,
        &settings.status.listen,
    ];
    let known: BTreeSet<&str> = listeners.iter().filter_map(|at| Some(at.rsplit_once(':')?.1)).collect();
    assert_eq!(known.len(), listeners.len());

    let image = include_str!("../../../../deploy/Dockerfile");
    let exposed = image.lines().find_map(|line| line.strip_prefix("EXPOSE ")).unwrap();
    assert_eq!(exposed.split(' ').collect::<BTreeSet<_>>(), known);
    let compose = include_str!("../../../../deploy/compose/compose.yaml");
    let published =
        after(compose, "\"127.0.0.1:", |character| character.is_ascii_digit() || character == ':');
    let published = published.iter().filter_map(|ports| Some(ports.split_once(':')?.1));
    let mut texts = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy"), &mut texts);
    let pods = texts.iter().flat_map(|text| after(text, "containerPort: ", is_digit));
    let named: Vec<_> = after(image, "0.0.0.0:", is_digit).into_iter().chain(published).chain(pods).collect();
    assert!(named.len() > 20, "{named:?}");
    for port in named {
        assert!(known.contains(port), "nothing listens on {port}");
    }
}

#[test]
fn every_value_that_a_template_of_the_chart_asks_for_is_in_its_values() {
    let values = include_str!("../../../../deploy/helm/forecourt/values.yaml");
    let mut texts = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/helm/forecourt/templates"), &mut texts);
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '.';
    let asked: BTreeSet<&str> = texts.iter().flat_map(|text| after(text, ".Values.", is_part)).collect();
    assert!(asked.len() > 10, "{asked:?}");
    for path in asked {
        for name in path.split('.') {
            let is_there = after(values, name, |character| character == ':').contains(&":");
            assert!(is_there, ".Values.{path}: there is no {name}");
        }
    }
}
