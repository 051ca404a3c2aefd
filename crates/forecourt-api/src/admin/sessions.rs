//! Signing in and out, the caller's own names and password.
//!
//! While a one-time password is in force only signing in, signing out and changing it work: every other handler asks
//! for an `AdminCaller`, which refuses. The change itself takes an `AnyAdminCaller`.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use forecourt_app::{
    Error, administrators,
    authentication::{self, KnownAdministrator, SignedIn},
};
use forecourt_core::{
    actors::{Actor, Caller, Source},
    sessions::{Session, SessionOwner},
};
use forecourt_http::{
    Context,
    bodies::Object,
    callers::{ADMINISTRATOR_COOKIE, AdminCaller, AdminProof, AnyAdminCaller, Call},
    cookies, origins,
    problem::Problem,
};
use http::{HeaderMap, StatusCode, header};
use serde_json::Map;

use super::{
    administrators::{credential_schema, user, user_schema},
    answers::{Answer, value, value_with_warning},
    operations,
    table::Table,
};
use crate::openapi::{
    documents,
    operations::{Access, Operation},
    schemas::{self, Schema},
};

pub(super) fn endpoints(table: Table) -> Table {
    let open = |operation: Operation| operation.access(Access::Open);
    table
        .about("Sign-in")
        .get("/healthz", async || StatusCode::OK, open(operations::bare("Tell whether it runs")))
        .get("/openapi.json", async || documents::answer(super::document()), documents::described())
        .post(
            "/api/login",
            sign_in,
            open(operations::send_with_warning(
                "Sign in",
                schemas::object()
                    .required("username", credential_schema())
                    .required("password", credential_schema()),
                user_schema(),
            ))
            .notes(
                "Sets the session cookie. `warning_msg` says that a one-time password must be changed first.",
            ),
        )
        .post("/api/logout", sign_out, open(operations::one("Sign out", schemas::object())))
        .put(
            "/api/password",
            change_password,
            operations::send("Change the own password", password_schema(), user_schema())
                .notes("`old_password` is left out while the password is one-time. Other sessions end."),
        )
        .get("/api/me", me, operations::one("Get oneself", user_schema()))
        .put("/api/me", rename, operations::send("Rename oneself", names_schema(), user_schema()))
}

fn password_schema() -> Schema {
    schemas::object()
        .required("new_password", credential_schema())
        .optional("old_password", credential_schema())
}

fn names_schema() -> Schema {
    let name = || schemas::text().long(1, 150);
    schemas::object().required("first_name", name()).required("last_name", name())
}

async fn sign_in(
    State(context): State<Context>,
    call: Call,
    headers: HeaderMap,
    body: Object,
) -> Result<Response, Problem> {
    call.unobjected()?;
    let username = credential(&body, "username")?;
    let password = credential(&body, "password")?;
    let caller = anonymous(&call);
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed_in = authentication::sign_in(&context.app, &caller, &username, &password, agent).await?;
    end_earlier(&context, &caller, &headers).await?;
    signed_in_answer(&context, &signed_in, call.is_secure()).await
}

/// Ends the session that a browser shows whose sign-in ended well: its own or one that somebody planted, it does not
/// outlive the sign-in, whichever way that went.
pub(super) async fn end_earlier(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    if let Some(before) = cookies::read(headers, ADMINISTRATOR_COOKIE) {
        authentication::sign_out(&context.app, caller, before).await?;
    }
    Ok(())
}

/// Who has signed in, and their session as a cookie.
pub(super) async fn signed_in_answer(
    context: &Context,
    signed_in: &SignedIn<KnownAdministrator>,
    secure: bool,
) -> Result<Response, Problem> {
    let warning = signed_in.owner.must_change_password().then(|| "change the initial password".to_owned());
    let answer = value_with_warning(user(context, &signed_in.owner.administrator).await?, warning)?;
    with_cookie(answer, signed_in.token.reveal(), Session::SECONDS, secure)
}

/// Whoever calls before they are known.
pub(super) fn anonymous(call: &Call) -> Caller {
    call.by(Actor::System, Source::AdminApi)
}

/// A user name or password, 1–128 characters.
pub(super) fn credential(body: &Object, member: &str) -> Result<String, Problem> {
    let text = body.required_text(member)?;
    if text.chars().count() > 128 {
        return Err(Problem::bad_request(format!("{member} must be at most 128 characters")));
    }
    Ok(text)
}

pub(super) fn with_cookie(
    answer: Json<serde_json::Value>,
    token: &str,
    seconds: i64,
    secure: bool,
) -> Result<Response, Problem> {
    let cookie = cookies::set(ADMINISTRATOR_COOKIE, token, seconds, secure).ok_or_else(Problem::internal)?;
    let mut response = answer.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

async fn sign_out(
    State(context): State<Context>,
    call: Call,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    end_session(&context, &call, &headers).await?;
    with_cookie(value(Map::new())?, "", 0, call.is_secure())
}

/// Ends the session that the request shows, if it shows one; tells whether an administrator's ended by this.
pub(super) async fn end_session(
    context: &Context,
    call: &Call,
    headers: &HeaderMap,
) -> Result<bool, Problem> {
    call.unobjected()?;
    if let Some(token) = cookies::read(headers, ADMINISTRATOR_COOKIE) {
        if origins::is_cross_site(headers) {
            return Err(Error::forbidden("cross-site requests cannot change anything").into());
        }
        let ended = authentication::sign_out(&context.app, &anonymous(call), token).await?;
        return Ok(matches!(ended, Some(SessionOwner::Administrator(_))));
    }
    Ok(false)
}

async fn change_password(
    State(context): State<Context>,
    AnyAdminCaller { caller, proof }: AnyAdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    let known = match proof {
        AdminProof::Administrator(known) => known,
        // A token proves no password: it must not be enough to set one without the old one.
        AdminProof::AccessToken(known) if known.must_change_password() => {
            return Err(Error::forbidden("password change required").into());
        }
        AdminProof::AccessToken(known) => known,
        AdminProof::GatewayGroup(_) => {
            return Err(Error::forbidden("a gateway group's admin key acts on its own group only").into());
        }
    };
    let body = body?;
    let (new, old) = (credential(&body, "new_password")?, body.text("old_password")?);
    let administrator =
        administrators::change_password(&context.app, &caller, &known, &new, old.as_deref()).await?;
    value(user(&context, &administrator).await?)
}

async fn me(State(context): State<Context>, AdminCaller(caller): AdminCaller) -> Answer {
    value(user(&context, &administrators::me(&context.app, &caller).await?).await?)
}

async fn rename(
    State(context): State<Context>,
    AdminCaller(caller): AdminCaller,
    body: Result<Object, Problem>,
) -> Answer {
    administrators::me(&context.app, &caller).await?;
    let body = body?;
    let (first, last) = (body.required_text("first_name")?, body.required_text("last_name")?);
    let renamed = administrators::rename_self(&context.app, &caller, &first, &last).await?;
    value(user(&context, &renamed).await?)
}
