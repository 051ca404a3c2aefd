//! Gateway services: a new one, the page of one, its OpenAPI document, deleting.

pub(super) mod routes;

use axum::extract::Path;
use forecourt_app::{
    Error,
    impacts::{self, ServiceOwner},
    services,
};
use forecourt_core::{
    gateway_groups::GatewayGroup,
    gateway_state::UpstreamNode,
    ids::ServiceId,
    services::{
        Service, ServiceInput,
        upstreams::{UpstreamInput, UpstreamNodeInput},
    },
};

use super::{Answer, Console, DOCUMENT_FORM, gateway, rows};
use crate::{
    confirm::{Act, Confirm},
    display::{Reference, When},
    errors::FailureKind,
    forms::Form,
    handling::{Failed, Posted},
    links::provider,
    provider::gateway::{NewService, ServiceDocument, ServicePage, ServiceRow},
};

const FIELDS: &[(&str, &str)] = &[
    ("name", "name"),
    ("hosts", "hosts"),
    ("path_prefix", "path_prefix"),
    ("upstream.scheme", "scheme"),
    ("upstream", "upstreams"),
];

/// A service as lists show it.
pub(super) fn row(service: &Service, owner: Option<&ServiceOwner>) -> ServiceRow {
    let nodes = service.upstream.as_ref().map(|upstream| upstream.nodes.as_slice()).unwrap_or_default();
    ServiceRow {
        id: service.id.to_string(),
        name: service.name.clone(),
        hosts: service.hosts.clone(),
        path_prefix: service.path_prefix.clone(),
        upstreams: nodes.iter().map(node).collect(),
        product: owner.map(|owner| {
            let href = provider::product(owner.portal_id.as_str(), owner.product_id.as_str());
            Reference::new(owner.product_name.clone(), href)
        }),
    }
}

fn node(node: &UpstreamNode) -> String {
    let host = if node.host.contains(':') { format!("[{}]", node.host) } else { node.host.clone() };
    if node.weight == 1 {
        format!("{host}:{}", node.port)
    } else {
        format!("{host}:{}\u{a0}×\u{a0}{}", node.port, node.weight)
    }
}

/// A node as the form has it: what [`read_node`] reads.
fn node_line(node: &UpstreamNodeInput) -> String {
    let host = if node.host.contains(':') { format!("[{}]", node.host) } else { node.host.clone() };
    match (node.weight, node.priority) {
        (1, 0) => format!("{host}:{}", node.port),
        (weight, 0) => format!("{host}:{} {weight}", node.port),
        (weight, priority) => format!("{host}:{} {weight} {priority}", node.port),
    }
}

/// Reads `host:port`, maybe a weight, and maybe a priority; `None` for anything else.
fn read_node(line: &str) -> Option<UpstreamNodeInput> {
    let mut words = line.split_whitespace();
    let (host, port) = words.next()?.rsplit_once(':')?;
    let weight = words.next().map_or(Some(1), |weight| weight.parse().ok())?;
    let priority = words.next().map_or(Some(0), |priority| priority.parse().ok())?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let whole = words.next().is_none() && !host.is_empty();
    whole.then_some(UpstreamNodeInput { host: host.to_owned(), port: port.parse().ok()?, weight, priority })
}

pub(super) fn group_reference(group: &GatewayGroup) -> Reference {
    Reference::new(group.name.clone(), provider::group(group.id.as_str()))
}

fn new_view(group: &GatewayGroup, form: Form) -> NewService {
    NewService {
        group: group_reference(group),
        group_id: group.id.to_string(),
        service: None,
        action: provider::new_service(group.id.as_str()),
        form,
    }
}

fn edit_view(group: &GatewayGroup, service: &Service, form: Form) -> NewService {
    let (group_id, id) = (group.id.as_str(), service.id.as_str());
    NewService {
        service: Some(Reference::new(service.name.clone(), provider::service(group_id, id))),
        action: provider::edit_service(group_id, id),
        ..new_view(group, form)
    }
}

/// The nodes that were typed; else the form that says what is wrong with them.
fn nodes(console: &Console, posted: &Posted) -> Result<Vec<UpstreamNodeInput>, Form> {
    let refused = |sentence: String| rows::refused_field(posted, "upstreams", sentence);
    let lines = rows::lines(posted.text("upstreams"));
    if lines.is_empty() {
        return Err(refused(console.say("error.upstream_missing", &[])));
    }
    let read = |line: &String| {
        read_node(line).ok_or_else(|| refused(console.say("error.upstream_line", &[("line", line)])))
    };
    lines.iter().map(read).collect()
}

pub(super) async fn new_form(console: Console, Path(group): Path<String>) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let form = Form::new().with("scheme", "http").with("strip_path_prefix", "true");
    console.visit.show(&new_view(&group, form))
}

pub(super) async fn create(console: Console, Path(group): Path<String>, posted: Posted) -> Answer {
    let group = gateway::known(&console, &group).await?;
    let nodes = match nodes(&console, &posted) {
        Ok(nodes) => nodes,
        Err(form) => return console.visit.show_refused(&new_view(&group, form)),
    };
    let input = ServiceInput {
        name: Some(posted.text("name").trim().to_owned()),
        hosts: Some(rows::lines(posted.text("hosts"))),
        path_prefix: posted.given("path_prefix").map(|prefix| prefix.trim().to_owned()),
        strip_path_prefix: Some(posted.ticked("strip_path_prefix")),
        upstream: Some(UpstreamInput {
            scheme: posted.given("scheme").map(str::to_owned),
            nodes,
            ..Default::default()
        }),
        ..Default::default()
    };
    match services::create(console.app(), &console.caller, Some(group.id.clone()), input).await {
        Ok(service) => {
            let text = console.say("flash.service_created", &[("name", &service.name)]);
            Ok(console.visit.done(&provider::service(group.id.as_str(), service.id.as_str()), &text))
        }
        Err(error) => console.visit.show_refused(&new_view(&group, posted.refused(error, FIELDS)?)),
    }
}

pub(super) async fn edit_form(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, service) = known(&console, &group, &id).await?;
    let upstream = service.to_input().upstream.unwrap_or_default();
    let lines: Vec<_> = upstream.nodes.iter().map(node_line).collect();
    let form = Form::new()
        .with("name", &service.name)
        .with("upstreams", lines.join("\n"))
        .with("scheme", upstream.scheme.unwrap_or_else(|| "http".to_owned()))
        .with("hosts", service.hosts.join("\n"))
        .with("path_prefix", service.path_prefix.clone().unwrap_or_default())
        .with("strip_path_prefix", service.strip_path_prefix.to_string())
        .with("enabled", service.enabled.to_string());
    console.visit.show(&edit_view(&group, &service, form))
}

pub(super) async fn save(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, service) = known(&console, &group, &id).await?;
    let nodes = match nodes(&console, &posted) {
        Ok(nodes) => nodes,
        Err(form) => return console.visit.show_refused(&edit_view(&group, &service, form)),
    };
    // Whatever the form does not show stays: plugins, labels, how the upstream is balanced and encrypted.
    let edit = |service: &Service| {
        let input = service.to_input();
        let upstream = input.upstream.clone().unwrap_or_default();
        Ok::<_, Error>(ServiceInput {
            name: Some(posted.text("name").trim().to_owned()),
            hosts: Some(rows::lines(posted.text("hosts"))),
            path_prefix: posted.given("path_prefix").map(|prefix| prefix.trim().to_owned()),
            strip_path_prefix: Some(posted.ticked("strip_path_prefix")),
            status: Some(i64::from(posted.ticked("enabled"))),
            upstream: Some(UpstreamInput {
                scheme: posted.given("scheme").map(str::to_owned).or(upstream.scheme.clone()),
                nodes,
                ..upstream
            }),
            ..input
        })
    };
    match services::change(console.app(), &console.caller, &service.id, Some(&group.id), edit).await {
        Ok(_) => {
            let link = provider::service(group.id.as_str(), service.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            console.visit.show_refused(&edit_view(&group, &service, posted.refused(error, FIELDS)?))
        }
    }
}

/// The service that a path names, with its group.
pub(super) async fn known(
    console: &Console,
    group: &str,
    id: &str,
) -> Result<(GatewayGroup, Service), Failed> {
    let group = gateway::known(console, group).await?;
    let id = ServiceId::parse(id).ok_or(FailureKind::NotFound)?;
    let service = services::service(console.app(), &console.caller, &id, Some(&group.id)).await?;
    Ok((group, service))
}

pub(super) async fn page(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, service) = known(&console, &group, &id).await?;
    let ids = std::slice::from_ref(&service.id);
    let owners = impacts::owners_of_services(console.app(), &console.caller, ids).await?;
    let view = ServicePage {
        routes: routes::of_service(&console, &service).await?,
        service: row(&service, owners.get(&service.id)),
        documented: service.has_openapi,
        updated_at: When::of(service.updated_at),
        activity: rows::activity(&console, "service", service.id.as_str()).await?,
        group: group_reference(&group),
        group_id: group.id.to_string(),
    };
    console.visit.show(&view)
}

fn document_view(group: &GatewayGroup, service: &Service, form: Form) -> ServiceDocument {
    let href = provider::service(group.id.as_str(), service.id.as_str());
    ServiceDocument {
        group_id: group.id.to_string(),
        service: Reference::new(service.name.clone(), href),
        service_id: service.id.to_string(),
        form,
    }
}

pub(super) async fn document_form(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, service) = known(&console, &group, &id).await?;
    let text = services::document(console.app(), &console.caller, &service.id, Some(&group.id)).await?;
    console.visit.show(&document_view(&group, &service, Form::new().with("document", text)))
}

pub(super) async fn save_document(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    posted: Posted<DOCUMENT_FORM>,
) -> Answer {
    let (group, service) = known(&console, &group, &id).await?;
    let (app, caller, text) = (console.app(), &console.caller, posted.text("document"));
    match services::replace_document(app, caller, &service.id, Some(&group.id), text).await {
        Ok(()) => {
            let link = provider::service(group.id.as_str(), service.id.as_str());
            Ok(console.visit.done(&link, &console.say("flash.saved", &[])))
        }
        Err(error) => {
            let form = posted.refused(error, &[("raw_openapi", "document")])?;
            console.visit.show_refused(&document_view(&group, &service, form))
        }
    }
}

fn question(group: &GatewayGroup, service: &Service) -> Confirm {
    Confirm {
        act: Act::DeleteService,
        name: service.name.clone(),
        impact: Vec::new(),
        type_name: true,
        action: provider::delete_service(group.id.as_str(), service.id.as_str()),
        back: provider::service(group.id.as_str(), service.id.as_str()),
        form: Form::new(),
    }
}

pub(super) async fn ask_delete(console: Console, Path((group, id)): Path<(String, String)>) -> Answer {
    let (group, service) = known(&console, &group, &id).await?;
    console.visit.show(&question(&group, &service))
}

pub(super) async fn delete(
    console: Console,
    Path((group, id)): Path<(String, String)>,
    posted: Posted,
) -> Answer {
    let (group, service) = known(&console, &group, &id).await?;
    let question = question(&group, &service);
    if let Some(again) = rows::wrong_name(&console, &question, &posted) {
        return console.visit.show_refused(&again);
    }
    match services::delete(console.app(), &console.caller, &service.id, Some(&group.id)).await {
        Ok(()) => {
            let text = console.say("flash.deleted", &[("name", &service.name)]);
            Ok(console.visit.done(&provider::group(group.id.as_str()), &text))
        }
        Err(error) => console.visit.show_refused(&rows::refused_act(&question, &posted, error)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_host_a_port_and_maybe_a_weight() {
        let read = |line| read_node(line).map(|node| (node.host, node.port, node.weight));
        assert_eq!(read("10.0.0.7:8080"), Some(("10.0.0.7".to_owned(), 8080, 1)));
        assert_eq!(read("[::1]:80 3"), Some(("::1".to_owned(), 80, 3)));
        for line in ["10.0.0.7:8080", "[::1]:80 3", "a:80 0", "a:80 1 -2"] {
            assert_eq!(node_line(&read_node(line).unwrap()), line);
        }
        for line in ["10.0.0.7", ":80", "a:b", "a:80 x", "a:80 1 x", "a:80 1 2 3"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
