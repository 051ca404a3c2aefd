//! Labels: small key-value marks that people filter by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::{self, Invalid};

/// Checked labels: keys 1–256 characters, values 1–65536, neither with control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Checks every key and value.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, Invalid> {
        Self::with_empty(pairs, None)
    }

    /// The same, where the value of the one label `may_be_empty` may be empty too, since it means something.
    pub fn with_empty(pairs: BTreeMap<String, String>, may_be_empty: Option<&str>) -> Result<Self, Invalid> {
        for (key, value) in &pairs {
            if !(1..=256).contains(&key.chars().count()) || text::has_control(key) {
                return Err(Invalid::new(
                    "labels",
                    "keys must be 1 to 256 characters without control characters",
                ));
            }
            let least = usize::from(may_be_empty != Some(key.as_str()));
            if !(least..=65_536).contains(&value.chars().count()) || text::has_control(value) {
                return Err(Invalid::new(
                    format!("labels.{key}"),
                    "must be 1 to 65536 characters without line breaks or control characters",
                ));
            }
        }
        Ok(Self(pairs))
    }

    /// The pairs, ascending by key.
    pub const fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// One condition of a label filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelCondition {
    /// The key that a row must carry.
    pub key: String,
    /// The exact value; `None`: any.
    pub value: Option<String>,
}
