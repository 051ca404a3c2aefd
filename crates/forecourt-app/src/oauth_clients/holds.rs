//! Holds: whoever changes an OAuth client at its provider has it alone meanwhile, over all processes on one database.
//!
//! Invariants: no two use one registration token, which a provider may renew with every answer; and a token that it
//! renewed is stored, whatever becomes of the rest, for as long as this process lives ([`release`]).

use std::time::Duration;

use forecourt_core::{
    actors::Caller,
    dcr_removals::DcrRemoval,
    ids::CredentialId,
    oauth_clients::{HoldEnd, KeptManagement, OauthClient},
};

use super::known;
use crate::{App, Error, error::ErrorKind, sealing};

/// How often is looked whether a client is free, and how many times: longer than one call to a provider may last.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 300;
/// The pauses between attempts to store how a hold ended: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Holds the client of a credential once nobody else does; as it is then.
///
/// # Errors
/// When there is none any more; [`ErrorKind::Conflict`] where others have it for 15 seconds.
pub(super) async fn hold(
    app: &App,
    caller: &Caller,
    credential: &CredentialId,
) -> Result<OauthClient, Error> {
    for _ in 0..LOOKS {
        // Writers take turns, so nobody asks for one without need.
        let seen = app.read().oauth_client(credential).await?.ok_or_else(Error::not_found)?;
        if !seen.is_held(app.now()) {
            let write = app.begin(caller).await?;
            let now = write.now;
            let found = write.oauth_client(credential).await?.ok_or_else(Error::not_found)?;
            if !found.is_held(now) {
                let held = found.held(now);
                write.save_oauth_client(&held).await?;
                write.into_tx().commit(now).await?;
                return Ok(held);
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Error::new(
        ErrorKind::Conflict,
        "oauth_client_busy",
        "this OAuth client is being changed at its provider; try again in a minute",
    ))
}

/// Ends a hold, and stores the management that the provider gave meanwhile. Where the database does not take it, that
/// is tried again in the background until it does.
pub(super) async fn release(
    app: &App,
    caller: &Caller,
    held: &OauthClient,
    renewed: Option<KeptManagement>,
    end: HoldEnd,
) {
    let Err(error) = released(app, caller, held, renewed.as_ref(), end).await else { return };
    tracing::warn!(
        error.cause = %error,
        dcr_provider.id = %held.provider_id,
        oauth_client.id = held.client_id,
        "how a change of an OAuth client ended could not be stored; it is tried again"
    );
    let (app, caller, held) = (app.clone(), caller.clone(), held.clone());
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            if released(&app, &caller, &held, renewed.as_ref(), end).await.is_ok() {
                return;
            }
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    });
}

async fn released(
    app: &App,
    caller: &Caller,
    held: &OauthClient,
    renewed: Option<&KeptManagement>,
    end: HoldEnd,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let now = write.now;
    let renewed = kept_up(app, held, renewed.cloned()).await?;
    if let Some(found) = write.oauth_client(&held.credential_id).await? {
        let held = as_kept(app, held, &found).await;
        let released = found.released(&held, renewed, end, now);
        write.owes_providers = released.pending_update.is_some();
        write.save_oauth_client(&released).await?;
    } else if let Some(removal) = write.dcr_removal_of(&held.provider_id, &held.client_id).await? {
        // Its credential was deleted meanwhile: the removal waited for this, and needs the newer token.
        let management = renewed.or(removal.management.clone());
        let due = DcrRemoval { management, next_attempt_at: Some(now), ..removal };
        write.owes_providers = true;
        write.save_dcr_removal(&due).await?;
    }
    let owes_providers = write.owes_providers;
    write.into_tx().commit(now).await?;
    if owes_providers {
        app.providers_due().notify_one();
    }
    Ok(())
}

/// The management `renewed` of the client `held`, which a write stores: it was sealed before, maybe long ago, and is sealed
/// under the newest data key now.
pub(super) async fn kept_up(
    app: &App,
    held: &OauthClient,
    mut renewed: Option<KeptManagement>,
) -> Result<Option<KeptManagement>, Error> {
    if let Some(KeptManagement { token, .. }) = &mut renewed {
        sealing::keep_up(app, token, &sealing::of_oauth_client(&held.provider_id, &held.client_id)).await?;
    }
    Ok(renewed)
}

/// `held` with the management that `found` has, where that was only sealed anew since.
pub(super) async fn as_kept(app: &App, held: &OauthClient, found: &OauthClient) -> OauthClient {
    let mut held = held.clone();
    if held.management == found.management {
        return held;
    }
    let before = known(app, &held).await.ok().and_then(|client| client.management);
    let now = known(app, found).await.ok().and_then(|client| client.management);
    if let (Some(before), Some(now)) = (before, now)
        && before.uri == now.uri
        && before.token == now.token
    {
        held.management = found.management.clone();
    }
    held
}

#[cfg(test)]
#[path = "tests/holds.rs"]
mod tests;
