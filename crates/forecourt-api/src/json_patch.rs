//! PATCH: JSON Patch (RFC 6902) for array bodies, JSON Merge Patch (RFC 7396) for object bodies.
//!
//! Invariant: all operations or none: they work on a copy, and an error leaves nothing behind. What comes out passes
//! the same checks as a PUT; [`changes`] turns it into the body of one.

use forecourt_http::{bodies::Object, problem::Problem};
use serde_json::{Map, Value};

/// The most operations of one patch.
const OPERATIONS: usize = 1_000;
/// The deepest place that a pointer may name.
const DEPTH: usize = 64;
/// What the copies of one patch may add up to, in bytes of their texts and 16 for each value: copies of copies double
/// with each operation.
const COPIED: usize = 1024 * 1024;

/// What may be done to the members of a noun.
pub(crate) struct Members {
    /// Pointers of members that GET leaves out while they have no value: `replace` adds them.
    pub(crate) optional: &'static [&'static str],
    /// Members that stay as they are.
    pub(crate) read_only: &'static [&'static str],
}

/// `target` with `patch` applied: an array is a JSON Patch, an object a Merge Patch.
///
/// Refused where an operation fails, or a read-only member differs afterwards.
pub(crate) fn apply(
    target: &Map<String, Value>,
    patch: &Value,
    members: &Members,
) -> Result<Map<String, Value>, Problem> {
    let mut document = Value::Object(target.clone());
    match patch {
        Value::Array(operations) if operations.len() > OPERATIONS => {
            return Err(Problem::bad_request(format!("a patch holds at most {OPERATIONS} operations")));
        }
        Value::Array(operations) => {
            let mut left = COPIED;
            for (index, operation) in operations.iter().enumerate() {
                operate(&mut document, operation, members, &mut left)
                    .map_err(|problem| Problem::bad_request(format!("operation {index}: {problem}")))?;
            }
        }
        Value::Object(_) => merge(&mut document, patch),
        _ => return Err(Problem::bad_request("a patch is an array of operations, or an object to merge")),
    }
    let Value::Object(mut patched) = document else {
        return Err(Problem::bad_request("the patch replaces the whole object by something that is none"));
    };
    if let Some(member) =
        members.read_only.iter().find(|member| patched.get(**member) != target.get(**member))
    {
        return Err(Problem::bad_request(format!("{member} cannot be changed")));
    }
    patched.retain(|_, value| !value.is_null());
    Ok(patched)
}

/// What a partial PUT must say to lead from `before` to `after`.
///
/// A removed member gets its value in `cleared`; one without such a value cannot be removed.
pub(crate) fn changes(
    before: &Map<String, Value>,
    after: Map<String, Value>,
    cleared: &[(&str, Value)],
) -> Result<Object, Problem> {
    let mut changed = Map::new();
    for member in before.keys().filter(|member| !after.contains_key(*member)) {
        match cleared.iter().find(|(name, _)| name == member) {
            Some((_, empty)) => changed.insert(member.clone(), empty.clone()),
            None => return Err(Problem::bad_request(format!("{member} can be replaced but not removed"))),
        };
    }
    changed.extend(after.into_iter().filter(|(member, value)| before.get(member) != Some(value)));
    Object::of(Value::Object(changed))
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let Value::Object(object) = target {
        for (member, value) in members {
            if value.is_null() {
                object.shift_remove(member);
            } else {
                merge(object.entry(member.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

/// One operation of RFC 6902 §4, whose copies are taken off `left`. Errors are to be read after its place in the patch.
fn operate(
    document: &mut Value,
    operation: &Value,
    members: &Members,
    left: &mut usize,
) -> Result<(), String> {
    let text = |member: &str| {
        let text = operation.get(member).and_then(Value::as_str);
        text.ok_or_else(|| format!("{member} is required and must be a string"))
    };
    let value = || operation.get("value").ok_or_else(|| "value is required".to_owned());
    let (op, path) = (text("op")?, text("path")?);
    let tokens = pointer(path)?;
    match op {
        "add" => add(document, &tokens, value()?.clone()),
        "remove" => remove(document, &tokens).map(drop),
        "replace" => match find(document, &tokens) {
            Some(place) => {
                *place = value()?.clone();
                Ok(())
            }
            None if members.optional.contains(&path) => add(document, &tokens, value()?.clone()),
            None => Err(absent(path)),
        },
        "move" => {
            let from = pointer(text("from")?)?;
            if tokens.len() > from.len() && tokens.starts_with(&from) {
                return Err("a value cannot be moved into itself".into());
            }
            let value = remove(document, &from)?;
            add(document, &tokens, value)
        }
        "copy" => {
            let from = text("from")?;
            let found = find(document, &pointer(from)?).ok_or_else(|| absent(from))?;
            *left = left.checked_sub(size(found)).ok_or("the copies of a patch add up to 1 MiB at most")?;
            let value = found.clone();
            add(document, &tokens, value)
        }
        "test" => match find(document, &tokens) {
            Some(found) if same(found, value()?) => Ok(()),
            Some(_) => Err(format!("test failed: {path:?} has another value")),
            None => Err(format!("test failed: {path:?} does not exist")),
        },
        _ => Err("op must be add, remove, replace, move, copy or test".into()),
    }
}

/// About how many bytes a value takes.
fn size(value: &Value) -> usize {
    16 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + size(value)).sum(),
        _ => 0,
    }
}

/// Equality of RFC 6902 §4.6: numbers by value, members in any order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let equal = |(member, value): (&String, &Value)| {
                other.get(member).is_some_and(|found| same(value, found))
            };
            one.len() == other.len() && one.iter().all(equal)
        }
        _ => one == other,
    }
}

/// The tokens of a JSON Pointer (RFC 6901), unescaped.
fn pointer(path: &str) -> Result<Vec<String>, String> {
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let rest =
        path.strip_prefix('/').ok_or_else(|| format!("{path:?} is no JSON Pointer: it must start with /"))?;
    let tokens: Vec<_> = rest.split('/').collect();
    if tokens.len() > DEPTH {
        return Err(format!("a pointer has at most {DEPTH} parts"));
    }
    tokens.into_iter().map(unescaped).collect()
}

fn unescaped(token: &str) -> Result<String, String> {
    let mut text = String::with_capacity(token.len());
    let mut characters = token.chars();
    while let Some(character) = characters.next() {
        match (character, character == '~') {
            (character, false) => text.push(character),
            (_, true) => text.push(match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(format!("{token:?}: ~ must be followed by 0 or 1")),
            }),
        }
    }
    Ok(text)
}

/// An array index: digits without leading zeros.
fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit());
    canonical.then(|| token.parse().ok()).flatten()
}

fn find<'a>(document: &'a mut Value, tokens: &[String]) -> Option<&'a mut Value> {
    tokens.iter().try_fold(document, |value, token| match value {
        Value::Object(members) => members.get_mut(token),
        Value::Array(items) => items.get_mut(index(token)?),
        _ => None,
    })
}

fn add(document: &mut Value, tokens: &[String], value: Value) -> Result<(), String> {
    let Some((last, parents)) = tokens.split_last() else {
        *document = value;
        return Ok(());
    };
    match find(document, parents) {
        Some(Value::Object(members)) => {
            members.insert(last.clone(), value);
            Ok(())
        }
        Some(Value::Array(items)) if last == "-" => {
            items.push(value);
            Ok(())
        }
        Some(Value::Array(items)) => match index(last).filter(|index| *index <= items.len()) {
            Some(index) => {
                items.insert(index, value);
                Ok(())
            }
            None => Err(format!("{last:?} is no place in an array of {}", items.len())),
        },
        _ => Err(format!("/{} is no object or array to add to", parents.join("/"))),
    }
}

fn remove(document: &mut Value, tokens: &[String]) -> Result<Value, String> {
    let path = || format!("/{}", tokens.join("/"));
    let Some((last, parents)) = tokens.split_last() else {
        return Err("the whole object cannot be removed".into());
    };
    let removed = match find(document, parents) {
        Some(Value::Object(members)) => members.shift_remove(last),
        Some(Value::Array(items)) => {
            index(last).filter(|index| *index < items.len()).map(|index| items.remove(index))
        }
        _ => None,
    };
    removed.ok_or_else(|| absent(&path()))
}

fn absent(path: &str) -> String {
    format!("{path:?} does not exist")
}

#[cfg(test)]
mod tests;
