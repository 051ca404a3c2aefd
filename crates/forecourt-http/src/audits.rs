//! What the audit log hears of a request and its answer: [`begin`] describes the request before anything reads it,
//! [`answered`] hands over the answer once there is one.
//!
//! Requests that only read pay for the description alone; their answers are not looked at.

use axum::{
    body::{Body, HttpBody},
    extract::{MatchedPath, Request},
    response::Response,
};
use forecourt_app::{App, audit_logs};
use forecourt_core::audit_logs::{
    AnsweredCall, AuditedRequest, Journal, LARGEST_BODY, LONGEST_SEARCHED, masking,
};
use http::{Method, StatusCode, Uri, header};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::queries::Query;

/// What is sent by POST and changes nothing: searches of directories, and checks of what could be stored.
const HARMLESS: [&str; 2] = ["/.search", "/apisix/admin/configs/validate"];

/// The one GET that changes something: the script that it answers holds a fresh token.
pub const CHANGING_READ: &str = "/api/gateway_groups/{id}/deployment/docker";

/// Whether a request of this method may change something.
pub const fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The notes of a request that begins.
pub fn begin(request: &Request) -> Journal {
    let uri = request.uri();
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let pattern = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let is_harmless = HARMLESS.iter().any(|end| uri.path().ends_with(end));
    let is_change = is_change(request.method()) && !is_harmless;
    Journal::of(AuditedRequest {
        method: request.method().as_str().to_owned(),
        uri: uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        user_agent: agent.unwrap_or_default().to_owned(),
        is_change,
        resource_id: pattern.filter(|_| is_change).and_then(|pattern| last_id(pattern, uri.path())),
        gateway_group_id: pattern.filter(|_| is_change).and_then(|pattern| gateway_group(pattern, uri)),
    })
}

/// The part of `path` that stands where `pattern` has its last variable part; `None` where nothing has such an id.
fn last_id(pattern: &str, path: &str) -> Option<String> {
    let is_variable = |(part, _): &(&str, &str)| part.starts_with('{');
    let pairs: Vec<_> = pattern.split('/').zip(path.split('/')).collect();
    let (_, id) = pairs.into_iter().rev().find(is_variable)?;
    let id = percent_encoding::percent_decode(id.as_bytes()).decode_utf8().ok()?;
    as_id(&id)
}

/// What can be an id of something, and is no secret.
fn as_id(text: &str) -> Option<String> {
    let is_id = text.len() <= LONGEST_SEARCHED && !text.chars().any(char::is_control);
    is_id.then(|| masking::text(text))
}

/// The gateway group that the path of `uri` names where `pattern` has one, or its query.
fn gateway_group(pattern: &str, uri: &Uri) -> Option<String> {
    let before = std::iter::once("").chain(pattern.split('/'));
    let is_group =
        |before: &str, part: &str| part == "{group}" || (before == "gateway_groups" && part.starts_with('{'));
    let mut parts = before.zip(pattern.split('/')).zip(uri.path().split('/'));
    let in_path = parts.find(|((before, part), _)| is_group(before, part)).map(|(_, id)| id);
    match in_path {
        Some(id) => as_id(&percent_encoding::percent_decode(id.as_bytes()).decode_utf8().ok()?),
        None => as_id(Query::parse(uri.query()?).ok()?.text("gateway_group_id")?),
    }
}

/// The fields of a form as an object, to be noted as the request's body.
pub fn form_body(fields: &Query) -> Value {
    let mut members = serde_json::Map::new();
    for (name, value) in fields.pairs() {
        match members.get_mut(name) {
            None => {
                members.insert(name.to_owned(), value.into());
            }
            Some(Value::Array(values)) => values.push(value.into()),
            Some(first) => *first = Value::Array(vec![first.take(), value.into()]),
        }
    }
    Value::Object(members)
}

/// Hands the answer over, where it belongs into the log, and gives it back as it was.
pub async fn answered(app: &App, journal: &Journal, response: Response) -> Response {
    if !journal.wants_answer() {
        return response;
    }
    let (response, body) = read(response).await;
    let status = response.status();
    let answer = AnsweredCall {
        status_code: status.as_u16(),
        error_message: error_message(journal, status, body.as_ref()),
        body,
    };
    audit_logs::answered(app, journal, &answer).await;
    response
}

/// The answer with its body, where that is JSON and not too large to be kept.
async fn read(response: Response) -> (Response, Option<Value>) {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.starts_with("application/") && kind.contains("json"));
    let size = response.body().size_hint().exact();
    if !is_json || size.is_none_or(|size| size > 4 * LARGEST_BODY as u64) {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    match body.collect().await {
        Ok(collected) => {
            let bytes = collected.to_bytes();
            let value = serde_json::from_slice(&bytes).ok();
            (Response::from_parts(parts, Body::from(bytes)), value)
        }
        // A body that is there as a whole does not fail.
        Err(_) => (Response::from_parts(parts, Body::empty()), None),
    }
}

/// Why it did not happen: as the answer says it, or the page noted it, or its status is called.
fn error_message(journal: &Journal, status: StatusCode, body: Option<&Value>) -> Option<String> {
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let told = |member: &str| body?.get(member)?.as_str().map(masking::text);
    let named = || status.canonical_reason().unwrap_or("refused").to_lowercase();
    Some(told("error_msg").or_else(|| told("detail")).or_else(|| journal.error()).unwrap_or_else(named))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_call_is_about_is_the_last_id_in_its_path() {
        let pattern = "/api/portals/{portal}/tokens/{id}/regenerate";
        assert_eq!(last_id(pattern, "/api/portals/prt_1/tokens/ptk_1/regenerate").as_deref(), Some("ptk_1"));
        assert_eq!(last_id("/api/portals", "/api/portals"), None);
        assert_eq!(last_id("/c/{username}", "/c/a%20b").as_deref(), Some("a b"));
        let token = format!("/c/a7lnk-{}", "aB1".repeat(14));
        assert_eq!(last_id("/c/{token}", &token).as_deref(), Some(masking::MASK));
    }

    #[test]
    fn what_cannot_be_an_id_is_none() {
        let long = "a".repeat(LONGEST_SEARCHED);
        assert_eq!(last_id("/c/{id}", &format!("/c/{long}")), Some(long.clone()));
        for wrong in ["a%00b", "a%0Ab", "%C2%85", &format!("{long}a")] {
            assert_eq!(last_id("/c/{id}", &format!("/c/{wrong}")), None, "{wrong}");
        }
    }

    #[test]
    fn the_gateway_group_of_a_call_stands_in_its_path_or_its_query() {
        let of = |pattern: &str, uri: &str| gateway_group(pattern, &uri.parse().unwrap());
        let group = Some("edge 1".to_owned());
        let key = "/api/gateway_groups/{id}/services/{service}";
        assert_eq!(of(key, "/api/gateway_groups/edge%201/services/a"), group);
        let page = "/gateway/groups/{group}/services/new";
        assert_eq!(of(page, "/gateway/groups/edge%201/services/new?gateway_group_id=b"), group);
        let route = "/apisix/admin/routes/{id}";
        assert_eq!(of(route, "/apisix/admin/routes/gateway_groups?gateway_group_id=edge%201"), group);
        for uri in ["/apisix/admin/routes/a", "/apisix/admin/routes/a?gateway_group_id=%00"] {
            assert_eq!(of(route, uri), None, "{uri}");
        }
        assert_eq!(of("/api/gateway_groups", "/api/gateway_groups"), None);
    }

    #[test]
    fn a_form_is_an_object_with_arrays_where_a_field_is_repeated() {
        let fields = Query::parse("name=Ada&tag=a&tag=b&tag=c").unwrap();
        assert_eq!(form_body(&fields), json!({ "name": "Ada", "tag": ["a", "b", "c"] }));
    }
}
