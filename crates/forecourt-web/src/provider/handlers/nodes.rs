//! Gateway nodes: the list, the page of one, and its removal.

use std::collections::HashMap;

use axum::extract::Path;
use forecourt_app::{gateway_groups, nodes, receipts};
use forecourt_core::{
    ids::{GatewayGroupId, NodeId},
    nodes::{Node, NodeConnection, NodeFilter},
    permissions::{Action, Target},
    time::Timestamp,
};

use super::{Answer, Console, PAGE_SIZE, rows};
use crate::{
    confirm::{Act, Confirm},
    display::{Impact, ImpactKind, Reference, Status, When},
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    provider::nodes::{NodeList, NodePage, NodeRow, duration},
};

pub(super) async fn list(console: Console, asked: Asked) -> Answer {
    let filter = NodeFilter { paging: asked.paging(PAGE_SIZE), ..Default::default() };
    let found = nodes::list(console.app(), &console.caller, filter).await?;
    let groups = group_names(&console).await?;
    let lags = receipts::lags(console.app(), &found.rows).await?;
    let now = console.app().now();
    console.visit.show(&NodeList {
        nodes: found.rows.iter().zip(lags).map(|(node, lag)| row(node, lag, &groups, now)).collect(),
        paging: rows::paging(&provider::nodes(), &[], asked.page(), found.total),
    })
}

/// The names of all groups.
pub(super) async fn group_names(console: &Console) -> Result<HashMap<GatewayGroupId, String>, Failed> {
    let found = gateway_groups::list(console.app(), &console.caller, Default::default()).await?;
    Ok(found.rows.into_iter().map(|group| (group.id, group.name)).collect())
}

/// A group with its page.
pub(super) fn group(id: &GatewayGroupId, names: &HashMap<GatewayGroupId, String>) -> Reference {
    let name = names.get(id).map_or(id.as_str(), String::as_str);
    Reference::new(name, provider::group(id.as_str()))
}

/// How a node stands that lacks a change, or lacks none.
pub(super) fn status(node: &Node, is_behind: bool) -> Status {
    match (node.connection, is_behind) {
        (NodeConnection::Disconnected, _) => Status::Offline,
        (NodeConnection::Connected, true) => Status::Behind,
        (NodeConnection::Connected, false) => Status::InSync,
    }
}

fn row(node: &Node, lag: i64, groups: &HashMap<GatewayGroupId, String>, now: Timestamp) -> NodeRow {
    let is_duplicated = node.is_duplicated(now);
    NodeRow {
        id: node.id.to_string(),
        name: node.name.clone(),
        group: group(&node.gateway_group_id, groups),
        status: status(node, lag > 0 || is_duplicated),
        version: node.version.clone(),
        revision: u64::try_from(node.revision).unwrap_or(0),
        lag: (lag > 0).then(|| duration(lag)),
        last_contact_at: When::of(node.last_contact_at),
        drift: node.drift.iter().map(|kind| kind.name()).collect(),
        is_duplicated,
    }
}

async fn known(console: &Console, id: &str) -> Result<Node, Failed> {
    let id = NodeId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(nodes::node(console.app(), &console.caller, &id).await?)
}

pub(super) async fn page(console: Console, Path(id): Path<String>) -> Answer {
    let node = known(&console, &id).await?;
    let groups = group_names(&console).await?;
    let lags = receipts::lags(console.app(), std::slice::from_ref(&node)).await?;
    let row = row(&node, lags.first().copied().unwrap_or(0), &groups, console.app().now());
    let is_in_use = node.token_id.is_none() && row.status != Status::Offline;
    let group = Target::GatewayGroup(Some(&node.gateway_group_id));
    console.visit.show(&NodePage {
        removable: !is_in_use && console.may(Action::DeleteGatewayInstance, group),
        node: row,
        address: node.address,
        is_embedded: node.token_id.is_none(),
        applied_at: When::of(node.applied_at),
        created_at: When::of(node.created_at),
    })
}

async fn question(console: &Console, id: &str) -> Result<(NodeId, Confirm), Failed> {
    let node = known(console, id).await?;
    let sharing = nodes::sharing_its_token(console.app(), &console.caller, &node).await?;
    let impact = Impact { kind: ImpactKind::SharingNodes, count: sharing };
    let question = Confirm {
        act: Act::RemoveNode,
        name: node.name,
        impact: Some(impact).filter(|impact| impact.count > 0).into_iter().collect(),
        type_name: false,
        action: provider::remove_node(node.id.as_str()),
        back: provider::node(node.id.as_str()),
        form: Form::new(),
    };
    Ok((node.id, question))
}

pub(super) async fn ask_remove(console: Console, Path(id): Path<String>) -> Answer {
    let (_, question) = question(&console, &id).await?;
    console.visit.show(&question)
}

pub(super) async fn remove(console: Console, Path(id): Path<String>, posted: Posted) -> Answer {
    let (id, question) = question(&console, &id).await?;
    match nodes::remove(console.app(), &console.caller, &id).await {
        Ok(()) => {
            let text = console.say("flash.node_removed", &[("name", &question.name)]);
            Ok(console.visit.done(&provider::nodes(), &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}
