//! JSON bodies: an empty one counts as `{}`, anything else must be UTF-8 JSON of a JSON type, at most 12 MiB. And forms
//! of pages, at most 512 KiB.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::{audits, callers::Call, problem::Problem, queries::Query};

/// The largest body, bytes.
pub const LIMIT: usize = 12 * 1024 * 1024;

/// The largest form, bytes.
const FORM_LIMIT: usize = 512 * 1024;

/// A body that is a form of a page, read as queries are.
#[derive(Clone, Debug)]
pub struct FormFields(pub Query);

/// A body that is a JSON object, with readers that name the member that is wrong. `null` counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: Map<String, Value>,
    path: String,
}

/// A body that is any JSON value.
#[derive(Clone, Debug)]
pub struct AnyJson(pub Value);

impl<S: Send + Sync> FromRequest<S> for AnyJson {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let json_type = is_json(request.headers().get(header::CONTENT_TYPE));
        let call = request.extensions().get::<Call>().cloned();
        let body = whole(request, LIMIT).await?;
        if body.is_empty() {
            return Ok(Self(Value::Object(Map::new())));
        }
        if !json_type {
            return Err(Problem::bad_request("Content-Type must be application/json or another +json type"));
        }
        let text = std::str::from_utf8(&body).map_err(|_| Problem::bad_request("the body is not UTF-8"))?;
        let value = serde_json::from_str(text);
        let value =
            value.map_err(|error| Problem::bad_request(format!("the body is not valid JSON: {error}")))?;
        if let Some(call) = call {
            call.journal.note_body(&value);
        }
        Ok(Self(value))
    }
}

impl<S: Send + Sync> FromRequest<S> for FormFields {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        const FORM: &str = "application/x-www-form-urlencoded";
        let is_form = essence(request.headers().get(header::CONTENT_TYPE)).as_deref() == Some(FORM);
        let call = request.extensions().get::<Call>().cloned();
        let body = whole(request, FORM_LIMIT).await?;
        if !is_form {
            return Err(Problem::bad_request(format!("Content-Type must be {FORM}")));
        }
        let text = std::str::from_utf8(&body).map_err(|_| Problem::bad_request("the body is not UTF-8"))?;
        let fields = Query::parse(text)?;
        if let Some(call) = call {
            call.journal.note_body(&audits::form_body(&fields));
        }
        Ok(Self(fields))
    }
}

/// The whole body, of at most `limit` bytes.
async fn whole(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > limit as u64) {
        return Err(Problem::too_large());
    }
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::too_large()),
        Err(_) => Err(Problem::bad_request("the body ended before it was complete")),
    }
}

impl<S: Send + Sync> FromRequest<S> for Object {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Self::of(AnyJson::from_request(request, state).await?.0)
    }
}

fn is_json(content_type: Option<&http::HeaderValue>) -> bool {
    let is_json = |essence: &str| {
        essence == "application/json" || (essence.contains('/') && essence.ends_with("+json"))
    };
    essence(content_type).as_deref().is_some_and(is_json)
}

/// A media type without its parameters, in lower case.
fn essence(content_type: Option<&http::HeaderValue>) -> Option<String> {
    let text = content_type.and_then(|value| value.to_str().ok())?;
    Some(text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

impl Object {
    /// The object that `value` is; anything else is refused.
    pub fn of(value: Value) -> Result<Self, Problem> {
        match value {
            Value::Object(members) => Ok(Self { members, path: String::new() }),
            _ => Err(Problem::bad_request("the body must be a JSON object")),
        }
    }

    fn problem(&self, member: &str, problem: &str) -> Problem {
        Problem::bad_request(format!("{}{member} {problem}", self.path))
    }

    fn value(&self, member: &str) -> Option<&Value> {
        self.members.get(member).filter(|value| !value.is_null())
    }

    /// Whether a member is given and not null.
    pub fn has(&self, member: &str) -> bool {
        self.value(member).is_some()
    }

    /// Whether a member is given at all, be it null.
    pub fn names(&self, member: &str) -> bool {
        self.members.contains_key(member)
    }

    /// The member as any JSON value.
    pub fn any(&self, member: &str) -> Option<Value> {
        self.value(member).cloned()
    }

    /// The member as text.
    pub fn text(&self, member: &str) -> Result<Option<String>, Problem> {
        match self.value(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.problem(member, "must be a string")),
        }
    }

    /// The member as text that must be there and not empty.
    pub fn required_text(&self, member: &str) -> Result<String, Problem> {
        let text = self.text(member)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| self.problem(member, "is required"))
    }

    /// The member as a truth value.
    pub fn bool(&self, member: &str) -> Result<Option<bool>, Problem> {
        match self.value(member) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.problem(member, "must be true or false")),
        }
    }

    /// The member as a whole number.
    pub fn integer(&self, member: &str) -> Result<Option<i64>, Problem> {
        match self.value(member) {
            None => Ok(None),
            Some(value) => {
                value.as_i64().map(Some).ok_or_else(|| self.problem(member, "must be a whole number"))
            }
        }
    }

    /// The member as a number.
    pub fn number(&self, member: &str) -> Result<Option<f64>, Problem> {
        match self.value(member) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.problem(member, "must be a number")),
        }
    }

    /// The member as one of the words that `read` knows.
    pub fn word<T>(
        &self,
        member: &str,
        read: impl Fn(&str) -> Option<T>,
        words: &str,
    ) -> Result<Option<T>, Problem> {
        match self.text(member)? {
            None => Ok(None),
            Some(word) => {
                read(&word).map(Some).ok_or_else(|| self.problem(member, &format!("must be {words}")))
            }
        }
    }

    /// The member as a list of texts.
    pub fn texts(&self, member: &str) -> Result<Option<Vec<String>>, Problem> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let texts = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        texts.map(Some).ok_or_else(|| self.problem(member, "must be an array of strings"))
    }

    /// The member as a map from text to text; `null` in it counts as absent too.
    pub fn text_map(&self, member: &str) -> Result<Option<BTreeMap<String, String>>, Problem> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        let given = |members: &Map<String, Value>| {
            members.iter().filter(|(_, value)| !value.is_null()).map(pair).collect()
        };
        let map = value.as_object().and_then(given);
        map.map(Some).ok_or_else(|| self.problem(member, "must be an object of strings"))
    }

    /// The member as a raw JSON object.
    pub fn map(&self, member: &str) -> Result<Option<Map<String, Value>>, Problem> {
        match self.value(member) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members.clone())),
            Some(_) => Err(self.problem(member, "must be an object")),
        }
    }

    /// The member as an object to read from, whose problems name the whole path.
    pub fn object(&self, member: &str) -> Result<Option<Self>, Problem> {
        let path = format!("{}{member}.", self.path);
        Ok(self.map(member)?.map(|members| Self { members, path }))
    }

    /// The member as a list of objects, whose problems name the whole path.
    pub fn objects(&self, member: &str) -> Result<Option<Vec<Self>>, Problem> {
        let Some(value) = self.value(member) else { return Ok(None) };
        let Some(items) = value.as_array() else { return Err(self.problem(member, "must be an array")) };
        let read = |(index, item): (usize, &Value)| match item {
            Value::Object(members) => {
                Ok(Self { members: members.clone(), path: format!("{}{member}[{index}].", self.path) })
            }
            _ => Err(self.problem(member, "must be an array of objects")),
        };
        items.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map(Some)
    }

    /// Refuses members other than `known`, as objects that the contract calls closed do. `null` names nothing.
    pub fn closed(&self, known: &[&str]) -> Result<(), Problem> {
        let unknown = self
            .members
            .iter()
            .find(|(member, value)| !value.is_null() && !known.contains(&member.as_str()))
            .map(|(member, _)| member);
        match unknown {
            None => Ok(()),
            Some(member) => {
                Err(self.problem(member, &format!("is not a member here; known are {}", known.join(", "))))
            }
        }
    }

    /// Gives the members named with `_` in `aliases` their hyphened names; both spellings at once are refused.
    pub fn hyphened(mut self, aliases: &[(&str, &str)]) -> Result<Self, Problem> {
        for (alias, name) in aliases {
            if self.has(alias) && self.has(name) {
                return Err(self.problem(alias, &format!("and {name} are the same member: give one of them")));
            }
            if let Some(value) = self.members.remove(*alias).filter(|value| !value.is_null()) {
                self.members.insert((*name).to_owned(), value);
            }
        }
        Ok(self)
    }

    /// The members other than `known`, as given.
    pub fn extra(&self, known: &[&str]) -> Map<String, Value> {
        let unknown = self.members.iter().filter(|(name, _)| !known.contains(&name.as_str()));
        unknown.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::of(value).unwrap()
    }

    #[test]
    fn a_problem_names_the_member_by_its_whole_path() {
        let body = object(json!({ "upstream": { "nodes": [{ "port": "80" }] } }));
        let nodes = body.object("upstream").unwrap().unwrap().objects("nodes").unwrap().unwrap();
        let problem = format!("{:?}", nodes[0].integer("port").unwrap_err());
        assert!(problem.contains("upstream.nodes[0].port must be a whole number"), "{problem}");
    }

    #[tokio::test]
    async fn a_form_is_read_as_queries_are_and_has_a_limit_of_its_own() {
        let read = async |content_type: &str, body: String| {
            let request = http::Request::post("/").header(header::CONTENT_TYPE, content_type);
            let request = request.body(axum::body::Body::from(body)).unwrap();
            FormFields::from_request(request, &()).await.map_err(|problem| format!("{problem:?}"))
        };
        let form = "application/x-www-form-urlencoded; charset=UTF-8";
        let FormFields(fields) = read(form, "a=x+%2By&b=".into()).await.unwrap();
        assert_eq!((fields.text("a"), fields.text("b")), (Some("x +y"), None));
        for (content_type, body) in
            [("text/plain", "a=x".to_owned()), (form, "a=%ff".into()), (form, "a".repeat(FORM_LIMIT + 1))]
        {
            assert!(read(content_type, body).await.is_err(), "{content_type}");
        }
    }

    #[test]
    fn null_counts_as_absent() {
        let body = object(json!({ "name": null }));
        assert_eq!(body.text("name").unwrap(), None);
        assert!(body.names("name") && !body.has("name"));
    }

    #[test]
    fn an_alias_is_the_member_and_both_at_once_are_refused() {
        let aliases = [("key_auth", "key-auth")];
        assert!(object(json!({ "key_auth": {} })).hyphened(&aliases).unwrap().has("key-auth"));
        assert!(object(json!({ "key_auth": {}, "key-auth": {} })).hyphened(&aliases).is_err());
    }

    #[test]
    fn a_closed_object_refuses_what_it_does_not_know() {
        assert!(object(json!({ "type": "x", "key": "y" })).closed(&["type"]).is_err());
        assert!(object(json!({ "type": "x", "key": null })).closed(&["type"]).is_ok());
    }
}
