//! OpenID Connect Core 1.0, code flow: [`depart`] asks where to send the browser, [`arrive`] exchanges the code that it
//! comes back with, and verifies the ID token.
//!
//! Invariant: a token counts only if a key that the issuer publishes signed it, with an algorithm of public keys, for
//! this client, for this very sign-in (nonce, PKCE), and now. What else is said is believed only of the same subject.

mod id_tokens;

use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use forecourt_core::{
    external_sign_ins::{Claims, ExternalPerson},
    secrets::PlainSecret,
    sign_in_options::configs::OidcSignIn,
    time::Timestamp,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::{SignInFault, word};
use crate::outgoing::{Answer, Call, Method, Outgoing, is_as_protected};

/// A client of an issuer.
#[derive(Clone, Debug)]
pub struct OidcClient<'a> {
    /// The settings.
    pub settings: &'a OidcSignIn,
    /// The client's secret, opened.
    pub secret: PlainSecret,
}

/// What must be known of a sign-in when the browser comes back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OidcMemo {
    /// Stands in the ID token.
    pub nonce: String,
    /// Shows that who exchanges the code is who asked for it (RFC 7636).
    pub verifier: String,
    /// Where the browser was to come back to.
    pub redirect_uri: String,
}

/// What the browser brought back.
#[derive(Clone, Debug, Default)]
pub struct OidcReply {
    /// The code, where there is one.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// Who answered, where it says so (RFC 9207).
    pub issuer: Option<String>,
}

/// What an issuer says of itself, as far as it is needed.
#[derive(Clone, Debug, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// What the token endpoint answers, as far as it is needed.
#[derive(Deserialize)]
struct Tokens {
    id_token: Option<String>,
    access_token: Option<String>,
}

/// Where to send a browser that is to sign in; it will bring `state` back.
///
/// # Errors
/// See [`SignInFault`]; nobody is refused yet.
pub async fn depart(
    outgoing: &Outgoing,
    client: &OidcClient<'_>,
    memo: &OidcMemo,
    state: &str,
) -> Result<String, SignInFault> {
    let metadata = discover(outgoing, client.settings).await?;
    let mut url = browser_address("authorization_endpoint", &metadata.authorization_endpoint)?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(memo.verifier.as_bytes()));
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &client.settings.client_id)
        .append_pair("redirect_uri", &memo.redirect_uri)
        .append_pair("scope", &scopes(client.settings))
        .append_pair("state", state)
        .append_pair("nonce", &memo.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    Ok(url.into())
}

/// Whom the issuer knows, by the code that their browser brought back.
///
/// # Errors
/// See [`SignInFault`].
pub async fn arrive(
    outgoing: &Outgoing,
    client: &OidcClient<'_>,
    memo: &OidcMemo,
    reply: &OidcReply,
    now: Timestamp,
) -> Result<ExternalPerson, SignInFault> {
    if let Some(error) = &reply.error {
        return Err(SignInFault::Refused(format!("the provider answered {}", word(error))));
    }
    let code = reply.code.as_deref().filter(|code| !code.is_empty());
    let code = code.ok_or_else(|| SignInFault::Refused("the browser brought no code back".into()))?;
    let metadata = discover(outgoing, client.settings).await?;
    let told = reply.issuer.as_deref();
    if told.map_or(metadata.authorization_response_iss_parameter_supported, |told| told != metadata.issuer) {
        return Err(SignInFault::Refused("the code came from another issuer".into()));
    }
    let tokens = exchange(outgoing, client, &metadata, memo, code).await?;
    let token = tokens.id_token.as_deref().unwrap_or_default();
    let keys = fetch(outgoing, "the issuer's keys", &metadata.jwks_uri, None).await?;
    let (client_id, nonce) = (&client.settings.client_id, &memo.nonce);
    let mut claims = id_tokens::verified(token, &keys.body, &metadata.issuer, client_id, nonce, now)?;
    let names = Names::of(client.settings);
    if let (false, Some(url), Some(access)) =
        (names.are_told(&claims), &metadata.userinfo_endpoint, &tokens.access_token)
    {
        add_user_info(outgoing, url, access, &mut claims).await?;
    }
    Ok(ExternalPerson::read(&names.read(&claims))?)
}

/// Where people sign out at the issuer, where it says so.
///
/// # Errors
/// See [`SignInFault`].
pub async fn end_session(outgoing: &Outgoing, settings: &OidcSignIn) -> Result<Option<String>, SignInFault> {
    let Some(url) = discover(outgoing, settings).await?.end_session_endpoint else { return Ok(None) };
    let mut url = browser_address("end_session_endpoint", &url)?;
    url.query_pairs_mut().append_pair("client_id", &settings.client_id);
    Ok(Some(url.into()))
}

/// Reads what the issuer says of itself (OpenID Connect Discovery 1.0 §4), which must name the very issuer of the
/// settings.
async fn discover(outgoing: &Outgoing, settings: &OidcSignIn) -> Result<Metadata, SignInFault> {
    const WHAT: &str = "the issuer's configuration";
    let url = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
    let answer = fetch(outgoing, WHAT, &url, None).await?;
    let metadata: Metadata = serde_json::from_slice(&answer.body)
        .map_err(|_| SignInFault::Misconfigured(format!("{WHAT} lacks what the standard requires")))?;
    if metadata.issuer != settings.issuer {
        return Err(SignInFault::Misconfigured(format!("{WHAT} names another issuer than the settings")));
    }
    // Keys and tokens that came in clear would be anybody's.
    if let Some(member) = metadata.unprotected() {
        let why = format!("{WHAT}: {member} must be an address over TLS, as the issuer's is");
        return Err(SignInFault::Misconfigured(why));
    }
    Ok(metadata)
}

impl Metadata {
    /// An address to which nothing secret may go, and from which nothing may be believed; `None`: each is as protected as
    /// the issuer's.
    fn unprotected(&self) -> Option<&'static str> {
        let required = [
            ("authorization_endpoint", Some(&self.authorization_endpoint)),
            ("token_endpoint", Some(&self.token_endpoint)),
            ("jwks_uri", Some(&self.jwks_uri)),
            ("userinfo_endpoint", self.userinfo_endpoint.as_ref()),
            ("end_session_endpoint", self.end_session_endpoint.as_ref()),
        ];
        let is_wrong = |(_, address): &(&str, Option<&String>)| {
            address.is_some_and(|address| !is_as_protected(&self.issuer, address))
        };
        required.into_iter().find(is_wrong).map(|(member, _)| member)
    }
}

/// The scopes that are asked for; `openid` makes it OpenID Connect.
fn scopes(settings: &OidcSignIn) -> String {
    let asked = settings.request_scopes.iter().map(String::as_str).filter(|scope| *scope != "openid");
    std::iter::once("openid").chain(asked).collect::<Vec<_>>().join(" ")
}

/// An address that only the browser is sent to.
fn browser_address(member: &str, text: &str) -> Result<Url, SignInFault> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| SignInFault::Misconfigured(format!("the issuer's {member} is no web address")))
}

async fn exchange(
    outgoing: &Outgoing,
    client: &OidcClient<'_>,
    metadata: &Metadata,
    memo: &OidcMemo,
    code: &str,
) -> Result<Tokens, SignInFault> {
    const WHAT: &str = "the exchange of the code";
    let mut headers = accepting_json();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let methods = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
    let has = |name: &str| methods.iter().any(|method| method == name);
    let mut own = Vec::new();
    let (id, secret) = (client.settings.client_id.as_str(), client.secret.reveal());
    if has("client_secret_post") && !has("client_secret_basic") {
        own.extend([("client_id", id), ("client_secret", secret)]);
    } else {
        // Both are encoded as in a form first (RFC 6749 §2.3.1).
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        headers.insert(AUTHORIZATION, sensitive(&format!("Basic {pair}"))?);
    }
    let members = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", memo.redirect_uri.as_str()),
        ("code_verifier", memo.verifier.as_str()),
    ];
    let body =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(members).extend_pairs(own).finish();
    let url = address(WHAT, &metadata.token_endpoint)?;
    let call = Call { method: Method::POST, url, headers, body: body.into_bytes() };
    let answer = outgoing.call(call).await.map_err(|error| SignInFault::called(WHAT, &error))?;
    if !answer.status.is_success() {
        return Err(refused(WHAT, &answer));
    }
    serde_json::from_slice(&answer.body)
        .map_err(|_| SignInFault::Misconfigured(format!("{WHAT}: the answer is no JSON of tokens")))
}

/// A refusal of the token endpoint: of the code, or of ourselves.
fn refused(what: &str, answer: &Answer) -> SignInFault {
    let members: Map<String, Value> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = members.get("error").and_then(Value::as_str).unwrap_or_default();
    let why = format!("{what}: the provider answered {} ({})", answer.status, word(code));
    match code {
        "invalid_grant" => SignInFault::Refused(why),
        _ if answer.status.is_server_error() => SignInFault::Unreachable(why),
        _ => SignInFault::Misconfigured(why),
    }
}

/// Adds what the userinfo endpoint says, where it is of the same subject. Where it does not answer, what the ID token
/// says is enough.
async fn add_user_info(
    outgoing: &Outgoing,
    url: &str,
    access_token: &str,
    claims: &mut Map<String, Value>,
) -> Result<(), SignInFault> {
    let Ok(answer) = fetch(outgoing, "the userinfo", url, Some(access_token)).await else { return Ok(()) };
    let Ok(more) = serde_json::from_slice::<Map<String, Value>>(&answer.body) else { return Ok(()) };
    if more.get("sub") != claims.get("sub") {
        return Err(SignInFault::Refused("the userinfo is of somebody else".into()));
    }
    for (name, value) in more {
        claims.entry(name).or_insert(value);
    }
    Ok(())
}

async fn fetch(
    outgoing: &Outgoing,
    what: &str,
    url: &str,
    access_token: Option<&str>,
) -> Result<Answer, SignInFault> {
    let mut headers = accepting_json();
    if let Some(token) = access_token {
        headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {token}"))?);
    }
    let call = Call { method: Method::GET, url: address(what, url)?, headers, body: Vec::new() };
    let answer = outgoing.call(call).await.map_err(|error| SignInFault::called(what, &error))?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    let why = format!("{what}: the provider answered {}", answer.status);
    Err(if answer.status.is_server_error() {
        SignInFault::Unreachable(why)
    } else {
        SignInFault::Misconfigured(why)
    })
}

fn address(what: &str, text: &str) -> Result<Url, SignInFault> {
    Url::parse(text).map_err(|_| SignInFault::Misconfigured(format!("{what}: its address is none")))
}

fn accepting_json() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers
}

/// A value that no log of the client shows.
fn sensitive(text: &str) -> Result<HeaderValue, SignInFault> {
    let value = HeaderValue::try_from(text)
        .map_err(|_| SignInFault::Misconfigured("a token or secret cannot be sent in a header".into()));
    value.map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

/// Which claims tell what, by the settings.
struct Names<'a> {
    username: &'a str,
    email: &'a str,
    name: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn of(settings: &'a OidcSignIn) -> Self {
        let set =
            |own: &str| settings.attributes.get(own).map(String::as_str).filter(|name| !name.is_empty());
        Self {
            username: set("username").unwrap_or("preferred_username"),
            email: set("email").unwrap_or("email"),
            name: set("name"),
        }
    }

    /// Whether nothing more need be asked.
    fn are_told(&self, claims: &Map<String, Value>) -> bool {
        [self.username, self.email, self.name.unwrap_or("name")].iter().all(|name| claims.contains_key(*name))
    }

    fn read(&self, claims: &Map<String, Value>) -> Claims {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        // An address that the issuer itself does not believe is not shown as somebody's.
        let unverified =
            claims.get("email_verified").is_some_and(|value| *value == false || *value == "false");
        let (first_name, last_name) = match self.name {
            Some(_) => (None, None),
            None => (text("given_name"), text("family_name")),
        };
        Claims {
            subject: text("sub").unwrap_or_default(),
            username: text(self.username),
            email: text(self.email).filter(|_| !(unverified && self.email == "email")),
            first_name,
            last_name,
            name: text(self.name.unwrap_or("name")),
        }
    }
}

#[cfg(test)]
#[path = "oidc/tests.rs"]
mod tests;
