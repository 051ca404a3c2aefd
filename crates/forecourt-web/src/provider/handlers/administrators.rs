//! Administrators: the list, the page of one, the boundary of what their roles grant, deleting. Invitations and
//! resets are `invitations.rs`, the roles that they hold `roles.rs`.

pub(super) mod invitations;
pub(super) mod roles;

use std::collections::HashMap;

use axum::extract::Path;
use forecourt_app::{
    administrators::{self, HeldRole},
    gateway_groups, permission_policies, roles as all_roles,
};
use forecourt_core::{
    administrators::{Administrator, AdministratorFilter},
    gateway_groups::GatewayGroupFilter,
    ids::{AdministratorId, GatewayGroupId, PermissionPolicyId, RoleId},
    permission_policies::PermissionPolicyFilter,
    roles::RoleFilter,
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    confirm::{Act, Confirm},
    developer::products::Choice,
    display::{Reference, Status, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    lists::{Chip, Search},
    provider::administrators::{
        AdministratorList, AdministratorPage, AdministratorRow, Boundary, BoundaryForm, RoleHeld,
    },
};

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let (app, caller) = (console.app(), &console.caller);
    let role = asked.given("role").and_then(RoleId::parse);
    let filter = AdministratorFilter {
        search: asked.given("search").map(str::to_owned),
        roles: role.clone().map(|role| vec![role]),
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = administrators::list(app, caller, &filter).await?;
    let list = provider::administrators();
    let (search, chosen) = (asked.text("search"), role.as_ref().map_or("", RoleId::as_str));
    console.visit.show(&AdministratorList {
        search: Search::new(list.clone(), search, &[("role", chosen)]),
        roles: role_chips(&console, chosen, search).await?,
        paging: rows::paging(&list, &[("search", search), ("role", chosen)], asked.page(), found.total),
        administrators: shown(&console, found.rows).await?,
        filtered: role.is_some() || !search.is_empty(),
    })
}

async fn role_chips(console: &Console, chosen: &str, search: &str) -> Result<Vec<Chip>, Failed> {
    let list = provider::administrators();
    let chip =
        |text: String, role: &str| rows::chip(&list, text, ("role", role), chosen, &[("search", search)]);
    let roles = all_roles::list(console.app(), &console.caller, &RoleFilter::default()).await?.rows;
    if roles.len() < 2 && chosen.is_empty() {
        return Ok(Vec::new());
    }
    let all = chip(console.say("chip.all", &[]), "");
    let named = roles.into_iter().map(|role| chip(role.name, role.id.as_str()));
    Ok(std::iter::once(all).chain(named).collect())
}

const fn standing(administrator: &Administrator) -> Status {
    match &administrator.password {
        _ if !administrator.active => Status::Inactive,
        Some(password) if password.one_time => Status::Invited,
        _ => Status::Active,
    }
}

/// The administrators with the roles that they hold.
async fn shown(console: &Console, found: Vec<Administrator>) -> Result<Vec<AdministratorRow>, Failed> {
    let ids: Vec<_> = found.iter().map(|administrator| administrator.id.clone()).collect();
    let mut held = administrators::held_roles(console.app(), &ids).await?;
    let groups = group_names(console).await?;
    let row = |administrator: Administrator| AdministratorRow {
        name: administrator.display_name(),
        status: standing(&administrator),
        roles: held
            .remove(&administrator.id)
            .unwrap_or_default()
            .into_iter()
            .map(|role| role_held(role, &groups))
            .collect(),
        id: administrator.id.to_string(),
        username: administrator.username,
        email: administrator.email,
        created_at: When::of(administrator.created_at),
    };
    Ok(found.into_iter().map(row).collect())
}

fn role_held(HeldRole { role, scopes }: HeldRole, groups: &HashMap<GatewayGroupId, String>) -> RoleHeld {
    let name = |group: &GatewayGroupId| groups.get(group).cloned().unwrap_or_else(|| group.to_string());
    RoleHeld { id: role.id.to_string(), name: role.name, groups: scopes.iter().map(name).collect() }
}

/// The names of the gateway groups that may be seen.
async fn group_names(console: &Console) -> Result<HashMap<GatewayGroupId, String>, Failed> {
    let found = gateway_groups::list(console.app(), &console.caller, GatewayGroupFilter::default()).await?;
    Ok(found.rows.into_iter().map(|group| (group.id, group.name)).collect())
}

async fn known(console: &Console, id: &str) -> Result<Administrator, Failed> {
    let id = AdministratorId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(administrators::administrator(console.app(), &console.caller, &id).await?)
}

fn reference(administrator: &Administrator) -> Reference {
    Reference::new(administrator.display_name(), provider::administrator(administrator.id.as_str()))
}

pub(super) async fn page(console: Console, Path(id): Path<String>) -> Answer {
    let administrator = known(&console, &id).await?;
    let initial = administrator.initial;
    let own = administrator.id == console.known.administrator.id;
    let boundary = match &administrator.boundary {
        Some(policy) => Some(boundary(&console, policy).await?),
        None => None,
    };
    let activity = rows::activity(&console, "administrator", administrator.id.as_str()).await?;
    let shown = shown(&console, vec![administrator]).await?;
    let administrator = shown.into_iter().next().ok_or(FailureKind::NotFound)?;
    console.visit.show(&AdministratorPage { administrator, initial, own, boundary, activity })
}

async fn boundary(console: &Console, id: &PermissionPolicyId) -> Result<Boundary, Failed> {
    let policies = policies(console).await?;
    let known = policies.into_iter().find(|choice| choice.value == id.as_str());
    Ok(Boundary { id: id.to_string(), name: known.map_or_else(|| id.to_string(), |choice| choice.text) })
}

/// The policies that may be seen, by name.
async fn policies(console: &Console) -> Result<Vec<Choice>, Failed> {
    let filter = PermissionPolicyFilter::default();
    let mut found = permission_policies::list(console.app(), &console.caller, &filter).await?.rows;
    found.sort_by_key(|policy| policy.name.to_lowercase());
    Ok(found.into_iter().map(|policy| Choice::new(policy.id.as_str(), policy.name)).collect())
}

async fn boundary_view(
    console: &Console,
    administrator: &Administrator,
    form: Form,
) -> Result<BoundaryForm, Failed> {
    let mut policies = policies(console).await?;
    // A policy that may not be seen stays what it is unless another one is chosen.
    if let Some(current) = &administrator.boundary
        && !policies.iter().any(|choice| choice.value == current.as_str())
    {
        policies.push(Choice::new(current.as_str(), current.as_str()));
    }
    Ok(BoundaryForm {
        administrator: reference(administrator),
        policies,
        form,
        action: provider::boundary(administrator.id.as_str()),
    })
}

pub(super) async fn boundary_form(console: Console, Path(id): Path<String>) -> Answer {
    let administrator = known(&console, &id).await?;
    let current = administrator.boundary.as_ref().map_or("", PermissionPolicyId::as_str);
    let view = boundary_view(&console, &administrator, Form::new().with("policy", current)).await?;
    console.visit.show(&view)
}

pub(super) async fn bound(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let administrator = known(&console, &id).await?;
    let policy = posted.given("policy");
    match administrators::bound(console.app(), &console.caller, &administrator.id, policy).await {
        Ok(_) => {
            let link = provider::administrator(administrator.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, &[("permission_policy_id", "policy")])?;
            console.visit.show_refused(&boundary_view(&console, &administrator, form).await?)
        }
    }
}

async fn question(console: &Console, id: &str) -> Result<(AdministratorId, Confirm), Failed> {
    let administrator = known(console, id).await?;
    let question = Confirm {
        act: Act::DeleteAdministrator,
        type_name: true,
        impact: Vec::new(),
        action: provider::delete_administrator(administrator.id.as_str()),
        back: provider::administrator(administrator.id.as_str()),
        form: Form::new(),
        name: administrator.username,
    };
    Ok((administrator.id, question))
}

pub(super) async fn ask_delete(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let (id, question) = question(&console, &id).await?;
    if let Some(again) = rows::wrong_name(&console, &question, &posted) {
        return console.visit.show_refused(&again);
    }
    match administrators::delete(console.app(), &console.caller, &id).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&provider::administrators(), &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
