//! The roles that an administrator holds, each with the gateway groups to which it is narrowed.
//!
//! Invariant: what the form cannot show stays: a role or a group that may not be seen is offered as it is held.

use std::collections::BTreeSet;

use axum::extract::Path;
use forecourt_app::{administrators, gateway_groups, roles};
use forecourt_core::{
    administrators::Administrator,
    gateway_groups::GatewayGroupFilter,
    ids::{GatewayGroupId, RoleId},
    roles::{AssignedRole, Role, RoleFilter},
};

use super::{
    super::{Answer, Console},
    known, reference,
};
use crate::{
    developer::products::Choice,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::administrators::RoleAssignment,
};

/// The field with the gateway groups of a role.
fn scopes_field(role: &str) -> String {
    format!("scopes-{role}")
}

async fn held(
    console: &Console,
    administrator: &Administrator,
) -> Result<Vec<administrators::HeldRole>, Failed> {
    let ids = std::slice::from_ref(&administrator.id);
    Ok(administrators::held_roles(console.app(), ids).await?.remove(&administrator.id).unwrap_or_default())
}

async fn view(
    console: &Console,
    administrator: &Administrator,
    held: Vec<administrators::HeldRole>,
    form: Form,
) -> Result<RoleAssignment, Failed> {
    let (app, caller) = (console.app(), &console.caller);
    let mut choices = roles::list(app, caller, &RoleFilter::default()).await?.rows;
    let found = gateway_groups::list(app, caller, GatewayGroupFilter::default()).await?.rows;
    let mut groups: Vec<_> =
        found.into_iter().map(|group| Choice::new(group.id.as_str(), group.name)).collect();
    for administrators::HeldRole { role, scopes } in held {
        if !choices.iter().any(|known| known.id == role.id) {
            choices.push(role);
        }
        for group in &scopes {
            if !groups.iter().any(|known| known.value == group.as_str()) {
                groups.push(Choice::new(group.as_str(), group.as_str()));
            }
        }
    }
    choices.sort_by_key(|role| (!role.built_in, role.name.to_lowercase()));
    let choice = |role: Role| Choice {
        value: role.id.to_string(),
        text: role.name,
        hint: Some(role.desc).filter(|desc| !desc.is_empty()),
    };
    Ok(RoleAssignment {
        administrator: reference(administrator),
        roles: choices.into_iter().map(choice).collect(),
        groups,
        form,
        action: provider::assign_roles(administrator.id.as_str()),
    })
}

pub(in super::super) async fn form(console: Console, Path(id): Path<String>) -> Answer {
    let administrator = known(&console, &id).await?;
    let held = held(&console, &administrator).await?;
    let form = held.iter().fold(Form::new(), |form, held| {
        let role = held.role.id.as_str();
        let form = form.with("roles", role);
        held.scopes.iter().fold(form, |form, group| form.with(&scopes_field(role), group.as_str()))
    });
    let view = view(&console, &administrator, held, form).await?;
    console.visit.show(&view)
}

pub(in super::super) async fn assign(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let administrator = known(&console, &id).await?;
    let role = |text: String| {
        let groups = posted.texts(&scopes_field(&text));
        let scopes: Option<BTreeSet<_>> = groups.iter().map(|group| GatewayGroupId::parse(group)).collect();
        Some(AssignedRole { role_id: RoleId::parse(&text)?, scopes: scopes? })
    };
    let assigned: Option<Vec<_>> = posted.texts("roles").into_iter().map(role).collect();
    let error = match assigned {
        None => forecourt_app::Error::invalid("invalid", console.say("administrator.role_gone", &[])),
        Some(roles) => {
            let id = &administrator.id;
            match administrators::assign_roles(console.app(), &console.caller, id, &roles).await {
                Ok(_) => {
                    let link = provider::administrator(id.as_str());
                    return Ok(console.visit.done(&link, &console.say("flash.saved", &[])));
                }
                Err(error) => error,
            }
        }
    };
    let held = held(&console, &administrator).await?;
    let view = view(&console, &administrator, held, posted.refused(error, &[])?).await?;
    console.visit.show_refused(&view)
}
