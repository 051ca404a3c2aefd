//! In and out. A failed try never says whether the name or the password was wrong.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use forecourt_app::{ErrorKind, authentication, sign_in_options};
use forecourt_core::sessions::Session;
use forecourt_http::{callers::ADMINISTRATOR_COOKIE, cookies};

use super::{Answer, Doorstep};
use crate::{
    forms::Form,
    handling::{Asked, Failed, Posted, same_site_path},
    links::provider,
    provider::sign_in::SignIn,
};

pub(super) async fn form(door: Doorstep, asked: Asked) -> Answer {
    let next = asked.given("next").and_then(same_site_path).unwrap_or_default();
    if door.known.is_some() {
        let known = if next.is_empty() { provider::OVERVIEW } else { next };
        return Ok(door.visit.go_path(known));
    }
    let form = Form::new().with("next", next);
    let signed_out = asked.given("signed_out").is_some();
    door.visit.show(&SignIn { form, signed_out, built_in: offers_passwords(&door).await? })
}

pub(super) async fn sign_in(door: Doorstep, headers: HeaderMap, posted: Posted) -> Answer {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (username, password) = (posted.text("username").trim(), posted.text("password"));
    let visit = &door.visit;
    let signed_in =
        match authentication::sign_in(visit.web.app(), &door.caller, username, password, agent).await {
            Ok(signed_in) => signed_in,
            Err(error) => {
                let built_in = offers_passwords(&door).await?;
                return refused(&door, &posted, error, built_in);
            }
        };
    let next = posted.given("next").and_then(same_site_path).unwrap_or(provider::OVERVIEW);
    let on = if signed_in.owner.must_change_password() { provider::FIRST_PASSWORD } else { next };
    let token = signed_in.token.reveal();
    Ok(visit.with_cookie(visit.go_path(on), ADMINISTRATOR_COOKIE, token, Session::SECONDS))
}

async fn offers_passwords(door: &Doorstep) -> Result<bool, Failed> {
    Ok(!sign_in_options::of_administrators(door.visit.web.app()).await?.disable)
}

fn refused(door: &Doorstep, posted: &Posted, error: forecourt_app::Error, built_in: bool) -> Answer {
    let web = &door.visit.web;
    let (status, sentence, retry_after) = match error.kind() {
        ErrorKind::Unauthenticated => (StatusCode::UNPROCESSABLE_ENTITY, web.say("error.sign_in", &[]), None),
        ErrorKind::Limit { retry_after } => {
            let minutes = retry_after.div_ceil(60).to_string();
            let sentence = web.say("error.sign_in_limit", &[("count", &minutes)]);
            (StatusCode::TOO_MANY_REQUESTS, sentence, Some(retry_after))
        }
        _ => return Err(error.into()),
    };
    let view = SignIn { form: posted.form().failed(sentence), signed_out: false, built_in };
    let mut response = door.visit.show_as(status, &view)?;
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

pub(super) async fn sign_out(door: Doorstep, headers: HeaderMap, _posted: Posted) -> Answer {
    let visit = &door.visit;
    if let Some(token) = cookies::read(&headers, ADMINISTRATOR_COOKIE) {
        authentication::sign_out(visit.web.app(), &door.caller, token).await?;
    }
    // A page of its own: the form on it needs a token that is not bound to the session that just ended.
    let link = provider::sign_in().with_query(&[("signed_out", "true")]);
    Ok(visit.with_cookie(visit.go(&link), ADMINISTRATOR_COOKIE, "", 0))
}
