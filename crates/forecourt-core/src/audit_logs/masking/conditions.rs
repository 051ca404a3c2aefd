//! Conditions of routes (`vars`): what a request is compared with may be a secret that only some callers know.
//!
//! Which variables hold one is told by their names. The variables and the operators stay, so that the log still tells what
//! is compared; what gateways enforce and what the APIs answer is not touched.

use serde_json::{Map, Value};

use super::{DEEPEST, LARGEST_BODY, MASK, TOO_DEEP, at_depth, hidden, is_secret, text};
use crate::routes::vars::is_operator;

/// The member that holds conditions.
const MEMBER: &str = "vars";
/// What a caller proves themselves with, whatever follows.
const SECRET_BEGINNINGS: [&str; 2] = ["http_authorization", "cookie_"];
/// What variables of a caller's own names begin with.
const NAMED: [&str; 2] = ["http_", "arg_"];

/// Whether the member `name` of `members` holds conditions: by its name, or as the value in an operation of a JSON Patch.
pub(super) fn are_in(members: &Map<String, Value>, name: &str) -> bool {
    name.eq_ignore_ascii_case(MEMBER)
        || (name == "value"
            && parts(members).next_back().is_some_and(|part| part.eq_ignore_ascii_case(MEMBER)))
}

/// Whether `value` is a part of conditions in an operation of a JSON Patch: of which variable is not told.
pub(super) fn is_part(members: &Map<String, Value>) -> bool {
    parts(members).rev().skip(1).any(|part| part.eq_ignore_ascii_case(MEMBER))
}

fn parts(members: &Map<String, Value>) -> std::str::Split<'_, char> {
    members.get("path").and_then(Value::as_str).unwrap_or_default().split('/')
}

/// Conditions without the values that secrets are compared with: an array, or in a form its text.
pub(super) fn masked(given: &Value, depth: usize) -> Value {
    match given {
        Value::Array(items) => condition(items, depth),
        Value::String(given) => Value::String(of_text(given)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => at_depth(given, depth),
    }
}

/// Conditions as they are typed. What cannot be read may compare anything.
fn of_text(given: &str) -> String {
    if given.trim().is_empty() {
        return String::new();
    }
    let read = Some(given).filter(|given| given.len() <= LARGEST_BODY);
    match read.and_then(|given| serde_json::from_str::<Value>(given).ok()) {
        Some(Value::Array(items)) => text(&condition(&items, 1).to_string()),
        Some(_) | None => MASK.to_owned(),
    }
}

/// A test of a variable, or a group of conditions, which begins with its logic or with the first of them.
fn condition(items: &[Value], depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::String(TOO_DEEP.to_owned());
    }
    let variable = items.first().and_then(Value::as_str).unwrap_or_default();
    let is_secret = is_secret_variable(variable);
    let last = items.len().saturating_sub(1);
    let masked = items.iter().enumerate().map(|(place, item)| {
        let is_word = place == 0 || (place < last && item.as_str().is_some_and(is_operator));
        match item {
            _ if is_secret && !is_word => hidden(item),
            Value::Array(items) => condition(items, depth + 1),
            _ => at_depth(item, depth + 1),
        }
    });
    Value::Array(masked.collect())
}

/// Whether what this variable is compared with is a secret. The name of a header or an argument is one by itself, or by its
/// last word: `x_key` is a key.
fn is_secret_variable(variable: &str) -> bool {
    let variable = variable.to_ascii_lowercase().replace('-', "_");
    let names_secret = |name: &str| {
        let last = name.rsplit('_').next().unwrap_or_default();
        is_secret(name) || is_secret(last)
    };
    SECRET_BEGINNINGS.iter().any(|beginning| variable.starts_with(beginning))
        || NAMED.iter().filter_map(|prefix| variable.strip_prefix(prefix)).any(names_secret)
}
