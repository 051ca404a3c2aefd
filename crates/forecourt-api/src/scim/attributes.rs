//! The attributes of a user that are kept here (RFC 7643 §4.1): what the schema tells, and what bodies, paths and filters
//! are read by.
//!
//! Names are compared without regard to case (§2.1). Attributes that are not declared here are passed over in bodies, as
//! RFC 7644 §3.3 allows.

use serde_json::{Map, Value, json};

/// The schema of a user.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Time,
    Complex(&'static [Attribute]),
}

/// One attribute, or one part of a complex one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    about: &'static str,
    /// It is a list of values of this kind.
    pub(super) is_list: bool,
    /// It cannot be removed.
    pub(super) required: bool,
    /// Upper and lower case differ.
    pub(super) case_exact: bool,
    /// Only Forecourt sets it.
    pub(super) read_only: bool,
    /// No two users have the same.
    unique: bool,
}

const fn attribute(name: &'static str, kind: Kind, about: &'static str) -> Attribute {
    Attribute {
        name,
        kind,
        about,
        is_list: false,
        required: false,
        case_exact: false,
        read_only: false,
        unique: false,
    }
}

const fn text(name: &'static str, about: &'static str) -> Attribute {
    attribute(name, Kind::Text, about)
}

impl Attribute {
    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn exact(self) -> Self {
        Self { case_exact: true, ..self }
    }

    const fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    const fn list(self) -> Self {
        Self { is_list: true, ..self }
    }

    const fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    /// Its parts; none for a simple one.
    pub(super) const fn parts(&self) -> &'static [Self] {
        match self.kind {
            Kind::Complex(parts) => parts,
            _ => &[],
        }
    }
}

/// What a user has beyond the attributes of every resource.
pub(super) const OF_USERS: &[Attribute] = &[
    text("userName", "The name that they sign in with, as it is written; no other user has it in any case.")
        .required()
        .unique(),
    attribute("name", Kind::Complex(NAME), "Their name."),
    text("displayName", "How the directory calls them."),
    attribute("emails", Kind::Complex(EMAIL), "Their e-mail addresses; the primary one is shown.").list(),
    attribute("active", Kind::Flag, "False: they cannot get in. A new user without it is active.").required(),
];

const NAME: &[Attribute] =
    &[text("givenName", "Their given name."), text("familyName", "Their family name.")];

const EMAIL: &[Attribute] = &[
    text("value", "The address."),
    text("type", "What it is for, such as work."),
    attribute("primary", Kind::Flag, "Whether it is the preferred one; true for one at most."),
];

/// What every resource has (RFC 7643 §3.1); no schema lists it.
const OF_ALL: &[Attribute] = &[
    text("id", "").exact().read_only(),
    text("externalId", "").exact(),
    text("schemas", "").exact().read_only().list(),
    attribute("meta", Kind::Complex(META), "").read_only(),
];

const META: &[Attribute] = &[
    text("resourceType", "").exact().read_only(),
    attribute("created", Kind::Time, "").read_only(),
    attribute("lastModified", Kind::Time, "").read_only(),
    text("location", "").exact().read_only(),
    text("version", "").exact().read_only(),
];

/// The attribute of users with this name.
pub(super) fn named(name: &str) -> Option<&'static Attribute> {
    within(OF_USERS, name).or_else(|| within(OF_ALL, name))
}

/// The one of `attributes` with this name.
pub(super) fn within(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// `given` with the names as they are declared; what is not declared, and what is null, is left out.
pub(super) fn declared(given: &Map<String, Value>) -> Map<String, Value> {
    let known = given.iter().filter(|(_, value)| !value.is_null());
    known.filter_map(|(name, value)| Some((named(name)?, value))).map(spelled).collect()
}

fn spelled((attribute, value): (&'static Attribute, &Value)) -> (String, Value) {
    (attribute.name.to_owned(), spelled_value(attribute, value))
}

/// A value of `attribute` with the names of its parts as they are declared.
pub(super) fn spelled_value(attribute: &'static Attribute, value: &Value) -> Value {
    match value {
        Value::Array(values) if attribute.is_list => {
            values.iter().map(|value| spelled_value(attribute, value)).collect()
        }
        Value::Object(members) if !attribute.parts().is_empty() => {
            let known = members.iter().filter(|(_, value)| !value.is_null());
            let parts = known.filter_map(|(name, value)| Some((within(attribute.parts(), name)?, value)));
            Value::Object(parts.map(spelled).collect())
        }
        other => other.clone(),
    }
}

/// The schema of users, who are what `about` says, as `/Schemas` tells it (RFC 7643 §7), without `meta`.
pub(super) fn schema(about: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": USER,
        "name": "User",
        "description": about,
        "attributes": OF_USERS.iter().map(described).collect::<Vec<_>>(),
    })
}

fn described(attribute: &Attribute) -> Value {
    let kind = match attribute.kind {
        Kind::Text => "string",
        Kind::Flag => "boolean",
        Kind::Time => "dateTime",
        Kind::Complex(_) => "complex",
    };
    let mut described = json!({
        "name": attribute.name,
        "type": kind,
        "multiValued": attribute.is_list,
        "description": attribute.about,
        "required": attribute.required,
        "caseExact": attribute.case_exact,
        "mutability": if attribute.read_only { "readOnly" } else { "readWrite" },
        "returned": "default",
        "uniqueness": if attribute.unique { "server" } else { "none" },
    });
    if let (Kind::Complex(parts), Some(members)) = (attribute.kind, described.as_object_mut()) {
        members.insert("subAttributes".into(), parts.iter().map(self::described).collect());
    }
    described
}
