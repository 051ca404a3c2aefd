//! Administrators' sign-in through a directory.
//!
//! Invariant: failures count against the name that was typed and against the address before the directory is asked, so
//! that it is no better place to guess passwords than our own: a password that was sent counts, whatever came back. Faults
//! of the directory are logged and never written, since anybody can bring them about.

use forecourt_core::{
    actors::Caller,
    external_sign_ins::account_key,
    ids::SignInOptionId,
    secrets::PlainSecret,
    sign_in_options::{SignInConfig, SignInOption, SignInType},
};
use forecourt_identity::sign_ins::{
    SignInFault,
    ldap::{Asked, Directory},
};

use super::{enabled, finish, limit_begun, opened, warn};
use crate::{
    App, Error, ErrorKind,
    authentication::{KnownAdministrator, SignedIn},
};

/// Whether the administrators have this directory, enabled.
///
/// # Errors
/// Not found otherwise.
pub async fn offers(app: &App, id: &SignInOptionId) -> Result<(), Error> {
    enabled(app, id, SignInType::Ldap).await.map(drop)
}

/// Signs an administrator in whom the directory of an option knows by this name and password.
///
/// Refused with `Unauthenticated` for a wrong pair, whichever half is wrong, and with `Limit` after too many of them.
pub async fn sign_in(
    app: &App,
    caller: &Caller,
    id: &SignInOptionId,
    username: &str,
    password: &str,
    user_agent: &str,
) -> Result<SignedIn<KnownAdministrator>, Error> {
    let option = enabled(app, id, SignInType::Ldap).await?;
    limit_begun(app, caller)?;
    let directory = directory(app, &option).await?;
    let (now, address) = (app.now(), caller.address.as_deref());
    let account = format!("ldap:{id}:{}", account_key(username));
    let attempt = app.limits().attempt(&account, address, now).await?;
    let turn = app.limits().turn(address, now).await;
    let admitted = turn.and_then(|turn| Ok((turn, app.limits().place()?)));
    let (turn, place) = match admitted {
        Ok(admitted) => admitted,
        Err(error) => {
            attempt.void();
            return Err(error);
        }
    };
    let password = PlainSecret::presented(password);
    let Asked { person, password_sent } = directory.sign_in(app.outgoing(), username, &password, place).await;
    drop(turn);
    let is_refusal = matches!(person, Err(SignInFault::Refused(_)));
    match &person {
        Ok(_) => attempt.succeeded(),
        Err(_) if is_refusal || password_sent => drop(attempt),
        Err(_) => attempt.void(),
    }
    if let Err(fault) = &person {
        let refused = app.limits().failed(address, now);
        if !matches!(refused.kind(), ErrorKind::Unauthenticated) {
            // Who is told to wait leaves no further record: that would be a write for everybody who asks.
            return Err(refused);
        }
        if !is_refusal {
            warn(caller, &option, fault);
            return Err(fault.clone().into());
        }
    }
    finish(app, caller, &option, Some(username), person, user_agent).await
}

async fn directory(app: &App, option: &SignInOption) -> Result<Directory, Error> {
    let SignInConfig::Ldap(settings) = &option.config else { return Err(Error::not_found()) };
    Ok(Directory {
        bind_password: opened(app, option, "bind_password", settings.bind_password.as_ref()).await?,
        client_key: opened(app, option, "client_key", settings.client_key.as_ref()).await?,
        settings: settings.clone(),
    })
}
