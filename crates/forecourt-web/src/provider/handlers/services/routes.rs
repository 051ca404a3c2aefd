//! Routes of a service: the rows of its page, a new one, deleting.

use axum::extract::Path;
use forecourt_app::routes;
use forecourt_core::{
    gateway_groups::GatewayGroup,
    ids::RouteId,
    lists::{Direction, Order, TimeOrder},
    routes::{Route, RouteFilter, RouteInput},
    services::Service,
};

use super::{Answer, Console, known, rows};
use crate::{
    confirm::{Act, Confirm},
    display::Reference,
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::gateway::{NewRoute, RouteRow},
};

/// Every route of a service, oldest first.
pub(super) async fn of_service(console: &Console, service: &Service) -> Result<Vec<RouteRow>, Failed> {
    let filter = RouteFilter {
        gateway_group_id: Some(service.gateway_group_id.clone()),
        service_id: Some(service.id.clone()),
        order: Order { by: TimeOrder::CreatedAt, direction: Direction::Ascending },
        ..Default::default()
    };
    let found = routes::list(console.app(), &console.caller, filter).await?.rows;
    let row = |route: Route| RouteRow {
        id: route.id.to_string(),
        name: route.name,
        methods: route.methods,
        paths: route.paths,
    };
    Ok(found.into_iter().map(row).collect())
}

fn new_view(group: &GatewayGroup, service: &Service, form: Form) -> NewRoute {
    let href = provider::service(group.id.as_str(), service.id.as_str());
    NewRoute {
        group_id: group.id.to_string(),
        service: Reference::new(service.name.clone(), href),
        service_id: service.id.to_string(),
        form,
    }
}

pub(in super::super) async fn new_form(
    console: Console,
    Path((group, service)): Path<(String, String)>,
) -> Answer {
    let (group, service) = known(&console, &group, &service).await?;
    console.visit.show(&new_view(&group, &service, Form::new()))
}

pub(in super::super) async fn create(
    console: Console,
    Path((group, service)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, service) = known(&console, &group, &service).await?;
    let input = RouteInput {
        name: Some(posted.text("name").trim().to_owned()),
        paths: Some(rows::lines(posted.text("paths"))),
        methods: Some(posted.texts("methods")),
        ..Default::default()
    };
    let (app, caller, id) = (console.app(), &console.caller, service.id.as_str());
    match routes::create(app, caller, Some(group.id.clone()), id, input).await {
        Ok(route) => {
            let text = console.say("flash.route_created", &[("name", &route.name)]);
            Ok(console.visit.done(&provider::service(group.id.as_str(), id), &text))
        }
        Err(error) => {
            let fields = [("name", "name"), ("paths", "paths"), ("methods", "methods")];
            let form = posted.refused(error, &fields)?;
            console.visit.show_refused(&new_view(&group, &service, form))
        }
    }
}

async fn question(
    console: &Console,
    (group, service, id): (String, String, String),
) -> Result<(Route, Confirm), Failed> {
    let (group, service) = known(console, &group, &service).await?;
    let id = RouteId::parse(&id).ok_or(FailureKind::NotFound)?;
    let route = routes::route(console.app(), &console.caller, &id, Some(&group.id)).await?;
    if route.service_id != service.id {
        return Err(FailureKind::NotFound.into());
    }
    let (group, service) = (group.id.as_str(), service.id.as_str());
    let question = Confirm {
        act: Act::DeleteRoute,
        name: route.name.clone(),
        impact: Vec::new(),
        type_name: false,
        action: provider::delete_route(group, service, route.id.as_str()),
        back: provider::service(group, service),
        form: Form::new(),
    };
    Ok((route, question))
}

pub(in super::super) async fn ask_delete(
    console: Console,
    Path(path): Path<(String, String, String)>,
) -> Answer {
    let (_, question) = question(&console, path).await?;
    console.visit.show(&question)
}

pub(in super::super) async fn delete(
    console: Console,
    Path(path): Path<(String, String, String)>,
    _posted: Posted,
) -> Answer {
    let (route, question) = question(&console, path).await?;
    let group = &route.gateway_group_id;
    routes::delete(console.app(), &console.caller, &route.id, Some(group)).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&question.back, &text))
}
