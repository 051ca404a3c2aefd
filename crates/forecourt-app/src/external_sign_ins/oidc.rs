//! Administrators' sign-in through OpenID Connect.

use forecourt_core::{
    actors::Caller,
    ids::SignInOptionId,
    secrets::PlainSecret,
    sign_in_options::{SignInConfig, SignInOption, SignInType, configs::OidcSignIn},
};
pub use forecourt_identity::sign_ins::oidc::OidcReply;
use forecourt_identity::sign_ins::oidc::{self, OidcClient, OidcMemo};

use super::{Arrival, Departure, Round, enabled, finish, limit_begun, opened, take, warn};
use crate::{App, Error};

/// Sends a browser, which reached us at `site`, to the issuer of an option; `next` is the page of ours that it goes on to
/// in the end.
pub async fn depart(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    site: &str,
    next: &str,
) -> Result<Departure, Error> {
    let option = enabled(app, id, SignInType::Oidc).await?;
    limit_begun(app, caller)?;
    let client = client(app, &option).await?;
    let site = app.root_url(site);
    let memo = OidcMemo {
        nonce: app.random_hex(32),
        verifier: app.random_hex(32),
        redirect_uri: option.callback_url(Some(site)).unwrap_or_default(),
    };
    let round = Round::new(app);
    let outgoing = app.outgoing().verifying(client.settings.ssl_verify);
    let location = oidc::depart(&outgoing, &client, &memo, round.state.reveal()).await;
    let location = location.inspect_err(|fault| warn(caller, &option, fault))?;
    let memo = serde_json::to_value(&memo).unwrap_or_default();
    round.begin(app, caller, &option, location, &memo, next).await
}

/// Signs in whoever came back from the issuer with `state`, in the browser that shows `browser`.
pub async fn arrive(
    app: &App,
    caller: &Caller,
    state: &str,
    browser: Option<&str>,
    reply: &OidcReply,
    user_agent: &str,
) -> Result<Arrival, Error> {
    let returned = take(app, caller, SignInType::Oidc, state, browser).await?;
    let client = client(app, &returned.option).await?;
    let memo: OidcMemo =
        serde_json::from_value(returned.memo).map_err(|_| Error::unauthenticated_because("begin again"))?;
    let outgoing = app.outgoing().verifying(client.settings.ssl_verify);
    let person = oidc::arrive(&outgoing, &client, &memo, reply, app.now()).await;
    let signed_in = finish(app, caller, &returned.option, None, person, user_agent).await?;
    Ok(Arrival { signed_in, next: returned.next })
}

/// Whether the administrators have this provider, enabled.
///
/// # Errors
/// Not found otherwise.
pub async fn offers(app: &App, id: &SignInOptionId) -> Result<(), Error> {
    enabled(app, id, SignInType::Oidc).await.map(drop)
}

/// Where somebody who has signed out of Forecourt signs out of the provider as well: the option's `logout_url`, else
/// what the issuer names, where it can be asked. `signed_out`: whether a session of theirs ended by this; the issuer is
/// asked for nobody else, since anybody could make us call it.
pub async fn logout_url(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    signed_out: bool,
) -> Result<Option<String>, Error> {
    let option = enabled(app, id, SignInType::Oidc).await?;
    let settings = settings(&option)?;
    if !settings.logout_url.is_empty() {
        return Ok(Some(settings.logout_url.clone()));
    }
    if !signed_out {
        return Ok(None);
    }
    let outgoing = app.outgoing().verifying(settings.ssl_verify);
    let told = oidc::end_session(&outgoing, settings).await.inspect_err(|fault| warn(caller, &option, fault));
    // Signing out works without the issuer.
    Ok(told.unwrap_or_default())
}

fn settings(option: &SignInOption) -> Result<&OidcSignIn, Error> {
    match &option.config {
        SignInConfig::Oidc(settings) => Ok(settings),
        _ => Err(Error::not_found()),
    }
}

async fn client<'a>(app: &App, option: &'a SignInOption) -> Result<OidcClient<'a>, Error> {
    let settings = settings(option)?;
    let secret = opened(app, option, "client_secret", settings.client_secret.as_ref()).await?;
    Ok(OidcClient { settings, secret: secret.unwrap_or_else(|| PlainSecret::presented("")) })
}
