//! Users: the accounts that a service is for, as a directory sees them (RFC 7643 §4.1, RFC 7644 §3).
//!
//! All are shown; only those that SCIM made can be changed. Each has a version, a digest of what GET answers, which
//! `If-Match` and `If-None-Match` are held against.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use forecourt_app::provisioning::{self, Wanted};
use forecourt_core::{
    actors::Caller,
    provisioning::{DirectoryDetails, DirectoryEmail, ProvisionedInput, ProvisionedUser},
    secrets::SecretDigest,
};
use forecourt_http::{Context, bodies::AnyJson, problem::Problem, times};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    Directory, Service,
    answers::{self, Answer, Refusal},
    attributes::{self, USER},
    lists::{Parameters, Projection},
    patches,
};

type Body = Result<AnyJson, Problem>;

pub(super) async fn list(
    State(context): State<Context>,
    Directory(caller): Directory,
    service: Service,
    asked: Parameters,
) -> Answer {
    found(&context, &caller, &service, &asked).await
}

/// The same, with the parameters in a body (RFC 7644 §3.4.3).
pub(super) async fn search(
    State(context): State<Context>,
    Directory(caller): Directory,
    service: Service,
    body: Body,
) -> Answer {
    found(&context, &caller, &service, &Parameters::of_search(&body?.0)?).await
}

async fn found(context: &Context, caller: &Caller, service: &Service, asked: &Parameters) -> Answer {
    let (filter, projection) = (asked.filter()?, asked.projection()?);
    let (start, count) = asked.page();
    let wanted = match &filter {
        None => Wanted::Page { skipped: start as u64 - 1, most: count as u64 },
        // Directories look users up one by one, by name or by their own id.
        Some(filter) => match (filter.sought("userName"), filter.sought("externalId")) {
            (Some(name), _) => Wanted::Named(name),
            (_, Some(id)) => Wanted::Known(id),
            _ => Wanted::All,
        },
    };
    let found = provisioning::users(&context.app, caller, wanted).await?;
    let total = usize::try_from(found.total).unwrap_or(usize::MAX);
    let shown = found.rows.iter().map(|user| Value::Object(shape(user, service)));
    let (total, rows) = match &filter {
        None => (total, shown.collect()),
        Some(filter) => {
            let fitting: Vec<_> = shown.filter(|user| filter.passes(user)).collect();
            (fitting.len(), fitting.into_iter().skip(start - 1).take(count).collect::<Vec<_>>())
        }
    };
    let rows = rows.into_iter().filter_map(|user| match user {
        Value::Object(user) => Some(Value::Object(projection.of(user))),
        _ => None,
    });
    Ok(answers::list(total, start, rows.collect()))
}

pub(super) async fn user(
    State(context): State<Context>,
    Directory(caller): Directory,
    service: Service,
    Path(id): Path<String>,
    asked: Parameters,
    headers: HeaderMap,
) -> Answer {
    let asked = asked.projection()?;
    let user = provisioning::user(&context.app, &caller, &id).await?;
    let known = version(&user);
    if names(&headers, &header::IF_NONE_MATCH, &known) == Some(true) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag(&known)?)]).into_response());
    }
    shown(StatusCode::OK, &user, &service, &asked)
}

pub(super) async fn create(
    State(context): State<Context>,
    Directory(caller): Directory,
    service: Service,
    asked: Parameters,
    body: Body,
) -> Answer {
    let asked = asked.projection()?;
    let user = provisioning::create(&context.app, &caller, input(&object(body)?)?).await?;
    shown(StatusCode::CREATED, &user, &service, &asked)
}

pub(super) async fn replace(
    State(context): State<Context>,
    Directory(caller): Directory,
    service: Service,
    Path(id): Path<String>,
    asked: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let asked = asked.projection()?;
    let change = |user: &ProvisionedUser| {
        unchanged(&headers, user)?;
        input(&object(body)?)
    };
    let user = provisioning::change(&context.app, &caller, &id, change).await?;
    shown(StatusCode::OK, &user, &service, &asked)
}

pub(super) async fn patch(
    State(context): State<Context>,
    Directory(caller): Directory,
    service: Service,
    Path(id): Path<String>,
    asked: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let asked = asked.projection()?;
    let change = |user: &ProvisionedUser| {
        unchanged(&headers, user)?;
        input(&patches::patched(own(user), &body?.0)?)
    };
    let user = provisioning::change(&context.app, &caller, &id, change).await?;
    shown(StatusCode::OK, &user, &service, &asked)
}

pub(super) async fn delete(
    State(context): State<Context>,
    Directory(caller): Directory,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    provisioning::delete(&context.app, &caller, &id, |user| unchanged(&headers, user)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn object(body: Body) -> Result<Map<String, Value>, Refusal> {
    match body?.0 {
        Value::Object(members) => Ok(attributes::declared(&members)),
        _ => Err(Refusal::bad_request("invalidSyntax", "the body must be a JSON object")),
    }
}

/// Refuses where `If-Match` names another version than the present one.
fn unchanged(headers: &HeaderMap, user: &ProvisionedUser) -> Result<(), Refusal> {
    match names(headers, &header::IF_MATCH, &version(user)) {
        Some(false) => {
            let detail = "the user has changed since: read it again";
            Err(Refusal::new(StatusCode::PRECONDITION_FAILED, detail))
        }
        _ => Ok(()),
    }
}

/// Whether the header names `version`, compared weakly; `None`: there is none.
fn names(headers: &HeaderMap, header: &HeaderName, version: &str) -> Option<bool> {
    let mut given = headers.get_all(header).iter().peekable();
    given.peek()?;
    let mut tags = given.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    Some(tags.any(|tag| tag.trim() == "*" || bare(tag) == bare(version)))
}

fn tag(version: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::try_from(version).map_err(|_| Problem::internal().into())
}

fn shown(status: StatusCode, user: &ProvisionedUser, service: &Service, asked: &Projection) -> Answer {
    let body = Value::Object(asked.of(shape(user, service)));
    let mut response: Response = answers::answer(status, &body);
    response.headers_mut().insert(header::ETAG, tag(&version(user))?);
    let location = HeaderValue::try_from(location(user, service)).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// A user as GET answers it.
fn shape(user: &ProvisionedUser, service: &Service) -> Map<String, Value> {
    let mut shape = json_of([("schemas", Some(json!([USER]))), ("id", Some(json!(user.id)))]);
    shape.extend(own(user));
    let meta = json!({
        "resourceType": "User",
        "created": times::iso(user.created_at),
        "lastModified": times::iso(user.updated_at),
        "location": location(user, service),
        "version": version(user),
    });
    shape.insert("meta".into(), meta);
    shape
}

/// What a directory may set of a user.
fn own(user: &ProvisionedUser) -> Map<String, Value> {
    let ProvisionedUser { username, active, details, .. } = user;
    let text = |text: &str| Some(json!(text)).filter(|_| !text.is_empty());
    let name =
        json_of([("givenName", text(&details.given_name)), ("familyName", text(&details.family_name))]);
    let emails: Vec<_> = details.emails.iter().map(email).collect();
    json_of([
        ("externalId", text(&details.external_id)),
        ("userName", text(username)),
        ("name", Some(name).filter(|name| !name.is_empty()).map(Value::Object)),
        ("displayName", text(&details.display_name)),
        ("emails", Some(emails).filter(|emails| !emails.is_empty()).map(Value::Array)),
        ("active", Some(json!(active))),
    ])
}

fn json_of<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn email(email: &DirectoryEmail) -> Value {
    Value::Object(json_of([
        ("value", Some(json!(email.value))),
        ("type", Some(json!(email.kind)).filter(|_| !email.kind.is_empty())),
        ("primary", email.primary.map(|primary| json!(primary))),
    ]))
}

fn location(user: &ProvisionedUser, service: &Service) -> String {
    service.at(&format!("/Users/{}", user.id))
}

/// A text that is another one after every change that GET would show.
fn version(user: &ProvisionedUser) -> String {
    let content = json!([own(user), user.updated_at.micros()]).to_string();
    let digest = SecretDigest::of(content.as_bytes()).to_hex();
    format!("W/\"{}\"", digest.get(..16).unwrap_or_default())
}

/// Reads a whole user.
fn input(given: &Map<String, Value>) -> Result<ProvisionedInput, Refusal> {
    let empty = Map::new();
    let name = match given.get("name") {
        None => &empty,
        Some(Value::Object(name)) => name,
        Some(_) => return Err(Refusal::value("name must be an object")),
    };
    let emails = match given.get("emails") {
        None => Vec::new(),
        Some(Value::Array(emails)) => emails.iter().map(read_email).collect::<Result<_, _>>()?,
        Some(_) => return Err(Refusal::value("emails must be an array of objects")),
    };
    Ok(ProvisionedInput {
        username: text(given, "userName")?,
        active: flag(given, "active")?,
        details: DirectoryDetails {
            external_id: text(given, "externalId")?,
            display_name: text(given, "displayName")?,
            given_name: text(name, "givenName")?,
            family_name: text(name, "familyName")?,
            emails,
        },
    })
}

fn read_email(given: &Value) -> Result<DirectoryEmail, Refusal> {
    let members = given.as_object().ok_or_else(|| Refusal::value("emails must be an array of objects"))?;
    Ok(DirectoryEmail {
        value: text(members, "value")?,
        kind: text(members, "type")?,
        primary: flag(members, "primary")?,
    })
}

fn text(given: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(Refusal::value(format!("{name} must be a string"))),
    }
}

/// A truth value. Some directories write it as a text.
fn flag(given: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refusal> {
    match given.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(Refusal::value(format!("{name} must be true or false"))),
    }
}
