//! Routes of a service: the rows of its page, a new one, deleting.

use axum::extract::Path;
use forecourt_app::{Error, routes};
use forecourt_core::{
    gateway_groups::GatewayGroup,
    ids::RouteId,
    lists::{Direction, Order, TimeOrder},
    routes::{Route, RouteFilter, RouteInput},
    services::Service,
};
use serde_json::Value;

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

const FIELDS: &[(&str, &str)] =
    &[("name", "name"), ("paths", "paths"), ("methods", "methods"), ("vars", "vars")];

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
        route: None,
        action: provider::new_route(group.id.as_str(), service.id.as_str()),
        form,
    }
}

fn edit_view(group: &GatewayGroup, service: &Service, route: &Route, form: Form) -> NewRoute {
    NewRoute {
        route: Some(route.name.clone()),
        action: provider::edit_route(group.id.as_str(), service.id.as_str(), route.id.as_str()),
        ..new_view(group, service, form)
    }
}

/// The route that a path names, with its service and group.
pub(in super::super) async fn known_route(
    console: &Console,
    (group, service, id): &(String, String, String),
) -> Result<(GatewayGroup, Service, Route), Failed> {
    let (group, service) = known(console, group, service).await?;
    let id = RouteId::parse(id).ok_or(FailureKind::NotFound)?;
    let route = routes::route(console.app(), &console.caller, &id, Some(&group.id)).await?;
    if route.service_id != service.id {
        return Err(FailureKind::NotFound.into());
    }
    Ok((group, service, route))
}

/// The conditions that were typed; else the form that says what is wrong with them.
fn typed_vars(console: &Console, posted: &Posted) -> Result<Value, Form> {
    match posted.text("vars").trim() {
        "" => Ok(Value::Array(Vec::new())),
        typed => serde_json::from_str(typed).map_err(|problem| {
            let sentence = console.say("error.no_json_array", &[("problem", &problem.to_string())]);
            rows::refused_field(posted, "vars", sentence)
        }),
    }
}

/// Conditions as people read them, one a line; none: nothing.
fn vars_text(route: &Route) -> String {
    let lines: Vec<_> = route.vars.given().iter().map(|condition| format!("  {condition}")).collect();
    if lines.is_empty() { String::new() } else { format!("[\n{}\n]", lines.join(",\n")) }
}

pub(in super::super) async fn edit_form(
    console: Console,
    Path(path): Path<(String, String, String)>,
) -> Answer {
    let (group, service, route) = known_route(&console, &path).await?;
    let form = Form::new()
        .with("name", &route.name)
        .with("paths", route.paths.join("\n"))
        .with("vars", vars_text(&route));
    let form = route.methods.iter().fold(form, |form, method| form.with("methods", method));
    console.visit.show(&edit_view(&group, &service, &route, form))
}

pub(in super::super) async fn save(
    console: Console,
    Path(path): Path<(String, String, String)>,
    posted: Posted,
) -> Answer {
    let (group, service, route) = known_route(&console, &path).await?;
    let vars = match typed_vars(&console, &posted) {
        Ok(vars) => vars,
        Err(form) => return console.visit.show_refused(&edit_view(&group, &service, &route, form)),
    };
    let edit = |route: &Route| {
        let input = RouteInput {
            name: Some(posted.text("name").trim().to_owned()),
            paths: Some(rows::lines(posted.text("paths"))),
            methods: Some(posted.texts("methods")),
            vars: Some(vars),
            ..route.to_input()
        };
        Ok::<_, Error>((route.service_id.to_string(), input))
    };
    match routes::change(console.app(), &console.caller, &route.id, Some(&group.id), edit).await {
        Ok(_) => {
            let link = provider::service(group.id.as_str(), service.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            console.visit.show_refused(&edit_view(&group, &service, &route, form))
        }
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
    let vars = match typed_vars(&console, &posted) {
        Ok(vars) => vars,
        Err(form) => return console.visit.show_refused(&new_view(&group, &service, form)),
    };
    let input = RouteInput {
        name: Some(posted.text("name").trim().to_owned()),
        paths: Some(rows::lines(posted.text("paths"))),
        methods: Some(posted.texts("methods")),
        vars: Some(vars),
        ..Default::default()
    };
    let (app, caller, id) = (console.app(), &console.caller, service.id.as_str());
    match routes::create(app, caller, Some(group.id.clone()), id, input).await {
        Ok(route) => {
            let text = console.say("flash.route_created", &[("name", &route.name)]);
            Ok(console.visit.done(&provider::service(group.id.as_str(), id), &text))
        }
        Err(error) => {
            let form = posted.refused(error, FIELDS)?;
            console.visit.show_refused(&new_view(&group, &service, form))
        }
    }
}

async fn question(console: &Console, path: (String, String, String)) -> Result<(Route, Confirm), Failed> {
    let (group, service, route) = known_route(console, &path).await?;
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
