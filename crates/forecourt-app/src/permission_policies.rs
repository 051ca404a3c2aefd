//! Permission policies: made, changed and deleted. What they say counts from the next call on.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::PermissionPolicyId,
    lists::List,
    permission_policies::{
        PermissionPolicy, PermissionPolicyFilter, PermissionPolicyInput, PermissionPolicyRefusal,
    },
    permissions::{Action, Target},
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, permissions, random::OsRandom, writes::Write};

/// The policies that `filter` wants, as far as the caller may see them.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &PermissionPolicyFilter,
) -> Result<List<PermissionPolicy>, Error> {
    let noun = RuledNoun::PermissionPolicies;
    let readable = access::readable(app, caller, Action::GetPermissionPolicy, noun).await?;
    Ok(app.read().permission_policies(&PermissionPolicyFilter { readable, ..filter.clone() }).await?)
}

/// One policy.
pub async fn policy(app: &App, caller: &Caller, id: &PermissionPolicyId) -> Result<PermissionPolicy, Error> {
    permitted(app, caller, id, Action::GetPermissionPolicy).await
}

/// The policy with this id, where the caller may do `action` to it. Faces ask before they read a body.
pub async fn permitted(
    app: &App,
    caller: &Caller,
    id: &PermissionPolicyId,
    action: Action,
) -> Result<PermissionPolicy, Error> {
    access::permits(caller, action, Target::PermissionPolicy(Some(id)))?;
    app.read().permission_policy(id).await?.ok_or_else(Error::not_found)
}

/// Makes a policy.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: PermissionPolicyInput,
) -> Result<PermissionPolicy, Error> {
    access::permits(caller, Action::CreatePermissionPolicy, Target::PermissionPolicy(None))?;
    // Compiling a large document takes a while: done before the transaction.
    let now = app.now();
    let policy = PermissionPolicy::new(PermissionPolicyId::issue(now, &mut OsRandom), input, now)?;
    let mut write = app.begin(caller).await?;
    write.insert_permission_policy(&policy).await?;
    tell(&mut write, EventName::PermissionPolicyCreated, &policy);
    write.commit().await?;
    Ok(policy)
}

/// Changes what `input` gives; refused for a built-in policy.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &PermissionPolicyId,
    input: PermissionPolicyInput,
) -> Result<PermissionPolicy, Error> {
    access::permits(caller, Action::UpdatePermissionPolicy, Target::PermissionPolicy(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let policy = write.permission_policy(id).await?.ok_or_else(Error::not_found)?;
    policy.check_custom()?;
    let policy = policy.changed(input, write.now)?;
    write.save_permission_policy(&policy).await?;
    permissions::changed(&write).await?;
    tell(&mut write, EventName::PermissionPolicyUpdated, &policy);
    write.commit().await?;
    Ok(policy)
}

/// Deletes a policy; refused for a built-in one and while a role or a boundary uses it.
pub async fn delete(app: &App, caller: &Caller, id: &PermissionPolicyId) -> Result<(), Error> {
    access::permits(caller, Action::DeletePermissionPolicy, Target::PermissionPolicy(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let policy = write.permission_policy(id).await?.ok_or_else(Error::not_found)?;
    policy.check_custom()?;
    if let Some(role) = write.role_with_policy(id).await? {
        return Err(PermissionPolicyRefusal::Attached { policy: policy.name, role }.into());
    }
    if let Some(username) = write.bounded_by(id).await? {
        return Err(PermissionPolicyRefusal::Bounds { policy: policy.name, username }.into());
    }
    write.delete_permission_policy(id).await?;
    tell(&mut write, EventName::PermissionPolicyDeleted, &policy);
    write.commit().await
}

fn tell(write: &mut Write<'_>, name: EventName, policy: &PermissionPolicy) {
    let detail = json!({ "name": policy.name, "policy_document": policy.document.as_json() });
    write.tell(name, "permission_policy", policy.id.as_str(), None, detail);
}
