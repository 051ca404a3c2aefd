//! The reference in `docs/configuration.md` has every setting, with its variable and its default, and no other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

const REFERENCE: &str = include_str!("../../../../docs/configuration.md");

/// The settings in `value`, by their keys.
fn settings(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let Value::Object(members) = value else { panic!("{value} has no keys") };
    for (name, value) in members {
        match value {
            Value::Object(_) => {
                let below = settings(value).into_iter();
                found.extend(below.map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            _ => drop(found.insert(name.clone(), value.clone())),
        }
    }
    found
}

fn defaults() -> BTreeMap<String, Value> {
    settings(&serde_json::to_value(Settings::default()).unwrap())
}

#[test]
fn the_example_has_every_setting_with_its_default_and_no_other() {
    let example = REFERENCE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let example: Value = serde_saphyr::from_str(example).unwrap();
    assert_eq!(settings(&example), defaults());
}

#[test]
fn the_table_has_a_row_for_every_setting_with_its_variable_and_for_nothing_else() {
    let rows = REFERENCE.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split("` | `");
        let (key, rest) = (cells.next()?, cells.next()?);
        rest.starts_with("FORECOURT__").then(|| (key, rest.split('`').next().unwrap()))
    });
    let rows: BTreeMap<_, _> = rows.collect();
    let variable = |key: &str| format!("FORECOURT__{}", key.to_uppercase().replace('.', "__"));
    let known = defaults();
    for key in known.keys() {
        if let Some(told) = rows.get(key.as_str()) {
            assert_eq!(*told, variable(key));
            continue;
        }
        let (group, member) = key.rsplit_once('.').unwrap();
        let told = rows.get(group).unwrap_or_else(|| panic!("{key} is not in the table"));
        assert_eq!(*told, format!("{}__…", variable(group)));
        assert!(REFERENCE.contains(&format!("`{member}`")), "{key} is not explained");
    }
    for key in rows.keys() {
        let is_one = |known: &String| known == key || known.starts_with(&format!("{key}."));
        assert!(known.keys().any(is_one), "{key} is no setting");
    }
}
