//! Filters (RFC 7644 §3.4.2.2): read once, then asked of each resource as it would be answered.
//!
//! An attribute that is not declared is one that nobody has. What a filter nests is bounded, so that none can exhaust
//! the stack.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    attributes::{self, Attribute},
    paths::{AttributePath, Text},
};

/// Which resources are wanted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// One value of a list passes a filter of its own.
    Within(AttributePath, Box<Self>),
    Present(AttributePath),
    Compare(AttributePath, Comparison, Value),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Contains,
    StartsWith,
    EndsWith,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// How deep brackets and parentheses may go.
const DEPTH: usize = 16;
/// The longest filter, bytes.
const LENGTH: usize = 8_192;

/// Why a text is no filter.
pub(super) type Problem = String;

/// The filter on users that `text` is.
pub(super) fn parse(text: &str) -> Result<Filter, Problem> {
    if text.len() > LENGTH {
        return Err(format!("a filter has at most {LENGTH} bytes"));
    }
    let mut text = Text::new(text);
    let filter = any(&mut text, None, 0)?;
    if text.is_at_end() { Ok(filter) } else { Err(text.unexpected("and, or, or the end")) }
}

/// What stands in the brackets of `attribute[…]`; ends before the closing one.
pub(super) fn within(text: &mut Text<'_>, attribute: &AttributePath) -> Result<Filter, Problem> {
    any(text, Some(attribute), 1)
}

fn any(text: &mut Text<'_>, of: Option<&AttributePath>, depth: usize) -> Result<Filter, Problem> {
    let mut parts = vec![all(text, of, depth)?];
    while text.keyword("or") {
        parts.push(all(text, of, depth)?);
    }
    Ok(single(parts, Filter::Any))
}

fn all(text: &mut Text<'_>, of: Option<&AttributePath>, depth: usize) -> Result<Filter, Problem> {
    let mut parts = vec![one(text, of, depth)?];
    while text.keyword("and") {
        parts.push(one(text, of, depth)?);
    }
    Ok(single(parts, Filter::All))
}

fn single(mut parts: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => many(parts),
    }
}

fn one(text: &mut Text<'_>, of: Option<&AttributePath>, depth: usize) -> Result<Filter, Problem> {
    if depth > DEPTH {
        return Err(format!("a filter nests at most {DEPTH} deep"));
    }
    let negated = text.keyword("not");
    if text.symbol('(') {
        let filter = any(text, of, depth + 1)?;
        text.closing(')')?;
        return Ok(if negated { Filter::Not(Box::new(filter)) } else { filter });
    }
    if negated {
        return Err(text.unexpected("( after not"));
    }
    let path = text.path(of)?;
    if text.symbol('[') {
        let filter = any(text, Some(&path), depth + 1)?;
        text.closing(']')?;
        return Ok(Filter::Within(path, Box::new(filter)));
    }
    if text.keyword("pr") {
        return Ok(Filter::Present(path));
    }
    let comparison =
        COMPARISONS.iter().find(|(word, _)| text.keyword(word)).map(|(_, comparison)| *comparison);
    let comparison = comparison.ok_or_else(|| text.unexpected("eq, ne, co, sw, ew, gt, ge, lt, le or pr"))?;
    Ok(Filter::Compare(path, comparison, text.value()?))
}

const COMPARISONS: [(&str, Comparison); 9] = [
    ("eq", Comparison::Equal),
    ("ne", Comparison::NotEqual),
    ("co", Comparison::Contains),
    ("sw", Comparison::StartsWith),
    ("ew", Comparison::EndsWith),
    ("gt", Comparison::Greater),
    ("ge", Comparison::GreaterOrEqual),
    ("lt", Comparison::Less),
    ("le", Comparison::LessOrEqual),
];

impl Filter {
    /// Whether `resource`, or within brackets one value of a list, passes.
    pub(super) fn passes(&self, resource: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.passes(resource)),
            Self::Any(parts) => parts.iter().any(|part| part.passes(resource)),
            Self::Not(part) => !part.passes(resource),
            Self::Within(path, part) => path.values(resource).iter().any(|value| part.passes(value)),
            Self::Present(path) => path.values(resource).iter().any(|value| is_present(value)),
            // What is not there is unequal to everything.
            Self::Compare(path, Comparison::NotEqual, wanted) => {
                !path.values(resource).iter().any(|value| holds(path, Comparison::Equal, value, wanted))
            }
            Self::Compare(path, comparison, wanted) => {
                path.values(resource).iter().any(|value| holds(path, *comparison, value, wanted))
            }
        }
    }

    /// The text that `attribute` must have, where the filter asks for nothing but that.
    pub(super) fn sought(&self, attribute: &str) -> Option<&str> {
        match self {
            Self::Compare(path, Comparison::Equal, Value::String(text)) if path.is(attribute) => Some(text),
            _ => None,
        }
    }

    /// What an added value must hold so that it passes: the equalities that all must be so.
    pub(super) fn equalities(&self) -> Vec<(&'static Attribute, &Value)> {
        match self {
            Self::All(parts) => parts.iter().flat_map(Self::equalities).collect(),
            Self::Compare(path, Comparison::Equal, value) => {
                path.last().map(|part| (part, value)).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}

fn holds(path: &AttributePath, comparison: Comparison, value: &Value, wanted: &Value) -> bool {
    // A complex value is compared by its own value (RFC 7643 §2.4).
    let (value, last) = match value.get("value") {
        Some(own) => (own, path.last().and_then(|list| attributes::within(list.parts(), "value"))),
        None => (value, path.last()),
    };
    match (value, wanted) {
        (Value::String(own), Value::String(wanted)) => {
            if last.is_some_and(|attribute| attribute.case_exact) {
                texts(comparison, own, wanted)
            } else {
                texts(comparison, &own.to_lowercase(), &wanted.to_lowercase())
            }
        }
        (own, wanted) => comparison == Comparison::Equal && own == wanted,
    }
}

fn texts(comparison: Comparison, own: &str, wanted: &str) -> bool {
    match comparison {
        Comparison::Equal => own == wanted,
        Comparison::NotEqual => own != wanted,
        Comparison::Contains => own.contains(wanted),
        Comparison::StartsWith => own.starts_with(wanted),
        Comparison::EndsWith => own.ends_with(wanted),
        Comparison::Greater => own.cmp(wanted) == Ordering::Greater,
        Comparison::GreaterOrEqual => own.cmp(wanted) != Ordering::Less,
        Comparison::Less => own.cmp(wanted) == Ordering::Less,
        Comparison::LessOrEqual => own.cmp(wanted) != Ordering::Greater,
    }
}
