//! Administrators: invitations, passwords, the roles that they hold, and the boundary of what these grant.

use std::collections::{BTreeSet, HashMap};

use forecourt_core::{
    actors::{Caller, Source},
    administrators::{
        Administrator, AdministratorFilter, AdministratorRefusal, StoredPassword, sign_in_text,
    },
    events::{Event, EventName},
    ids::{AdministratorId, EventId, GatewayGroupId, PermissionPolicyId, RequestId, RoleId},
    lists::List,
    permissions::{Action, Target},
    roles::{AssignedRole, Role},
    sessions::SessionOwner,
    text,
    time::Timestamp,
};
use forecourt_identity::{passwords::Passwords, sealing::MasterKey};
use forecourt_store::{RuledNoun, Store};
use serde_json::{Value, json};

use crate::{
    App, Error, ErrorKind, access, audit_logs,
    authentication::{KnownAdministrator, proved_again},
    master_keys, permissions,
    random::OsRandom,
};

/// A role that somebody holds, with what the role is.
#[derive(Clone, Debug)]
pub struct HeldRole {
    /// The role.
    pub role: Role,
    /// The gateway groups to which it is narrowed; empty: all.
    pub scopes: BTreeSet<GatewayGroupId>,
}

/// The administrators that `filter` wants, as far as the caller may see them.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &AdministratorFilter,
) -> Result<List<Administrator>, Error> {
    let readable = access::readable(app, caller, Action::GetUser, RuledNoun::Administrators).await?;
    Ok(app.read().administrators(&AdministratorFilter { readable, ..filter.clone() }).await?)
}

/// The roles that each of `administrators` holds; whoever sees somebody sees what they hold.
pub async fn held_roles(
    app: &App,
    administrators: &[AdministratorId],
) -> Result<HashMap<AdministratorId, Vec<HeldRole>>, Error> {
    let assigned = app.read().assigned_roles(administrators).await?;
    let mut roles: HashMap<RoleId, Option<Role>> = HashMap::new();
    let mut held: HashMap<AdministratorId, Vec<HeldRole>> = HashMap::new();
    for (administrator, assigned) in assigned {
        for AssignedRole { role_id, scopes } in assigned {
            let role = match roles.get(&role_id) {
                Some(known) => known.clone(),
                None => {
                    let found = app.read().role(&role_id).await?;
                    roles.insert(role_id, found.clone());
                    found
                }
            };
            // Between the two reads somebody may have taken and deleted it.
            if let Some(role) = role {
                held.entry(administrator.clone()).or_default().push(HeldRole { role, scopes });
            }
        }
    }
    Ok(held)
}

/// One administrator.
pub async fn administrator(app: &App, caller: &Caller, id: &AdministratorId) -> Result<Administrator, Error> {
    permitted(app, caller, id, Action::GetUser).await
}

/// The administrator with this id, where the caller may do `action` to them. Faces ask before they read a body.
pub async fn permitted(
    app: &App,
    caller: &Caller,
    id: &AdministratorId,
    action: Action,
) -> Result<Administrator, Error> {
    access::permits(caller, action, Target::User(Some(id)))?;
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
    access::permits(caller, Action::InviteUser, Target::User(None))?;
    let username = forecourt_core::administrators::username("username", username)?;
    let password = sign_in_text("password", password)?;
    let hash = app.passwords().hash(&password).await?;
    let mut write = app.begin(caller).await?;
    // Directories know one name in all its spellings.
    if let Some(other) = write.administrators_called(&username).await?.first() {
        return Err(AdministratorRefusal::UsernameTaken(other.username.clone()).into());
    }
    let id = AdministratorId::issue(write.now, &mut OsRandom);
    let administrator = Administrator {
        password: Some(StoredPassword { hash, one_time: true }),
        ..Administrator::new(id, username, write.now)
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
    access::permits(caller, Action::DeleteUser, Target::User(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let administrator = write.administrator(id).await?.ok_or_else(Error::not_found)?;
    administrator.deletable_by(access::administrator(caller).ok())?;
    let sessions = write.sessions_of(&SessionOwner::Administrator(id.clone())).await?;
    write.counted.sessions = sessions.iter().filter(|session| session.expires_at > write.now).count() as u64;
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
    access::permits(caller, Action::ResetPassword, Target::User(Some(id)))?;
    app.read().administrator(id).await?.ok_or_else(Error::not_found)?;
    let hash = app.passwords().hash(&sign_in_text("password", password)?).await?;
    let mut write = app.begin(caller).await?;
    let mut administrator = write.administrator(id).await?.ok_or_else(Error::not_found)?;
    administrator.password = Some(StoredPassword { hash, one_time: true });
    administrator.updated_at = write.now;
    write.save_administrator(&administrator).await?;
    write.delete_sessions_of(&SessionOwner::Administrator(id.clone()), None).await?;
    tell(&mut write, EventName::AdministratorPasswordReset, &administrator, Value::Null);
    write.commit().await?;
    Ok(administrator)
}

/// The same from the command line, for when no administrator is left who can: whoever may read the settings may do it.
/// Needs no running process, and does not disturb one.
///
/// # Errors
/// Where `own` is another master key than the database needs, where nobody has exactly this user name, and where that
/// administrator was deactivated.
pub async fn rescue(
    store: &Store,
    own: &MasterKey,
    username: &str,
    password: &str,
    now: Timestamp,
) -> Result<Administrator, Error> {
    let hash = Passwords::new(1).hash(password).await?;
    let mut tx = store.begin().await?;
    let sealer = master_keys::opened(&tx, own).await?;
    let refused = |problem: &str| {
        Error::new(ErrorKind::NotFound, "no_such_administrator", format!("{username:?} {problem}"))
    };
    let found = tx.administrator_by_username(username).await?;
    let found = found.ok_or_else(|| refused("is no administrator's user name"))?;
    if !found.active {
        return Err(refused("was deactivated: that is for another administrator to change"));
    }
    let password = Some(StoredPassword { hash, one_time: true });
    let administrator = Administrator { password, updated_at: now, ..found };
    tx.save_administrator(&administrator).await?;
    tx.delete_sessions_of(&SessionOwner::Administrator(administrator.id.clone()), None).await?;
    let caller = Caller::system(Source::CommandLine, RequestId::issue(now, &mut OsRandom));
    let (event, name) = (EventId::issue(now, &mut OsRandom), EventName::AdministratorPasswordReset);
    tx.record(Event::new(event, now, &caller, name, "administrator", administrator.id.as_str()));
    audit_logs::append_bare(&tx, sealer.audit_chain(), &caller, now).await?;
    tx.commit(now).await?;
    Ok(administrator)
}

/// Replaces the roles that an administrator holds.
pub async fn assign_roles(
    app: &App,
    caller: &Caller,
    id: &AdministratorId,
    roles: &[AssignedRole],
) -> Result<Administrator, Error> {
    access::permits(caller, Action::UpdateUserRole, Target::User(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let mut administrator = write.administrator(id).await?.ok_or_else(Error::not_found)?;
    administrator.check_roles(roles)?;
    for AssignedRole { role_id, scopes } in roles {
        if write.role(role_id).await?.is_none() {
            return Err(AdministratorRefusal::UnknownRole(role_id.to_string()).into());
        }
        for group in scopes {
            if write.gateway_group(group).await?.is_none() {
                return Err(AdministratorRefusal::UnknownScope(group.clone()).into());
            }
        }
    }
    administrator.updated_at = write.now;
    write.save_administrator(&administrator).await?;
    write.save_assigned_roles(id, roles).await?;
    permissions::changed(&write).await?;
    let told: Vec<_> =
        roles.iter().map(|role| json!({ "role_id": role.role_id, "scopes": role.scopes })).collect();
    tell(&mut write, EventName::AdministratorRolesAssigned, &administrator, json!({ "roles": told }));
    write.commit().await?;
    Ok(administrator)
}

/// Sets the policy that bounds whatever an administrator's roles grant; `None` clears it.
pub async fn bound(
    app: &App,
    caller: &Caller,
    id: &AdministratorId,
    boundary: Option<&str>,
) -> Result<Administrator, Error> {
    access::permits(caller, Action::UpdateUserRole, Target::User(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let administrator = write.administrator(id).await?.ok_or_else(Error::not_found)?;
    let boundary = match boundary {
        None => None,
        Some(text) => {
            let found = match PermissionPolicyId::parse(text) {
                Some(policy) => write.permission_policy(&policy).await?,
                None => None,
            };
            let found = found.ok_or_else(|| AdministratorRefusal::UnknownBoundary(text.to_owned()))?;
            Some(found.id)
        }
    };
    let detail = json!({ "permission_policy_id": boundary });
    let administrator = administrator.bounded(boundary, write.now)?;
    write.save_administrator(&administrator).await?;
    permissions::changed(&write).await?;
    tell(&mut write, EventName::AdministratorBoundaryChanged, &administrator, detail);
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
/// `old` is not needed while a one-time password is in force; wrong ones are limited as sign-ins are.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    known: &KnownAdministrator,
    new: &str,
    old: Option<&str>,
) -> Result<Administrator, Error> {
    let new = sign_in_text("new_password", new)?;
    // Whom a directory made and nobody gave a password has none to show: an administrator resets it first.
    let stored = known.administrator.password.as_ref().ok_or(AdministratorRefusal::WrongOldPassword)?;
    if !stored.one_time {
        let old = old.ok_or(AdministratorRefusal::WrongOldPassword)?;
        let account = known.administrator.id.as_str();
        if !proved_again(app, caller, account, old, &stored.hash).await? {
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
    if !administrator.active || administrator.password.as_ref() != Some(stored) {
        // Somebody changed it since it was proved: what was proved is worth nothing any more.
        return Err(Error::unauthenticated());
    }
    administrator.password = Some(StoredPassword { hash, one_time: false });
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
