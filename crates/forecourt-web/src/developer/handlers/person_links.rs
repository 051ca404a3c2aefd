//! Links in mails to persons. Nobody need be signed in; whether there is such an account is not told.

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use forecourt_app::{Error, ErrorKind, person_links};
use forecourt_core::{
    actors::{Actor, Caller, Source},
    person_links::LinkPurpose,
    secrets::PlainSecret,
};

use super::{
    account::PASSWORD_FIELDS,
    sign_in::changed,
    visitors::{SESSION_COOKIE, Visitor},
};
use crate::{
    developer::person_links::{NewPassword, ResetRequest, UnknownLink, Verification, WaitingForMail},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted, Visit},
    links::developer,
    page::Tone,
    templates::View,
};

const ADDRESS: &[(&str, &str)] = &[("email", "email")];
const PROOF: &[(&str, &str)] = &[("current password", "password")];

/// Whoever follows a link is nobody yet, signed in or not.
fn guest(visitor: &Visitor) -> Caller {
    visitor.visit.call.by(Actor::Guest(visitor.portal.id.clone()), Source::Site)
}

/// Refuses where links are not mailed.
async fn offered(visitor: &Visitor) -> Result<(), Failed> {
    let offered = person_links::are_offered(visitor.visit.web.app(), &visitor.portal.id).await?;
    if offered { Ok(()) } else { Err(FailureKind::NotFound.into()) }
}

/// `GET /verify`.
pub(super) async fn ask_verify(visitor: Visitor, asked: Asked) -> Result<Response, Failed> {
    offered(&visitor).await?;
    let visit = &visitor.visit;
    let Some(token) = asked.given("token") else {
        return visit.show(&WaitingForMail { form: Form::new(), sent: false });
    };
    match proof(&visitor, token).await {
        Ok(page) => visit.show(&page),
        Err(error) => unknown(visit, error, false),
    }
}

/// The page that asks for the proof, where the link works.
async fn proof(visitor: &Visitor, token: &str) -> Result<Verification, Error> {
    let secret = PlainSecret::presented(token);
    let (app, portal) = (visitor.visit.web.app(), &visitor.portal.id);
    let caller = guest(visitor);
    let person = person_links::linked(app, &caller, portal, LinkPurpose::Verification, &secret).await?;
    Ok(Verification {
        asks_password: person.password.is_some(),
        email: person.email.unwrap_or_default(),
        token: token.to_owned(),
        form: Form::new(),
    })
}

/// `POST /verify`.
pub(super) async fn verify(visitor: Visitor, posted: Posted) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let (token, password) = (posted.text("token"), posted.text("password"));
    let (app, secret) = (visit.web.app(), PlainSecret::presented(token));
    match person_links::verify(app, &guest(&visitor), &visitor.portal.id, &secret, password).await {
        Ok(()) => {
            let on = if visitor.person.is_some() { developer::account() } else { developer::sign_in() };
            Ok(visit.done(&on, &visit.web.say("person_link.verified", &[])))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => unknown(visit, error, false),
        Err(error) => match proof(&visitor, token).await {
            Ok(page) => refused(visit, &posted, (error, PROOF), |form| Verification { form, ..page }),
            Err(gone) => unknown(visit, gone, false),
        },
    }
}

/// `POST /verify/again`.
pub(super) async fn verify_again(visitor: Visitor, posted: Posted) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let (app, portal) = (visit.web.app(), &visitor.portal.id);
    match person_links::ask_verification(app, &guest(&visitor), portal, posted.text("email")).await {
        Ok(()) => visit.show(&WaitingForMail { form: Form::new(), sent: true }),
        Err(error) => refused(visit, &posted, (error, ADDRESS), |form| WaitingForMail { form, sent: false }),
    }
}

/// `GET /reset`.
pub(super) async fn ask_reset(visitor: Visitor) -> Result<Response, Failed> {
    offered(&visitor).await?;
    visitor.visit.show(&ResetRequest { form: Form::new(), sent: false })
}

/// `POST /reset`.
pub(super) async fn reset(visitor: Visitor, posted: Posted) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let (app, portal) = (visit.web.app(), &visitor.portal.id);
    match person_links::ask_reset(app, &guest(&visitor), portal, posted.text("email")).await {
        Ok(()) => visit.show(&ResetRequest { form: Form::new(), sent: true }),
        Err(error) => refused(visit, &posted, (error, ADDRESS), |form| ResetRequest { form, sent: false }),
    }
}

/// `GET /reset/new`.
pub(super) async fn ask_password(visitor: Visitor, asked: Asked) -> Result<Response, Failed> {
    show_password(&visitor, asked.text("token"), None).await
}

/// The form for a new password where the link works: as it is at first, or with what was wrong.
async fn show_password(visitor: &Visitor, token: &str, wrong: Option<Form>) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let secret = PlainSecret::presented(token);
    let (app, portal, caller) = (visit.web.app(), &visitor.portal.id, guest(visitor));
    let found = person_links::linked(app, &caller, portal, LinkPurpose::Reset, &secret).await;
    let email = match found {
        Ok(person) => person.email.unwrap_or_default(),
        Err(error) => return unknown(visit, error, true),
    };
    let status = if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let form = wrong.unwrap_or_default();
    visit.show_as(status, &NewPassword { form, token: token.to_owned(), email })
}

/// `POST /reset/new`.
pub(super) async fn set_password(visitor: Visitor, posted: Posted) -> Result<Response, Failed> {
    let visit = &visitor.visit;
    let token = posted.text("token");
    let new = match changed(visit, &posted) {
        Ok(new) => new,
        Err(form) => return show_password(&visitor, token, Some(form)).await,
    };
    let secret = PlainSecret::presented(token);
    let portal = &visitor.portal.id;
    match person_links::reset(visit.web.app(), &guest(&visitor), portal, &secret, new).await {
        Ok(()) => {
            // Whoever was signed in here is no longer, where it was them; nobody else stays without asking.
            let on = visit.go(&developer::sign_in());
            let on = visit.say_then(on, Tone::Good, &visit.web.say("password.done", &[]));
            Ok(visit.with_cookie(on, SESSION_COOKIE, "", 0))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => unknown(visit, error, true),
        Err(error) => {
            let form = posted.refused(error, PASSWORD_FIELDS)?;
            show_password(&visitor, token, Some(form)).await
        }
    }
}

/// One page for whatever is no link that works; it says nothing of any other.
fn unknown(visit: &Visit, error: Error, resets: bool) -> Result<Response, Failed> {
    match error.kind() {
        ErrorKind::NotFound => visit.show_as(StatusCode::NOT_FOUND, &UnknownLink { resets }),
        _ => Err(error.into()),
    }
}

/// The page again with what was wrong: what was typed, or that there were too many.
fn refused<V: View>(
    visit: &Visit,
    posted: &Posted,
    (error, fields): (Error, &[(&str, &str)]),
    page: impl FnOnce(Form) -> V,
) -> Result<Response, Failed> {
    match error.kind() {
        ErrorKind::Limit { retry_after } => too_many(visit, retry_after, posted.form(), page),
        _ => visit.show_refused(&page(posted.refused(error, fields)?)),
    }
}

/// The page again after too many tries, which says for how many seconds to wait.
pub(super) fn too_many<V: View>(
    visit: &Visit,
    retry_after: u64,
    form: Form,
    page: impl FnOnce(Form) -> V,
) -> Result<Response, Failed> {
    let minutes = retry_after.div_ceil(60).to_string();
    let form = form.failed(visit.web.say("sign_in.too_many", &[("count", &minutes)]));
    let shown = visit.show_as(StatusCode::TOO_MANY_REQUESTS, &page(form));
    shown.map(|mut response| {
        response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
        response
    })
}
