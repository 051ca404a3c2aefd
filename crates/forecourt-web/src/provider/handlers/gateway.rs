//! Gateway groups: the list, a new one, and the page of one with its services.

use axum::extract::Path;
use forecourt_app::{gateway_groups, impacts, services};
use forecourt_core::{
    gateway_groups::{GatewayGroup, GatewayGroupFilter, GatewayGroupInput},
    ids::GatewayGroupId,
    lists::{Direction, Order, TimeOrder},
    services::ServiceFilter,
};

use super::{Answer, Console, PAGE_SIZE, rows, services::row};
use crate::{
    display::When,
    errors::FailureKind,
    forms::Form,
    handling::{Asked, Failed, Posted},
    links::provider,
    provider::gateway::{GroupList, GroupPage, GroupRow, NewGroup},
};

pub(super) async fn list(console: Console) -> Answer {
    let oldest_first = Order { by: TimeOrder::CreatedAt, direction: Direction::Ascending };
    let filter = GatewayGroupFilter { order: oldest_first, ..Default::default() };
    let groups = gateway_groups::list(console.app(), &console.caller, filter).await?.rows;
    let ids: Vec<_> = groups.iter().map(|group| group.id.clone()).collect();
    let counts = impacts::services_of_groups(console.app(), &console.caller, &ids).await?;
    let row = |group: GatewayGroup| GroupRow {
        services: counts.get(&group.id).copied().unwrap_or(0),
        id: group.id.to_string(),
        name: group.name,
        description: group.desc,
        created_at: When::of(group.created_at),
    };
    console.visit.show(&GroupList { groups: groups.into_iter().map(row).collect() })
}

pub(super) async fn new_form(console: Console) -> Answer {
    console.visit.show(&NewGroup { form: Form::new() })
}

pub(super) async fn create(console: Console, posted: Posted) -> Answer {
    let input = GatewayGroupInput {
        name: Some(posted.text("name").trim().to_owned()),
        desc: Some(posted.text("desc").to_owned()),
        labels: None,
    };
    match gateway_groups::create(console.app(), &console.caller, input).await {
        Ok(group) => {
            let text = console.say("flash.group_created", &[("name", &group.name)]);
            Ok(console.visit.done(&provider::group(group.id.as_str()), &text))
        }
        Err(error) => {
            let form = posted.refused(error, &[("name", "name"), ("desc", "desc")])?;
            console.visit.show_refused(&NewGroup { form })
        }
    }
}

/// The group that a path names.
pub(super) async fn known(console: &Console, id: &str) -> Result<GatewayGroup, Failed> {
    let id = GatewayGroupId::parse(id).ok_or(FailureKind::NotFound)?;
    Ok(gateway_groups::group(console.app(), &console.caller, &id).await?)
}

pub(super) async fn page(console: Console, Path(id): Path<String>, asked: Asked) -> Answer {
    let group = known(&console, &id).await?;
    let filter = ServiceFilter {
        gateway_group_id: Some(group.id.clone()),
        paging: asked.paging(PAGE_SIZE),
        ..Default::default()
    };
    let found = services::list(console.app(), &console.caller, filter).await?;
    let ids: Vec<_> = found.rows.iter().map(|service| service.id.clone()).collect();
    let owners = impacts::owners_of_services(console.app(), &console.caller, &ids).await?;
    let view = GroupPage {
        paging: rows::paging(&provider::group(group.id.as_str()), &[], asked.page(), found.total),
        services: found.rows.iter().map(|service| row(service, owners.get(&service.id))).collect(),
        activity: rows::activity(&console, "gateway_group", group.id.as_str()).await?,
        id: group.id.to_string(),
        name: group.name,
        description: group.desc,
    };
    console.visit.show(&view)
}
