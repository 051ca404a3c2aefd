//! Instance tokens. The text of a new one is in one answer, and never again.

use axum::extract::Path;
use forecourt_app::{gateway_groups, instance_tokens};
use forecourt_core::{
    gateway_groups::GatewayGroup,
    ids::InstanceTokenId,
    instance_tokens::InstanceTokenFilter,
    permissions::{Action, Target},
};

use super::{Answer, Console, PAGE_SIZE, gateway, nodes, rows};
use crate::{
    confirm::{Act, Confirm},
    developer::credentials::Secret,
    display::{Impact, ImpactKind, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    provider::instance_tokens::{
        GroupChoice, InstanceTokenList, InstanceTokenRow, InstanceTokenShown, NewInstanceToken,
    },
};

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let filter = InstanceTokenFilter { paging: asked.paging(PAGE_SIZE), ..Default::default() };
    let found = instance_tokens::list(console.app(), &console.caller, filter).await?;
    let groups = nodes::group_names(&console).await?;
    let mut tokens = Vec::new();
    for token in found.rows {
        tokens.push(InstanceTokenRow {
            nodes: instance_tokens::node_count(console.app(), &console.caller, &token).await?,
            group: nodes::group(&token.gateway_group_id, &groups),
            deletable: console
                .may(Action::DeleteGatewayInstance, Target::GatewayGroup(Some(&token.gateway_group_id))),
            id: token.id.to_string(),
            last_used_at: token.last_used_at.map(When::of),
            created_at: When::of(token.created_at),
        });
    }
    let paging = rows::paging(&provider::instance_tokens(), &[], asked.page(), found.total);
    console.visit.show(&InstanceTokenList { tokens, paging })
}

pub(super) async fn new_form(console: Console, asked: Asked) -> Answer {
    let found = gateway_groups::list(console.app(), &console.caller, Default::default()).await?;
    let may_issue = |group: &GatewayGroup| {
        console.may(Action::CreateGatewayInstance, Target::GatewayGroup(Some(&group.id)))
    };
    let groups = found.rows.into_iter().filter(may_issue);
    let groups = groups.map(|group| GroupChoice { value: group.id.to_string(), text: group.name });
    let chosen = asked.given("group").unwrap_or("default");
    console
        .visit
        .show(&NewInstanceToken { groups: groups.collect(), form: Form::new().with("group", chosen) })
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    let group = gateway::known(&console, posted.text("group")).await?;
    let issued = instance_tokens::issue(console.app(), &console.caller, &group.id).await?;
    let text = issued.text.reveal();
    let control_plane = &console.visit.web.context.config.sync_url;
    let command = format!(
        "forecourt gateway --control-plane {control_plane} --token {text} --data-dir ./gateway --listen 0.0.0.0:9080"
    );
    console.visit.show(&InstanceTokenShown {
        group: group.name,
        secrets: vec![Secret {
            name: console.say("instance_token.secret", &[]),
            env: "FORECOURT_GATEWAY_TOKEN".to_owned(),
            value: text.to_owned(),
        }],
        command: (!control_plane.is_empty()).then_some(command),
    })
}

async fn question(console: &Console, id: &str) -> Result<(InstanceTokenId, Confirm), Failed> {
    let id = InstanceTokenId::parse(id).ok_or(FailureKind::NotFound)?;
    let token = instance_tokens::token(console.app(), &console.caller, &id).await?;
    let count = instance_tokens::node_count(console.app(), &console.caller, &token).await?;
    let impact = Impact { kind: ImpactKind::Nodes, count };
    let question = Confirm {
        act: Act::DeleteInstanceToken,
        name: id.to_string(),
        impact: Some(impact).filter(|impact| impact.count > 0).into_iter().collect(),
        type_name: false,
        action: provider::delete_instance_token(id.as_str()),
        back: provider::instance_tokens(),
        form: Form::new(),
    };
    Ok((id, question))
}

pub(super) async fn ask_delete(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn delete(console: Console, Path(id): Path<String>, _posted: Posted) -> Answer {
    let (id, question) = question(&console, &id).await?;
    instance_tokens::delete(console.app(), &console.caller, &id).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&question.back, &text))
}
