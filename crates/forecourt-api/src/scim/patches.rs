//! PATCH (RFC 7644 §3.5.2): operations on a user as GET would answer it. What comes out is read like the body of a PUT.
//!
//! Directories differ from the standard, and two of their habits are met: operations may be capitalised, and members of
//! a value without path may be paths themselves (`"name.givenName"`).

use serde_json::{Map, Value};

use super::{
    answers::Refusal,
    attributes::{self, Attribute},
    filters::Filter,
    paths::PatchPath,
};

/// The most operations in one request.
const MOST: usize = 1_000;
/// How many values a list may hold on the way; fewer count in the end.
const MOST_VALUES: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Add,
    Remove,
    Replace,
}

/// One operation, as it was asked for.
#[derive(Debug)]
struct Operation {
    act: Act,
    path: Option<String>,
    value: Option<Value>,
}

/// `user` after the operations of `body`, all of them or none.
pub(super) fn patched(mut user: Map<String, Value>, body: &Value) -> Result<Map<String, Value>, Refusal> {
    for operation in operations(body)? {
        apply(&mut user, &operation)?;
    }
    Ok(user)
}

fn member<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    let members = of.as_object()?;
    members.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

fn operations(body: &Value) -> Result<Vec<Operation>, Refusal> {
    let wrong = |detail: &str| Refusal::bad_request("invalidSyntax", detail);
    let given = member(body, "Operations").and_then(Value::as_array);
    let given = given.ok_or_else(|| wrong("Operations is required: an array of operations"))?;
    if given.is_empty() || given.len() > MOST {
        return Err(wrong("Operations must hold 1 to 1000 operations"));
    }
    let read = |operation: &Value| {
        let act = member(operation, "op").and_then(Value::as_str).unwrap_or_default();
        let act = match act.to_ascii_lowercase().as_str() {
            "add" => Act::Add,
            "remove" => Act::Remove,
            "replace" => Act::Replace,
            _ => return Err(wrong("op must be add, remove or replace")),
        };
        let path = match member(operation, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) => Some(path.clone()),
            Some(_) => return Err(Refusal::bad_request("invalidPath", "path must be a string")),
        };
        Ok(Operation { act, path, value: member(operation, "value").cloned() })
    };
    given.iter().map(read).collect()
}

fn apply(user: &mut Map<String, Value>, operation: &Operation) -> Result<(), Refusal> {
    match (&operation.path, operation.act, &operation.value) {
        (Some(path), Act::Remove, _) => at(user, path, Act::Remove, None),
        (Some(path), act, Some(value)) => at(user, path, act, Some(value)),
        (None, Act::Remove, _) => Err(Refusal::bad_request("noTarget", "remove needs a path")),
        (None, act, Some(Value::Object(members))) => {
            members.iter().try_for_each(|(path, value)| at(user, path, act, Some(value)))
        }
        (None, _, Some(_)) => Err(Refusal::value("without a path, value must be an object")),
        (_, _, None) => Err(Refusal::value("add and replace need a value")),
    }
}

/// Carries out `act` at `path`; what is not declared is passed over, as it is in bodies.
fn at(user: &mut Map<String, Value>, path: &str, act: Act, value: Option<&Value>) -> Result<(), Refusal> {
    let given = path;
    let path = PatchPath::parse(path).map_err(|problem| Refusal::bad_request("invalidPath", problem))?;
    let Some(attribute) = path.path.attribute.filter(|_| path.path.part != Some(None)) else {
        return Ok(());
    };
    // `schemas` and `meta` come along in values that are whole resources; they say nothing new.
    if attribute.read_only {
        let named = Refusal::bad_request("mutability", format!("{given} cannot be changed"));
        return if matches!(attribute.name, "schemas" | "meta") { Ok(()) } else { Err(named) };
    }
    // Null is the same as unassigned (RFC 7643 §2.5).
    let value = value.filter(|value| !value.is_null());
    let act = if value.is_none() { Act::Remove } else { act };
    if act == Act::Remove && attribute.required {
        return Err(Refusal::bad_request("mutability", format!("{given} is required and cannot be removed")));
    }
    let part = path.path.part.flatten();
    match (&path.filter, part) {
        (Some(filter), part) if attribute.is_list => {
            let change = Change { attribute, filter, part, act, value };
            change.carry_out(user, given)
        }
        (Some(_), _) => Err(Refusal::bad_request("invalidPath", format!("{} is no list", attribute.name))),
        (None, Some(part)) if attribute.is_list => {
            let all = Filter::All(Vec::new());
            Change { attribute, filter: &all, part: Some(part), act, value }.carry_out(user, given)
        }
        (None, Some(part)) => {
            set_part(user, attribute, part, value);
            Ok(())
        }
        (None, None) => set(user, attribute, act, value),
    }
}

/// A part of a complex attribute that is no list.
fn set_part(user: &mut Map<String, Value>, attribute: &Attribute, part: &Attribute, value: Option<&Value>) {
    let whole = user.entry(attribute.name).or_insert_with(|| Value::Object(Map::new()));
    if let Some(members) = whole.as_object_mut() {
        match value {
            Some(value) => members.insert(part.name.to_owned(), value.clone()),
            None => members.remove(part.name),
        };
    }
}

/// A whole attribute: lists grow by what is added, parts of a complex one that are not named stay.
fn set(
    user: &mut Map<String, Value>,
    attribute: &'static Attribute,
    act: Act,
    value: Option<&Value>,
) -> Result<(), Refusal> {
    let Some(value) = value else {
        user.remove(attribute.name);
        return Ok(());
    };
    // Long lists would be compared value by value, while other writers wait.
    let own = user.get(attribute.name).and_then(Value::as_array).map_or(0, Vec::len);
    let given = value.as_array().map_or(1, Vec::len);
    if attribute.is_list && own.saturating_add(given) > MOST_VALUES {
        return Err(Refusal::value(format!("{} must hold at most {MOST_VALUES} values", attribute.name)));
    }
    let value = attributes::spelled_value(attribute, value);
    match (user.get_mut(attribute.name), value) {
        (Some(Value::Array(own)), Value::Array(added)) if act == Act::Add => {
            added.into_iter().for_each(|value| add(own, value));
        }
        (Some(Value::Array(own)), added) if act == Act::Add => add(own, added),
        (Some(Value::Object(own)), Value::Object(members)) if !attribute.is_list => own.extend(members),
        (_, value) if attribute.is_list && !value.is_array() => {
            user.insert(attribute.name.to_owned(), Value::Array(vec![value]));
        }
        (_, value) => {
            user.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(())
}

/// Adds a value that is not there yet; a new primary one takes the place of the old (RFC 7644 §3.5.2).
fn add(values: &mut Vec<Value>, value: Value) {
    if values.contains(&value) {
        return;
    }
    if is_primary(&value) {
        values.iter_mut().for_each(demote);
    }
    values.push(value);
}

fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}

fn demote(value: &mut Value) {
    if is_primary(value)
        && let Some(primary) = value.get_mut("primary")
    {
        *primary = Value::Bool(false);
    }
}

/// An operation on those values of a list that pass a filter.
struct Change<'a> {
    attribute: &'static Attribute,
    filter: &'a Filter,
    part: Option<&'static Attribute>,
    act: Act,
    value: Option<&'a Value>,
}

impl Change<'_> {
    fn carry_out(&self, user: &mut Map<String, Value>, given: &str) -> Result<(), Refusal> {
        let values = user.entry(self.attribute.name).or_insert_with(|| Value::Array(Vec::new()));
        let Some(values) = values.as_array_mut() else { return Ok(()) };
        let chosen: Vec<bool> = values.iter().map(|value| self.filter.passes(value)).collect();
        if !chosen.contains(&true) {
            // Adding to a value that is not there yet makes it.
            return match (self.act, self.new_value()) {
                (Act::Add, Some(value)) => {
                    add(values, value);
                    Ok(())
                }
                _ => Err(Refusal::bad_request("noTarget", format!("{given} names no value of this user"))),
            };
        }
        let mut chosen = chosen.into_iter();
        match (self.act, self.part) {
            (Act::Remove, None) => values.retain(|_| !chosen.next().unwrap_or(false)),
            _ => {
                let becomes_primary = self.becomes_primary();
                for value in values.iter_mut() {
                    match chosen.next() {
                        Some(true) => self.change(value),
                        _ if becomes_primary => demote(value),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    fn becomes_primary(&self) -> bool {
        match (self.part, self.value) {
            (Some(part), Some(value)) => part.name == "primary" && *value == Value::Bool(true),
            (None, Some(value)) => is_primary(value),
            _ => false,
        }
    }

    fn change(&self, own: &mut Value) {
        let Some(members) = own.as_object_mut() else { return };
        match (self.part, self.value) {
            (Some(part), Some(value)) => {
                members.insert(part.name.to_owned(), value.clone());
            }
            (Some(part), None) => {
                members.remove(part.name);
            }
            (None, Some(value)) => {
                let value = attributes::spelled_value(self.attribute, value);
                match value {
                    Value::Object(value) if self.act == Act::Add => members.extend(value),
                    value => *own = value,
                }
            }
            (None, None) => {}
        }
    }

    /// A value that passes the filter, with what is to be added to it.
    fn new_value(&self) -> Option<Value> {
        let equal = self.filter.equalities();
        let mut members: Map<String, Value> =
            equal.into_iter().map(|(part, value)| (part.name.to_owned(), value.clone())).collect();
        match (self.part, self.value?) {
            (Some(part), value) => {
                members.insert(part.name.to_owned(), value.clone());
            }
            (None, value) => match attributes::spelled_value(self.attribute, value) {
                Value::Object(value) => members.extend(value),
                _ => return None,
            },
        }
        Some(Value::Object(members))
    }
}
