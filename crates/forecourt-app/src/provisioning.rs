//! Provisioning of accounts by a directory: its settings, its token, and what it does to the accounts that it made.
//!
//! Administrators have one directory, and the people of each portal's site one of their own. What an act takes along
//! stands in `administrators` and `persons`. Invariant: whoever is deactivated loses sessions and tokens in the same
//! transaction; nothing brings these back.

mod administrators;
mod persons;

use forecourt_core::{
    actors::{Actor, Caller},
    events::EventName,
    ids::PortalId,
    lists::List,
    permissions::{Action, Target},
    provisioning::{Accounts, ProvisionedInput, ProvisionedUser, ScimSettings},
    secrets::{PlainSecret, TokenKind},
};
use forecourt_store::Reader;
use serde_json::{Value, json};

use crate::{App, Error, access, random::OsRandom, writes::Write};

/// Which accounts a directory asks for.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// All of them.
    All,
    /// Those with this user name in any case. There is one at most, but where accounts were made elsewhere whose names
    /// differ in nothing else.
    Named(&'a str),
    /// Those that the directory knows by this id of its own; more than these may be given.
    Known(&'a str),
    /// At most `most` of them, but for the first `skipped`.
    Page {
        /// How many are passed over.
        skipped: u64,
        /// The most that are given.
        most: u64,
    },
}

/// Refuses whoever may not read, or with `change` not change, whether a directory may provision `accounts`. Faces ask
/// before they read a body.
pub fn permits(caller: &Caller, accounts: &Accounts, change: bool) -> Result<(), Error> {
    match (accounts, change) {
        (Accounts::Administrators, false) => {
            access::permits(caller, Action::GetScimProvisioning, Target::Organization)
        }
        (Accounts::Administrators, true) => {
            access::permits(caller, Action::UpdateScimProvisioning, Target::Organization)
        }
        (Accounts::Portal(portal), false) => {
            access::permits(caller, Action::GetPortal, Target::Portal(Some(portal)))
        }
        (Accounts::Portal(portal), true) => {
            access::permits(caller, Action::UpdatePortal, Target::Portal(Some(portal)))?;
            // With the token they would read, make and delete developers all the same.
            let is_allowed = |action| access::allows(caller, action, Target::Developer(portal, None));
            match OF_A_PORTAL_S_DIRECTORY.into_iter().all(is_allowed) {
                true => Ok(()),
                false => Err(access::refused(caller)),
            }
        }
    }
}

/// What a portal's directory does with developers, for all of them.
const OF_A_PORTAL_S_DIRECTORY: [Action; 3] =
    [Action::GetDeveloper, Action::InviteDeveloper, Action::DeleteDeveloper];

/// Whether a directory may provision `accounts`.
pub async fn settings(app: &App, caller: &Caller, accounts: &Accounts) -> Result<ScimSettings, Error> {
    permits(caller, accounts, false)?;
    existing(app.read(), accounts).await?;
    stored(app.read(), accounts).await
}

/// Lets a directory provision `accounts`, or keeps it out. The token stays.
pub async fn enable(
    app: &App,
    caller: &Caller,
    accounts: &Accounts,
    enable: bool,
) -> Result<ScimSettings, Error> {
    permits(caller, accounts, true)?;
    let mut write = app.begin(caller).await?;
    existing(&write, accounts).await?;
    let settings = ScimSettings { enable, ..stored(&write, accounts).await? };
    save(&mut write, accounts, &settings, EventName::SettingsChanged, json!({ "enable": enable })).await?;
    write.commit().await?;
    Ok(settings)
}

/// Makes the directory's token anew; the earlier one is dead at once.
pub async fn issue_token(app: &App, caller: &Caller, accounts: &Accounts) -> Result<PlainSecret, Error> {
    permits(caller, accounts, true)?;
    let token = TokenKind::Directory.issue(&mut OsRandom);
    let mut write = app.begin(caller).await?;
    existing(&write, accounts).await?;
    let settings = ScimSettings { token: Some(token.digest()), ..stored(&write, accounts).await? };
    save(&mut write, accounts, &settings, EventName::ScimTokenIssued, Value::Null).await?;
    write.commit().await?;
    Ok(token)
}

/// Refuses a portal that does not exist.
async fn existing(read: &Reader, accounts: &Accounts) -> Result<(), Error> {
    match accounts {
        Accounts::Administrators => Ok(()),
        Accounts::Portal(portal) => read.portal(portal).await?.map(drop).ok_or_else(Error::not_found),
    }
}

async fn stored(read: &Reader, accounts: &Accounts) -> Result<ScimSettings, Error> {
    Ok(match accounts {
        Accounts::Administrators => read.scim_settings().await?,
        Accounts::Portal(portal) => read.portal_scim_settings(portal).await?,
    })
}

async fn save(
    write: &mut Write<'_>,
    accounts: &Accounts,
    settings: &ScimSettings,
    told: EventName,
    detail: Value,
) -> Result<(), Error> {
    match accounts {
        Accounts::Administrators => {
            write.save_scim_settings(settings).await?;
            write.tell(told, "settings", "scim", None, detail);
        }
        Accounts::Portal(portal) => {
            write.save_portal_scim_settings(portal, settings).await?;
            write.tell(told, "portal", portal.as_str(), Some(portal), detail);
        }
    }
    Ok(())
}

/// Whether a directory may call at all; nobody need be known to be told.
pub async fn is_enabled(app: &App, accounts: &Accounts) -> Result<bool, Error> {
    Ok(stored(app.read(), accounts).await?.enable)
}

/// The directory, where `token` is its token; a wrong one counts against the address.
pub async fn by_token(
    app: &App,
    accounts: &Accounts,
    address: Option<&str>,
    token: &str,
) -> Result<Actor, Error> {
    let settings = stored(app.read(), accounts).await?;
    let shown = PlainSecret::presented(token).digest();
    if !settings.enable || settings.token != Some(shown) {
        return Err(app.limits().failed(address, app.now()));
    }
    Ok(match accounts {
        Accounts::Administrators => Actor::Directory,
        Accounts::Portal(portal) => Actor::PortalDirectory(portal.clone()),
    })
}

/// The accounts that are `wanted`, oldest first, and how many there are over all pages.
pub async fn users(app: &App, caller: &Caller, wanted: Wanted<'_>) -> Result<List<ProvisionedUser>, Error> {
    // PostgreSQL cannot even be asked for a text with NUL; no account has one.
    if matches!(wanted, Wanted::Named(text) | Wanted::Known(text) if text.contains('\0')) {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    match directory(caller)? {
        None => administrators::users(app, wanted).await,
        Some(portal) => persons::users(app, portal, wanted).await,
    }
}

/// One account. That of somebody of another kind, or of another portal, is not found.
pub async fn user(app: &App, caller: &Caller, id: &str) -> Result<ProvisionedUser, Error> {
    let found = match directory(caller)? {
        None => administrators::found(app.read(), id).await?,
        Some(portal) => persons::found(app.read(), portal, id).await?,
    };
    found.ok_or_else(Error::not_found)
}

/// Makes an account without password; of an administrator without role, of a person with a developer that is active.
///
/// # Errors
/// A conflict where the name, or the address that they sign in with, is taken.
pub async fn create(app: &App, caller: &Caller, input: ProvisionedInput) -> Result<ProvisionedUser, Error> {
    let directory = directory(caller)?;
    let input = input.checked()?;
    let mut write = app.begin(caller).await?;
    let user = match directory {
        None => administrators::create(&mut write, input).await?,
        Some(portal) => persons::create(&mut write, portal, input).await?,
    };
    write.commit().await?;
    Ok(user)
}

/// Changes an account that the directory made into what `change` says of it as it is in that moment.
///
/// # Errors
/// Those of `change`; forbidden to change what the directory did not make; a conflict as for [`create`].
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &str,
    change: impl FnOnce(&ProvisionedUser) -> Result<ProvisionedInput, E>,
) -> Result<ProvisionedUser, E> {
    let directory = directory(caller)?;
    let mut write = app.begin(caller).await?;
    let before = own(&write, directory, id).await?;
    let input = change(&before)?.checked().map_err(Error::from)?;
    let after = input.applied(before.clone(), write.now);
    match directory {
        None => administrators::save(&mut write, &before, &after).await?,
        Some(portal) => persons::save(&mut write, portal, &before, &after).await?,
    }
    write.commit().await?;
    Ok(after)
}

/// Deletes an account that the directory made; `check` sees it as it is in that moment.
pub async fn delete<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &str,
    check: impl FnOnce(&ProvisionedUser) -> Result<(), E>,
) -> Result<(), E> {
    let directory = directory(caller)?;
    let mut write = app.begin(caller).await?;
    let user = own(&write, directory, id).await?;
    check(&user)?;
    match directory {
        None => administrators::delete(&mut write, &user).await?,
        Some(portal) => persons::delete(&mut write, portal, &user).await?,
    }
    Ok(write.commit().await?)
}

/// The account with this id, where the directory made it.
async fn own(write: &Write<'_>, directory: Option<&PortalId>, id: &str) -> Result<ProvisionedUser, Error> {
    let found = match directory {
        None => administrators::found(write, id).await?,
        Some(portal) => persons::found(write, portal, id).await?,
    };
    let user = found.ok_or_else(Error::not_found)?;
    user.changeable().map_err(|refusal| Error::forbidden_because(&refusal))?;
    Ok(user)
}

/// Only directories provision; a job of Forecourt may provision administrators too. The portal whose directory calls;
/// `None`: that of administrators.
fn directory(caller: &Caller) -> Result<Option<&PortalId>, Error> {
    match &caller.actor {
        Actor::Directory | Actor::System => Ok(None),
        Actor::PortalDirectory(portal) => Ok(Some(portal)),
        _ => Err(Error::not_found()),
    }
}
