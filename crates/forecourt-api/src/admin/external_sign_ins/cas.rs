//! Administrators' sign-in through CAS.

use axum::{extract::State, response::Response};
use forecourt_app::external_sign_ins::{self, cas};
use forecourt_core::ids::SignInOptionId;
use forecourt_http::{Context, callers::Call, cookies, problem::Problem, queries::Query};
use http::HeaderMap;

use super::{arriving, departing, sent_away, taken_back_to_option, user_agent};
use crate::{
    admin::{segments::Segments, sessions::anonymous, table::Table},
    openapi::schemas,
};

/// What the cookie of a sign-in that is under way is sent to.
const PATHS: &str = "/api/cas";

pub(super) fn endpoints(table: Table) -> Table {
    table
        .get(
            "/api/cas/{id}/login",
            depart,
            departing("Sign in through CAS").notes(
                "For browsers: sends them to the CAS server of the login option. A cookie, for ten minutes, binds the \
                 sign-in to the browser. They are sent to the sign-in page where the address of the console is not \
                 known (`admin.public_url`), and, with `send_service` off, where another site begins this.",
            ),
        )
        .get(
            "/api/cas/{id}/callback",
            arrive,
            arriving("Come back from a CAS server")
                .query("state", schemas::text())
                .query("ticket", schemas::text()),
        )
}

async fn depart(
    State(context): State<Context>,
    call: Call,
    segments: Segments,
    headers: HeaderMap,
    query: Query,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let id = segments.id(SignInOptionId::parse)?;
    let caller = anonymous(&call);
    let from_elsewhere =
        headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site");
    let next = query.text("next").unwrap_or_default();
    let departure = cas::depart(&context.app, &caller, &id, &call.reached_at, next, from_elsewhere).await;
    sent_away(departure, PATHS, &call)
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
    let ticket = query.text("ticket").unwrap_or_default();
    let cookie = query.text("state").map(external_sign_ins::cookie_of);
    let cookie = cookie.unwrap_or_else(|| cas::COOKIE_WITHOUT_STATE.to_owned());
    let browser = cookies::read(&headers, &cookie);
    // A server that is told of no service brings nothing back but the ticket: the browser's secret is the state then.
    let state = query.text("state").or(browser).unwrap_or_default();
    let (caller, agent) = (anonymous(&call), user_agent(&headers));
    let arrival = cas::arrive(&context.app, &caller, &id, state, browser, ticket, agent).await;
    taken_back_to_option(&context, &call, &headers, arrival, PATHS, &cookie).await
}
