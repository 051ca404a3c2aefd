//! SCIM 2.0 (RFC 7643, RFC 7644): a directory makes, changes and ends administrators.
//!
//! It has its own envelope, errors and token, and describes itself; so its paths stand here and not in the table of the
//! Admin API. While it is disabled nothing of it is found.

mod answers;
mod attributes;
mod discovery;
mod filters;
mod lists;
mod patches;
mod paths;
mod users;

use axum::{
    Router,
    extract::{FromRequestParts, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use forecourt_app::{Error, provisioning};
use forecourt_core::actors::{Caller, Source};
use forecourt_http::{Context, callers::Call};
use http::{StatusCode, header, request::Parts};

use answers::{Answer, Refusal};

/// Where it lies.
pub(crate) const PREFIX: &str = "/api/scim/v2";

/// The routes under [`PREFIX`].
pub(crate) fn router(context: &Context) -> Router<Context> {
    let routes = Router::new()
        .route("/Users", get(users::list).post(users::create))
        .route("/Users/{id}", get(users::user).put(users::replace).patch(users::patch).delete(users::delete))
        .route("/Users/.search", post(users::search))
        .route("/.search", post(users::search))
        .route("/ServiceProviderConfig", get(discovery::configuration))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{id}", get(discovery::schema))
        .route("/Me", get(me).post(me).put(me).patch(me).delete(me))
        .fallback(async || Refusal::not_found())
        .method_not_allowed_fallback(async || {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")
        })
        .layer(from_fn_with_state(context.clone(), only_enabled));
    Router::new().nest(PREFIX, routes)
}

async fn only_enabled(State(context): State<Context>, request: Request, next: Next) -> Response {
    match provisioning::is_enabled(&context.app).await {
        Ok(true) => next.run(request).await,
        Ok(false) => Refusal::not_found().into_response(),
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// The directory is no user (RFC 7644 §3.11).
async fn me(_: Directory) -> Answer {
    Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "the token stands for no user"))
}

/// The directory, proved by its token.
#[derive(Clone, Debug)]
struct Directory(Caller);

impl FromRequestParts<Context> for Directory {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refusal> {
        let call = Call::from_request_parts(parts, context).await?;
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = value.unwrap_or_default().split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::unauthenticated().into());
        }
        let actor = provisioning::by_token(&context.app, call.address.as_deref(), token.trim()).await?;
        if !parts.method.is_safe() && asks_for_a_preview(parts.uri.query()) {
            return Err(Refusal::value("calls of a directory have no preview; leave dry_run out to make it"));
        }
        Ok(Self(call.by(actor, Source::AdminApi)))
    }
}

/// A changing call that wants a preview must not be carried out.
fn asks_for_a_preview(query: Option<&str>) -> bool {
    let fields =
        query.unwrap_or_default().split('&').map(|field| field.split_once('=').unwrap_or((field, "")));
    fields.filter(|(name, _)| *name == "dry_run").any(|(_, value)| !matches!(value, "" | "false"))
}

#[cfg(test)]
mod tests;
