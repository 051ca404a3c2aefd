//! Administrators' sign-in through OpenID Connect and directories; [`saml`] and [`cas`] stand in files of their own.
//!
//! Invariant: browsers that come back from a provider are sent on in any case, into the console or to its sign-in page;
//! why somebody was not signed in stands in the log and the audit trail alone.

mod cas;
mod saml;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    Error, ErrorKind,
    external_sign_ins::{self, Arrival, Departure, ldap, oidc},
};
use forecourt_core::{external_sign_ins::PendingSignIn, ids::SignInOptionId, sessions::Session};
use forecourt_http::{
    Context,
    bodies::Object,
    callers::{ADMINISTRATOR_COOKIE, Call},
    cookies,
    problem::Problem,
    queries::Query,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, json};

use super::{
    administrators::{credential_schema, user_schema},
    answers::value,
    operations,
    segments::Segments,
    sessions::{anonymous, credential, end_earlier, end_session, signed_in_answer, with_cookie},
    table::Table,
};
use crate::openapi::{
    operations::{Access, Operation},
    schemas,
};

/// Where browsers go that were not signed in.
const SIGN_IN_PAGE: &str = "/sign-in";
/// Where they go that were.
const FIRST_PAGE: &str = "/";
/// What the cookie of a sign-in that is under way is sent to.
const OIDC_PATHS: &str = "/api/oidc";

pub(super) fn endpoints(table: Table) -> Table {
    let open = |operation: Operation| operation.access(Access::Open);
    let text = schemas::text;
    let table = table
        .about("Sign-in")
        .get(
            "/api/oidc/{id}/login",
            oidc_depart,
            departing("Sign in through OpenID Connect").notes(
                "For browsers: sends them to the provider of the login option, or to the sign-in page where that \
                 cannot be asked. A cookie, for ten minutes, binds the sign-in to the browser.",
            ),
        )
        .get(
            "/api/oidc/callback",
            oidc_arrive,
            arriving("Come back from an OpenID provider")
                .query("state", text())
                .query("code", text())
                .query("error", text())
                .query("iss", text().about("Who answers (RFC 9207).")),
        )
        .post(
            "/api/oidc/{id}/logout",
            oidc_sign_out,
            open(operations::one(
                "Sign out after OpenID Connect",
                schemas::object()
                    .optional("logout_url", text().about("Where to sign out of the provider as well.")),
            )),
        )
        .post(
            "/api/ldap/{id}/login",
            ldap_sign_in,
            open(operations::send_with_warning(
                "Sign in through a directory",
                schemas::object()
                    .required("username", credential_schema())
                    .required("password", credential_schema()),
                user_schema(),
            ))
            .notes("Sets the session cookie. A first sign-in makes a user without roles."),
        )
        .post(
            "/api/ldap/{id}/logout",
            ldap_sign_out,
            open(operations::one("Sign out after a directory", schemas::object())),
        );
    cas::endpoints(saml::endpoints(table))
}

/// An endpoint, open to everybody, that sends browsers to where people prove who they are.
fn departing(summary: &'static str) -> Operation {
    let next = schemas::text().about("The page of the console to go on to, such as `/portals`.");
    operations::bare(summary).access(Access::Open).status(307).query("next", next)
}

/// An endpoint, open to everybody, at which browsers are back from there.
fn arriving(summary: &'static str) -> Operation {
    operations::bare(summary).access(Access::Open).status(303).notes(
        "Sets the session cookie and sends the browser into the console, or to the sign-in page where nobody was \
         signed in. A first sign-in makes a user without roles.",
    )
}

fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn oidc_depart(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    query: Query,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let id = segments.id(SignInOptionId::parse)?;
    let next = query.text("next").unwrap_or_default();
    let caller = anonymous(&call);
    let departure = oidc::depart(&context.app, &caller, &id, &call.reached_at, next).await;
    sent_away(departure, OIDC_PATHS, &call)
}

/// Sends a browser to its provider, with what it must show when it is back at one of `paths`.
fn sent_away(departure: Result<Departure, Error>, paths: &str, call: &Call) -> Result<Response, Problem> {
    let departure = match departure {
        Ok(departure) => departure,
        Err(error) if matches!(error.kind(), ErrorKind::IdentityProvider | ErrorKind::Unauthenticated) => {
            return redirect(StatusCode::TEMPORARY_REDIRECT, &not_signed_in(error)?);
        }
        Err(error) => return Err(error.into()),
    };
    let mut response = redirect(StatusCode::TEMPORARY_REDIRECT, &departure.location)?;
    let (name, secret) = (&departure.binding.cookie, departure.binding.secret.reveal());
    let cookie = cookies::set_below(paths, name, secret, PendingSignIn::SECONDS, call.is_secure());
    response.headers_mut().append(header::SET_COOKIE, cookie.ok_or_else(Problem::internal)?);
    Ok(response)
}

async fn oidc_arrive(
    State(context): State<Context>,
    call: Call,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let given = |name: &str| query.text(name).map(str::to_owned);
    let state = query.text("state").unwrap_or_default();
    let reply = oidc::OidcReply { code: given("code"), error: given("error"), issuer: given("iss") };
    let cookie = external_sign_ins::cookie_of(state);
    let browser = cookies::read(&headers, &cookie);
    let agent = user_agent(&headers);
    let arrival = oidc::arrive(&context.app, &anonymous(&call), state, browser, &reply, agent).await;
    taken_back(&context, &call, &headers, arrival, OIDC_PATHS, &cookie).await
}

/// As [`taken_back`], at an address that names an option; not found where that is not there or not enabled.
async fn taken_back_to_option(
    context: &Context,
    call: &Call,
    headers: &HeaderMap,
    arrival: Result<Arrival, Error>,
    paths: &str,
    cookie: &str,
) -> Result<Response, Problem> {
    match arrival {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error.into()),
        arrival => taken_back(context, call, headers, arrival, paths, cookie).await,
    }
}

/// Sends a browser that is back into the console, with its session and without the one that it had, or to the sign-in
/// page; and takes `cookie` away, as the sign-in is over.
async fn taken_back(
    context: &Context,
    call: &Call,
    headers: &HeaderMap,
    arrival: Result<Arrival, Error>,
    paths: &str,
    cookie: &str,
) -> Result<Response, Problem> {
    if arrival.is_ok() {
        end_earlier(context, &anonymous(call), headers).await?;
    }
    let mut response = sent_on(arrival, call.is_secure())?;
    let forgotten = cookies::set_below(paths, cookie, "", 0, call.is_secure());
    response.headers_mut().append(header::SET_COOKIE, forgotten.ok_or_else(Problem::internal)?);
    Ok(response)
}

fn sent_on(arrival: Result<Arrival, Error>, secure: bool) -> Result<Response, Problem> {
    let arrival = match arrival {
        Ok(arrival) => arrival,
        Err(error) => return redirect(StatusCode::SEE_OTHER, &not_signed_in(error)?),
    };
    let next = if arrival.next.is_empty() { FIRST_PAGE } else { &arrival.next };
    let mut response = redirect(StatusCode::SEE_OTHER, next)?;
    let token = arrival.signed_in.token.reveal();
    let cookie = cookies::set(ADMINISTRATOR_COOKIE, token, Session::SECONDS, secure);
    response.headers_mut().append(header::SET_COOKIE, cookie.ok_or_else(Problem::internal)?);
    Ok(response)
}

/// The sign-in page, with a word for what it is to say. Faults of ours are answered as such.
fn not_signed_in(error: Error) -> Result<String, Problem> {
    match error.kind() {
        ErrorKind::Unauthenticated | ErrorKind::NotFound => Ok(format!("{SIGN_IN_PAGE}?failed=refused")),
        ErrorKind::IdentityProvider => Ok(format!("{SIGN_IN_PAGE}?failed=provider")),
        _ => Err(error.into()),
    }
}

fn redirect(status: StatusCode, location: &str) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(location).map_err(|_| Problem::internal())?;
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((status, headers).into_response())
}

async fn oidc_sign_out(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let id = segments.id(SignInOptionId::parse)?;
    oidc::offers(&context.app, &id).await?;
    let signed_out = end_session(&context, &call, &headers).await?;
    let url = oidc::logout_url(&context.app, &anonymous(&call), &id, signed_out).await?;
    let mut members = Map::new();
    members.extend(url.map(|url| ("logout_url".to_owned(), json!(url))));
    with_cookie(value(members)?, "", 0, call.is_secure())
}

async fn ldap_sign_in(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    headers: HeaderMap,
    body: Result<Object, Problem>,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let id = segments.id(SignInOptionId::parse)?;
    ldap::offers(&context.app, &id).await?;
    let body = body?;
    let (username, password) = (credential(&body, "username")?, credential(&body, "password")?);
    let (caller, agent) = (anonymous(&call), user_agent(&headers));
    let signed_in = ldap::sign_in(&context.app, &caller, &id, &username, &password, agent).await?;
    end_earlier(&context, &caller, &headers).await?;
    signed_in_answer(&context, &signed_in, call.is_secure()).await
}

async fn ldap_sign_out(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    call.unobjected()?;
    ldap::offers(&context.app, &segments.id(SignInOptionId::parse)?).await?;
    end_session(&context, &call, &headers).await?;
    with_cookie(value(Map::new())?, "", 0, call.is_secure())
}
