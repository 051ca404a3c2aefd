//! Plugins of services and routes, and global rules, as JSON that is checked like that of the Admin API.

use axum::extract::Path;
use forecourt_app::{Error, group_objects, routes, services as app_services};
use forecourt_core::{
    gateway_groups::GatewayGroup,
    group_objects::{GroupObject, GroupObjectFilter, GroupObjectInput, GroupObjectKind},
    lists::{Direction, Order, Paging, TextFilter, TimeOrder},
    plugins::NAMES,
    routes::{Route, RouteInput},
    services::{Service, ServiceInput},
};
use serde_json::{Map, Value};

use super::{Answer, Console, gateway, rows, services};
use crate::{
    confirm::{Act, Confirm},
    display::{Reference, When},
    forms::Form,
    handling::{Failed, Posted},
    links::{Link, provider},
    provider::plugins::{Holder, PluginsForm, RuleList, RuleRow},
};

const RULE: GroupObjectKind = GroupObjectKind::GlobalRule;

/// Plugins as people read them.
fn text(plugins: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(plugins).unwrap_or_default()
}

/// The plugins that were typed; else the form that says what is wrong with them.
fn typed(console: &Console, posted: &Posted) -> Result<Map<String, Value>, Form> {
    match posted.text("plugins").trim() {
        "" => Ok(Map::new()),
        typed => serde_json::from_str(typed).map_err(|problem| {
            let sentence = console.say("error.no_json_object", &[("problem", &problem.to_string())]);
            rows::refused_field(posted, "plugins", sentence)
        }),
    }
}

fn view(
    holder: Holder,
    name: &str,
    (above, action, back): (Vec<Reference>, Link, Link),
    form: Form,
) -> PluginsForm {
    PluginsForm { holder, name: name.to_owned(), above, known: NAMES.to_vec(), action, back, form }
}

fn service_view(group: &GatewayGroup, service: &Service, form: Form) -> PluginsForm {
    let (group_id, id) = (group.id.as_str(), service.id.as_str());
    let back = provider::service(group_id, id);
    let above = vec![services::group_reference(group), Reference::new(service.name.clone(), back.clone())];
    view(Holder::Service, &service.name, (above, provider::service_plugins(group_id, id), back), form)
}

pub(super) async fn of_service(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, service) = services::known(&console, &group, &id).await?;
    let form = Form::new().with("plugins", text(service.plugins.given()));
    console.visit.show(&service_view(&group, &service, form))
}

pub(super) async fn save_of_service(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, service) = services::known(&console, &group, &id).await?;
    let plugins = match typed(&console, &posted) {
        Ok(plugins) => plugins,
        Err(form) => return console.visit.show_refused(&service_view(&group, &service, form)),
    };
    let edit =
        |service: &Service| Ok::<_, Error>(ServiceInput { plugins: Some(plugins), ..service.to_input() });
    match app_services::change(console.app(), &console.caller, &service.id, Some(&group.id), edit).await {
        Ok(_) => {
            let link = provider::service(group.id.as_str(), service.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            console.visit.show_refused(&service_view(&group, &service, posted.refused(error, &[])?))
        }
    }
}

fn route_view(group: &GatewayGroup, service: &Service, route: &Route, form: Form) -> PluginsForm {
    let (group_id, id) = (group.id.as_str(), service.id.as_str());
    let back = provider::service(group_id, id);
    let above = vec![services::group_reference(group), Reference::new(service.name.clone(), back.clone())];
    let action = provider::route_plugins(group_id, id, route.id.as_str());
    view(Holder::Route, &route.name, (above, action, back), form)
}

pub(super) async fn of_route(console: Console, Path(path): Path<(String, String, String)>) -> Answer {
    let (group, service, route) = services::routes::known_route(&console, &path).await?;
    let form = Form::new().with("plugins", text(route.plugins.given()));
    console.visit.show(&route_view(&group, &service, &route, form))
}

pub(super) async fn save_of_route(
    console: Console,
    Path(path): Path<(String, String, String)>,
    posted: Posted,
) -> Answer {
    let (group, service, route) = services::routes::known_route(&console, &path).await?;
    let plugins = match typed(&console, &posted) {
        Ok(plugins) => plugins,
        Err(form) => return console.visit.show_refused(&route_view(&group, &service, &route, form)),
    };
    let edit = |route: &Route| {
        let input = RouteInput { plugins: Some(plugins), ..route.to_input() };
        Ok::<_, Error>((route.service_id.to_string(), input))
    };
    match routes::change(console.app(), &console.caller, &route.id, Some(&group.id), edit).await {
        Ok(_) => {
            let link = provider::service(group.id.as_str(), service.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, &[])?;
            console.visit.show_refused(&route_view(&group, &service, &route, form))
        }
    }
}

pub(super) async fn rules(console: Console, Path(group): Path<String>) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let filter = GroupObjectFilter {
        kind: RULE,
        gateway_group_id: group.id.clone(),
        text: TextFilter::default(),
        order: Order { by: TimeOrder::CreatedAt, direction: Direction::Ascending },
        paging: Paging::All,
    };
    let found = group_objects::list(console.app(), &console.caller, &filter).await?.rows;
    let row = |rule: GroupObject| RuleRow {
        name: title(&rule).to_owned(),
        plugins: rule.plugins.given().keys().cloned().collect(),
        updated_at: When::of(rule.updated_at),
        id: rule.id,
    };
    console.visit.show(&RuleList {
        group: services::group_reference(&group),
        group_id: group.id.to_string(),
        rules: found.into_iter().map(row).collect(),
    })
}

fn title(rule: &GroupObject) -> &str {
    if rule.name.is_empty() { &rule.id } else { &rule.name }
}

fn rule_view(group: &GatewayGroup, rule: Option<&GroupObject>, form: Form) -> PluginsForm {
    let id = group.id.as_str();
    let above = vec![services::group_reference(group)];
    match rule {
        None => view(Holder::NewRule, "", (above, provider::new_rule(id), provider::rules(id)), form),
        Some(rule) => {
            let links = (above, provider::edit_rule(id, &rule.id), provider::rules(id));
            view(Holder::Rule, title(rule), links, form)
        }
    }
}

pub(super) async fn new_rule(console: Console, Path(group): Path<String>) -> Answer {
    let group = gateway::known(&console, &group).await?;
    console.visit.show(&rule_view(&group, None, Form::new()))
}

pub(super) async fn create_rule(console: Console, Path(group): Path<String>, posted: Posted) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let plugins = match typed(&console, &posted) {
        Ok(plugins) => plugins,
        Err(form) => return console.visit.show_refused(&rule_view(&group, None, form)),
    };
    let input = GroupObjectInput {
        name: Some(posted.text("name").trim().to_owned()),
        plugins: Some(plugins),
        ..Default::default()
    };
    match group_objects::create(console.app(), &console.caller, RULE, group.id.clone(), input).await {
        Ok(_) => {
            let link = provider::rules(group.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, &[("name", "name")])?;
            console.visit.show_refused(&rule_view(&group, None, form))
        }
    }
}

/// The rule that a path names, with its group.
async fn known(console: &Console, group: &str, id: &str) -> Result<(GatewayGroup, GroupObject), Failed> {
    let group = gateway::known(console, group).await?;
    let rule = group_objects::object(console.app(), &console.caller, RULE, id, Some(&group.id)).await?;
    Ok((group, rule))
}

pub(super) async fn edit_rule(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, rule) = known(&console, &group, &id).await?;
    let form = Form::new().with("name", &rule.name).with("plugins", text(rule.plugins.given()));
    console.visit.show(&rule_view(&group, Some(&rule), form))
}

pub(super) async fn save_rule(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, rule) = known(&console, &group, &id).await?;
    let plugins = match typed(&console, &posted) {
        Ok(plugins) => plugins,
        Err(form) => return console.visit.show_refused(&rule_view(&group, Some(&rule), form)),
    };
    let edit = |rule: &GroupObject| {
        Ok::<_, Error>(GroupObjectInput {
            name: Some(posted.text("name").trim().to_owned()),
            desc: Some(rule.desc.clone()),
            labels: Some(rule.labels.pairs().clone()),
            service_id: rule.service_id.as_ref().map(ToString::to_string),
            plugins: Some(plugins),
            extra: rule.extra.clone(),
        })
    };
    let (app, caller) = (console.app(), &console.caller);
    match group_objects::change(app, caller, RULE, &rule.id, Some(&group.id), edit).await {
        Ok(_) => {
            let link = provider::rules(group.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, &[("name", "name")])?;
            console.visit.show_refused(&rule_view(&group, Some(&rule), form))
        }
    }
}

fn question(group: &GatewayGroup, rule: &GroupObject) -> Confirm {
    Confirm {
        act: Act::DeleteRule,
        name: title(rule).to_owned(),
        impact: Vec::new(),
        type_name: false,
        action: provider::delete_rule(group.id.as_str(), &rule.id),
        back: provider::rules(group.id.as_str()),
        form: Form::new(),
    }
}

pub(super) async fn ask_delete(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, rule) = known(&console, &group, &id).await?;
    console.visit.show(&question(&group, &rule))
}

pub(super) async fn delete(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    _posted: Posted,
) -> Answer {
    let (group, rule) = known(&console, &group, &id).await?;
    let question = question(&group, &rule);
    group_objects::delete(console.app(), &console.caller, RULE, &rule.id, Some(&group.id)).await?;
    let text = console.say("flash.deleted", &[("name", &question.name)]);
    Ok(console.visit.done(&question.back, &text))
}
