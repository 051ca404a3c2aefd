//! Attributes: what a developer tells about an application, for the programs of portal and provider to read.
//!
//! Unlike labels nobody filters by them. They can be written as lines `key: value`, so keys hold no colon and neither
//! side begins or ends with white space.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::{self, Invalid};

/// Checked attributes: at most 100, keys 1–256 characters, values 1–4096, neither with control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Attributes(BTreeMap<String, String>);

/// How many attributes something has at most.
const MOST: usize = 100;
/// The longest key, in characters.
const KEY: usize = 256;
/// The longest value, in characters.
const VALUE: usize = 4_096;

impl Attributes {
    /// Checks every key and value.
    ///
    /// # Errors
    /// Names `attributes`, or the one attribute whose value is none.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, Invalid> {
        if pairs.len() > MOST {
            return Err(Invalid::new("attributes", format!("must be at most {MOST}")));
        }
        for (key, value) in &pairs {
            if !is_plain(key, KEY) || key.contains(':') {
                let problem = format!(
                    "keys must be 1 to {KEY} characters without colons, control characters and white space at their ends"
                );
                return Err(Invalid::new("attributes", problem));
            }
            if !is_plain(value, VALUE) {
                let problem = format!(
                    "must be 1 to {VALUE} characters without control characters and white space at its ends"
                );
                return Err(Invalid::new(format!("attributes.{key}"), problem));
            }
        }
        Ok(Self(pairs))
    }

    /// The pairs, ascending by key.
    pub const fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

fn is_plain(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count()) && !text::has_control(text) && text.trim() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(key: &str, value: &str) -> Result<Attributes, Invalid> {
        Attributes::new(BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn what_fits_on_a_line_is_an_attribute_and_anything_else_is_named() {
        for (key, value) in
            [("cost center", "4711"), ("äöü/1", "a: b"), (&"k".repeat(256), &"v".repeat(4_096))]
        {
            let read = attributes(key, value).unwrap();
            assert_eq!(read.pairs().get(key).map(String::as_str), Some(value));
        }
        for (key, value, field) in [
            ("", "v", "attributes"),
            ("a:b", "v", "attributes"),
            (" a", "v", "attributes"),
            ("a\n", "v", "attributes"),
            (&"k".repeat(257), "v", "attributes"),
            ("a", "", "attributes.a"),
            ("a", " ", "attributes.a"),
            ("a", "v ", "attributes.a"),
            ("a", "v\nw", "attributes.a"),
            ("a", "v\0", "attributes.a"),
            ("a", &"v".repeat(4_097), "attributes.a"),
        ] {
            assert_eq!(attributes(key, value).unwrap_err().field, field, "{key:?}: {value:?}");
        }
    }

    #[test]
    fn there_are_at_most_a_hundred() {
        let many = |count: u32| (0..count).map(|number| (number.to_string(), "x".to_owned())).collect();
        assert!(Attributes::new(many(100)).is_ok());
        assert_eq!(Attributes::new(many(101)).unwrap_err().to_string(), "attributes must be at most 100");
    }
}
