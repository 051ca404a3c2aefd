//! Updates: providers are told what has changed here about their OAuth clients, at once and then until they know.
//!
//! Invariant: whoever changes what a provider has of a client marks the client in the same write ([`owe`]), and what is
//! marked while its provider is being told is told again.

use forecourt_core::{
    actors::{Caller, Source},
    applications::Application,
    oauth_clients::{HoldEnd, KeptManagement, OauthClient},
};
use forecourt_identity::registrations::RegistrationError;
use tokio::task::JoinSet;

use super::{holds, kept, known};
use crate::{App, Error, dcr_providers, writes::Write};

/// How many providers are told at the same time.
const AT_ONCE: u64 = 8;

/// Has the clients of an application told its name at their providers, once `write` is committed.
pub(crate) async fn owe(write: &mut Write<'_>, application: &Application) -> Result<(), Error> {
    for credential in write.credentials_of(&application.id).await? {
        if credential.oauth().is_none() {
            continue;
        }
        if let Some(client) = write.oauth_client(&credential.id).await? {
            write.save_oauth_client(&client.outdated(write.now)).await?;
            write.owes_providers = true;
        }
    }
    Ok(())
}

/// Tells some of the providers that are to be told. Whether there were any. To be called again and again.
///
/// # Errors
/// When the database cannot be read or written.
pub async fn work(app: &App) -> Result<bool, Error> {
    // Writers take turns, so nobody asks for one without need.
    if app.read().due_oauth_clients(app.now(), 1).await?.is_empty() {
        return Ok(false);
    }
    let caller = Caller::system(Source::Job, app.new_request_id());
    let mut attempts = JoinSet::new();
    for client in taken(app, &caller).await? {
        let (app, caller) = (app.clone(), caller.clone());
        attempts.spawn(async move { settle(&app, &caller, client).await });
    }
    while let Some(ended) = attempts.join_next().await {
        if ended.is_err() {
            tracing::error!("the update of an OAuth client ended early by a panic");
        }
    }
    Ok(true)
}

/// Holds what is due for this process.
async fn taken(app: &App, caller: &Caller) -> Result<Vec<OauthClient>, Error> {
    let write = app.begin(caller).await?;
    let now = write.now;
    let mut taken = Vec::new();
    for client in write.due_oauth_clients(now, AT_ONCE).await? {
        let held = client.held(now);
        write.save_oauth_client(&held).await?;
        taken.push(held);
    }
    write.into_tx().commit(now).await?;
    Ok(taken)
}

/// Tells one provider, and writes down how that ended.
async fn settle(app: &App, caller: &Caller, held: OauthClient) {
    let (renewed, end) = match tell(app, &held, &held.redirect_uris).await {
        Ok(renewed) => (renewed, HoldEnd::Told),
        Err(untold) => {
            let attempts = held.pending_update.map_or(0, |pending| pending.attempts).saturating_add(1);
            tracing::warn!(
                dcr_provider.id = %held.provider_id,
                oauth_client.id = held.client_id,
                attempts,
                error.cause = %untold,
                "an OAuth client could not be changed at its provider"
            );
            (None, if untold.is_hopeless() { HoldEnd::Hopeless } else { HoldEnd::Failed })
        }
    };
    holds::release(app, caller, &held, renewed, end).await;
}

/// Why a provider was not told, or may not have been.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untold {
    /// On our side.
    #[error(transparent)]
    Here(#[from] Error),
    /// On the provider's.
    #[error(transparent)]
    There(#[from] RegistrationError),
}

impl Untold {
    /// No further attempt could end otherwise.
    const fn is_hopeless(&self) -> bool {
        matches!(self, Self::There(RegistrationError::Unsupported(_)))
    }

    /// How a hold ends in which something else was told than what stands here.
    pub(super) fn end(&self) -> HoldEnd {
        match self {
            Self::There(error) if error.may_have_arrived() => HoldEnd::Apart,
            _ => HoldEnd::Unchanged,
        }
    }
}

impl From<Untold> for Error {
    fn from(untold: Untold) -> Self {
        match untold {
            Untold::Here(error) => error,
            Untold::There(error) => error.into(),
        }
    }
}

/// Tells its provider the name and these redirect URIs of a client that is held. The management that it gave, where
/// that is another.
pub(super) async fn tell(
    app: &App,
    held: &OauthClient,
    redirect_uris: &[String],
) -> Result<Option<KeptManagement>, Untold> {
    let outgoing = app.provider_calls()?;
    let name = name(app, held).await?;
    let provider = app.read().dcr_provider(&held.provider_id).await.map_err(Error::from)?;
    let registrar = dcr_providers::registrar(app, &provider.ok_or_else(Error::not_found)?).await?;
    let renewed = registrar.update(outgoing, &known(app, held).await?, &name, redirect_uris).await?;
    Ok(kept(app, &held.provider_id, &held.client_id, renewed.as_ref())?)
}

/// The name of a client's application, as it is now. To be read while the client is held.
async fn name(app: &App, client: &OauthClient) -> Result<String, Error> {
    let credential = app.read().credential(&client.credential_id).await?.ok_or_else(Error::not_found)?;
    let application = app.read().application(&credential.application_id).await?;
    Ok(application.ok_or_else(Error::not_found)?.name)
}
