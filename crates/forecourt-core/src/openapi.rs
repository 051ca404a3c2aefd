//! Reading API descriptions: OpenAPI 3.1, 3.0 and Swagger 2, as YAML or JSON, without resolving references.
//!
//! Only what the catalogue shows is read; texts are kept byte for byte elsewhere.

use serde_json::{Map, Value};

use crate::text::Invalid;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A parsed API description.
#[derive(Clone, Debug)]
pub struct Document {
    root: Map<String, Value>,
}

/// One operation: a method on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Upper case.
    pub method: String,
    /// As written, with its templates.
    pub path: String,
    /// One line; empty: none.
    pub summary: String,
    /// Longer text, CommonMark; empty: none.
    pub description: String,
    /// The first tag; empty: none.
    pub tag: String,
    /// Whether it is on its way out.
    pub deprecated: bool,
}

impl Document {
    /// Reads `text`; refused (naming `field`) unless it parses to an object with an `openapi` or `swagger` member.
    pub fn read(field: &str, text: &str) -> Result<Self, Invalid> {
        let value: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text)
                .map_err(|error| Invalid::new(field, format!("is not valid JSON: {error}")))?
        } else {
            serde_saphyr::from_str(text).map_err(|error| {
                let first_line = error.to_string().lines().next().unwrap_or_default().to_owned();
                Invalid::new(field, format!("is not valid YAML: {first_line}"))
            })?
        };
        match value {
            Value::Object(root) if root.contains_key("openapi") || root.contains_key("swagger") => {
                Ok(Self { root })
            }
            Value::Object(_) => Err(Invalid::new(field, "must hold an openapi or swagger member")),
            _ => Err(Invalid::new(
                field,
                "must be an OpenAPI document: an object with an openapi or swagger member",
            )),
        }
    }

    /// The description's own title; empty: none.
    pub fn title(&self) -> &str {
        self.info("title")
    }

    /// The described API's version; empty: none.
    pub fn version(&self) -> &str {
        self.info("version")
    }

    fn info(&self, member: &str) -> &str {
        self.root.get("info").and_then(|info| info.get(member)).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its servers as URLs: `servers` of OpenAPI 3, scheme, host and base path of Swagger 2.
    pub fn server_urls(&self) -> Vec<String> {
        if let Some(servers) = self.root.get("servers").and_then(Value::as_array) {
            let urls = servers.iter().filter_map(|server| server.get("url")?.as_str());
            return urls.filter(|url| !url.is_empty()).map(str::to_owned).collect();
        }
        let Some(host) = self.root.get("host").and_then(Value::as_str) else { return Vec::new() };
        let base = self.root.get("basePath").and_then(Value::as_str).unwrap_or_default();
        let schemes = self.root.get("schemes").and_then(Value::as_array).cloned().unwrap_or_default();
        let named: Vec<_> = schemes.iter().filter_map(Value::as_str).collect();
        let schemes = if named.is_empty() { vec!["https"] } else { named };
        schemes.into_iter().map(|scheme| format!("{scheme}://{host}{base}")).collect()
    }

    /// How many operations it describes.
    pub fn operation_count(&self) -> usize {
        self.entries().count()
    }

    /// Its operations, in the order written.
    pub fn operations(&self) -> Vec<Operation> {
        self.entries().map(|(path, method, operation)| read_operation(path, method, operation)).collect()
    }

    fn entries(&self) -> impl Iterator<Item = (&String, &String, &Value)> {
        let paths = self.root.get("paths").and_then(Value::as_object);
        paths.into_iter().flatten().flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods
                .filter(|(name, _)| METHODS.contains(&name.as_str()))
                .map(move |(name, op)| (path, name, op))
        })
    }
}

fn read_operation(path: &str, method: &str, operation: &Value) -> Operation {
    let text = |member: &str| operation.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let tags = operation.get("tags").and_then(Value::as_array);
    Operation {
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        summary: text("summary"),
        description: text("description"),
        tag: tags.and_then(|tags| tags.first()).and_then(Value::as_str).unwrap_or_default().to_owned(),
        deprecated: operation.get("deprecated").and_then(Value::as_bool).unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_from_all_three_versions() {
        let three = "openapi: 3.1.0\ninfo: {title: Shop, version: '1'}\npaths:\n  /a:\n    parameters: []\n    get: {summary: List, tags: [A]}\n    post: {}\n";
        let document = Document::read("raw_openapi", three).unwrap();
        assert_eq!(document.operation_count(), 2);
        assert_eq!(document.operations()[0].method, "GET");
        assert_eq!(document.operations()[0].tag, "A");
        let two = r#"{"swagger":"2.0","host":"api.example.com","basePath":"/v1","schemes":["https"],"paths":{"/x":{"delete":{"deprecated":true}}}}"#;
        let document = Document::read("raw_openapi", two).unwrap();
        assert!(document.operations()[0].deprecated);
        assert_eq!(document.server_urls(), ["https://api.example.com/v1"]);
    }

    #[test]
    fn what_is_no_description_is_refused_with_what_is_wrong() {
        for (text, problem) in
            [("[1]", "must be an OpenAPI"), ("{}", "must hold"), ("{", "JSON"), ("a: [", "YAML")]
        {
            let refused = Document::read("raw_openapi", text).unwrap_err();
            assert!(refused.problem.contains(problem), "{text}: {refused}");
        }
    }

    #[test]
    fn a_bomb_of_aliases_is_refused_and_not_expanded() {
        let mut bomb = String::from("openapi: '3'\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let before = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(",")));
        }
        assert!(Document::read("raw_openapi", &bomb).is_err());
    }
}
