//! `/api/credentials` and `/api/applications/{id}/credentials`: secrets leave once, when they are made.

mod oauth;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    Error, applications,
    credentials::{self, IssuedCredential, NamedCredential, NewSecret},
    oauth_clients,
};
use forecourt_core::{
    actors::Caller,
    credentials::{
        BasicSecret, Credential, CredentialFilter, CredentialInput, CredentialOrder, CredentialType,
        TokenSigning,
    },
    gateway_state::JwtAlgorithm,
    ids::{ApplicationId, CredentialId},
    lists::Order,
    secrets::PlainSecret,
};
use forecourt_http::{
    Context,
    bodies::{AnyJson, Object},
    callers::DeveloperCaller,
    lists,
    paths::Path,
    problem::Problem,
    queries::Query,
    times::iso,
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{applications::parse, credential_schemas, gone, operations};
use crate::{
    openapi::schemas,
    shapes::{members, non_empty},
    table::Table,
};

pub(super) fn endpoints(table: Table) -> Table {
    let of_application = "/api/applications/{id}/credentials";
    let item = "/api/applications/{id}/credentials/{credential_id}";
    let listed =
        || credential_schemas::filtered(operations::list("List credentials", credential_schemas::shape()));
    let listed_of_application =
        operations::list("List credentials of an application", credential_schemas::shape());
    let create_notes = "The answer shows the secret; nothing shows it again.";
    let renew_notes = "The answer shows the new secret; the old one is dead at once.";
    table
        .about("Credentials")
        .get(of_application, list_of_application, credential_schemas::filtered(listed_of_application))
        .post(
            of_application,
            create,
            operations::create("Create a credential", credential_schemas::new(), credential_schemas::shape())
                .notes(create_notes),
        )
        .get(item, one, operations::one("Get a credential", credential_schemas::shape()))
        .put(
            item,
            update,
            operations::send(
                "Replace a credential",
                credential_schemas::changes(),
                credential_schemas::shape(),
            )
            .notes("Its name, description and labels; secrets cannot be changed here."),
        )
        .delete(item, remove, operations::delete("Delete a credential"))
        .put(
            "/api/applications/{id}/credentials/{credential_id}/regenerate",
            regenerate,
            operations::send(
                "Regenerate a credential",
                credential_schemas::secret(),
                credential_schemas::shape(),
            )
            .notes(renew_notes),
        )
        .get("/api/credentials", list, listed().query("application_id", schemas::array(schemas::id())))
}

const TYPES: &str = "key-auth, basic-auth, jwt-auth or oauth";
const ALIASES: [(&str, &str); 3] =
    [("key_auth", "key-auth"), ("basic_auth", "basic-auth"), ("jwt_auth", "jwt-auth")];

async fn list(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    query: Query,
) -> Result<Response, Problem> {
    let named = query.texts("application_id");
    let applications: Vec<_> = named.iter().filter_map(|id| ApplicationId::parse(id)).collect();
    // Ids that cannot be any application's match nothing.
    let nothing = !named.is_empty() && applications.is_empty();
    answer_list(&context, &caller, &query, applications, nothing).await
}

async fn list_of_application(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
    query: Result<Query, Problem>,
) -> Result<Response, Problem> {
    let application = applications::application(&context.app, &caller, &parse(&id)?).await?;
    answer_list(&context, &caller, &query?, vec![application.id], false).await
}

async fn answer_list(
    context: &Context,
    caller: &Caller,
    query: &Query,
    applications: Vec<ApplicationId>,
    nothing: bool,
) -> Result<Response, Problem> {
    let method = query.word("auth_method", known_type, "key-auth, basic-auth or oauth")?;
    let plugin = query.word("plugin_name", known_type, "key-auth, basic-auth or oauth")?;
    let filter = CredentialFilter {
        developer_id: None,
        applications,
        credential_type: method.or(plugin),
        text: query.text_filter(),
        order: order(query)?,
        paging: query.paging()?,
    };
    if nothing {
        return Ok(lists::whole(Vec::<Value>::new()).into_response());
    }
    let found = credentials::list(&context.app, caller, filter).await?;
    Ok(lists::body(found.map(|named| body(&named, None))).into_response())
}

fn known_type(word: &str) -> Option<CredentialType> {
    CredentialType::from_name(&word.replace('_', "-"))
}

fn order(query: &Query) -> Result<Order<CredentialOrder>, Problem> {
    let read = |word: &str| match word {
        "updated_at" => Some(CredentialOrder::UpdatedAt),
        "created_at" => Some(CredentialOrder::CreatedAt),
        "name" => Some(CredentialOrder::Name),
        _ => None,
    };
    query.order(read, "updated_at, created_at or name")
}

async fn create(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(id): Path<String>,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    let application = applications::application(&context.app, &caller, &parse(&id)?).await?;
    let given = read(given)?;
    let secret = match required_type(&given)? {
        CredentialType::Oauth => {
            let issued = oauth::create(&context, &caller, &application.id, &given).await?;
            return Ok(answer_once(StatusCode::CREATED, &issued));
        }
        CredentialType::KeyAuth => {
            closed_key(&given)?;
            NewSecret::KeyAuth
        }
        CredentialType::BasicAuth => basic_secret(&given)?,
        CredentialType::JwtAuth => token_secret(&given, None)?,
    };
    let input = input(&given)?;
    let issued = credentials::create(&context.app, &caller, &application.id, input, secret).await?;
    Ok(answer_once(StatusCode::CREATED, &issued))
}

async fn one(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(ids): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (application, id) = parse_both(&ids)?;
    let found = credentials::credential(&context.app, &caller, &application, &id).await?;
    Ok(Json(body(&found, None)).into_response())
}

async fn update(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(ids): Path<(String, String)>,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    let (application, id) = parse_both(&ids)?;
    let found = credentials::credential(&context.app, &caller, &application, &id).await?;
    let given = read(given)?;
    let credential_type = required_type(&given)?;
    if credential_type == CredentialType::Oauth {
        found.credential.expect_type(credential_type).map_err(Error::from)?;
        let found = oauth::update(&context, &caller, &found.credential, &given).await?;
        return Ok(Json(body(&found, None)).into_response());
    }
    given.closed(&["type", "name", "desc", "labels"])?;
    let input = input(&given)?;
    let found = credentials::update(&context.app, &caller, &application, &id, credential_type, input).await?;
    Ok(Json(body(&found, None)).into_response())
}

async fn regenerate(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(ids): Path<(String, String)>,
    given: Result<AnyJson, Problem>,
) -> Result<Response, Problem> {
    let (application, id) = parse_both(&ids)?;
    let found = credentials::credential(&context.app, &caller, &application, &id).await?;
    let given = read(given)?;
    let credential_type = required_type(&given)?;
    found.credential.expect_type(credential_type).map_err(Error::from)?;
    let secret = match credential_type {
        CredentialType::KeyAuth => {
            given.closed(&["type", "key-auth"])?;
            closed_key(&given)?;
            NewSecret::KeyAuth
        }
        CredentialType::BasicAuth => {
            given.closed(&["type", "basic-auth"])?;
            basic_secret(&given)?
        }
        CredentialType::JwtAuth => {
            given.closed(&["type", "jwt-auth"])?;
            token_secret(&given, found.credential.token().map(|(_, secret)| secret.algorithm()))?
        }
        CredentialType::Oauth => {
            given.closed(&["type"])?;
            let issued = oauth_clients::regenerate(&context.app, &caller, &application, &id).await?;
            return Ok(answer_once(StatusCode::OK, &issued));
        }
    };
    let issued = credentials::regenerate(&context.app, &caller, &application, &id, secret).await?;
    Ok(answer_once(StatusCode::OK, &issued))
}

async fn remove(
    context: State<Context>,
    DeveloperCaller(caller): DeveloperCaller,
    Path(ids): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (application, id) = parse_both(&ids)?;
    credentials::delete(&context.app, &caller, &application, &id).await?;
    Ok(gone())
}

fn parse_both((application, credential): &(String, String)) -> Result<(ApplicationId, CredentialId), Error> {
    Ok((parse(application)?, CredentialId::parse(credential).ok_or_else(Error::not_found)?))
}

fn read(given: Result<AnyJson, Problem>) -> Result<Object, Problem> {
    Object::of(given?.0)?.hyphened(&ALIASES)
}

fn required_type(given: &Object) -> Result<CredentialType, Problem> {
    match given.text("type")?.as_deref() {
        None | Some("") => Err(Problem::bad_request(format!("type is required: {TYPES}"))),
        Some(word) => known_type(word).ok_or_else(|| Problem::bad_request(format!("type must be {TYPES}"))),
    }
}

fn token_body(credential: &Credential, secret: Option<&str>) -> Map<String, Value> {
    let Some((key, verified_with)) = credential.token() else { return Map::new() };
    members([
        ("key", Some(json!(key))),
        ("algorithm", Some(json!(verified_with.algorithm().name()))),
        ("public_key", verified_with.public_key().map(|public_key| json!(public_key))),
        ("secret", secret.map(|secret| json!(secret))),
    ])
}

fn token_secret(given: &Object, before: Option<JwtAlgorithm>) -> Result<NewSecret, Problem> {
    let asked = given.object("jwt-auth")?.unwrap_or_default();
    if asked.has("key") || asked.has("secret") {
        return Err(Problem::bad_request("jwt-auth must not have key or secret: Forecourt makes both"));
    }
    asked.closed(&["algorithm", "public_key"])?;
    let (algorithm, public_key) = (asked.text("algorithm")?, asked.text("public_key")?);
    Ok(NewSecret::JwtAuth(TokenSigning::new(algorithm.as_deref(), public_key.as_deref(), before)?))
}

fn closed_key(given: &Object) -> Result<(), Problem> {
    let Some(key) = given.object("key-auth")? else { return Ok(()) };
    key.closed(&[]).map_err(|_| Problem::bad_request("key-auth must be empty: Forecourt makes the key"))
}

fn basic_secret(given: &Object) -> Result<NewSecret, Problem> {
    let Some(basic) = given.object("basic-auth")? else {
        return Err(Problem::bad_request("basic-auth is required: {\"username\", \"password\"}"));
    };
    basic.closed(&["username", "password"])?;
    let secret = BasicSecret::new(&basic.required_text("username")?, &basic.required_text("password")?)?;
    Ok(NewSecret::BasicAuth(secret))
}

fn input(given: &Object) -> Result<CredentialInput, Problem> {
    Ok(CredentialInput {
        name: Some(given.required_text("name")?),
        desc: given.text("desc")?,
        labels: given.text_map("labels")?,
    })
}

/// The one answer that shows a secret; nobody may keep it.
fn answer_once(status: StatusCode, issued: &IssuedCredential) -> Response {
    let shown = body(&issued.credential, issued.secret.as_ref().map(PlainSecret::reveal));
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (status, [no_store], Json(shown)).into_response()
}

fn body(named: &NamedCredential, secret: Option<&str>) -> Map<String, Value> {
    let credential = &named.credential;
    let typed = match credential.credential_type() {
        CredentialType::KeyAuth => members([("key", secret.map(|key| json!(key)))]),
        CredentialType::BasicAuth => members([
            ("username", credential.username().map(|username| json!(username))),
            ("password", secret.map(|password| json!(password))),
        ]),
        CredentialType::JwtAuth => token_body(credential, secret),
        CredentialType::Oauth => oauth::body(named, secret),
    };
    members([
        ("id", Some(json!(credential.id))),
        ("type", Some(json!(credential.credential_type().name()))),
        // Empty for type `oauth`, which has none.
        ("name", non_empty(&credential.name)),
        ("application_id", Some(json!(credential.application_id))),
        ("application_name", Some(json!(named.application_name))),
        ("desc", non_empty(&credential.desc)),
        ("labels", Some(json!(credential.labels))),
        (credential.credential_type().name(), Some(Value::Object(typed))),
        ("last_used_at", credential.last_used_at.map(|at| json!(iso(at)))),
        ("last_used_from", credential.last_used_from.as_ref().map(|from| json!(from))),
        ("created_at", Some(json!(iso(credential.created_at)))),
        ("updated_at", Some(json!(iso(credential.updated_at)))),
    ])
}
