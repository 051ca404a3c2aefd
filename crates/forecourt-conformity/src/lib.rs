//! Whether answers of an API are what its OpenAPI document says: status, media type, header, body.
//!
//! For tests alone: those of the APIs and the stories hold every answer that they get against the document. A document
//! that cannot be understood is a panic, so nothing passes because nobody looked.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what only tests use fails the test loudly"
)]

mod schemas;

use std::{collections::HashMap, fmt};

use http::{HeaderMap, Method};
use regex::Regex;
use serde_json::Value;

/// An OpenAPI document with its patterns at hand.
#[derive(Debug)]
pub struct Document {
    json: Value,
    patterns: HashMap<String, Regex>,
}

/// An answer as it came.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// The method that was asked with.
    pub method: &'a Method,
    /// The path that was asked for, perhaps with its query.
    pub address: &'a str,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
}

impl Document {
    /// Reads a document as JSON.
    pub fn new(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).unwrap();
        let mut patterns = HashMap::new();
        collect_patterns(&json, &mut patterns);
        Self { json, patterns }
    }

    /// The document itself.
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// What is wrong with `value` as `schema` of this document describes it, each with the place where; empty: nothing.
    pub fn problems(&self, schema: &Value, value: &Value) -> Vec<String> {
        schemas::problems(self, schema, value)
    }

    /// How an answer contradicts the document; `None`: it does not, or the document has no such operation.
    pub fn contradiction(&self, answer: Answer<'_>) -> Option<String> {
        let path = self.path(answer.address)?;
        let method = answer.method.as_str().to_ascii_lowercase();
        let operation = self.json["paths"][&path].get(&method)?;
        let response = &operation["responses"][answer.status.to_string()];
        if !response.is_object() {
            return Some(format!("not a documented status: {answer:?}"));
        }
        if answer.headers.contains_key("x-forecourt-revision")
            && !response["headers"]["X-Forecourt-Revision"].is_object()
        {
            return Some(format!("no such header as X-Forecourt-Revision is documented: {answer:?}"));
        }
        let content = match response["$ref"].as_str() {
            Some(reference) => &self.target(reference)["content"],
            None => &response["content"],
        };
        let problems = match content.as_object() {
            None if answer.body.is_empty() => return None,
            None => return Some(format!("a body that is not documented: {answer:?}")),
            Some(content) => match content.get(answer.media_type()) {
                None => return Some(format!("the media type is not documented: {answer:?}")),
                Some(_) if answer.media_type() != "application/json" => return None,
                Some(documented) => match serde_json::from_slice(answer.body) {
                    Ok(body) => self.problems(&documented["schema"], &body),
                    Err(error) => vec![error.to_string()],
                },
            },
        };
        (!problems.is_empty()).then(|| format!("{problems:#?}\n{answer:?}"))
    }

    /// The documented path that an address matches: literal parts win over variable ones.
    fn path(&self, address: &str) -> Option<String> {
        let path = address.split('?').next().unwrap();
        let fits = |pattern: &str| {
            let (wanted, given): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
            wanted.len() == given.len()
                && wanted
                    .iter()
                    .zip(&given)
                    .all(|(part, own)| part == own || part.starts_with('{') && !own.is_empty())
        };
        let paths = self.json["paths"].as_object().unwrap().keys().filter(|pattern| fits(pattern));
        paths.min_by_key(|pattern| pattern.matches('{').count()).cloned()
    }

    /// What a reference leads to.
    fn target(&self, reference: &str) -> &Value {
        let pointer = reference.trim_start_matches('#');
        self.json.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }

    /// Whether a pattern of the document matches somewhere in `text`.
    fn matches(&self, pattern: &str, text: &str) -> bool {
        match self.patterns.get(pattern) {
            Some(known) => known.is_match(text),
            None => Regex::new(pattern).unwrap().is_match(text),
        }
    }
}

impl<'a> Answer<'a> {
    fn media_type(&self) -> &'a str {
        let given = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        given.unwrap_or_default().split(';').next().unwrap_or_default()
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, address, status, headers, body } = self;
        let body = String::from_utf8_lossy(body);
        write!(f, "{method} {address} answered {status} {headers:?}: {body}")
    }
}

fn collect_patterns(value: &Value, found: &mut HashMap<String, Regex>) {
    match value {
        Value::Object(members) => {
            if let Some(pattern) = members.get("pattern").and_then(Value::as_str) {
                found.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).unwrap());
            }
            members.values().for_each(|member| collect_patterns(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_patterns(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contradiction(address: &str, status: u16, media_type: &str, body: &str) -> Option<String> {
        let row =
            json!({ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] });
        let refusal = json!({ "content": { "application/json": { "schema": { "required": ["status"] } } } });
        let document = json!({
            "paths": {
                "/rows/{id}": { "get": { "responses": {
                    "200": { "content": { "application/json": { "schema": row } } },
                    "204": {},
                    "404": { "$ref": "#/components/responses/Missing" },
                } } },
                "/rows/names": { "get": { "responses": { "200": { "content": { "text/csv": {} } } } } },
            },
            "components": { "responses": { "Missing": refusal } },
        });
        let mut headers = HeaderMap::new();
        headers.insert("content-type", media_type.parse().unwrap());
        let (method, body) = (&Method::GET, body.as_bytes());
        let answer = Answer { method, address, status, headers: &headers, body };
        Document::new(&document.to_string()).contradiction(answer)
    }

    #[test]
    fn an_answer_as_documented_is_none_and_every_other_is_a_contradiction() {
        for (address, status, media_type, body) in [
            ("/rows/a?x=1", 200, "application/json; charset=utf-8", r#"{"id":"a"}"#),
            ("/rows/a", 204, "", ""),
            ("/rows/a", 404, "application/json", r#"{"status":404}"#),
            ("/rows/names", 200, "text/csv", "a,b"),
            ("/others", 200, "text/plain", "what is not documented is not looked at"),
        ] {
            assert_eq!(contradiction(address, status, media_type, body), None, "{address} {status}");
        }
        for (address, status, media_type, body) in [
            ("/rows/a", 201, "application/json", r#"{"id":"a"}"#),
            ("/rows/a", 200, "text/plain", r#"{"id":"a"}"#),
            ("/rows/a", 200, "application/json", r#"{"id":1}"#),
            ("/rows/a", 200, "application/json", "{"),
            ("/rows/a", 204, "application/json", "{}"),
            ("/rows/a", 404, "application/json", "{}"),
            ("/rows/names", 200, "application/json", r#"{"id":"a"}"#),
        ] {
            assert!(contradiction(address, status, media_type, body).is_some(), "{address} {status} {body}");
        }
    }
}
