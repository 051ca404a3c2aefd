//! A form as it is shown again: what was typed, and what was wrong with it.
//!
//! Names are those of the HTML fields. The template macros ask by name, so a page without a failed
//! submission needs no entries. Secrets are never put back.

use std::collections::BTreeMap;

use serde::Serialize;

/// The state of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Form {
    /// What was typed or is stored, by field name; several for groups of check boxes.
    pub values: BTreeMap<String, Vec<String>>,
    /// A sentence per field that was refused.
    pub errors: BTreeMap<String, String>,
    /// What is wrong with the whole, if anything.
    pub error: Option<String>,
}

impl Form {
    /// An empty form.
    pub fn new() -> Self {
        Self::default()
    }

    /// With `value` in the field `name`; called again for the same name, both.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.entry(name.to_owned()).or_default().push(value.into());
        self
    }

    /// With the field `name` refused because of `sentence`.
    #[must_use]
    pub fn refused(mut self, name: &str, sentence: impl Into<String>) -> Self {
        self.errors.insert(name.to_owned(), sentence.into());
        self
    }

    /// With the whole form refused because of `sentence`.
    #[must_use]
    pub fn failed(mut self, sentence: impl Into<String>) -> Self {
        self.error = Some(sentence.into());
        self
    }
}
