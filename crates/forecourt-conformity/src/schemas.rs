//! Whether a value is what a schema says, for the keywords that our documents use.
//!
//! A keyword that is not known here fails the test: nothing passes because nobody looked.

use serde_json::Value;

use crate::Document;

/// What is wrong with `value`, each with the place where; empty: nothing.
pub(super) fn problems(document: &Document, schema: &Value, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check(document, schema, value, "", &mut problems);
    problems
}

fn check(document: &Document, schema: &Value, value: &Value, place: &str, problems: &mut Vec<String>) {
    let keywords = schema.as_object().unwrap_or_else(|| panic!("{place}: {schema} is no schema"));
    for (keyword, wanted) in keywords {
        if let Some(problem) = contradiction(document, keyword, wanted, value) {
            problems.push(format!("{place}: {value} {problem}"));
        }
        match keyword.as_str() {
            "$ref" => {
                check(document, document.target(wanted.as_str().unwrap()), value, place, problems);
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, wanted, item, &format!("{place}[{index}]"), problems);
                }
            }
            "properties" => {
                for (name, member) in wanted.as_object().unwrap() {
                    if let Some(own) = value.get(name) {
                        check(document, member, own, &format!("{place}.{name}"), problems);
                    }
                }
            }
            "additionalProperties" => {
                let known = &schema["properties"];
                for (name, own) in value.as_object().into_iter().flatten() {
                    match wanted {
                        _ if known.get(name).is_some() => {}
                        Value::Bool(false) => problems.push(format!("{place}.{name} is not a member")),
                        wanted => check(document, wanted, own, &format!("{place}.{name}"), problems),
                    }
                }
            }
            "oneOf" => {
                let choices = wanted.as_array().unwrap();
                let fitting = choices
                    .iter()
                    .filter(|choice| self::problems(document, choice, value).is_empty())
                    .count();
                if fitting != 1 {
                    problems.push(format!("{place}: {value} fits {fitting} of the choices"));
                }
            }
            _ => {}
        }
    }
}

/// How `value` contradicts a keyword that says something of it alone.
fn contradiction(document: &Document, keyword: &str, wanted: &Value, value: &Value) -> Option<String> {
    let length = |text: &str| text.chars().count() as f64;
    let holds = match keyword {
        "type" => is_of_type(wanted.as_str().unwrap(), value),
        "enum" => wanted.as_array().unwrap().contains(value),
        "minLength" => value.as_str().is_none_or(|text| length(text) >= wanted.as_f64().unwrap()),
        "maxLength" => value.as_str().is_none_or(|text| length(text) <= wanted.as_f64().unwrap()),
        "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap()),
        "minProperties" => value.as_object().is_none_or(|own| own.len() as u64 >= wanted.as_u64().unwrap()),
        "maxProperties" => value.as_object().is_none_or(|own| own.len() as u64 <= wanted.as_u64().unwrap()),
        "pattern" => value.as_str().is_none_or(|text| document.matches(wanted.as_str().unwrap(), text)),
        "format" => {
            assert_eq!(wanted, "date-time");
            value.as_str().is_none_or(is_time)
        }
        "required" => wanted
            .as_array()
            .unwrap()
            .iter()
            .all(|name| !value.is_object() || value.get(name.as_str().unwrap()).is_some()),
        "$ref" | "items" | "properties" | "additionalProperties" | "oneOf" => true,
        "description" | "examples" | "default" | "deprecated" | "readOnly" => true,
        // What may only be written has no place in an answer.
        "writeOnly" => wanted != &Value::Bool(true),
        _ => panic!("{keyword} is a keyword that nothing is held against"),
    };
    (!holds).then(|| format!("contradicts {keyword} {wanted}"))
}

/// Whether `text` is a time as our APIs write them: `2026-08-07T09:00:00.000Z`.
fn is_time(text: &str) -> bool {
    let shape = |c: char| if c.is_ascii_digit() { '9' } else { c };
    text.chars().map(shape).eq("9999-99-99T99:99:99.999Z".chars())
}

fn is_of_type(wanted: &str, value: &Value) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => panic!("{wanted} is no type"),
    }
}

#[test]
fn each_keyword_refuses_what_it_should() {
    use serde_json::json;
    let document =
        json!({ "components": { "schemas": { "Id": { "type": "string", "pattern": "^[a-z]+$" } } } });
    let document = Document::new(&document.to_string());
    for (schema, sound, wrong) in [
        (json!({ "$ref": "#/components/schemas/Id" }), json!("a"), json!("A")),
        (json!({ "type": "integer", "minimum": 1, "maximum": 2 }), json!(1), json!(3)),
        (json!({ "type": "integer" }), json!(1), json!(1.5)),
        (
            json!({ "type": "object", "properties": { "password": { "type": "string", "writeOnly": true } } }),
            json!({}),
            json!({ "password": "x" }),
        ),
        (json!({ "type": "string", "minLength": 1, "maxLength": 2 }), json!("é"), json!("")),
        (
            json!({ "type": "string", "format": "date-time" }),
            json!("2026-08-07T09:00:00.000Z"),
            json!("2026-08-07"),
        ),
        (
            json!({ "type": "array", "minItems": 1, "items": { "type": "boolean" } }),
            json!([true]),
            json!([1]),
        ),
        (
            json!({ "properties": { "a": { "type": "string" } }, "required": ["a"] }),
            json!({ "a": "" }),
            json!({}),
        ),
        (
            json!({ "properties": { "a": {} }, "additionalProperties": false }),
            json!({ "a": 1 }),
            json!({ "b": 1 }),
        ),
        (json!({ "additionalProperties": { "type": "string" } }), json!({ "b": "" }), json!({ "b": 1 })),
        (json!({ "oneOf": [{ "type": "string" }, { "type": "array" }] }), json!([]), json!(1)),
        (json!({ "type": "array", "maxItems": 1 }), json!([1]), json!([1, 2])),
        (json!({ "enum": ["a", 1] }), json!(1), json!("b")),
        (json!({ "maxProperties": 1, "minProperties": 1 }), json!({ "a": 1 }), json!({})),
    ] {
        assert_eq!(problems(&document, &schema, &sound), Vec::<String>::new(), "{schema}");
        assert!(!problems(&document, &schema, &wrong).is_empty(), "{schema} takes {wrong}");
    }
}
