//! Providers with OpenID Connect discovery: RFC 7591 registers, RFC 7592 changes and removes.
//!
//! Invariant: the registration access token goes to the `registration_client_uri` that came with it and nowhere else,
//! and nothing secret goes to a plain address that a provider over TLS names.

use forecourt_core::secrets::PlainSecret;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    KnownClient, Management, NewClient, Registered, Registrar, RegistrationError, acted, client_id,
    issued_secret, members, send, sensitive, unusable,
};
use crate::outgoing::{CallError, Method, Outgoing, StatusCode, is_as_protected};

/// The call that only reads: whatever becomes of it, the provider has done nothing.
pub(super) const DISCOVERY: &str = "discovery";
const REGISTRATION: &str = "registration";
const UPDATE: &str = "update of the client";
const REMOVAL: &str = "removal of the client";
/// The longest `registration_client_uri` and `registration_access_token`, in bytes.
const LONGEST: usize = 8_192;

/// Discovers the registration endpoint and registers there (RFC 7591 §3.1).
pub(super) async fn register(
    registrar: &Registrar,
    outgoing: &Outgoing,
    client: &NewClient,
) -> Result<Registered, RegistrationError> {
    let endpoint = registration_endpoint(registrar, outgoing).await?;
    let body = Value::Object(metadata(&client.client_name, &client.redirect_uris));
    let headers = registrar.headers(REGISTRATION)?;
    let answer = send(outgoing, REGISTRATION, Method::POST, &endpoint, headers, Some(&body)).await?;
    let members = acted(REGISTRATION, &answer)?;
    Ok(Registered {
        client_id: client_id(REGISTRATION, &members)?,
        secret: issued_secret(&members),
        management: management(registrar, &members),
    })
}

/// Replaces the client's metadata (RFC 7592 §2.2); the token may be another afterwards.
pub(super) async fn update(
    registrar: &Registrar,
    outgoing: &Outgoing,
    known: &KnownClient,
    client_name: &str,
    redirect_uris: &[String],
) -> Result<Option<Management>, RegistrationError> {
    let (own, headers) = managing(registrar, known, UPDATE)?;
    let mut body = metadata(client_name, redirect_uris);
    body.insert("client_id".into(), known.client_id.as_str().into());
    let answer = send(outgoing, UPDATE, Method::PUT, &own.uri, headers, Some(&Value::Object(body))).await?;
    let members = acted(UPDATE, &answer)?;
    if members.get("client_id").and_then(Value::as_str).is_some_and(|id| id != known.client_id) {
        return Err(unusable(UPDATE, "the answer is about another client"));
    }
    // Either may be left out where it did not change.
    let uri = text(&members, "registration_client_uri").filter(|uri| is_as_protected(&registrar.issuer, uri));
    let token = text(&members, "registration_access_token").map(PlainSecret::presented);
    let renewed = Management {
        uri: uri.unwrap_or(&own.uri).to_owned(),
        token: token.unwrap_or_else(|| own.token.clone()),
    };
    Ok((renewed != *own).then_some(renewed))
}

/// Removes the client (RFC 7592 §2.3).
pub(super) async fn remove(
    registrar: &Registrar,
    outgoing: &Outgoing,
    known: &KnownClient,
) -> Result<(), RegistrationError> {
    let (own, headers) = managing(registrar, known, REMOVAL)?;
    send(outgoing, REMOVAL, Method::DELETE, &own.uri, headers, None).await.map(|_| ())
}

/// The management of a client and the headers of a call to it, with its own token in `Authorization`.
fn managing<'a>(
    registrar: &Registrar,
    known: &'a KnownClient,
    call: &'static str,
) -> Result<(&'a Management, HeaderMap), RegistrationError> {
    let own = known.management.as_ref().ok_or(RegistrationError::Unsupported(
        "the provider gave no registration_client_uri and registration_access_token (RFC 7592), so the client can \
         only be changed and removed there",
    ))?;
    // What the provider wants in each call is for its own host: the client may be one of a provider that was here before.
    let mut headers = match is_same_host(&registrar.issuer, &own.uri) {
        true => registrar.headers(call)?,
        false => accepting_json(),
    };
    let bearer = PlainSecret::presented(format!("Bearer {}", own.token.reveal()));
    let bearer = sensitive(&bearer).ok_or_else(|| RegistrationError::Call {
        call,
        error: CallError::Address("the registration_access_token cannot be sent".into()),
    })?;
    headers.insert(AUTHORIZATION, bearer);
    Ok((own, headers))
}

fn is_same_host(one: &str, other: &str) -> bool {
    let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
    origin(one).is_some_and(|one| origin(other) == Some(one))
}

fn accepting_json() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers
}

/// The `registration_endpoint` of the issuer's configuration (OpenID Connect Discovery 1.0 §4).
async fn registration_endpoint(
    registrar: &Registrar,
    outgoing: &Outgoing,
) -> Result<String, RegistrationError> {
    let refused = |problem: &str| RegistrationError::Answer {
        call: DISCOVERY,
        problem: problem.to_owned(),
        acted: false,
    };
    let address = format!("{}/.well-known/openid-configuration", registrar.issuer.trim_end_matches('/'));
    let answer = send(outgoing, DISCOVERY, Method::GET, &address, accepting_json(), None).await?;
    if answer.status != StatusCode::OK {
        return Err(RegistrationError::Status { call: DISCOVERY, status: answer.status, code: None });
    }
    let found = members(&answer).ok_or_else(|| refused("the answer is no JSON object"))?;
    if text(&found, "issuer") != Some(&registrar.issuer) {
        return Err(refused("the answer names another issuer than the provider has here"));
    }
    let endpoint = text(&found, "registration_endpoint")
        .ok_or_else(|| refused("the provider offers no registration_endpoint: it registers no clients"))?;
    if !is_as_protected(&registrar.issuer, endpoint) {
        return Err(refused("the registration_endpoint is no https address although the issuer is one"));
    }
    Ok(endpoint.to_owned())
}

/// The client's metadata (RFC 7591 §2). Without redirect URIs it asks for tokens of its own only, which take no
/// response type.
fn metadata(client_name: &str, redirect_uris: &[String]) -> Map<String, Value> {
    let (grant_types, response_types) = if redirect_uris.is_empty() {
        (json!(["client_credentials"]), json!([]))
    } else {
        (json!(["client_credentials", "authorization_code", "refresh_token"]), json!(["code"]))
    };
    let pairs = [
        ("client_name", json!(client_name)),
        ("redirect_uris", json!(redirect_uris)),
        ("grant_types", grant_types),
        ("response_types", response_types),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// How the client is managed: both members or neither.
fn management(registrar: &Registrar, members: &Map<String, Value>) -> Option<Management> {
    let uri =
        text(members, "registration_client_uri").filter(|uri| is_as_protected(&registrar.issuer, uri))?;
    let token = text(members, "registration_access_token")?;
    Some(Management { uri: uri.to_owned(), token: PlainSecret::presented(token) })
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str).filter(|text| (1..=LONGEST).contains(&text.len()))
}
