//! OAuth clients at a DCR provider: registered, changed, removed. [`oidc`] speaks RFC 7591 and RFC 7592, [`bridge`] the
//! JSON of `docs/dcr.md`.
//!
//! Invariant: an error says whether the provider may have acted ([`RegistrationError::may_have_arrived`]), so that
//! nobody takes a lost answer for a refusal. No error quotes a secret, nor what the provider wrote but its error code.

mod bridge;
mod oidc;

use std::collections::BTreeMap;

use forecourt_core::{
    dcr_providers::{DcrProvider, DcrProviderType},
    secrets::PlainSecret,
};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use crate::outgoing::{Answer, Call, CallError, Method, Outgoing, StatusCode};

/// The longest id of a client, in bytes.
const LONGEST_CLIENT_ID: usize = 1_024;
/// The longest error code of a provider that is told on.
const LONGEST_CODE: usize = 64;

/// A provider with its headers in clear.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// How it is spoken to.
    pub provider_type: DcrProviderType,
    /// Its issuer.
    pub issuer: String,
    /// Where a bridge is reached.
    pub base_url: String,
    /// Sent with every call about a client.
    pub headers: BTreeMap<String, PlainSecret>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// What people see when they are asked to consent.
    pub client_name: String,
    /// Where they are sent back to.
    pub redirect_uris: Vec<String>,
    /// For a bridge: the application.
    pub application_id: String,
    /// For a bridge: its developer, by public id.
    pub developer_id: String,
}

/// A client as its provider made it.
#[derive(Clone, Debug)]
pub struct Registered {
    /// Its id there.
    pub client_id: String,
    /// Its secret, where the provider issues one.
    pub secret: Option<IssuedSecret>,
    /// How it is managed, where the provider says so.
    pub management: Option<Management>,
}

/// A secret that a provider issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedSecret {
    /// The secret.
    pub secret: PlainSecret,
    /// When it ends, in Unix seconds; 0: never.
    pub expires_at: i64,
}

/// How a client is managed (RFC 7592 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Management {
    /// The `registration_client_uri`.
    pub uri: String,
    /// The `registration_access_token`.
    pub token: PlainSecret,
}

/// A client that is there, as far as its provider must be told.
#[derive(Clone, Debug)]
pub struct KnownClient {
    /// Its id there.
    pub client_id: String,
    /// How it is managed, where the provider said so.
    pub management: Option<Management>,
}

/// What became of a client that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It was there, and is gone now.
    Now,
    /// The provider did not have it any more.
    Before,
}

/// Why a provider did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// There was no answer.
    #[error("{call}: {error}")]
    Call {
        /// What was asked for.
        call: &'static str,
        /// Why.
        error: CallError,
    },
    /// It answered with another status than a successful one.
    #[error("{call}: the provider answered {status}{}", .code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Status {
        /// What was asked for.
        call: &'static str,
        /// The status.
        status: StatusCode,
        /// Its error code (RFC 7591 §3.2.2), where it told one.
        code: Option<String>,
    },
    /// It answered what cannot be used.
    #[error("{call}: {problem}")]
    Answer {
        /// What was asked for.
        call: &'static str,
        /// What is wrong with the answer.
        problem: String,
        /// Whether the provider may have acted.
        acted: bool,
    },
    /// The provider never said how its clients are managed, or has no way to do this.
    #[error("{0}")]
    Unsupported(&'static str),
}

impl RegistrationError {
    /// Whether the provider may have done what was asked although no usable answer says so.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Call { call, .. } | Self::Status { call, .. } if *call == oidc::DISCOVERY => false,
            Self::Call { error, .. } => error.may_have_arrived(),
            // What stands before a provider says so of calls that it passed on; 500 says that it broke on the way.
            Self::Status { status, .. } => matches!(status.as_u16(), 500 | 502 | 504),
            Self::Answer { acted, .. } => *acted,
            Self::Unsupported(_) => false,
        }
    }

    /// Whether the provider knows no such client, or says that the token for it does not count.
    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Registrar {
    /// The provider with these values of its headers.
    pub fn new(provider: &DcrProvider, headers: BTreeMap<String, PlainSecret>) -> Self {
        Self {
            provider_type: provider.provider_type,
            issuer: provider.issuer.clone(),
            base_url: provider.base_url.clone(),
            headers,
        }
    }

    /// Registers a client.
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn register(
        &self,
        outgoing: &Outgoing,
        client: &NewClient,
    ) -> Result<Registered, RegistrationError> {
        match self.provider_type {
            DcrProviderType::Oidc => oidc::register(self, outgoing, client).await,
            DcrProviderType::HttpBridge => bridge::register(self, outgoing, client).await,
        }
    }

    /// Replaces a client's name and redirect URIs. The management that it has from now on, where the provider sent
    /// another.
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn update(
        &self,
        outgoing: &Outgoing,
        known: &KnownClient,
        client_name: &str,
        redirect_uris: &[String],
    ) -> Result<Option<Management>, RegistrationError> {
        match self.provider_type {
            DcrProviderType::Oidc => oidc::update(self, outgoing, known, client_name, redirect_uris).await,
            DcrProviderType::HttpBridge => {
                bridge::update(self, outgoing, known, client_name, redirect_uris).await.map(|()| None)
            }
        }
    }

    /// Removes a client. `maybe_gone`: an earlier attempt may have come through.
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn remove(
        &self,
        outgoing: &Outgoing,
        known: &KnownClient,
        maybe_gone: bool,
    ) -> Result<Removed, RegistrationError> {
        let removed = match self.provider_type {
            DcrProviderType::Oidc => oidc::remove(self, outgoing, known).await,
            DcrProviderType::HttpBridge => bridge::remove(self, outgoing, known).await,
        };
        let Err(error) = removed else { return Ok(Removed::Now) };
        match error.status() {
            Some(StatusCode::NOT_FOUND | StatusCode::GONE) => Ok(Removed::Before),
            // A client that is gone took its token with it (RFC 7592 §2.3).
            Some(StatusCode::UNAUTHORIZED) if maybe_gone => Ok(Removed::Before),
            _ => Err(error),
        }
    }

    /// Gives a client another secret; only a bridge can.
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn rotate_secret(
        &self,
        outgoing: &Outgoing,
        known: &KnownClient,
    ) -> Result<IssuedSecret, RegistrationError> {
        match self.provider_type {
            DcrProviderType::Oidc => {
                Err(RegistrationError::Unsupported("a provider of type oidc does not rotate secrets"))
            }
            DcrProviderType::HttpBridge => bridge::rotate_secret(self, outgoing, known).await,
        }
    }

    /// The provider's headers, and those of a JSON call.
    fn headers(&self, call: &'static str) -> Result<HeaderMap, RegistrationError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            let pair = HeaderName::try_from(name.as_str()).ok().zip(sensitive(value));
            let (name, value) = pair.ok_or_else(|| RegistrationError::Call {
                call,
                error: CallError::Address(format!("header {name} cannot be sent")),
            })?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

/// A value that no log of the client shows.
fn sensitive(value: &PlainSecret) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(value.reveal()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Sends a call with a JSON body, or none, and gives the answer if its status is a successful one.
async fn send(
    outgoing: &Outgoing,
    call: &'static str,
    method: Method,
    url: &str,
    mut headers: HeaderMap,
    body: Option<&Value>,
) -> Result<Answer, RegistrationError> {
    let refused = |error| RegistrationError::Call { call, error };
    let url = Url::parse(url)
        .map_err(|error| refused(CallError::Address(format!("its address is none: {error}"))))?;
    if body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let body = body.map(ToString::to_string).unwrap_or_default().into_bytes();
    let answer = outgoing.call(Call { method, url, headers, body }).await.map_err(refused)?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    let code = members(&answer).and_then(|members| error_code(&members));
    Err(RegistrationError::Status { call, status: answer.status, code })
}

/// The members of an answer that is a JSON object.
fn members(answer: &Answer) -> Option<Map<String, Value>> {
    serde_json::from_slice(&answer.body).ok()
}

/// The members of an answer after which the provider has acted.
fn acted(call: &'static str, answer: &Answer) -> Result<Map<String, Value>, RegistrationError> {
    members(answer).ok_or_else(|| unusable(call, "the answer is no JSON object"))
}

/// A successful answer that lacks what it must tell: the provider has acted all the same.
fn unusable(call: &'static str, problem: impl Into<String>) -> RegistrationError {
    RegistrationError::Answer { call, problem: problem.into(), acted: true }
}

/// An error code is a word; anything else could be anything.
fn error_code(members: &Map<String, Value>) -> Option<String> {
    let is_word = |code: &&str| {
        (1..=LONGEST_CODE).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    };
    members.get("error").and_then(Value::as_str).filter(is_word).map(str::to_owned)
}

/// The member `client_id`, which tokens will name and paths may hold.
fn client_id(call: &'static str, members: &Map<String, Value>) -> Result<String, RegistrationError> {
    let id = members.get("client_id").and_then(Value::as_str).unwrap_or_default();
    let is_fine = |byte: u8| (0x20..0x7f).contains(&byte);
    if (1..=LONGEST_CLIENT_ID).contains(&id.len()) && id.bytes().all(is_fine) {
        return Ok(id.to_owned());
    }
    Err(unusable(call, "the answer has no client_id of 1 to 1024 printable characters"))
}

/// The members `client_secret` and `client_secret_expires_at`.
fn issued_secret(members: &Map<String, Value>) -> Option<IssuedSecret> {
    let secret = members.get("client_secret").and_then(Value::as_str).filter(|text| !text.is_empty())?;
    let expires_at = members.get("client_secret_expires_at").and_then(Value::as_i64).unwrap_or(0).max(0);
    Some(IssuedSecret { secret: PlainSecret::presented(secret), expires_at })
}

#[cfg(test)]
#[path = "tests/registrations.rs"]
mod tests;
