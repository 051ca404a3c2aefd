//! JSON Schemas of bodies and parameters, built from few words.
//!
//! Invariant: a component is made by referring to it ([`named`]), so a document holds none that nothing uses, and
//! refers to none that it lacks.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A JSON Schema (draft 2020-12, as OpenAPI 3.1 takes it), with the components that it refers to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    json: Map<String, Value>,
    components: BTreeMap<&'static str, fn() -> Schema>,
}

impl Schema {
    fn of_type(name: &str) -> Self {
        Self::default().with("type", json!(name))
    }

    /// A schema that stands as JSON already, and refers to nothing.
    pub(crate) fn of(json: Value) -> Self {
        match json {
            Value::Object(json) => Self { json, ..Self::default() },
            _ => Self::default(),
        }
    }

    /// Any keyword of JSON Schema.
    pub(crate) fn with(mut self, keyword: &str, value: Value) -> Self {
        self.json.insert(keyword.to_owned(), value);
        self
    }

    /// What it means, for people.
    pub(crate) fn about(self, description: &str) -> Self {
        self.with("description", json!(description))
    }

    /// What an absent member counts as.
    pub(crate) fn or(self, default: impl Into<Value>) -> Self {
        self.with("default", default.into())
    }

    /// The least and the greatest length of a text.
    pub(crate) fn long(self, least: u32, most: u32) -> Self {
        self.with("minLength", json!(least)).with("maxLength", json!(most))
    }

    /// The least number.
    pub(crate) fn from(self, least: i64) -> Self {
        self.with("minimum", json!(least))
    }

    /// The greatest number.
    pub(crate) fn up_to(self, most: i64) -> Self {
        self.with("maximum", json!(most))
    }

    /// A body of this kind, which a test holds against the schema.
    pub(crate) fn example(self, example: Value) -> Self {
        self.with("examples", json!([example]))
    }

    /// A member that an object always has.
    pub(crate) fn required(mut self, member: &str, schema: Schema) -> Self {
        let required = self.json.entry("required").or_insert_with(|| json!([]));
        if let Some(required) = required.as_array_mut() {
            required.push(json!(member));
        }
        self.optional(member, schema)
    }

    /// A member that an object may have.
    pub(crate) fn optional(mut self, member: &str, schema: Schema) -> Self {
        self.components.extend(schema.components);
        let properties = self.json.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert(member.to_owned(), Value::Object(schema.json));
        }
        self
    }

    /// No other members: they are refused.
    pub(crate) fn closed(self) -> Self {
        self.with("additionalProperties", json!(false))
    }

    /// An object with the members of this one and of `other`; both are written out here.
    pub(crate) fn and(mut self, other: Schema) -> Self {
        self.components.extend(other.components);
        for (keyword, value) in other.json {
            match (self.json.get_mut(&keyword), value) {
                (Some(Value::Object(own)), Value::Object(others)) => own.extend(others),
                (Some(Value::Array(own)), Value::Array(others)) => own.extend(others),
                (_, value) => {
                    self.json.insert(keyword, value);
                }
            }
        }
        self
    }

    /// The JSON of the schema.
    pub(crate) fn json(&self) -> Value {
        Value::Object(self.json.clone())
    }

    /// The components that it refers to, by name.
    pub(crate) fn components(&self) -> impl Iterator<Item = (&'static str, fn() -> Schema)> {
        self.components.iter().map(|(name, make)| (*name, *make))
    }
}

/// A reference to the component `name`, which `make` describes.
pub(crate) fn named(name: &'static str, make: fn() -> Schema) -> Schema {
    let reference = Schema::default().with("$ref", json!(format!("#/components/schemas/{name}")));
    Schema { components: BTreeMap::from([(name, make)]), ..reference }
}

/// An object; members are added to it.
pub(crate) fn object() -> Schema {
    Schema::of_type("object")
}

/// A text.
pub(crate) fn text() -> Schema {
    Schema::of_type("string")
}

/// A name of people's choice, 1–100 characters.
pub(crate) fn name() -> Schema {
    text().long(1, 100)
}

/// A description.
pub(crate) fn desc() -> Schema {
    text().with("maxLength", json!(65_536))
}

/// An id, issued or chosen.
pub(crate) fn id() -> Schema {
    named("Id", || text().with("pattern", json!("^[a-zA-Z0-9_.-]+$")).long(1, 256))
}

/// A whole number.
pub(crate) fn integer() -> Schema {
    Schema::of_type("integer")
}

/// A number.
pub(crate) fn number() -> Schema {
    Schema::of_type("number")
}

/// True or false.
pub(crate) fn flag() -> Schema {
    Schema::of_type("boolean")
}

/// A moment as text.
pub(crate) fn time() -> Schema {
    named("Time", || {
        text()
            .with("format", json!("date-time"))
            .about("UTC, ISO 8601 with milliseconds.")
            .example(json!("2026-08-07T09:00:00.000Z"))
    })
}

/// A moment as Unix seconds.
pub(crate) fn seconds() -> Schema {
    named("UnixSeconds", || integer().about("Seconds since 1970 in UTC.").example(json!(1_786_060_800)))
}

/// One of these words.
pub(crate) fn words(words: &[&str]) -> Schema {
    text().with("enum", json!(words))
}

/// An array.
pub(crate) fn array(items: Schema) -> Schema {
    let own = Schema::of_type("array").with("items", items.json());
    Schema { components: items.components, ..own }
}

/// An object with members of any name.
pub(crate) fn map(values: Schema) -> Schema {
    let own = object().with("additionalProperties", values.json());
    Schema { components: values.components, ..own }
}

/// Exactly one of these.
pub(crate) fn one_of(choices: impl IntoIterator<Item = Schema>) -> Schema {
    let mut components = BTreeMap::new();
    let mut all = Vec::new();
    for choice in choices {
        all.push(choice.json());
        components.extend(choice.components);
    }
    Schema { components, ..Schema::default().with("oneOf", Value::Array(all)) }
}

/// Labels: what filters and people go by.
pub(crate) fn labels() -> Schema {
    named("Labels", || {
        map(text().long(1, 65_536).with("pattern", json!("^[^\\r\\n]+$")))
            .about("Texts by key; keys and values may hold spaces and slashes.")
            .example(json!({ "env": "prod" }))
    })
}

/// Labels of a route, of which one means something without a value too.
pub(crate) fn route_labels() -> Schema {
    named("RouteLabels", || {
        map(text().long(0, 65_536).with("pattern", json!("^[^\\r\\n]*$")))
            .about(
                "As labels; only `portal:dcr:require_any_scopes` may be empty: then no scope is asked for.",
            )
            .example(json!({ "env": "prod" }))
    })
}

/// A page of rows and how many there are in all.
pub(crate) fn list(row: Schema) -> Schema {
    object().required("list", array(row)).required("total", integer().from(0))
}
