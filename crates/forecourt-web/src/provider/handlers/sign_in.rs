//! In and out. A failed try never says whether the name or the password was wrong.
//!
//! The page asks for one name and password at a time, our own or a directory's, and leads to all other ways; providers
//! that browsers are sent to bring them back to the Admin API, which sends them here with `failed` where nobody was
//! signed in.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use forecourt_app::{
    Error, ErrorKind,
    authentication::{self, KnownAdministrator, SignedIn},
    external_sign_ins::{self, ldap},
};
use forecourt_core::{
    ids::SignInOptionId,
    sessions::Session,
    sign_in_options::{SignInOption, SignInType},
};
use forecourt_http::{callers::ADMINISTRATOR_COOKIE, cookies};

use super::{Answer, Doorstep};
use crate::{
    forms::Form,
    handling::{Asked, Failed, Posted, same_site_path},
    links::{Link, admin_api, provider},
    provider::sign_in::{AskedDirectory, OtherWay, SignIn},
};

pub(super) async fn form(door: Doorstep, asked: Asked) -> Answer {
    let next = asked.given("next").and_then(same_site_path).unwrap_or_default();
    if door.known.is_some() {
        let known = if next.is_empty() { provider::OVERVIEW } else { next };
        return Ok(door.visit.go_path(known));
    }
    let form = Form::new().with("next", next);
    let say = |key| door.visit.web.say(key, &[]);
    let form = match asked.text("failed") {
        "" => form,
        "provider" => form.failed(say("error.sign_in_provider")),
        _ => form.failed(say("error.sign_in_elsewhere")),
    };
    let view = page(&door, form, asked.text("option"), next).await?;
    door.visit.show(&SignIn { signed_out: asked.given("signed_out").is_some(), ..view })
}

/// The page that asks for the password of the option `wanted`, else for ours, else for that of the first directory.
async fn page(door: &Doorstep, form: Form, wanted: &str, next: &str) -> Result<SignIn, Failed> {
    let options = external_sign_ins::offered(door.visit.web.app()).await?;
    let takes =
        |option: &&SignInOption| matches!(option.provider_type(), SignInType::BuiltIn | SignInType::Ldap);
    let named = options.iter().filter(takes).find(|option| option.id.as_str() == wanted);
    let ours = options.iter().find(|option| option.provider_type() == SignInType::BuiltIn);
    let asked = named.or(ours).or_else(|| options.iter().find(takes));
    let others = options.iter().filter(|option| asked.is_none_or(|asked| asked.id != option.id));
    let directory = asked.filter(|option| option.provider_type() == SignInType::Ldap);
    Ok(SignIn {
        form,
        signed_out: false,
        asks_password: asked.is_some(),
        directory: directory
            .map(|option| AskedDirectory { id: option.id.to_string(), name: option.name.clone() }),
        others: others.map(|option| other_way(option, next)).collect(),
    })
}

fn other_way(option: &SignInOption, next: &str) -> OtherWay {
    let id = option.id.as_str();
    let start: Link = match option.provider_type() {
        SignInType::BuiltIn => provider::sign_in().with_query(&[("next", next)]),
        SignInType::Ldap => provider::sign_in().with_query(&[("option", id), ("next", next)]),
        SignInType::Oidc => admin_api::oidc_login(id).with_query(&[("next", next)]),
        SignInType::Saml => admin_api::saml_login(id).with_query(&[("next", next)]),
        SignInType::Cas => admin_api::cas_login(id).with_query(&[("next", next)]),
    };
    let logo = Some(option.logo.clone()).filter(|logo| logo.starts_with("data:image/"));
    OtherWay { name: option.name.clone(), logo, start }
}

pub(super) async fn sign_in(door: Doorstep, headers: HeaderMap, posted: Posted) -> Answer {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let visit = &door.visit;
    let signed_in = match proved(&door, &posted, agent).await {
        Ok(signed_in) => signed_in,
        Err(error) => return refused(&door, &posted, error).await,
    };
    // A session that the browser had before, its own or one that somebody planted, does not outlive the sign-in.
    if let Some(before) = cookies::read(&headers, ADMINISTRATOR_COOKIE) {
        authentication::sign_out(visit.web.app(), &door.caller, before).await?;
    }
    let next = posted.given("next").and_then(same_site_path).unwrap_or(provider::OVERVIEW);
    let on = if signed_in.owner.must_change_password() { provider::FIRST_PASSWORD } else { next };
    let token = signed_in.token.reveal();
    Ok(visit.with_cookie(visit.go_path(on), ADMINISTRATOR_COOKIE, token, Session::SECONDS))
}

async fn proved(
    door: &Doorstep,
    posted: &Posted,
    agent: &str,
) -> Result<SignedIn<KnownAdministrator>, Error> {
    let (username, password) = (posted.text("username").trim(), posted.text("password"));
    let app = door.visit.web.app();
    match posted.given("option") {
        None => authentication::sign_in(app, &door.caller, username, password, agent).await,
        Some(option) => {
            let id = SignInOptionId::parse(option).ok_or_else(Error::not_found)?;
            ldap::sign_in(app, &door.caller, &id, username, password, agent).await
        }
    }
}

async fn refused(door: &Doorstep, posted: &Posted, error: Error) -> Answer {
    let web = &door.visit.web;
    let (status, sentence, retry_after) = match error.kind() {
        ErrorKind::Unauthenticated => (StatusCode::UNPROCESSABLE_ENTITY, web.say("error.sign_in", &[]), None),
        // Disabled or deleted since the page was shown.
        ErrorKind::NotFound => {
            (StatusCode::UNPROCESSABLE_ENTITY, web.say("error.sign_in_elsewhere", &[]), None)
        }
        ErrorKind::IdentityProvider => {
            (StatusCode::SERVICE_UNAVAILABLE, web.say("error.sign_in_provider", &[]), None)
        }
        ErrorKind::Limit { retry_after } => {
            let minutes = retry_after.div_ceil(60).to_string();
            let sentence = web.say("error.sign_in_limit", &[("count", &minutes)]);
            (StatusCode::TOO_MANY_REQUESTS, sentence, Some(retry_after))
        }
        _ => return Err(error.into()),
    };
    let next = posted.given("next").and_then(same_site_path).unwrap_or_default();
    let view = page(door, posted.form().failed(sentence), posted.text("option"), next).await?;
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
