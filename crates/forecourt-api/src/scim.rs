//! SCIM 2.0 (RFC 7643, RFC 7644): a directory makes, changes and ends administrators, and a portal's own one the people of
//! its site.
//!
//! It has its own envelope, errors and tokens, and describes itself; so its paths stand here and not in the table of the
//! Admin API. The two services differ in whose accounts they serve, and in nothing else. While one is disabled nothing of
//! it is found.

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
use forecourt_app::{Error, portals, provisioning};
use forecourt_core::{
    actors::{Caller, Source},
    audit_logs::Proof,
    provisioning::Accounts,
};
use forecourt_http::{
    Context, addresses,
    callers::{self, Call},
    problem::Problem,
    request_log,
};
use http::{StatusCode, header, request::Parts};
use tower_http::catch_panic::CatchPanicLayer;

use answers::{Answer, Refusal};

/// Where the service for administrators lies.
pub(crate) const PREFIX: &str = "/api/scim/v2";

/// Where a portal's service lies on its site.
pub const SITE_PREFIX: &str = "/scim/v2";

/// The routes of the service for administrators, under [`PREFIX`].
pub(crate) fn router(context: &Context) -> Router<Context> {
    Router::new().nest(PREFIX, routes().layer(from_fn_with_state(context.clone(), of_administrators)))
}

/// The whole service for the people of portals' sites, under [`SITE_PREFIX`]; the request's host chooses the portal.
pub fn site_router(context: Context) -> Router {
    Router::new()
        .nest(SITE_PREFIX, routes().layer(from_fn_with_state(context.clone(), of_portal)))
        .fallback(async || Refusal::not_found())
        .layer(CatchPanicLayer::custom(|_| Refusal::from(Problem::internal()).into_response()))
        .layer(from_fn_with_state(context.clone(), request_log::log))
        .layer(from_fn_with_state(context.clone(), callers::begin))
        .with_state(context)
}

fn routes() -> Router<Context> {
    Router::new()
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
}

async fn of_administrators(State(context): State<Context>, request: Request, next: Next) -> Response {
    enabled(&context, Accounts::Administrators, PREFIX, request, next).await
}

async fn of_portal(State(context): State<Context>, request: Request, next: Next) -> Response {
    let host = addresses::host(request.uri(), request.headers());
    match portals::portal_for_host(&context.app, &host).await {
        Ok(portal) => enabled(&context, Accounts::Portal(portal.id), SITE_PREFIX, request, next).await,
        Err(error) => Refusal::from(error).into_response(),
    }
}

/// Lets the request in where the service for `accounts` is enabled.
async fn enabled(
    context: &Context,
    accounts: Accounts,
    prefix: &str,
    mut request: Request,
    next: Next,
) -> Response {
    match provisioning::is_enabled(&context.app, &accounts).await {
        Ok(true) => {}
        Ok(false) => return Refusal::not_found().into_response(),
        Err(error) => return Refusal::from(error).into_response(),
    }
    let origin = request.extensions().get::<Call>().map(|call| call.reached_at.clone()).unwrap_or_default();
    request.extensions_mut().insert(Service { accounts, base: origin + prefix });
    next.run(request).await
}

/// The directory is no user (RFC 7644 §3.11).
async fn me(_: Directory) -> Answer {
    Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "the token stands for no user"))
}

/// The service that a request reached.
#[derive(Clone, Debug)]
struct Service {
    accounts: Accounts,
    base: String,
}

impl Service {
    /// Where `path` of it lies, for whoever reached it as this request did.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What its users are.
    const fn about(&self) -> &'static str {
        match self.accounts {
            Accounts::Administrators => "An administrator of Forecourt",
            Accounts::Portal(_) => "A developer who signs in to the portal's site",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Service {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        // Only a route outside of both services has none: a fault of ours.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal().into())
    }
}

/// The directory, proved by its token.
#[derive(Clone, Debug)]
struct Directory(Caller);

impl FromRequestParts<Context> for Directory {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Refusal> {
        let call = Call::from_request_parts(parts, context).await?;
        let Service { accounts, .. } = Service::from_request_parts(parts, context).await?;
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = value.unwrap_or_default().split_once(' ').unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::unauthenticated().into());
        }
        let address = call.address.as_deref();
        let actor = provisioning::by_token(&context.app, &accounts, address, token.trim()).await?;
        if !parts.method.is_safe() && asks_for_a_preview(parts.uri.query()) {
            return Err(Refusal::value("calls of a directory have no preview; leave dry_run out to make it"));
        }
        let source = match accounts {
            Accounts::Administrators => Source::AdminApi,
            Accounts::Portal(_) => Source::Site,
        };
        call.journal.note_proof(Proof::Token(None));
        Ok(Self(call.by(actor, source)))
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
