//! The way in and out. Whoever signs in goes on to `next` where that is a path of this site.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
    response::Response,
};
use forecourt_app::{ErrorKind, authentication, person_links, persons};
use forecourt_core::{
    actors::{Actor, Caller, Source},
    secrets::PlainSecret,
    sessions::Session,
};
use forecourt_http::cookies;

use super::{
    person_links::too_many,
    visitors::{Resident, SESSION_COOKIE, Visitor},
};
use crate::{
    developer::sign_in::{FirstPassword, Pending, SignIn, SignUp, SignedOut},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted, Visit, same_site_path},
    links::developer,
};

/// The browser's own description of itself.
pub(super) struct Browser(String);

impl<S: Sync> FromRequestParts<S> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let told = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(told.unwrap_or_default().to_owned()))
    }
}

fn sign_in_page(visitor: &Visitor, resets: bool, form: Form) -> SignIn {
    SignIn { form, built_in: visitor.option.is_some(), resets, options: Vec::new() }
}

async fn resets(visitor: &Visitor) -> Result<bool, Failed> {
    Ok(person_links::are_offered(visitor.visit.web.app(), &visitor.portal.id).await?)
}

/// `GET /sign-in`.
pub(super) async fn ask(visitor: Visitor, asked: Asked) -> Result<Response, Failed> {
    let next = same_site_path(asked.text("next")).unwrap_or_default();
    if visitor.person.is_some() {
        return Ok(go_on(&visitor.visit, next));
    }
    let resets = resets(&visitor).await?;
    visitor.visit.show(&sign_in_page(&visitor, resets, Form::new().with("next", next)))
}

fn go_on(visit: &Visit, next: &str) -> Response {
    match same_site_path(next) {
        Some(path) => visit.go_path(path),
        None => visit.go(&developer::home()),
    }
}

fn with_session(visit: &Visit, response: Response, token: &PlainSecret) -> Response {
    visit.with_cookie(response, SESSION_COOKIE, token.reveal(), Session::SECONDS)
}

/// `POST /sign-in`.
pub(super) async fn sign_in(
    visitor: Visitor,
    Browser(browser): Browser,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let caller = visit.call.by(Actor::Guest(visitor.portal.id.clone()), Source::Site);
    let (username, password) = (posted.text("username"), posted.text("password"));
    let app = visit.web.app();
    let proved = persons::sign_in(app, &caller, &visitor.portal.id, username, password, &browser).await;
    match proved {
        Ok(signed_in) => {
            end_earlier(visit, &caller, &headers).await?;
            Ok(with_session(visit, go_on(visit, posted.text("next")), &signed_in.token))
        }
        Err(error) if error.kind() == ErrorKind::Unauthenticated => {
            // Where addresses are proved by mail, nobody learns whether the password was right before it is so.
            let by_mail = resets(&visitor).await?;
            let said = if by_mail {
                visit.web.say("sign_in.wrong_or_unproved", &[])
            } else {
                visit.web.say("sign_in.wrong", &[])
            };
            let form = posted.form().failed(said);
            visit.show_refused(&sign_in_page(&visitor, by_mail, form))
        }
        Err(error) => match error.kind() {
            ErrorKind::Limit { retry_after } => {
                let resets = resets(&visitor).await?;
                too_many(visit, retry_after, posted.form(), |form| sign_in_page(&visitor, resets, form))
            }
            _ => Err(error.into()),
        },
    }
}

/// Ends the session that a browser shows which is given another: its own or one that somebody planted.
async fn end_earlier(visit: &Visit, caller: &Caller, headers: &HeaderMap) -> Result<(), Failed> {
    if let Some(before) = cookies::read(headers, SESSION_COOKIE) {
        authentication::sign_out(visit.web.app(), caller, before).await?;
    }
    Ok(())
}

fn sign_up_page(visitor: &Visitor, form: Form) -> SignUp {
    let auto = visitor.option.as_ref().is_some_and(|option| option.registration_auto_approval);
    SignUp { form, needs_approval: !auto }
}

/// `GET /sign-up`.
pub(super) async fn ask_sign_up(visitor: Visitor, asked: Asked) -> Result<Response, Failed> {
    let next = same_site_path(asked.text("next")).unwrap_or_default();
    if visitor.person.is_some() {
        return Ok(go_on(&visitor.visit, next));
    }
    if !visitor.visit.page.sign_up_open {
        return Err(FailureKind::NotFound.into());
    }
    visitor.visit.show(&sign_up_page(&visitor, Form::new().with("next", next)))
}

/// `POST /sign-up`.
pub(super) async fn sign_up(
    visitor: Visitor,
    Browser(browser): Browser,
    headers: HeaderMap,
    posted: Posted,
) -> Result<Response, Failed> {
    const FIELDS: &[(&str, &str)] = &[("name", "name"), ("email", "email"), ("password", "password")];
    let visit = &visitor.visit;
    let caller = visit.call.by(Actor::Guest(visitor.portal.id.clone()), Source::Site);
    let new = persons::NewPerson {
        name: posted.text("name").to_owned(),
        email: posted.text("email").to_owned(),
        password: PlainSecret::presented(posted.text("password")),
    };
    match persons::sign_up(visit.web.app(), &caller, &visitor.portal.id, new, &browser).await {
        // Whether or not the address was known before.
        Ok(None) => Ok(visit.go(&developer::verify())),
        Ok(Some(signed_in)) => {
            end_earlier(visit, &caller, &headers).await?;
            let page = sign_up_page(&visitor, Form::new());
            let on = if page.needs_approval {
                visit.go(&developer::pending())
            } else {
                let name = visit.page.portal.name.as_str();
                let said = visit.web.say("sign_up.done", &[("portal", name)]);
                visit.say_then(go_on(visit, posted.text("next")), crate::page::Tone::Good, &said)
            };
            Ok(with_session(visit, on, &signed_in.token))
        }
        Err(error) => match error.kind() {
            ErrorKind::Limit { retry_after } => {
                too_many(visit, retry_after, posted.form(), |form| sign_up_page(&visitor, form))
            }
            _ => visit.show_refused(&sign_up_page(&visitor, posted.refused(error, FIELDS)?)),
        },
    }
}

/// `GET /sign-in/password`.
pub(super) async fn ask_password(resident: Resident) -> Result<Response, Failed> {
    if !resident.person.must_change_password() {
        return Ok(resident.visit.go(&developer::home()));
    }
    resident.visit.show(&FirstPassword { form: Form::new() })
}

/// `POST /sign-in/password`.
pub(super) async fn set_password(resident: Resident, posted: Posted) -> Result<Response, Failed> {
    let Resident { visit, person, caller } = resident;
    if !person.must_change_password() {
        return Ok(visit.go(&developer::home()));
    }
    let form = match changed(&visit, &posted) {
        Err(form) => form,
        Ok(new) => match persons::change_password(visit.web.app(), &caller, &person, new, None).await {
            Ok(()) => return Ok(visit.done(&developer::home(), &visit.web.say("password.done", &[]))),
            Err(error) => posted.refused(error, super::account::PASSWORD_FIELDS)?,
        },
    };
    visit.show_refused(&FirstPassword { form })
}

/// The new password where both fields hold the same.
pub(super) fn changed<'a>(visit: &Visit, posted: &'a Posted) -> Result<&'a str, Form> {
    let new = posted.text("password");
    if new == posted.text("again") {
        Ok(new)
    } else {
        Err(posted.form().refused("again", visit.web.say("password.differ", &[])))
    }
}

/// `GET /sign-in/pending`.
pub(super) async fn pending(visitor: Visitor, resident: Resident) -> Result<Response, Failed> {
    if !resident.person.is_pending() {
        return Ok(resident.visit.go(&developer::home()));
    }
    let person = &resident.person.person;
    let email = person.email.as_deref().or(person.username.as_deref()).unwrap_or_default();
    resident.visit.show(&Pending { email: email.to_owned(), may_look: visitor.portal.public_access })
}

/// `POST /sign-out`.
pub(super) async fn sign_out(
    visitor: Visitor,
    headers: HeaderMap,
    _posted: Posted,
) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    if let Some(token) = cookies::read(&headers, SESSION_COOKIE) {
        authentication::sign_out(visit.web.app(), &visitor.caller(), token).await?;
    }
    Ok(visit.with_cookie(visit.go(&developer::sign_out()), SESSION_COOKIE, "", 0))
}

/// `GET /sign-out`, after the fact.
pub(super) async fn signed_out(visitor: Visitor) -> Result<Response, Failed> {
    if visitor.person.is_some() {
        return Ok(visitor.visit.go(&developer::account()));
    }
    visitor.visit.show(&SignedOut {})
}
