//! Roles: made, changed, deleted, and given permission policies.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{PermissionPolicyId, RoleId},
    lists::List,
    permission_policies::PermissionPolicy,
    permissions::{Action, Target},
    roles::{Role, RoleFilter, RoleInput, RoleRefusal},
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, permissions, random::OsRandom, writes::Write};

/// The roles that `filter` wants, as far as the caller may see them.
pub async fn list(app: &App, caller: &Caller, filter: &RoleFilter) -> Result<List<Role>, Error> {
    let readable = access::readable(app, caller, Action::GetRole, RuledNoun::Roles).await?;
    Ok(app.read().roles(&RoleFilter { readable, ..filter.clone() }).await?)
}

/// One role.
pub async fn role(app: &App, caller: &Caller, id: &RoleId) -> Result<Role, Error> {
    permitted(app, caller, id, Action::GetRole).await
}

/// The role with this id, where the caller may do `action` to it. Faces ask before they read a body.
pub async fn permitted(app: &App, caller: &Caller, id: &RoleId, action: Action) -> Result<Role, Error> {
    access::permits(caller, action, Target::Role(Some(id)))?;
    app.read().role(id).await?.ok_or_else(Error::not_found)
}

/// The policies of a role, in the order in which they were attached, as far as the caller may see them.
pub async fn policies(app: &App, caller: &Caller, id: &RoleId) -> Result<Vec<PermissionPolicy>, Error> {
    let role = role(app, caller, id).await?;
    let mut found = Vec::with_capacity(role.policies.len());
    for policy in &role.policies {
        if access::allows(caller, Action::GetPermissionPolicy, Target::PermissionPolicy(Some(policy))) {
            found.extend(app.read().permission_policy(policy).await?);
        }
    }
    Ok(found)
}

/// How many administrators hold a role.
pub async fn holder_count(app: &App, caller: &Caller, id: &RoleId) -> Result<u64, Error> {
    access::permits(caller, Action::GetRole, Target::Role(Some(id)))?;
    Ok(app.read().holder_count(id).await?)
}

/// Makes a role without policies.
pub async fn create(app: &App, caller: &Caller, input: RoleInput) -> Result<Role, Error> {
    access::permits(caller, Action::CreateCustomRole, Target::Role(None))?;
    let mut write = app.begin(caller).await?;
    let role = Role::new(RoleId::issue(write.now, &mut OsRandom), input, write.now)?;
    write.insert_role(&role).await?;
    tell(&mut write, EventName::RoleCreated, &role);
    write.commit().await?;
    Ok(role)
}

/// Changes a role's texts; refused for a built-in one.
pub async fn update(app: &App, caller: &Caller, id: &RoleId, input: RoleInput) -> Result<Role, Error> {
    access::permits(caller, Action::UpdateCustomRole, Target::Role(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let role = write.role(id).await?.ok_or_else(Error::not_found)?;
    role.check_custom()?;
    let role = role.changed(input, write.now)?;
    write.save_role(&role).await?;
    tell(&mut write, EventName::RoleUpdated, &role);
    write.commit().await?;
    Ok(role)
}

/// Attaches policies; those that the role has already stay where they are. All or nothing.
pub async fn attach(app: &App, caller: &Caller, id: &RoleId, policies: &[String]) -> Result<Role, Error> {
    change_policies(app, caller, id, policies, Role::with).await
}

/// Detaches policies; those that the role does not have are no matter.
pub async fn detach(app: &App, caller: &Caller, id: &RoleId, policies: &[String]) -> Result<Role, Error> {
    change_policies(app, caller, id, policies, Role::without).await
}

async fn change_policies(
    app: &App,
    caller: &Caller,
    id: &RoleId,
    policies: &[String],
    change: impl FnOnce(Role, &[PermissionPolicyId], forecourt_core::time::Timestamp) -> Result<Role, RoleRefusal>,
) -> Result<Role, Error> {
    access::permits(caller, Action::UpdateCustomRole, Target::Role(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let role = write.role(id).await?.ok_or_else(Error::not_found)?;
    role.check_custom()?;
    let policies = known_policies(&write, policies).await?;
    let role = change(role, &policies, write.now)?;
    write.save_role(&role).await?;
    permissions::changed(&write).await?;
    tell(&mut write, EventName::RoleUpdated, &role);
    write.commit().await?;
    Ok(role)
}

async fn known_policies(write: &Write<'_>, named: &[String]) -> Result<Vec<PermissionPolicyId>, Error> {
    let mut known = Vec::with_capacity(named.len());
    for text in named {
        let found = match PermissionPolicyId::parse(text) {
            Some(id) => write.permission_policy(&id).await?,
            None => None,
        };
        known.push(found.ok_or_else(|| RoleRefusal::UnknownPolicy(text.clone()))?.id);
    }
    Ok(known)
}

/// Deletes a role; refused for a built-in one and while somebody holds it.
pub async fn delete(app: &App, caller: &Caller, id: &RoleId) -> Result<(), Error> {
    access::permits(caller, Action::DeleteCustomRole, Target::Role(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let role = write.role(id).await?.ok_or_else(Error::not_found)?;
    role.check_custom()?;
    let holders = write.holder_count(id).await?;
    if holders > 0 {
        return Err(RoleRefusal::InUse { role: role.name, holders }.into());
    }
    write.delete_role(id).await?;
    tell(&mut write, EventName::RoleDeleted, &role);
    write.commit().await
}

fn tell(write: &mut Write<'_>, name: EventName, role: &Role) {
    let detail = json!({ "name": role.name, "permission_policies": role.policies });
    write.tell(name, "role", role.id.as_str(), None, detail);
}
