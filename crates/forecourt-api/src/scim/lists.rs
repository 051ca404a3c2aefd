//! What a directory may say about an answer (RFC 7644 §3.4.2, §3.9): which rows, and which of their attributes.

use axum::extract::FromRequestParts;
use forecourt_http::queries::Query;
use http::{StatusCode, request::Parts};
use serde_json::{Map, Value};

use super::{
    answers::Refusal,
    attributes::{self, Attribute},
    filters::{self, Filter},
    paths::{AttributePath, PatchPath},
};

/// The most rows in one answer.
pub(super) const MOST: usize = 200;
/// How many there are where nothing is said.
const USUAL: usize = 100;

/// What was said.
#[derive(Debug)]
pub(super) struct Parameters {
    filter: Option<String>,
    start: Option<i64>,
    count: Option<i64>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let number =
            |name: &str| query.number::<i64>(name).map_err(|problem| Refusal::value(problem.message()));
        let names = |name: &str| {
            let names = query.texts(name).into_iter().flat_map(|text| text.split(','));
            names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        Ok(Self {
            filter: query.text("filter").map(str::to_owned),
            start: number("startIndex")?,
            count: number("count")?,
            attributes: names("attributes"),
            excluded: names("excludedAttributes"),
        })
    }
}

impl Parameters {
    /// The same from the body of a search (RFC 7644 §3.4.3).
    pub(super) fn of_search(body: &Value) -> Result<Self, Refusal> {
        let wrong = |name: &str, wanted: &str| Refusal::value(format!("{name} must be {wanted}"));
        let given = |name: &str| body.get(name).filter(|value| !value.is_null());
        let number = |name: &str| match given(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| wrong(name, "a whole number")),
        };
        let names = |name: &str| match given(name) {
            None => Ok(Vec::new()),
            Some(value) => {
                let texts = value.as_array().map(|names| names.iter().map(Value::as_str));
                let texts = texts.and_then(|texts| texts.map(|text| Some(text?.to_owned())).collect());
                texts.ok_or_else(|| wrong(name, "an array of strings"))
            }
        };
        let filter = match given("filter") {
            None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => return Err(wrong("filter", "a string")),
        };
        Ok(Self {
            filter: filter.filter(|text| !text.is_empty()),
            start: number("startIndex")?,
            count: number("count")?,
            attributes: names("attributes")?,
            excluded: names("excludedAttributes")?,
        })
    }

    /// The filter, where there is one.
    pub(super) fn filter(&self) -> Result<Option<Filter>, Refusal> {
        let parse = |text: &String| {
            filters::parse(text).map_err(|problem| Refusal::bad_request("invalidFilter", problem))
        };
        self.filter.as_ref().map(parse).transpose()
    }

    /// Refuses a filter on what cannot be filtered (RFC 7644 §4).
    pub(super) fn unfiltered(&self) -> Result<(), Refusal> {
        match self.filter {
            None => Ok(()),
            Some(_) => Err(Refusal::new(StatusCode::FORBIDDEN, "what describes the service takes no filter")),
        }
    }

    /// The number of the first row, from 1 on, and how many there may be.
    pub(super) fn page(&self) -> (usize, usize) {
        let whole = |number: i64| usize::try_from(number).unwrap_or(0);
        let count = self.count.map_or(USUAL, whole);
        (self.start.map_or(1, whole).max(1), count.min(MOST))
    }

    /// What of a resource is wanted.
    pub(super) fn projection(&self) -> Result<Projection, Refusal> {
        if !self.attributes.is_empty() && !self.excluded.is_empty() {
            return Err(Refusal::value("attributes and excludedAttributes exclude each other"));
        }
        let paths = |names: &[String]| names.iter().map(|name| path(name)).collect::<Result<Vec<_>, _>>();
        Ok(match (self.attributes.is_empty(), self.excluded.is_empty()) {
            (true, true) => Projection::All,
            (false, _) => Projection::Only(paths(&self.attributes)?),
            _ => Projection::Without(paths(&self.excluded)?),
        })
    }
}

fn path(name: &str) -> Result<AttributePath, Refusal> {
    let parsed = PatchPath::parse(name).ok().filter(|path| path.filter.is_none());
    let parsed = parsed.ok_or_else(|| Refusal::value(format!("{name:?} is no name of an attribute")));
    parsed.map(|parsed| parsed.path)
}

/// What of a resource is answered; its id and its schemas always are.
#[derive(Clone, Debug)]
pub(super) enum Projection {
    All,
    Only(Vec<AttributePath>),
    Without(Vec<AttributePath>),
}

impl Projection {
    pub(super) fn of(&self, resource: Map<String, Value>) -> Map<String, Value> {
        let shown = resource.into_iter().filter_map(|(name, value)| {
            let attribute = attributes::named(&name)?;
            let value = if matches!(attribute.name, "id" | "schemas") {
                Some(value)
            } else {
                self.shown(attribute, value)
            };
            Some((name, value?))
        });
        shown.collect()
    }

    fn shown(&self, attribute: &'static Attribute, value: Value) -> Option<Value> {
        let own = |path: &&AttributePath| path.attribute == Some(attribute);
        match self {
            Self::All => Some(value),
            Self::Only(paths) => {
                let paths: Vec<_> = paths.iter().filter(own).collect();
                let is_whole = paths.iter().any(|path| path.part.is_none());
                let wanted =
                    |part: &str| paths.iter().any(|path| path.last().is_some_and(|own| own.name == part));
                if is_whole { Some(value) } else { parts(value, wanted).filter(|_| !paths.is_empty()) }
            }
            Self::Without(paths) => {
                let paths: Vec<_> = paths.iter().filter(own).collect();
                let is_whole = paths.iter().any(|path| path.part.is_none());
                let kept =
                    |part: &str| !paths.iter().any(|path| path.last().is_some_and(|own| own.name == part));
                if is_whole {
                    None
                } else if paths.is_empty() {
                    Some(value)
                } else {
                    parts(value, kept)
                }
            }
        }
    }
}

/// Those parts of a complex value, or of each of a list, whose name is `wanted`; `None` where none is left.
fn parts(value: Value, wanted: impl Fn(&str) -> bool + Copy) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let kept: Map<_, _> = members.into_iter().filter(|(name, _)| wanted(name)).collect();
            Some(Value::Object(kept)).filter(|kept| kept.as_object().is_some_and(|kept| !kept.is_empty()))
        }
        Value::Array(values) => Some(values.into_iter().filter_map(|value| parts(value, wanted)).collect()),
        _ => None,
    }
}
