//! Roles: the list, the page of one with who holds it, its forms, deleting. Their policies are `policies.rs`.

pub(super) mod policies;

use axum::extract::Path;
use forecourt_app::{administrators, roles};
use forecourt_core::{
    administrators::AdministratorFilter,
    ids::RoleId,
    lists::{Paging, TextFilter},
    roles::{Role, RoleFilter, RoleInput},
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    confirm::{Act, Confirm},
    display::{Reference, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    lists::Search,
    provider::roles::{AttachedPolicy, RoleForm, RoleList, RolePage, RoleRow},
};

const FIELDS: &[(&str, &str)] = &[("name", "name"), ("desc", "desc"), ("labels", "labels")];

/// How many of those who hold a role its page names.
const SHOWN_HOLDERS: u64 = 20;

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let search = asked.text("search");
    let filter = RoleFilter {
        text: TextFilter { search: asked.given("search").map(str::to_owned), labels: Vec::new() },
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = roles::list(console.app(), &console.caller, &filter).await?;
    let list = provider::roles();
    let mut shown = Vec::with_capacity(found.rows.len());
    for role in found.rows {
        shown.push(row(&console, role).await?);
    }
    console.visit.show(&RoleList {
        search: Search::new(list.clone(), search, &[]),
        roles: shown,
        paging: rows::paging(&list, &[("search", search)], asked.page(), found.total),
        filtered: !search.is_empty(),
    })
}

async fn row(console: &Console, role: Role) -> Result<RoleRow, Failed> {
    Ok(RoleRow {
        holders: roles::holder_count(console.app(), &console.caller, &role.id).await?,
        policies: role.policies.len() as u64,
        id: role.id.to_string(),
        name: role.name,
        description: role.desc,
        built_in: role.built_in,
        updated_at: When::of(role.updated_at),
    })
}

async fn known(console: &Console, id: &str) -> Result<Role, Failed> {
    let id = RoleId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(roles::role(console.app(), &console.caller, &id).await?)
}

fn reference(role: &Role) -> Reference {
    Reference::new(role.name.clone(), provider::role(role.id.as_str()))
}

pub(super) async fn page(console: Console, Path(id): Path<String>) -> Answer {
    let (app, caller) = (console.app(), &console.caller);
    let role = known(&console, &id).await?;
    let policies = roles::policies(app, caller, &role.id).await?;
    let filter = AdministratorFilter {
        roles: Some(vec![role.id.clone()]),
        paging: Paging::Page { page: 1, size: SHOWN_HOLDERS },
        ..Default::default()
    };
    let holders = administrators::list(app, caller, &filter).await?.rows;
    let holder = |administrator: forecourt_core::administrators::Administrator| {
        let href = provider::administrator(administrator.id.as_str());
        Reference::new(administrator.display_name(), href)
    };
    let view = RolePage {
        labels: rows::labels(&role.labels),
        hidden_policies: role.policies.len().saturating_sub(policies.len()) as u64,
        policies: policies
            .into_iter()
            .map(|policy| AttachedPolicy {
                id: policy.id.to_string(),
                name: policy.name,
                description: policy.desc,
            })
            .collect(),
        holders: holders.into_iter().map(holder).collect(),
        activity: rows::activity(&console, "role", role.id.as_str()).await?,
        role: row(&console, role).await?,
    };
    console.visit.show(&view)
}

fn new_view(form: Form) -> RoleForm {
    RoleForm { role: None, form, action: provider::new_role() }
}

fn edit_view(role: &Role, form: Form) -> RoleForm {
    RoleForm { role: Some(reference(role)), form, action: provider::edit_role(role.id.as_str()) }
}

pub(super) async fn new_form(console: Console) -> Answer {
    console.visit.show(&new_view(Form::new()))
}

/// What was typed, or the form with the line of the labels that is none.
fn input(console: &Console, posted: &Posted) -> Result<RoleInput, Form> {
    let labels = rows::read_labels(posted.text("labels")).map_err(|line| {
        rows::refused_field(posted, "labels", console.say("error.label_line", &[("line", &line)]))
    })?;
    Ok(RoleInput {
        name: Some(posted.text("name").trim().to_owned()),
        desc: Some(posted.text("desc").to_owned()),
        labels: Some(labels),
    })
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    let input = match input(&console, &posted) {
        Ok(input) => input,
        Err(form) => return console.visit.show_refused(&new_view(form)),
    };
    match roles::create(console.app(), &console.caller, input).await {
        Ok(role) => {
            let text = console.say("flash.role_created", &[("name", &role.name)]);
            Ok(console.visit.done(&provider::role(role.id.as_str()), &text))
        }
        Err(error) => console.visit.show_refused(&new_view(posted.refused(error, FIELDS)?)),
    }
}

pub(super) async fn edit_form(console: Console, Path(id): Path<String>) -> Answer {
    let role = known(&console, &id).await?;
    let form = Form::new()
        .with("name", role.name.as_str())
        .with("desc", role.desc.as_str())
        .with("labels", rows::labels_text(&role.labels));
    console.visit.show(&edit_view(&role, form))
}

pub(super) async fn save(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let role = known(&console, &id).await?;
    let input = match input(&console, &posted) {
        Ok(input) => input,
        Err(form) => return console.visit.show_refused(&edit_view(&role, form)),
    };
    match roles::update(console.app(), &console.caller, &role.id, input).await {
        Ok(_) => {
            let link = provider::role(role.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => console.visit.show_refused(&edit_view(&role, posted.refused(error, FIELDS)?)),
    }
}

async fn question(console: &Console, id: &str) -> Result<(RoleId, Confirm), Failed> {
    let role = known(console, id).await?;
    let question = Confirm {
        act: Act::DeleteRole,
        name: role.name,
        type_name: false,
        impact: Vec::new(),
        action: provider::delete_role(role.id.as_str()),
        back: provider::role(role.id.as_str()),
        form: Form::new(),
    };
    Ok((role.id, question))
}

pub(super) async fn ask_delete(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let (id, question) = question(&console, &id).await?;
    match roles::delete(console.app(), &console.caller, &id).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&provider::roles(), &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
