//! The files in `deploy/` name settings that there are.

use std::{fs, path::Path};

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
