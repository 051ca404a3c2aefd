//! File and environment merged over the defaults, key by key.
//!
//! The serialised defaults say which keys there are and what kind of value each takes, so that no second list can
//! fall behind.

use std::path::Path;

use serde_json::{Map, Value};

use super::{ConfigError, Settings};

/// What was read.
pub(super) struct Read {
    pub(super) merged: Settings,
    /// Whether somebody chose the first password.
    pub(super) password_is_chosen: bool,
}

/// Begins the name of every setting in the environment.
const PREFIX: &str = "FORECOURT__";

/// Merges `file` and `environment` over the defaults.
pub(super) fn read(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Read, ConfigError> {
    let defaults = serde_json::to_value(Settings::default()).map_err(|error| internal(&error))?;
    let mut given = Vec::new();
    if let Some(path) = file {
        flatten("", parse(path)?, &mut given)?;
    }
    for (name, text) in environment {
        if let Some(parts) = name.strip_prefix(PREFIX) {
            let key = parts.to_lowercase().replace("__", ".");
            let value = match lookup(&defaults, &key) {
                Some(Value::Array(_)) => {
                    text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Value>()
                }
                Some(Value::Number(_)) => match text.parse::<u64>() {
                    Ok(number) => number.into(),
                    Err(_) => Value::String(text),
                },
                Some(Value::Bool(_)) => match text.parse::<bool>() {
                    Ok(answer) => answer.into(),
                    Err(_) => Value::String(text),
                },
                _ => Value::String(text),
            };
            given.push((key, value));
        }
    }
    let password_is_chosen = given.iter().any(|(key, _)| key == "bootstrap.admin_password");
    let mut merged = defaults.clone();
    for (key, value) in given {
        check(&key, &value, &defaults)?;
        set(&mut merged, &key, value);
    }
    let merged = serde_json::from_value(merged).map_err(|error| internal(&error))?;
    Ok(Read { merged, password_is_chosen })
}

fn parse(path: &Path) -> Result<Value, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    // Beside its place an error would quote the lines around it, and any of them may hold a secret.
    serde_saphyr::from_str(&text).map_err(|error| ConfigError::Yaml {
        path: path.to_owned(),
        problem: error.without_snippet().to_string(),
    })
}

/// The keys and values of `value`, which stands at `at`. Null is as if absent.
fn flatten(at: &str, value: Value, into: &mut Vec<(String, Value)>) -> Result<(), ConfigError> {
    match value {
        Value::Null => Ok(()),
        Value::Object(members) => members.into_iter().try_for_each(|(name, value)| {
            let key = if at.is_empty() { name } else { format!("{at}.{name}") };
            flatten(&key, value, into)
        }),
        _ if at.is_empty() => Err(ConfigError::Value {
            key: "file".into(),
            problem: "must hold keys and values, such as data_dir: ./data".into(),
        }),
        value => {
            into.push((at.to_owned(), value));
            Ok(())
        }
    }
}

fn check(key: &str, value: &Value, defaults: &Value) -> Result<(), ConfigError> {
    let problem = match (lookup(defaults, key), value) {
        (None, _) => return Err(unknown(key, defaults)),
        (Some(Value::Object(members)), _) => {
            let below = members.keys().next().map_or(String::new(), |name| format!(", such as {key}.{name}"));
            format!("must have keys below it{below}")
        }
        (Some(Value::String(_)), Value::String(_)) => return Ok(()),
        (Some(Value::String(_)), Value::Number(_) | Value::Bool(_)) => {
            "must be a text: put it in quotes".to_owned()
        }
        (Some(Value::String(default)), _) => format!("must be a text, such as {default:?}"),
        (Some(Value::Number(_)), Value::Number(number)) if number.is_u64() => return Ok(()),
        (Some(Value::Number(default)), _) => format!("must be a whole number, such as {default}"),
        (Some(Value::Bool(_)), Value::Bool(_)) => return Ok(()),
        (Some(Value::Bool(_)), _) => "must be true or false".to_owned(),
        (Some(_), Value::Array(items)) if items.iter().all(Value::is_string) => return Ok(()),
        (Some(_), _) => "must be a list of texts".to_owned(),
    };
    Err(ConfigError::Value { key: key.to_owned(), problem })
}

fn unknown(key: &str, defaults: &Value) -> ConfigError {
    let mut known = Vec::new();
    names("", defaults, &mut known);
    let alike = |known: &String| (strsim::jaro_winkler(key, known) * 1e6) as u64;
    let nearest = known.into_iter().max_by_key(alike).unwrap_or_default();
    ConfigError::Unknown { key: key.to_owned(), nearest }
}

fn names(at: &str, value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                names(&if at.is_empty() { name.clone() } else { format!("{at}.{name}") }, value, into);
            }
        }
        _ => into.push(at.to_owned()),
    }
}

fn lookup<'a>(defaults: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(defaults, |value, name| value.get(name))
}

fn set(merged: &mut Value, key: &str, value: Value) {
    let mut place = merged;
    for name in key.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else { return };
        place = members.entry(name).or_insert(Value::Null);
    }
    *place = value;
}

fn internal(error: &serde_json::Error) -> ConfigError {
    ConfigError::Value { key: "configuration".into(), problem: format!("cannot be put together: {error}") }
}
