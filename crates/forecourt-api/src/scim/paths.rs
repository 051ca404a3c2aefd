//! Attribute paths and the small grammar that filters and patches are written in (RFC 7644 §3.4.2.2, §3.5.2).

use serde_json::Value;

use super::{
    attributes::{self, Attribute, USER},
    filters::{self, Filter},
};

/// An attribute, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AttributePath {
    /// The attribute; `None`: it is not declared.
    pub(super) attribute: Option<&'static Attribute>,
    /// The part of it, where one is named; the inner `None`: it is not declared.
    pub(super) part: Option<Option<&'static Attribute>>,
}

impl AttributePath {
    /// What `text` names of a user, or within brackets, of a value of `of`.
    fn of(text: &str, of: Option<&Self>) -> Self {
        if let Some(of) = of {
            let part = of.attribute.and_then(|list| attributes::within(list.parts(), text));
            return Self { attribute: part, part: None };
        }
        let own = match text.get(..USER.len()) {
            Some(schema) if schema.eq_ignore_ascii_case(USER) => {
                text.get(USER.len()..).and_then(|rest| rest.strip_prefix(':')).unwrap_or_default()
            }
            _ => text,
        };
        // Any other schema is one of which nothing is kept.
        let (name, part) = match own.split_once('.') {
            _ if own.contains(':') => ("", None),
            Some((name, part)) => (name, Some(part)),
            None => (own, None),
        };
        let attribute = attributes::named(name);
        let part =
            part.map(|part| attribute.and_then(|attribute| attributes::within(attribute.parts(), part)));
        Self { attribute, part }
    }

    /// What the path ends in, where it is declared.
    pub(super) fn last(&self) -> Option<&'static Attribute> {
        self.part.unwrap_or(self.attribute)
    }

    /// Whether it is the attribute with this name, whole.
    pub(super) fn is(&self, name: &str) -> bool {
        self.part.is_none() && self.attribute.is_some_and(|attribute| attribute.name == name)
    }

    /// What stands there in `resource`: each value of a list by itself.
    pub(super) fn values<'a>(&self, resource: &'a Value) -> Vec<&'a Value> {
        let Some(found) = self.attribute.and_then(|attribute| resource.get(attribute.name)) else {
            return Vec::new();
        };
        let values: Vec<&Value> = match found {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        match self.part {
            None => values,
            Some(None) => Vec::new(),
            Some(Some(part)) => values.into_iter().filter_map(|value| value.get(part.name)).collect(),
        }
    }
}

/// Where a patch works: an attribute, which of its values, and a part of these.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PatchPath {
    pub(super) path: AttributePath,
    pub(super) filter: Option<Filter>,
}

impl PatchPath {
    /// Reads `attribute`, `attribute.part`, `attribute[filter]` or `attribute[filter].part`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut text = Text::new(text);
        let mut path = text.path(None)?;
        let mut filter = None;
        if text.symbol('[') {
            filter = Some(filters::within(&mut text, &path)?);
            text.closing(']')?;
            if text.symbol('.') {
                let part = text.path(Some(&path))?;
                path.part = Some(part.attribute);
            }
        }
        if text.is_at_end() { Ok(Self { path, filter }) } else { Err(text.unexpected("the end")) }
    }
}

/// A text that is being read from the left.
pub(super) struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.trim_start().is_empty()
    }

    /// What to say where something else stands than `wanted`.
    pub(super) fn unexpected(&self, wanted: &str) -> String {
        let found: String = self.rest.trim_start().chars().take(20).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("{found:?}") };
        format!("{wanted} must stand where {found} does")
    }

    /// Takes the next word, where it is `word`.
    pub(super) fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let (found, after) = rest.split_at(end_of_word(rest));
        let fits = found.eq_ignore_ascii_case(word);
        if fits {
            self.rest = after;
        }
        fits
    }

    /// Takes the next character, where it is `symbol`.
    pub(super) fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }

    pub(super) fn closing(&mut self, symbol: char) -> Result<(), String> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected(&symbol.to_string())) }
    }

    /// Takes a path; within brackets, one of the parts of `of`.
    pub(super) fn path(&mut self, of: Option<&AttributePath>) -> Result<AttributePath, String> {
        let rest = self.rest.trim_start();
        let (word, after) = rest.split_at(end_of_word(rest));
        if !word.starts_with(|c: char| c.is_ascii_alphabetic()) || word.ends_with(['.', ':']) {
            return Err(self.unexpected("an attribute"));
        }
        self.rest = after;
        Ok(AttributePath::of(word, of))
    }

    /// Takes a JSON value: a text, a number, true, false or null.
    pub(super) fn value(&mut self) -> Result<Value, String> {
        let rest = self.rest.trim_start();
        let end = end_of_value(rest);
        let (literal, after) = rest.split_at(end);
        let value = serde_json::from_str(literal).ok();
        let value = value.filter(|value: &Value| !value.is_array() && !value.is_object());
        let value = value.ok_or_else(|| self.unexpected("a JSON text, a number, true, false or null"))?;
        self.rest = after;
        Ok(value)
    }
}

fn end_of_word(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_$:.".contains(c))).unwrap_or(text.len())
}

/// Where the JSON value ends that `text` begins with: a text at its second quote, anything else at white space or a
/// bracket.
fn end_of_value(text: &str) -> usize {
    if !text.starts_with('"') {
        return text.find(|c: char| c.is_whitespace() || ")]".contains(c)).unwrap_or(text.len());
    }
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}
