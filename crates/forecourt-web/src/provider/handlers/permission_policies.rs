//! Permission policies: the list, the page of one with its document in words, its form, deleting.

use axum::extract::Path;
use forecourt_app::{Error, permission_policies, roles};
use forecourt_core::{
    ids::PermissionPolicyId,
    lists::TextFilter,
    permission_policies::{PermissionPolicy, PermissionPolicyFilter, PermissionPolicyInput},
    permissions::{Action, StatementTold},
    roles::RoleFilter,
};
use serde_json::Value;

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    confirm::{Act, Confirm},
    display::{Label, Reference, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    lists::Search,
    page::Tone,
    provider::permission_policies::{
        ActionsShown, PermissionPolicyForm, PermissionPolicyList, PermissionPolicyPage, PermissionPolicyRow,
        ResourceShown, StatementShown, resource_word,
    },
};

const FIELDS: &[(&str, &str)] =
    &[("name", "name"), ("desc", "desc"), ("labels", "labels"), ("policy_document", "document")];

/// What a new policy begins with: seeing every portal, to be changed.
const BEGINNING: &str = r#"{
  "statement": [
    {
      "effect": "allow",
      "resources": ["arn:api7:portal:portal/<.*>"],
      "actions": ["portal:Get<.*>"]
    }
  ]
}"#;

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let search = asked.text("search");
    let filter = PermissionPolicyFilter {
        text: TextFilter { search: asked.given("search").map(str::to_owned), labels: Vec::new() },
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = permission_policies::list(console.app(), &console.caller, &filter).await?;
    let list = provider::permission_policies();
    console.visit.show(&PermissionPolicyList {
        search: Search::new(list.clone(), search, &[]),
        policies: found.rows.into_iter().map(row).collect(),
        paging: rows::paging(&list, &[("search", search)], asked.page(), found.total),
        filtered: !search.is_empty(),
    })
}

fn row(policy: PermissionPolicy) -> PermissionPolicyRow {
    PermissionPolicyRow {
        statements: policy.document.told().len() as u64,
        id: policy.id.to_string(),
        name: policy.name,
        description: policy.desc,
        built_in: policy.built_in,
        updated_at: When::of(policy.updated_at),
    }
}

async fn known(console: &Console, id: &str) -> Result<PermissionPolicy, Failed> {
    let id = PermissionPolicyId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(permission_policies::policy(console.app(), &console.caller, &id).await?)
}

pub(super) async fn page(console: Console, Path(id): Path<String>) -> Answer {
    let policy = known(&console, &id).await?;
    let roles = roles::list(console.app(), &console.caller, &RoleFilter::default()).await?.rows;
    let with_it = roles.into_iter().filter(|role| role.policies.contains(&policy.id));
    let view = PermissionPolicyPage {
        labels: rows::labels(&policy.labels),
        statements: policy.document.told().into_iter().map(statement).collect(),
        idle: policy.document.idle_actions(),
        document: indented(policy.document.as_json()),
        roles: with_it.map(|role| Reference::new(role.name, provider::role(role.id.as_str()))).collect(),
        activity: rows::activity(&console, "permission_policy", policy.id.as_str()).await?,
        policy: row(policy),
    };
    console.visit.show(&view)
}

fn indented(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

fn statement(told: StatementTold) -> StatementShown {
    let parts = ["portal", "gateway", "iam"].into_iter().filter_map(|part| actions(part, &told.actions));
    let resource = |pattern: String| ResourceShown { word: resource_word(&pattern), pattern };
    StatementShown {
        denies: told.is_deny,
        parts: parts.collect(),
        resources: told.resources.into_iter().map(resource).collect(),
        labels: told.labels.into_iter().map(|(key, value)| Label::new(key, value)).collect(),
        unknown_condition: told.has_unknown_condition,
    }
}

fn actions(part: &'static str, named: &[Action]) -> Option<ActionsShown> {
    let of_part = |action: &Action| action.name().split_once(':').filter(|(space, _)| *space == part);
    let actions: Vec<_> = named.iter().filter_map(of_part).map(|(_, word)| word).collect();
    let every = Action::ALL.iter().filter_map(of_part).count();
    (!actions.is_empty()).then_some(ActionsShown { part, all: actions.len() == every, actions })
}

fn new_view(form: Form) -> PermissionPolicyForm {
    PermissionPolicyForm { policy: None, form, action: provider::new_permission_policy() }
}

fn edit_view(policy: &PermissionPolicy, form: Form) -> PermissionPolicyForm {
    let id = policy.id.as_str();
    PermissionPolicyForm {
        policy: Some(Reference::new(policy.name.clone(), provider::permission_policy(id))),
        form,
        action: provider::edit_permission_policy(id),
    }
}

pub(super) async fn new_form(console: Console) -> Answer {
    console.visit.show(&new_view(Form::new().with("document", BEGINNING)))
}

/// What was typed, or the form with what cannot be read.
fn input(console: &Console, posted: &Posted) -> Result<PermissionPolicyInput, Form> {
    let labels = rows::read_labels(posted.text("labels")).map_err(|line| {
        rows::refused_field(posted, "labels", console.say("error.label_line", &[("line", &line)]))
    })?;
    let document = serde_json::from_str(posted.text("document")).map_err(|error| {
        let problem = error.to_string();
        rows::refused_field(posted, "document", console.say("error.no_json_object", &[("problem", &problem)]))
    })?;
    Ok(PermissionPolicyInput {
        name: Some(posted.text("name").trim().to_owned()),
        desc: Some(posted.text("desc").to_owned()),
        labels: Some(labels),
        document: Some(document),
    })
}

/// The form with what a use case refused; a fault inside the document names its statement, counted from 1.
fn refused(console: &Console, posted: &Posted, error: Error) -> Result<Form, Failed> {
    let sentence = error.to_string();
    let inside = sentence.strip_prefix("policy_document.statement[").and_then(|rest| {
        let (number, problem) = rest.split_once(']')?;
        Some((number.parse::<u32>().ok()?, problem.trim_start_matches(['.', ' ', ':'])))
    });
    let Some((number, problem)) = inside else {
        return posted.refused(error, FIELDS);
    };
    let number = number.saturating_add(1).to_string();
    let told = console.say("permission_policy.fault", &[("number", &number), ("problem", problem)]);
    Ok(rows::refused_field(posted, "document", told))
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    let input = match input(&console, &posted) {
        Ok(input) => input,
        Err(form) => return console.visit.show_refused(&new_view(form)),
    };
    match permission_policies::create(console.app(), &console.caller, input).await {
        Ok(policy) => {
            let text = console.say("flash.permission_policy_created", &[("name", &policy.name)]);
            Ok(saved(&console, &policy, &text))
        }
        Err(error) => console.visit.show_refused(&new_view(refused(&console, &posted, error)?)),
    }
}

/// The way to the policy; patterns in it that name no action are a warning.
fn saved(console: &Console, policy: &PermissionPolicy, text: &str) -> axum::http::Response<axum::body::Body> {
    let visit = &console.visit;
    let link = provider::permission_policy(policy.id.as_str());
    let idle = policy.document.idle_actions();
    if idle.is_empty() {
        return visit.done(&link, text);
    }
    let idle = console.say("permission_policy.idle", &[("actions", &idle.join(", "))]);
    visit.say_then(visit.go(&link), Tone::Warning, &format!("{text} {idle}"))
}

pub(super) async fn edit_form(console: Console, Path(id): Path<String>) -> Answer {
    let policy = known(&console, &id).await?;
    let form = Form::new()
        .with("name", policy.name.as_str())
        .with("desc", policy.desc.as_str())
        .with("labels", rows::labels_text(&policy.labels))
        .with("document", indented(policy.document.as_json()));
    console.visit.show(&edit_view(&policy, form))
}

pub(super) async fn save(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let policy = known(&console, &id).await?;
    let input = match input(&console, &posted) {
        Ok(input) => input,
        Err(form) => return console.visit.show_refused(&edit_view(&policy, form)),
    };
    match permission_policies::update(console.app(), &console.caller, &policy.id, input).await {
        Ok(policy) => Ok(saved(&console, &policy, &console.say("flash.saved", &[]))),
        Err(error) => console.visit.show_refused(&edit_view(&policy, refused(&console, &posted, error)?)),
    }
}

async fn question(console: &Console, id: &str) -> Result<(PermissionPolicyId, Confirm), Failed> {
    let policy = known(console, id).await?;
    let question = Confirm {
        act: Act::DeletePermissionPolicy,
        name: policy.name,
        type_name: false,
        impact: Vec::new(),
        action: provider::delete_permission_policy(policy.id.as_str()),
        back: provider::permission_policy(policy.id.as_str()),
        form: Form::new(),
    };
    Ok((policy.id, question))
}

pub(super) async fn ask_delete(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let (id, question) = question(&console, &id).await?;
    match permission_policies::delete(console.app(), &console.caller, &id).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &question.name)]);
            Ok(console.visit.done(&provider::permission_policies(), &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
