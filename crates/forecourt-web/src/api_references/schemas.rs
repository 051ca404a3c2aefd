//! JSON Schemas in words: what a member is, and the members of an object with those of objects within it.

use serde::Serialize;
use serde_json::Value;

/// What a value is.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Kind {
    /// In words, `array of`; ends where the name of the component begins.
    text: String,
    /// The component that it is made of.
    component: Option<String>,
}

/// A member of an object, or a parameter.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Member {
    /// Its name; within other members with theirs, `nodes[].host`.
    name: String,
    /// `path` or `query`; empty for members of bodies.
    place: String,
    kind: Kind,
    required: bool,
    /// Limits and meaning.
    notes: String,
}

/// A parameter of an operation.
pub(super) fn parameter(parameter: &Value) -> Member {
    let schema = &parameter["schema"];
    let own = parameter["description"].as_str();
    Member {
        name: parameter["name"].as_str().unwrap_or_default().to_owned(),
        place: parameter["in"].as_str().unwrap_or_default().to_owned(),
        kind: kind(schema),
        required: parameter["required"].as_bool().unwrap_or(false),
        notes: own.map_or_else(|| notes(schema), |own| own.replace('`', "")),
    }
}

/// What `schema` describes, in a few words.
pub(super) fn kind(schema: &Value) -> Kind {
    if let Some(component) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return Kind { text: String::new(), component: Some(component.to_owned()) };
    }
    if schema["type"] == "array" {
        let items = kind(&schema["items"]);
        let of = if items.text.is_empty() && items.component.is_none() { "array" } else { "array of " };
        return Kind { text: format!("{of}{}", items.text), ..items };
    }
    let text = match schema["type"].as_str() {
        _ if schema["oneOf"].is_array() => "one of several shapes",
        None => "any value",
        Some("object") if schema["additionalProperties"].is_object() => {
            let values = kind(&schema["additionalProperties"]);
            return Kind { text: format!("map to {}", values.text), ..values };
        }
        Some("string") => "text",
        Some("integer") => "whole number",
        Some("boolean") => "true or false",
        Some(other) => other,
    };
    Kind { text: text.to_owned(), component: None }
}

/// The members of each shape that a value of `schema` may have; none where it is no object.
pub(super) fn shapes(schema: &Value) -> Vec<Vec<Member>> {
    match schema["oneOf"].as_array() {
        Some(choices) => choices.iter().map(members).filter(|members| !members.is_empty()).collect(),
        None => Some(members(schema)).filter(|members| !members.is_empty()).into_iter().collect(),
    }
}

fn members(schema: &Value) -> Vec<Member> {
    let mut found = Vec::new();
    collect(schema, "", &mut found);
    found
}

fn collect(schema: &Value, prefix: &str, found: &mut Vec<Member>) {
    let required = schema["required"].as_array();
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        found.push(Member {
            name: path.clone(),
            place: String::new(),
            kind: kind(member),
            required: required.is_some_and(|required| required.iter().any(|own| own == name.as_str())),
            notes: notes(member),
        });
        collect(member, &format!("{path}."), found);
        collect(&member["items"], &format!("{path}[]."), found);
    }
}

/// Words, limits, default and meaning, in one line.
fn notes(schema: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(words) = schema["enum"].as_array().or(schema.pointer("/items/enum").and_then(Value::as_array))
    {
        let words: Vec<String> = words.iter().map(plain).collect();
        parts.push(format!("{}.", words.join(" | ")));
    }
    match (schema["minLength"].as_u64(), schema["maxLength"].as_u64()) {
        (Some(least), Some(most)) => parts.push(format!("{least}–{most} characters.")),
        (Some(least), None) => parts.push(format!("At least {least} characters.")),
        (None, Some(most)) => parts.push(format!("At most {most} characters.")),
        (None, None) => {}
    }
    match (schema["minimum"].as_f64(), schema["maximum"].as_f64()) {
        (Some(least), Some(most)) => parts.push(format!("{least}–{most}.")),
        (Some(least), None) => parts.push(format!("At least {least}.")),
        (None, Some(most)) => parts.push(format!("At most {most}.")),
        (None, None) => {}
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        parts.push(format!("Matches {pattern}"));
    }
    if schema["additionalProperties"] == false {
        parts.push("No other members.".to_owned());
    }
    if let Some(default) = schema.get("default") {
        parts.push(format!("Default {}.", plain(default)));
    }
    if schema["deprecated"] == true {
        parts.push("Deprecated.".to_owned());
    }
    parts.extend(schema["description"].as_str().map(|text| text.replace('`', "")));
    parts.join(" ")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_kind_is_said_in_words_and_names_its_component() {
        let said = |schema: Value| {
            let Kind { text, component } = kind(&schema);
            format!("{text}{}", component.unwrap_or_default())
        };
        assert_eq!(
            said(json!({ "type": "array", "items": { "$ref": "#/components/schemas/Plan" } })),
            "array of Plan"
        );
        assert_eq!(
            said(json!({ "type": "object", "additionalProperties": { "type": "string" } })),
            "map to text"
        );
        assert_eq!(said(json!({})), "any value");
        assert_eq!(said(json!({ "oneOf": [] })), "one of several shapes");
    }

    #[test]
    fn members_within_members_are_named_by_their_whole_path() {
        let node =
            json!({ "type": "object", "required": ["port"], "properties": { "port": { "minimum": 1 } } });
        let schema = json!({ "properties": { "nodes": { "type": "array", "items": node } } });
        let members = members(&schema);
        let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["nodes", "nodes[].port"]);
        assert!(members[1].required && members[1].notes == "At least 1.");
    }
}
