//! The message catalogue: every text of the two sites, by key.
//!
//! A key is a dotted path into `messages/en.json`. A leaf is a text with `{name}` places, or an object with
//! `one` and `other` that the argument `count` chooses between. A test compares the keys that templates use
//! with the catalogue, both ways.

use std::collections::BTreeMap;

use serde_json::Value;

const ENGLISH: &str = include_str!("../messages/en.json");

/// The texts of one language.
#[derive(Debug)]
pub struct Messages {
    texts: BTreeMap<String, Text>,
}

#[derive(Debug)]
enum Text {
    Plain(String),
    Counted { one: String, other: String },
}

impl Messages {
    /// The English catalogue.
    ///
    /// # Errors
    /// When the embedded file is not a JSON object of texts; a test reads it, so a release cannot have that.
    pub fn english() -> Result<Self, serde_json::Error> {
        let tree: Value = serde_json::from_str(ENGLISH)?;
        let mut texts = BTreeMap::new();
        flatten("", &tree, &mut texts);
        Ok(Self { texts })
    }

    /// The text of `key` with `arguments` filled in, or `None` where the catalogue lacks the key or a place
    /// has no argument.
    pub fn text(&self, key: &str, arguments: &BTreeMap<String, String>) -> Option<String> {
        let text = match self.texts.get(key)? {
            Text::Plain(text) => text,
            Text::Counted { one, other } => match arguments.get("count")?.as_str() {
                "1" => one,
                _ => other,
            },
        };
        fill(text, arguments)
    }

    /// Every key, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }
}

fn flatten(prefix: &str, tree: &Value, texts: &mut BTreeMap<String, Text>) {
    let Value::Object(members) = tree else {
        if let Some(text) = tree.as_str() {
            texts.insert(prefix.to_owned(), Text::Plain(text.to_owned()));
        }
        return;
    };
    if let (2, Some(one), Some(other)) = (
        members.len(),
        members.get("one").and_then(Value::as_str),
        members.get("other").and_then(Value::as_str),
    ) {
        let counted = Text::Counted { one: one.to_owned(), other: other.to_owned() };
        texts.insert(prefix.to_owned(), counted);
        return;
    }
    for (name, value) in members {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        flatten(&key, value, texts);
    }
}

fn fill(text: &str, arguments: &BTreeMap<String, String>) -> Option<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(arguments.get(name)?);
        rest = tail;
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(json: &str) -> Messages {
        let mut texts = BTreeMap::new();
        flatten("", &serde_json::from_str(json).unwrap(), &mut texts);
        Messages { texts }
    }

    fn arguments(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_text_takes_its_arguments() {
        let messages = catalogue(r#"{"a":{"hello":"Hello {name}, you are {name}."}}"#);
        let text = messages.text("a.hello", &arguments(&[("name", "Ada")]));
        assert_eq!(text.as_deref(), Some("Hello Ada, you are Ada."));
    }

    #[test]
    fn a_missing_key_or_argument_is_no_text() {
        let messages = catalogue(r#"{"hello":"Hello {name}"}"#);
        assert_eq!(messages.text("hello", &arguments(&[])), None);
        assert_eq!(messages.text("hell", &arguments(&[])), None);
    }

    #[test]
    fn a_count_chooses_the_form() {
        let messages = catalogue(r#"{"calls":{"one":"{count} call","other":"{count} calls"}}"#);
        let text = |count| messages.text("calls", &arguments(&[("count", count)])).unwrap();
        assert_eq!((text("1"), text("0")), ("1 call".to_owned(), "0 calls".to_owned()));
    }
}
