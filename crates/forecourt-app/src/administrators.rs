//! Administrators: invitations, passwords, the role `super-admin`.

use forecourt_core::{
    actors::{Area, Caller},
    administrators::{
        Administrator, AdministratorFilter, AdministratorRefusal, StoredPassword, sign_in_text,
    },
    events::EventName,
    ids::AdministratorId,
    lists::List,
    sessions::SessionOwner,
    text::{self, Invalid},
};
use serde_json::{Value, json};

use crate::{App, Error, access, authentication::KnownAdministrator, random::OsRandom};

/// The administrators that `filter` wants; none where the caller may see none.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &AdministratorFilter,
) -> Result<List<Administrator>, Error> {
    if !access::lists(caller, Area::Installation)? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    Ok(app.read().administrators(filter).await?)
}

/// One administrator.
pub async fn administrator(app: &App, caller: &Caller, id: &AdministratorId) -> Result<Administrator, Error> {
    access::sees(caller, Area::Installation)?;
    app.read().administrator(id).await?.ok_or_else(Error::not_found)
}

/// The caller, where an administrator calls.
pub async fn me(app: &App, caller: &Caller) -> Result<Administrator, Error> {
    let id = access::administrator(caller)?;
    app.read().administrator(id).await?.ok_or_else(Error::unauthenticated)
}

/// Invites an administrator, without a role, with a one-time password.
pub async fn invite(
    app: &App,
    caller: &Caller,
    username: &str,
    password: &str,
) -> Result<Administrator, Error> {
    access::adds(caller, Area::Installation)?;
    let username = sign_in_text("username", username)?;
    if text::has_control(&username) || username.contains(':') {
        return Err(Invalid::new("username", "must not hold colons or control characters").into());
    }
    let password = sign_in_text("password", password)?;
    let hash = app.passwords().hash(&password).await?;
    let mut write = app.begin(caller).await?;
    if write.administrator_by_username(&username).await?.is_some() {
        return Err(AdministratorRefusal::UsernameTaken(username).into());
    }
    let administrator = Administrator {
        id: AdministratorId::issue(write.now, &mut OsRandom),
        username,
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        password: StoredPassword { hash, one_time: true },
        activated: false,
        super_admin: false,
        initial: false,
        created_at: write.now,
        updated_at: write.now,
    };
    write.insert_administrator(&administrator).await?;
    tell(
        &mut write,
        EventName::AdministratorInvited,
        &administrator,
        json!({ "username": administrator.username }),
    );
    write.commit().await?;
    Ok(administrator)
}

/// Deletes an administrator with their sessions and tokens.
pub async fn delete(app: &App, caller: &Caller, id: &AdministratorId) -> Result<(), Error> {
    access::sees(caller, Area::Installation)?;
    let mut write = app.begin(caller).await?;
    let administrator = write.administrator(id).await?.ok_or_else(Error::not_found)?;
    administrator.deletable_by(access::administrator(caller).ok())?;
    write.delete_administrator(id).await?;
    tell(
        &mut write,
        EventName::AdministratorDeleted,
        &administrator,
        json!({ "username": administrator.username }),
    );
    write.commit().await
}

/// Sets a one-time password and ends the administrator's sessions.
pub async fn reset_password(
    app: &App,
    caller: &Caller,
    id: &AdministratorId,
    password: &str,
) -> Result<Administrator, Error> {
    access::sees(caller, Area::Installation)?;
    app.read().administrator(id).await?.ok_or_else(Error::not_found)?;
    let hash = app.passwords().hash(&sign_in_text("password", password)?).await?;
    let mut write = app.begin(caller).await?;
    let mut administrator = write.administrator(id).await?.ok_or_else(Error::not_found)?;
    administrator.password = StoredPassword { hash, one_time: true };
    administrator.updated_at = write.now;
    write.save_administrator(&administrator).await?;
    write.delete_sessions_of(&SessionOwner::Administrator(id.clone()), None).await?;
    tell(&mut write, EventName::AdministratorPasswordReset, &administrator, Value::Null);
    write.commit().await?;
    Ok(administrator)
}

/// Gives or takes the role `super-admin`.
pub async fn assign_super_admin(
    app: &App,
    caller: &Caller,
    id: &AdministratorId,
    holds: bool,
) -> Result<Administrator, Error> {
    access::sees(caller, Area::Installation)?;
    let mut write = app.begin(caller).await?;
    let administrator = write.administrator(id).await?.ok_or_else(Error::not_found)?;
    let administrator = administrator.with_super_admin(holds, write.now)?;
    write.save_administrator(&administrator).await?;
    tell(&mut write, EventName::AdministratorRolesAssigned, &administrator, json!({ "super_admin": holds }));
    write.commit().await?;
    Ok(administrator)
}

/// Changes the caller's own names; each 1–150 characters.
pub async fn rename_self(
    app: &App,
    caller: &Caller,
    first_name: &str,
    last_name: &str,
) -> Result<Administrator, Error> {
    let id = access::administrator(caller)?;
    let first_name = text::name("first_name", first_name, 150)?;
    let last_name = text::name("last_name", last_name, 150)?;
    let mut write = app.begin(caller).await?;
    let mut administrator = write.administrator(id).await?.ok_or_else(Error::unauthenticated)?;
    administrator.first_name = first_name;
    administrator.last_name = last_name;
    administrator.updated_at = write.now;
    write.save_administrator(&administrator).await?;
    tell(&mut write, EventName::AdministratorRenamed, &administrator, Value::Null);
    write.commit().await?;
    Ok(administrator)
}

/// Changes the caller's own password and ends their other sessions.
///
/// `old` is not needed while a one-time password is in force.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    known: &KnownAdministrator,
    new: &str,
    old: Option<&str>,
) -> Result<Administrator, Error> {
    let new = sign_in_text("new_password", new)?;
    let stored = &known.administrator.password;
    if !stored.one_time {
        let old = old.ok_or(AdministratorRefusal::WrongOldPassword)?;
        if !app.passwords().verify(old, Some(&stored.hash)).await? {
            return Err(AdministratorRefusal::WrongOldPassword.into());
        }
    }
    if app.passwords().verify(&new, Some(&stored.hash)).await? {
        return Err(AdministratorRefusal::SamePassword.into());
    }
    let hash = app.passwords().hash(&new).await?;
    let mut write = app.begin(caller).await?;
    let mut administrator =
        write.administrator(&known.administrator.id).await?.ok_or_else(Error::unauthenticated)?;
    if administrator.password != *stored {
        // Somebody changed it since it was proved: what was proved is worth nothing any more.
        return Err(Error::unauthenticated());
    }
    administrator.password = StoredPassword { hash, one_time: false };
    administrator.activated = true;
    administrator.updated_at = write.now;
    write.save_administrator(&administrator).await?;
    let owner = SessionOwner::Administrator(administrator.id.clone());
    write.delete_sessions_of(&owner, known.session.as_ref()).await?;
    tell(&mut write, EventName::AdministratorPasswordChanged, &administrator, Value::Null);
    write.commit().await?;
    Ok(administrator)
}

fn tell(write: &mut crate::writes::Write<'_>, name: EventName, administrator: &Administrator, detail: Value) {
    write.tell(name, "administrator", administrator.id.as_str(), None, detail);
}
