//! The permission policies of a role: attached from a list, detached one by one.

use axum::extract::Path;
use forecourt_app::{permission_policies, roles};
use forecourt_core::{
    ids::{PermissionPolicyId, RoleId},
    permission_policies::{PermissionPolicy, PermissionPolicyFilter},
    roles::Role,
};

use super::{
    super::{Answer, Console, rows},
    known, reference,
};
use crate::{
    confirm::{Act, Confirm},
    developer::products::Choice,
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::roles::PolicyAttachment,
};

async fn view(console: &Console, role: &Role, form: Form) -> Result<PolicyAttachment, Failed> {
    let filter = PermissionPolicyFilter::default();
    let mut found = permission_policies::list(console.app(), &console.caller, &filter).await?.rows;
    found.retain(|policy| !role.policies.contains(&policy.id));
    found.sort_by_key(|policy| policy.name.to_lowercase());
    let choice = |policy: PermissionPolicy| Choice {
        value: policy.id.to_string(),
        text: policy.name,
        hint: Some(policy.desc).filter(|desc| !desc.is_empty()),
    };
    Ok(PolicyAttachment {
        role: reference(role),
        policies: found.into_iter().map(choice).collect(),
        form,
        action: provider::attach_policies(role.id.as_str()),
    })
}

pub(in super::super) async fn form(console: Console, Path(id): Path<String>) -> Answer {
    let role = known(&console, &id).await?;
    let view = view(&console, &role, Form::new()).await?;
    console.visit.show(&view)
}

pub(in super::super) async fn attach(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let role = known(&console, &id).await?;
    let chosen = posted.texts("policies");
    if chosen.is_empty() {
        let sentence = console.say("role.choose_policy", &[]);
        let form = rows::refused_field(&posted, "policies", sentence);
        return console.visit.show_refused(&view(&console, &role, form).await?);
    }
    match roles::attach(console.app(), &console.caller, &role.id, &chosen).await {
        Ok(_) => {
            let link = provider::role(role.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, &[])?;
            console.visit.show_refused(&view(&console, &role, form).await?)
        }
    }
}

async fn question(console: &Console, id: &str, policy: &str) -> Result<(RoleId, Confirm), Failed> {
    let role = known(console, id).await?;
    let policies = roles::policies(console.app(), &console.caller, &role.id).await?;
    let policy = PermissionPolicyId::parse(policy).ok_or(FailureKind::NotFound)?;
    let attached = policies.into_iter().find(|attached| attached.id == policy);
    let attached = attached.ok_or(FailureKind::NotFound)?;
    let question = Confirm {
        act: Act::DetachPolicy,
        name: attached.name,
        type_name: false,
        impact: Vec::new(),
        action: provider::detach_policy(role.id.as_str(), policy.as_str()),
        back: provider::role(role.id.as_str()),
        form: Form::new(),
    };
    Ok((role.id, question))
}

pub(in super::super) async fn ask_detach(
    console: Console,
    Path((id, policy)): Path<(String, String)>,
) -> Answer {
    let (_, question) = question(&console, &id, &policy).await?;
    console.visit.show(&question)
}

pub(in super::super) async fn detach(
    console: Console,
    Path((id, policy)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (id, question) = question(&console, &id, &policy).await?;
    match roles::detach(console.app(), &console.caller, &id, &[policy]).await {
        Ok(_) => Ok(console.visit.done(&question.back, &console.say("flash.saved", &[]))),
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
