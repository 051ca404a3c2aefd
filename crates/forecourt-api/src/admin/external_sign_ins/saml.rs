//! Administrators' sign-in through SAML 2.0.
//!
//! A response comes by a form of another site, and so without our cookie: whoever brings one is sent on to an address of
//! ours, where the cookie that binds the sign-in to the browser comes along. The address names the cookie (`state`) and
//! whom the response proved (`held`), which nobody is told but the browser that brought it.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    ErrorKind,
    external_sign_ins::{self, saml},
};
use forecourt_core::ids::SignInOptionId;
use forecourt_http::{Context, bodies::FormFields, callers::Call, problem::Problem, queries::Query};
use http::{HeaderMap, StatusCode, header};

use super::{arriving, departing, not_signed_in, redirect, sent_away, taken_back_to_option, user_agent};
use crate::{
    admin::{operations, segments::Segments, sessions::anonymous, table::Table},
    openapi::{
        operations::{Access, Operation},
        schemas,
    },
};

/// What the cookie of a sign-in that is under way is sent to.
const PATHS: &str = "/api/saml";

pub(super) fn endpoints(table: Table) -> Table {
    let open = |operation: Operation| operation.access(Access::Open);
    let text = schemas::text;
    table
        .get(
            "/api/saml/{id}/login",
            depart,
            departing("Sign in through SAML").notes(
                "For browsers: sends them to the identity provider of the login option, or to the sign-in page where \
                 that cannot be asked. A cookie, for ten minutes, binds the sign-in to the browser.",
            ),
        )
        .post(
            "/api/saml/{id}/acs",
            take_response,
            open(operations::bare("Take the response of an identity provider"))
                .status(303)
                .takes_form(
                    schemas::object()
                        .required("SAMLResponse", text().about("Base64; the form has at most 512 KiB."))
                        .required("RelayState", text()),
                )
                .notes(
                    "Sends the browser on to `/api/saml/{id}/finish`, or to the sign-in page where the response proves \
                     nobody. Either the response or its assertion must be signed.",
                ),
        )
        .get(
            "/api/saml/{id}/finish",
            arrive,
            arriving("Come back from an identity provider")
                .query("state", text().about("The `RelayState` of the sign-in, which names its cookie."))
                .query("held", text().about("The secret under which the person is held who was proven."))
                .notes(
                    "For the browser that both began the sign-in and brought the response, within a minute. Sets \
                     the session cookie and sends the browser into the console, or to the sign-in page where nobody \
                     was signed in. A first sign-in makes a user without roles.",
                ),
        )
        .get(
            "/api/saml/{id}/metadata",
            metadata,
            open(operations::bare("Get the metadata of the service provider"))
                .answers_as(&["application/samlmetadata+xml"], text()),
        )
}

async fn depart(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    query: Query,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let id = segments.id(SignInOptionId::parse)?;
    let next = query.text("next").unwrap_or_default();
    let departure = saml::depart(&context.app, &anonymous(&call), &id, next).await;
    sent_away(departure, PATHS, &call)
}

async fn take_response(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    form: Result<FormFields, Problem>,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let id = segments.id(SignInOptionId::parse)?;
    let FormFields(form) = form?;
    let given = |name: &str| form.text(name).unwrap_or_default();
    let (state, response) = (given("RelayState"), given("SAMLResponse"));
    match saml::answered(&context.app, &anonymous(&call), &id, state, response).await {
        // Both are ones that we made, and so plain.
        Ok(held) => {
            let held = held.reveal();
            redirect(StatusCode::SEE_OTHER, &format!("{PATHS}/{id}/finish?state={state}&held={held}"))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error.into()),
        Err(error) => redirect(StatusCode::SEE_OTHER, &not_signed_in(error)?),
    }
}

async fn arrive(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let id = segments.id(SignInOptionId::parse)?;
    let state = query.text("state").unwrap_or_default();
    let held = query.text("held").unwrap_or_default();
    let cookie = external_sign_ins::cookie_of(state);
    let browser = forecourt_http::cookies::read(&headers, &cookie);
    let (caller, agent) = (anonymous(&call), user_agent(&headers));
    let arrival = saml::arrive(&context.app, &caller, &id, held, browser, agent).await;
    taken_back_to_option(&context, &call, &headers, arrival, PATHS, &cookie).await
}

async fn metadata(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let xml = saml::metadata(&context.app, &segments.id(SignInOptionId::parse)?).await?;
    Ok(([(header::CONTENT_TYPE, "application/samlmetadata+xml")], xml).into_response())
}
