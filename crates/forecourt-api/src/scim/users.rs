//! Users: administrators as a directory sees them (RFC 7643 §4.1, RFC 7644 §3).
//!
//! All are shown; only those that SCIM made can be changed. Each has a version, a digest of what GET answers, which
//! `If-Match` and `If-None-Match` are held against.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use forecourt_app::provisioning;
use forecourt_core::{
    ids::AdministratorId,
    provisioning::{DirectoryDetails, DirectoryEmail, ProvisionedInput, ProvisionedUser},
    secrets::SecretDigest,
};
use forecourt_http::{Context, addresses::ReachedAt, bodies::AnyJson, problem::Problem, times};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    Directory, PREFIX,
    answers::{self, Answer, Refusal},
    attributes::{self, USER},
    lists::{Parameters, Projection},
    patches,
};

type Body = Result<AnyJson, Problem>;

pub(super) async fn list(
    State(context): State<Context>,
    Directory(caller): Directory,
    reached: ReachedAt,
    asked: Parameters,
) -> Answer {
    found(&context, &caller, &reached, &asked).await
}

/// The same, with the parameters in a body (RFC 7644 §3.4.3).
pub(super) async fn search(
    State(context): State<Context>,
    Directory(caller): Directory,
    reached: ReachedAt,
    body: Body,
) -> Answer {
    found(&context, &caller, &reached, &Parameters::of_search(&body?.0)?).await
}

async fn found(
    context: &Context,
    caller: &forecourt_core::actors::Caller,
    reached: &ReachedAt,
    asked: &Parameters,
) -> Answer {
    let (filter, projection) = (asked.filter()?, asked.projection()?);
    // Directories look users up one by one, by name.
    let users = match filter.as_ref().and_then(|filter| filter.user_name()) {
        Some(name) => provisioning::user_named(&context.app, caller, name).await?.into_iter().collect(),
        None => provisioning::users(&context.app, caller).await?,
    };
    let shown = users.iter().map(|user| Value::Object(shape(user, reached)));
    let fitting: Vec<_> =
        shown.filter(|user| filter.as_ref().is_none_or(|filter| filter.passes(user))).collect();
    let (start, count) = asked.page();
    let total = fitting.len();
    let rows = fitting.into_iter().skip(start - 1).take(count).filter_map(|user| match user {
        Value::Object(user) => Some(Value::Object(projection.of(user))),
        _ => None,
    });
    Ok(answers::list(total, start, rows.collect()))
}

pub(super) async fn user(
    State(context): State<Context>,
    Directory(caller): Directory,
    reached: ReachedAt,
    Path(id): Path<String>,
    asked: Parameters,
    headers: HeaderMap,
) -> Answer {
    let asked = asked.projection()?;
    let user = provisioning::user(&context.app, &caller, &parsed(&id)?).await?;
    let known = version(&user);
    if names(&headers, &header::IF_NONE_MATCH, &known) == Some(true) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag(&known)?)]).into_response());
    }
    shown(StatusCode::OK, &user, &reached, &asked)
}

pub(super) async fn create(
    State(context): State<Context>,
    Directory(caller): Directory,
    reached: ReachedAt,
    asked: Parameters,
    body: Body,
) -> Answer {
    let asked = asked.projection()?;
    let user = provisioning::create(&context.app, &caller, input(&object(body)?)?).await?;
    shown(StatusCode::CREATED, &user, &reached, &asked)
}

pub(super) async fn replace(
    State(context): State<Context>,
    Directory(caller): Directory,
    reached: ReachedAt,
    Path(id): Path<String>,
    asked: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (id, asked) = (parsed(&id)?, asked.projection()?);
    let change = |user: &ProvisionedUser| {
        unchanged(&headers, user)?;
        input(&object(body)?)
    };
    let user = provisioning::change(&context.app, &caller, &id, change).await?;
    shown(StatusCode::OK, &user, &reached, &asked)
}

pub(super) async fn patch(
    State(context): State<Context>,
    Directory(caller): Directory,
    reached: ReachedAt,
    Path(id): Path<String>,
    asked: Parameters,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (id, asked) = (parsed(&id)?, asked.projection()?);
    let change = |user: &ProvisionedUser| {
        unchanged(&headers, user)?;
        input(&patches::patched(own(user), &body?.0)?)
    };
    let user = provisioning::change(&context.app, &caller, &id, change).await?;
    shown(StatusCode::OK, &user, &reached, &asked)
}

pub(super) async fn delete(
    State(context): State<Context>,
    Directory(caller): Directory,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    provisioning::delete(&context.app, &caller, &parsed(&id)?, |user| unchanged(&headers, user)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn parsed(id: &str) -> Result<AdministratorId, Refusal> {
    AdministratorId::parse(id).ok_or_else(Refusal::not_found)
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

fn shown(status: StatusCode, user: &ProvisionedUser, reached: &ReachedAt, asked: &Projection) -> Answer {
    let body = Value::Object(asked.of(shape(user, reached)));
    let mut response: Response = answers::answer(status, &body);
    response.headers_mut().insert(header::ETAG, tag(&version(user))?);
    let location = HeaderValue::try_from(location(user, reached)).map_err(|_| Problem::internal())?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// A user as GET answers it.
fn shape(user: &ProvisionedUser, reached: &ReachedAt) -> Map<String, Value> {
    let administrator = &user.administrator;
    let mut shape = json_of([("schemas", Some(json!([USER]))), ("id", Some(json!(administrator.id)))]);
    shape.extend(own(user));
    let meta = json!({
        "resourceType": "User",
        "created": times::iso(administrator.created_at),
        "lastModified": times::iso(administrator.updated_at),
        "location": location(user, reached),
        "version": version(user),
    });
    shape.insert("meta".into(), meta);
    shape
}

/// What a directory may set of a user.
fn own(user: &ProvisionedUser) -> Map<String, Value> {
    let ProvisionedUser { administrator, details } = user;
    let text = |text: &str| Some(json!(text)).filter(|_| !text.is_empty());
    let name = json_of([
        ("givenName", text(&administrator.first_name)),
        ("familyName", text(&administrator.last_name)),
    ]);
    let one = [DirectoryEmail { value: administrator.email.clone(), kind: String::new(), primary: None }];
    let emails = match details {
        Some(details) => details.emails.as_slice(),
        None if administrator.email.is_empty() => &[],
        None => &one,
    };
    let emails: Vec<_> = emails.iter().map(email).collect();
    let kept = |read: fn(&DirectoryDetails) -> &str| details.as_ref().and_then(|details| text(read(details)));
    json_of([
        ("externalId", kept(|details| &details.external_id)),
        ("userName", text(&administrator.username)),
        ("name", Some(name).filter(|name| !name.is_empty()).map(Value::Object)),
        ("displayName", kept(|details| &details.display_name)),
        ("emails", Some(emails).filter(|emails| !emails.is_empty()).map(Value::Array)),
        ("active", Some(json!(administrator.active))),
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

fn location(user: &ProvisionedUser, ReachedAt(origin): &ReachedAt) -> String {
    format!("{origin}{PREFIX}/Users/{}", user.administrator.id)
}

/// A text that is another one after every change that GET would show.
fn version(user: &ProvisionedUser) -> String {
    let content = json!([own(user), user.administrator.updated_at.micros()]).to_string();
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
        given_name: text(name, "givenName")?,
        family_name: text(name, "familyName")?,
        active: flag(given, "active")?,
        details: DirectoryDetails {
            external_id: text(given, "externalId")?,
            display_name: text(given, "displayName")?,
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
