//! Provisioning of administrators by a directory: its settings, its token, and what it does to the people it made.
//!
//! Whoever is deactivated loses sessions and tokens in the same transaction; nothing brings these back.

use forecourt_core::{
    actors::{Actor, Caller},
    administrators::{Administrator, AdministratorRefusal},
    events::EventName,
    ids::AdministratorId,
    permissions::{Action, Target},
    provisioning::{ProvisionedInput, ProvisionedUser, ScimSettings},
    secrets::{PlainSecret, TokenKind},
    sessions::SessionOwner,
};
use serde_json::{Value, json};

use crate::{App, Error, access, random::OsRandom, writes::Write};

/// Whether a directory may provision administrators.
pub async fn settings(app: &App, caller: &Caller) -> Result<ScimSettings, Error> {
    access::permits(caller, Action::GetScimProvisioning, Target::Organization)?;
    Ok(app.read().scim_settings().await?)
}

/// Lets a directory provision administrators, or keeps it out. The token stays.
pub async fn enable(app: &App, caller: &Caller, enable: bool) -> Result<ScimSettings, Error> {
    access::permits(caller, Action::UpdateScimProvisioning, Target::Organization)?;
    let mut write = app.begin(caller).await?;
    let settings = ScimSettings { enable, ..write.scim_settings().await? };
    write.save_scim_settings(&settings).await?;
    write.tell(EventName::SettingsChanged, "settings", "scim", None, json!({ "enable": enable }));
    write.commit().await?;
    Ok(settings)
}

/// Makes the directory's token anew; the earlier one is dead at once.
pub async fn issue_token(app: &App, caller: &Caller) -> Result<PlainSecret, Error> {
    access::permits(caller, Action::UpdateScimProvisioning, Target::Organization)?;
    let token = TokenKind::Directory.issue(&mut OsRandom);
    let mut write = app.begin(caller).await?;
    let settings = ScimSettings { token: Some(token.digest()), ..write.scim_settings().await? };
    write.save_scim_settings(&settings).await?;
    write.tell(EventName::ScimTokenIssued, "settings", "scim", None, Value::Null);
    write.commit().await?;
    Ok(token)
}

/// Whether a directory may call at all; nobody need be known to be told.
pub async fn is_enabled(app: &App) -> Result<bool, Error> {
    Ok(app.read().scim_settings().await?.enable)
}

/// The directory, where `token` is its token; a wrong one counts against the address.
pub async fn by_token(app: &App, address: Option<&str>, token: &str) -> Result<Actor, Error> {
    let settings = app.read().scim_settings().await?;
    match settings.token {
        Some(own) if settings.enable && own == PlainSecret::presented(token).digest() => Ok(Actor::Directory),
        _ => Err(app.limits().failed(address, app.now())),
    }
}

/// All administrators, oldest first.
pub async fn users(app: &App, caller: &Caller) -> Result<Vec<ProvisionedUser>, Error> {
    directory(caller)?;
    Ok(app.read().provisioned_users().await?)
}

/// One administrator.
pub async fn user(app: &App, caller: &Caller, id: &AdministratorId) -> Result<ProvisionedUser, Error> {
    directory(caller)?;
    app.read().provisioned_user(id).await?.ok_or_else(Error::not_found)
}

/// The administrator with exactly this user name, where there is one.
pub async fn user_named(
    app: &App,
    caller: &Caller,
    username: &str,
) -> Result<Option<ProvisionedUser>, Error> {
    directory(caller)?;
    // PostgreSQL cannot even be asked for a text with NUL; no account has one.
    if username.contains('\0') {
        return Ok(None);
    }
    let known = app.read().administrator_by_username(username).await?;
    match known {
        Some(administrator) => Ok(app.read().provisioned_user(&administrator.id).await?),
        None => Ok(None),
    }
}

/// Makes an administrator without password and role.
pub async fn create(app: &App, caller: &Caller, input: ProvisionedInput) -> Result<ProvisionedUser, Error> {
    directory(caller)?;
    let input = input.checked()?;
    let mut write = app.begin(caller).await?;
    refuse_taken(&write, &input.username, None).await?;
    let blank = Administrator {
        id: AdministratorId::issue(write.now, &mut OsRandom),
        username: String::new(),
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password: None,
        // No one-time password waits to be changed.
        activated: true,
        active: true,
        boundary: None,
        initial: false,
        created_at: write.now,
        updated_at: write.now,
    };
    let user = input.applied(ProvisionedUser { administrator: blank, details: None }, write.now);
    write.insert_administrator(&user.administrator).await?;
    if let Some(details) = &user.details {
        write.save_directory_details(&user.administrator.id, details).await?;
    }
    let detail = json!({ "username": user.administrator.username, "active": user.administrator.active });
    tell(&mut write, EventName::AdministratorProvisioned, &user, detail);
    write.commit().await?;
    Ok(user)
}

/// Changes an administrator that the directory made into what `change` says of them as they are in that moment.
///
/// # Errors
/// Those of `change`; forbidden to change whom the directory did not make; a conflict where the user name is taken.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &AdministratorId,
    change: impl FnOnce(&ProvisionedUser) -> Result<ProvisionedInput, E>,
) -> Result<ProvisionedUser, E> {
    directory(caller)?;
    let mut write = app.begin(caller).await?;
    let user = own(&write, id).await?;
    let input = change(&user)?.checked().map_err(Error::from)?;
    refuse_taken(&write, &input.username, Some(id)).await?;
    let was_active = user.administrator.active;
    let changed = input.applied(user, write.now);
    store(&mut write, &changed, was_active).await?;
    write.commit().await?;
    Ok(changed)
}

/// Deletes an administrator that the directory made; `check` sees them as they are in that moment.
pub async fn delete<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &AdministratorId,
    check: impl FnOnce(&ProvisionedUser) -> Result<(), E>,
) -> Result<(), E> {
    directory(caller)?;
    let mut write = app.begin(caller).await?;
    let user = own(&write, id).await?;
    check(&user)?;
    write.delete_administrator(id).await.map_err(Error::from)?;
    let detail = json!({ "username": user.administrator.username });
    tell(&mut write, EventName::AdministratorDeleted, &user, detail);
    Ok(write.commit().await?)
}

async fn store(write: &mut Write<'_>, user: &ProvisionedUser, was_active: bool) -> Result<(), Error> {
    let administrator = &user.administrator;
    write.save_administrator(administrator).await?;
    if let Some(details) = &user.details {
        write.save_directory_details(&administrator.id, details).await?;
    }
    let detail = json!({ "username": administrator.username });
    tell(write, EventName::AdministratorUpdatedByDirectory, user, detail);
    match (was_active, administrator.active) {
        (true, false) => {
            write.delete_sessions_of(&SessionOwner::Administrator(administrator.id.clone()), None).await?;
            let tokens = write.delete_admin_tokens_of(&administrator.id).await?;
            let detail = json!({ "tokens_deleted": tokens });
            tell(write, EventName::AdministratorDeactivated, user, detail);
        }
        (false, true) => tell(write, EventName::AdministratorActivated, user, Value::Null),
        _ => {}
    }
    Ok(())
}

/// The administrator with this id, where the directory made them.
async fn own(write: &Write<'_>, id: &AdministratorId) -> Result<ProvisionedUser, Error> {
    let user = write.provisioned_user(id).await?.ok_or_else(Error::not_found)?;
    user.changeable().map_err(|refusal| Error::forbidden_because(&refusal))?;
    Ok(user)
}

async fn refuse_taken(write: &Write<'_>, username: &str, own: Option<&AdministratorId>) -> Result<(), Error> {
    match write.administrator_by_username(username).await? {
        Some(other) if Some(&other.id) != own => {
            Err(AdministratorRefusal::UsernameTaken(username.to_owned()).into())
        }
        _ => Ok(()),
    }
}

/// Only the directory provisions; a job of Forecourt may too.
fn directory(caller: &Caller) -> Result<(), Error> {
    match caller.actor {
        Actor::Directory | Actor::System => Ok(()),
        _ => Err(Error::not_found()),
    }
}

fn tell(write: &mut Write<'_>, name: EventName, user: &ProvisionedUser, detail: Value) {
    write.tell(name, "administrator", user.administrator.id.as_str(), None, detail);
}
