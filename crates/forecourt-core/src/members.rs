//! Members of JSON objects. Most are closed: what we do not know there nobody would enforce, so it is refused.
//!
//! Every error names the member by its whole path, as in `plugins.cors.max_age`. `null` counts as absent.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::{Map, Value};

use crate::text::Invalid;

/// A JSON object to read from.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    members: &'a Map<String, Value>,
    path: String,
}

impl<'a> Members<'a> {
    /// The object that `value` at `path` is; anything else, and a member that is not `known`, is refused.
    pub fn closed(path: &str, value: &'a Value, known: &[&str]) -> Result<Self, Invalid> {
        let Value::Object(members) = value else { return Err(Invalid::new(path, "must be an object")) };
        let unknown = |(name, value): &(&String, &Value)| !value.is_null() && !known.contains(&name.as_str());
        if let Some((name, _)) = members.iter().find(unknown) {
            let known = known.join(", ");
            return Err(Invalid::new(
                format!("{path}.{name}"),
                format!("is not a member here; known are {known}"),
            ));
        }
        Ok(Self { members, path: path.to_owned() })
    }

    /// The object `members` at `path`, whose further members are ignored.
    pub fn open(path: &str, members: &'a Map<String, Value>) -> Self {
        Self { members, path: path.to_owned() }
    }

    /// An error about a member, in words to be read after its path.
    pub fn invalid(&self, member: &str, problem: impl Into<String>) -> Invalid {
        Invalid::new(self.path_of(member), problem)
    }

    /// The whole path of a member.
    pub fn path_of(&self, member: &str) -> String {
        format!("{}.{member}", self.path)
    }

    /// The member as any JSON value.
    pub fn any(&self, member: &str) -> Option<&'a Value> {
        self.members.get(member).filter(|value| !value.is_null())
    }

    /// Whether a member is given.
    pub fn has(&self, member: &str) -> bool {
        self.any(member).is_some()
    }

    fn read<T>(
        &self,
        member: &str,
        problem: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        let Some(value) = self.any(member) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.invalid(member, problem))
    }

    /// The member as text.
    pub fn text(&self, member: &str) -> Result<Option<String>, Invalid> {
        self.read(member, "must be a string", |value| value.as_str().map(str::to_owned))
    }

    /// The member as a truth value; absent: false.
    pub fn flag(&self, member: &str) -> Result<bool, Invalid> {
        Ok(self.read(member, "must be true or false", Value::as_bool)?.unwrap_or(false))
    }

    /// The member as a truth value, if it is given.
    pub fn bool(&self, member: &str) -> Result<Option<bool>, Invalid> {
        self.read(member, "must be true or false", Value::as_bool)
    }

    /// The member as a whole number within `range`.
    pub fn integer(&self, member: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Invalid> {
        let problem = format!("must be a whole number from {} to {}", range.start(), range.end());
        self.read(member, &problem, |value| value.as_i64().filter(|number| range.contains(number)))
    }

    /// The member as seconds within `range`, in milliseconds.
    pub fn seconds(&self, member: &str, range: RangeInclusive<f64>) -> Result<Option<u64>, Invalid> {
        let problem = format!("must be {} to {} seconds", range.start(), range.end());
        self.read(member, &problem, |value| {
            let seconds = value.as_f64().filter(|seconds| range.contains(seconds))?;
            let duration = std::time::Duration::try_from_secs_f64(seconds).ok()?;
            u64::try_from(duration.as_millis()).ok()
        })
    }

    /// The member as a list of texts.
    pub fn texts(&self, member: &str) -> Result<Option<Vec<String>>, Invalid> {
        self.read(member, "must be an array of strings", |value| {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }

    /// The member as a map from text to text; `null` in it counts as absent too.
    pub fn text_map(&self, member: &str) -> Result<Option<BTreeMap<String, String>>, Invalid> {
        self.read(member, "must be an object of strings", |value| {
            let given = value.as_object()?.iter().filter(|(_, value)| !value.is_null());
            given.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        })
    }

    /// The member as whole numbers within `range`.
    pub fn integers(&self, member: &str, range: RangeInclusive<i64>) -> Result<Option<Vec<i64>>, Invalid> {
        let problem = format!("must be an array of whole numbers from {} to {}", range.start(), range.end());
        self.read(member, &problem, |value| {
            let number = |item: &Value| item.as_i64().filter(|number| range.contains(number));
            value.as_array()?.iter().map(number).collect()
        })
    }

    /// The member as a closed object.
    pub fn object(&self, member: &str, known: &[&str]) -> Result<Option<Self>, Invalid> {
        let object = self.any(member).map(|value| Self::closed(&self.path_of(member), value, known));
        object.transpose()
    }

    /// The member as a list of closed objects.
    pub fn objects(&self, member: &str, known: &[&str]) -> Result<Option<Vec<Self>>, Invalid> {
        let items = self.read(member, "must be an array of objects", Value::as_array)?;
        let path = self.path_of(member);
        let object =
            |(index, item): (usize, &'a Value)| Self::closed(&format!("{path}[{index}]"), item, known);
        items.map(|items| items.iter().enumerate().map(object).collect()).transpose()
    }
}
