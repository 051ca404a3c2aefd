//! Gateway services and their OpenAPI documents.

use forecourt_core::{
    actors::{Actor, Caller},
    events::EventName,
    gateway_state::{Kind, Resource, Scope},
    ids::{GatewayGroupId, ServiceId},
    lists::{List, Readable},
    openapi::Document,
    permissions::{Action, Target},
    services::{Service, ServiceFilter, ServiceInput, ServiceRefusal},
};
use forecourt_store::{Reader, RuledNoun};
use serde_json::{Value, json};

use crate::{App, Error, ErrorKind, access, plugins, random::OsRandom, upstream_certificates, writes::Write};

/// The services that `filter` wants; an unknown group is not found.
pub async fn list(app: &App, caller: &Caller, filter: ServiceFilter) -> Result<List<Service>, Error> {
    let group = listed_group(app, caller, filter.gateway_group_id.clone()).await?;
    let readable = readable(app, caller, &group).await?;
    Ok(app.read().services(&ServiceFilter { gateway_group_id: Some(group), readable, ..filter }).await?)
}

/// Which services of a group the caller may see.
pub(crate) async fn readable(app: &App, caller: &Caller, group: &GatewayGroupId) -> Result<Readable, Error> {
    access::readable(app, caller, Action::GetPublishedService, RuledNoun::Services(Some(group))).await
}

/// The group whose objects a list shows: the asked one, or the one that the caller's key is bound to. Without either,
/// the call is refused; an unknown group is not found by whoever may see groups.
pub(crate) async fn listed_group(
    app: &App,
    caller: &Caller,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = named_group(caller, asked)?;
    if access::allows(caller, Action::GetGatewayGroup, Target::GatewayGroup(Some(&group))) {
        app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    }
    Ok(group)
}

/// The group that a call is about: the asked one, or the one that the caller's key is bound to.
pub fn named_group(caller: &Caller, asked: Option<GatewayGroupId>) -> Result<GatewayGroupId, Error> {
    match (asked, &caller.actor) {
        (Some(group), _) => Ok(group),
        (None, Actor::GatewayGroupKey(own)) => Ok(own.clone()),
        (None, _) => Err(Error::invalid("invalid_field", "gateway_group_id is required")),
    }
}

/// The group that a new service goes to, where the caller may add to it. Faces ask before they read a body.
pub async fn target_group(
    app: &App,
    caller: &Caller,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = named_group(caller, asked)?;
    access::permits(caller, Action::CreatePublishedService, Target::PublishedService(&group, None))?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

/// As [`target_group`], for a service that is made or replaced under this id.
pub async fn put_group(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = named_group(caller, asked)?;
    may_put(app.read(), caller, id, &group).await?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

async fn may_put(
    read: &Reader,
    caller: &Caller,
    id: &ServiceId,
    group: &GatewayGroupId,
) -> Result<(), Error> {
    let is_there = read.service(id).await?.is_some_and(|service| service.gateway_group_id == *group);
    match is_there {
        true => {
            let target = Target::PublishedService(group, Some(id));
            access::puts(caller, Action::UpdatePublishedService, target)
        }
        false => access::puts(caller, Action::CreatePublishedService, Target::PublishedService(group, None)),
    }
}

/// Whether the caller may do `action` to `service`.
pub(crate) fn may(caller: &Caller, service: &Service, action: Action) -> Result<(), Error> {
    access::permits(caller, action, Target::PublishedService(&service.gateway_group_id, Some(&service.id)))
}

/// Whether there is such a service and the caller may change it. Faces ask before they read a body.
pub async fn changeable(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    group: Option<&GatewayGroupId>,
) -> Result<Service, Error> {
    permitted(caller, app.read().service(id).await?, group, Action::UpdatePublishedService)
}

/// One service; a group that is named must be its own.
pub async fn service(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    group: Option<&GatewayGroupId>,
) -> Result<Service, Error> {
    permitted(caller, app.read().service(id).await?, group, Action::GetPublishedService)
}

/// The service, of the named group, where the caller may do `action` to it.
pub(crate) fn permitted(
    caller: &Caller,
    service: Option<Service>,
    group: Option<&GatewayGroupId>,
    action: Action,
) -> Result<Service, Error> {
    let service = service.filter(|service| group.is_none_or(|group| *group == service.gateway_group_id));
    let service = service.ok_or_else(Error::not_found)?;
    may(caller, &service, action)?;
    Ok(service)
}

/// Makes a service under a fresh id.
pub async fn create(
    app: &App,
    caller: &Caller,
    group: Option<GatewayGroupId>,
    input: ServiceInput,
) -> Result<Service, Error> {
    let id = ServiceId::issue(app.now(), &mut OsRandom);
    put(app, caller, id, group, input).await
}

/// Makes or replaces the service with this id.
pub async fn put(
    app: &App,
    caller: &Caller,
    id: ServiceId,
    group: Option<GatewayGroupId>,
    input: ServiceInput,
) -> Result<Service, Error> {
    let group = named_group(caller, group)?;
    let mut write = app.begin(caller).await?;
    may_put(&write, caller, &id, &group).await?;
    write.gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    let service = put_in(&mut write, id, &group, input).await?;
    write.commit().await?;
    Ok(service)
}

/// Replaces a service by what `edit` makes of it, between reading and writing without a gap.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    group: Option<&GatewayGroupId>,
    edit: impl FnOnce(&Service) -> Result<ServiceInput, E>,
) -> Result<Service, E> {
    let mut write = app.begin(caller).await?;
    let found = write.service(id).await.map_err(Error::from)?;
    let service = permitted(caller, found, group, Action::UpdatePublishedService)?;
    let input = edit(&service)?;
    let service = put_in(&mut write, id.clone(), &service.gateway_group_id, input).await?;
    write.commit().await?;
    Ok(service)
}

/// As [`put`], within a write and without asking who calls.
pub(crate) async fn put_in(
    write: &mut Write<'_>,
    id: ServiceId,
    group: &GatewayGroupId,
    mut input: ServiceInput,
) -> Result<Service, Error> {
    let old = write.service(&id).await?;
    if old.as_ref().is_some_and(|old| old.gateway_group_id != *group) {
        return Err(ServiceRefusal::IdTaken(id).into());
    }
    let created_at = old.as_ref().map_or(write.now, |old| old.created_at);
    let key = input.upstream.as_mut().and_then(|upstream| upstream.client_key.take());
    let mut service = Service::new(id, group.clone(), input, created_at, write.now)?;
    if let Some(upstream) = &mut service.upstream {
        let before = old.as_ref().and_then(|old| old.upstream.as_ref());
        upstream_certificates::show(write, (group, &service.id), upstream, key, before).await?;
    }
    if let Some(old) = &old {
        service.keep(old);
    }
    plugins::refuse_beside_product(write, &service.plugins, &service.id, &service.name).await?;
    let name = if old.is_some() { EventName::ServiceUpdated } else { EventName::ServiceCreated };
    match old {
        Some(_) => write.save_service(&service).await?,
        None => write.insert_service(&service).await?,
    }
    announce(write, &service);
    tell(write, name, &service, json!({ "name": service.name, "hosts": service.hosts }));
    Ok(service)
}

pub(crate) fn announce(write: &mut Write<'_>, service: &Service) {
    let scope = Scope::GatewayGroup(service.gateway_group_id.clone());
    match service.gateway_state() {
        Some(state) => write.put(scope, Resource::Service(Box::new(state))),
        None => write.delete(scope, Kind::Service, service.id.to_string()),
    }
}

/// Deletes a service with its routes; refused while a product links it.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    group: Option<&GatewayGroupId>,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let found = write.service(id).await?;
    let service = permitted(caller, found, group, Action::DeletePublishedService)?;
    if let Some(product) = write.product_of_service(id).await? {
        return Err(ServiceRefusal::Linked { service: service.name, product: product.name }.into());
    }
    let scope = Scope::GatewayGroup(service.gateway_group_id.clone());
    for route in write.routes_of_service(id).await? {
        write.delete(scope.clone(), Kind::Route, route.id.to_string());
    }
    write.delete(scope, Kind::Service, id.to_string());
    write.delete_service(id).await?;
    tell(&mut write, EventName::ServiceDeleted, &service, json!({ "name": service.name }));
    write.commit().await
}

/// A service's OpenAPI text, byte for byte as uploaded; empty where none was.
pub async fn document(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    group: Option<&GatewayGroupId>,
) -> Result<String, Error> {
    service(app, caller, id, group).await?;
    Ok(app.read().service_document(id).await?.unwrap_or_default())
}

/// Stores a service's OpenAPI text; an empty one removes it.
pub async fn replace_document(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    group: Option<&GatewayGroupId>,
    text: &str,
) -> Result<(), Error> {
    changeable(app, caller, id, group).await?;
    // Reading a large document takes a while: done before the transaction.
    let operations = match text {
        "" => None,
        text if text.contains('\0') => {
            return Err(Error::invalid("invalid_field", "raw_openapi must not hold NUL characters"));
        }
        text => Some(operation_count(text.to_owned()).await?),
    };
    let mut write = app.begin(caller).await?;
    let found = write.service(id).await?;
    let mut service = permitted(caller, found, group, Action::UpdatePublishedService)?;
    write.save_service_document(id, operations.map(|operations| (text, operations))).await?;
    service.has_openapi = operations.is_some();
    service.updated_at = write.now;
    write.save_service(&service).await?;
    let detail = json!({ "name": service.name, "operations": operations });
    tell(&mut write, EventName::ServiceDocumentChanged, &service, detail);
    write.commit().await
}

/// How many operations a document describes; read off the async threads, since a large one takes a second.
async fn operation_count(text: String) -> Result<u64, Error> {
    let read = tokio::task::spawn_blocking(move || {
        Document::read("raw_openapi", &text).map(|document| document.operation_count() as u64)
    });
    Ok(read.await.map_err(|_| {
        Error::new(ErrorKind::Internal, "interrupted", "reading the document was interrupted")
    })??)
}

fn tell(write: &mut Write<'_>, name: EventName, service: &Service, detail: Value) {
    write.tell(name, "service", service.id.as_str(), None, detail);
}
