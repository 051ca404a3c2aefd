//! Administrators' sign-in through SAML 2.0.
//!
//! A response comes by a form of another site, without our cookie: whom it proves is held under a secret that is drawn
//! then and told to the browser that brought it alone. Invariants: a request is answered once, since it is taken before
//! its response is looked at. A session takes both that secret and the cookie of the browser that began: whoever sends
//! somebody else to the identity provider has the cookie without the secret, and the other one the secret without the
//! cookie.

use forecourt_core::{
    actors::Caller,
    external_sign_ins::{Claims, ExternalPerson, PendingSignIn},
    ids::SignInOptionId,
    secrets::PlainSecret,
    sign_in_options::{SignInConfig, SignInOption, SignInType, configs::SamlSignIn},
};
use forecourt_identity::sign_ins::{
    SignInFault,
    saml::{Begun, ServiceProvider},
};
use serde_json::{Value, json};

use super::{Arrival, Departure, Round, enabled, finish, limit_begun, opened, place, take, unmoved};
use crate::{App, Error, random::OsRandom, sealing};

/// For how long somebody who is proven may take to show their cookie, in seconds.
const HELD: i64 = 60;

/// Sends a browser to the identity provider of an option; `next` is the page of ours that it goes on to in the end.
pub async fn depart(app: &App, caller: &Caller, id: &SignInOptionId, next: &str) -> Result<Departure, Error> {
    let option = enabled(app, id, SignInType::Saml).await?;
    limit_begun(app, caller)?;
    let round = Round::new(app);
    let begun = begun(app, &option, round.state.reveal()).await?;
    let begun = begun.inspect_err(|fault| {
        tracing::warn!(sign_in.option = %option.id, sign_in.fault = %fault, "an identity provider cannot be used");
    })?;
    let memo = json!({ "request_id": begun.request_id });
    round.begin(app, caller, &option, begun.url, &memo, next).await
}

async fn begun(app: &App, option: &SignInOption, state: &str) -> Result<Result<Begun, SignInFault>, Error> {
    let settings = settings(option)?;
    let own = service_provider(app, option).await?;
    let now = app.now();
    let provider =
        app.identity_providers().described_at(&settings.idp_metadata_url, app.outgoing(), now).await;
    Ok(provider.and_then(|provider| own.begin(&provider, state, now, &mut OsRandom)))
}

/// Takes the response to the request that `state` names, and holds whom it proves for [`arrive`]: under the secret that
/// this answers, which is for the browser that brought the response and for nobody else.
///
/// # Errors
/// Unauthenticated where there is no such request, or it was answered; what the response is refused for is recorded.
pub async fn answered(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    state: &str,
    response: &str,
) -> Result<PlainSecret, Error> {
    let option = enabled(app, id, SignInType::Saml).await?;
    let secret = PlainSecret::presented(state);
    let pending = taken(app, caller, id, &secret).await?;
    let memo = app.opened(&pending.memo, &place(&secret)).await?;
    let memo: Value = serde_json::from_str(memo.reveal()).unwrap_or_default();
    // Somebody who is held has no request any more: their secret is no state.
    let request_id = memo.get("request_id").and_then(Value::as_str).ok_or_else(over)?;
    let settings = settings(&option)?;
    let own = service_provider(app, &option).await?;
    let now = app.now();
    let provider =
        app.identity_providers().described_at(&settings.idp_metadata_url, app.outgoing(), now).await;
    let person = provider.and_then(|provider| own.finish(&provider, request_id, state, response, now));
    let person = match person {
        Ok(person) => PlainSecret::presented(told(&person).to_string()),
        Err(fault) => {
            finish(app, caller, &option, None, Err(fault), "").await?;
            return Err(over());
        }
    };
    // Not the state: whoever began knows that one, and may have sent somebody else to be proven.
    let held_by = PlainSecret::presented(app.random_hex(32));
    let write = app.begin(caller).await?;
    // Else somebody whom the provider before proved would be held for the one that the option is pointed at by now.
    unmoved(&write, &option).await?;
    let held = PendingSignIn {
        state: held_by.digest(),
        memo: sealing::seal(app, &person, &place(&held_by))?,
        expires_at: pending.expires_at.min(write.now.plus_seconds(HELD)),
        ..pending
    };
    let (now, tx) = (write.now, write.into_tx());
    tx.insert_held_sign_in(&held, now).await?;
    tx.commit(now).await?;
    Ok(held_by)
}

/// Signs in whom [`answered`] holds under the secret `held`, in the browser that shows `browser`: it must be both the one
/// that began and the one that brought the response.
pub async fn arrive(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    held: &str,
    browser: Option<&str>,
    user_agent: &str,
) -> Result<Arrival, Error> {
    enabled(app, id, SignInType::Saml).await?;
    let returned = take(app, caller, SignInType::Saml, held, browser).await?;
    if returned.option.id != *id {
        return Err(over());
    }
    let person = proven(&returned.memo).ok_or_else(over)?;
    let signed_in = finish(app, caller, &returned.option, None, Ok(person), user_agent).await?;
    Ok(Arrival { signed_in, next: returned.next })
}

/// What an identity provider is told about us, as XML.
pub async fn metadata(app: &App, id: &SignInOptionId) -> Result<String, Error> {
    let option = enabled(app, id, SignInType::Saml).await?;
    Ok(service_provider(app, &option).await?.metadata()?)
}

/// The sign-in with this state, which nobody gets again. The browser that began it is not there to be asked.
async fn taken(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    state: &PlainSecret,
) -> Result<PendingSignIn, Error> {
    // Who makes a state up is told so without a write.
    app.read().pending_sign_in(&state.digest()).await?.ok_or_else(over)?;
    let write = app.begin(caller).await?;
    let (now, tx) = (write.now, write.into_tx());
    let pending = tx.take_pending_sign_in(&state.digest()).await?;
    tx.commit(now).await?;
    pending.filter(|pending| pending.option == *id && now < pending.expires_at).ok_or_else(over)
}

fn over() -> Error {
    Error::unauthenticated_because("the sign-in is over or was begun elsewhere; begin again")
}

fn told(person: &ExternalPerson) -> Value {
    json!({ "person": {
        "subject": person.subject,
        "username": person.username,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
    }})
}

fn proven(memo: &Value) -> Option<ExternalPerson> {
    let person = memo.get("person")?;
    let text = |member: &str| person.get(member).and_then(Value::as_str).map(str::to_owned);
    let claims = Claims {
        subject: text("subject")?,
        username: text("username"),
        email: text("email"),
        first_name: text("first_name"),
        last_name: text("last_name"),
        name: None,
    };
    ExternalPerson::read(&claims).ok()
}

async fn service_provider(app: &App, option: &SignInOption) -> Result<ServiceProvider, Error> {
    let settings = settings(option)?;
    let url = |endpoint: &str| option.saml_url(endpoint).unwrap_or_default();
    let key = opened(app, option, "private_key", settings.private_key.as_ref()).await?;
    Ok(ServiceProvider::new(settings, &url("acs"), &url("metadata"), key))
}

fn settings(option: &SignInOption) -> Result<&SamlSignIn, Error> {
    match &option.config {
        SignInConfig::Saml(settings) => Ok(settings),
        _ => Err(Error::not_found()),
    }
}
