//! What each administrator may do, compiled, and kept until somebody changes roles, policies or group labels.
//!
//! Invariant: every change of what an authority is made of goes through [`changed`] in its own write, which marks the
//! database; whoever asks compares that mark first, so a change made by any process counts from the next call on.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use forecourt_core::{
    ids::{AdministratorId, PermissionPolicyId},
    permissions::{Authority, Grant, Policy, PolicyDocument},
    random::Random,
};

use crate::{App, Error, ErrorKind, random::OsRandom, writes::Write};

/// The authorities of administrators who called lately.
#[derive(Default)]
pub(crate) struct Authorities(Mutex<Known>);

#[derive(Default)]
struct Known {
    mark: String,
    by_id: HashMap<AdministratorId, Authority>,
}

/// At most this many are kept; then all are forgotten and made anew.
const KEPT: usize = 10_000;

/// What the administrator with this id may do now.
pub(crate) async fn authority(app: &App, id: &AdministratorId) -> Result<Authority, Error> {
    // Read before anything else: what is made of newer rows under an older mark is only made once more.
    let mark = app.read().permissions_mark().await?;
    if let Some(known) = app.authorities().known(&mark, id) {
        return Ok(known);
    }
    let authority = compile(app, id).await?;
    app.authorities().keep(mark, id, &authority);
    Ok(authority)
}

/// Notes in `write` that somebody may do other things than before.
pub(crate) async fn changed(write: &Write<'_>) -> Result<(), Error> {
    let mut bytes = [0_u8; 16];
    OsRandom.fill(&mut bytes);
    let mark = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(write.save_permissions_mark(mark).await?)
}

async fn compile(app: &App, id: &AdministratorId) -> Result<Authority, Error> {
    let administrator = app.read().administrator(id).await?;
    let boundary = administrator.and_then(|administrator| administrator.boundary);
    let assigned = app.read().assigned_roles(std::slice::from_ref(id)).await?.remove(id).unwrap_or_default();
    let mut roles = Vec::with_capacity(assigned.len());
    for held in assigned {
        if let Some(role) = app.read().role(&held.role_id).await? {
            roles.push((role.policies, held.scopes));
        }
    }
    let named = roles.iter().flat_map(|(policies, _)| policies).chain(&boundary);
    let named: Vec<_> = named.cloned().collect();
    let documents = app.read().policy_documents(&named).await?;
    let mut grants = Vec::with_capacity(roles.len());
    let mut needs_labels = false;
    for (policies, scopes) in roles {
        let policies = policies.iter().map(|id| compiled(&documents, id)).collect::<Result<Vec<_>, _>>()?;
        needs_labels |= policies.iter().any(Policy::needs_labels);
        grants.push(Grant { policies, scopes });
    }
    let boundary = boundary.as_ref().map(|id| compiled(&documents, id)).transpose()?;
    needs_labels |= boundary.as_ref().is_some_and(Policy::needs_labels);
    let labels = if needs_labels { app.read().gateway_group_labels().await? } else { HashMap::new() };
    Ok(Authority::new(grants, boundary, labels))
}

/// A policy that is gone allows nothing; one that cannot be read would hide what it denies, so nobody gets past it.
fn compiled(
    documents: &HashMap<PermissionPolicyId, PolicyDocument>,
    id: &PermissionPolicyId,
) -> Result<Policy, Error> {
    match documents.get(id) {
        Some(document) => document.compile().map_err(|problem| {
            let message = format!("permission policy {id} cannot be used: {problem}");
            Error::new(ErrorKind::Internal, "permission_policy", message)
        }),
        None => Ok(Policy::default()),
    }
}

impl Authorities {
    fn known(&self, mark: &str, id: &AdministratorId) -> Option<Authority> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (known.mark == mark).then(|| known.by_id.get(id).cloned()).flatten()
    }

    fn keep(&self, mark: String, id: &AdministratorId, authority: &Authority) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.mark != mark || known.by_id.len() >= KEPT {
            known.by_id.clear();
            known.mark = mark;
        }
        known.by_id.insert(id.clone(), authority.clone());
    }
}
