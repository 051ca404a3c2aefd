//! Gateway services and their OpenAPI documents.

use forecourt_core::{
    actors::{Actor, Area, Caller},
    events::EventName,
    gateway_state::{Kind, Resource, Scope},
    ids::{GatewayGroupId, ServiceId},
    lists::List,
    openapi::Document,
    services::{Service, ServiceFilter, ServiceInput, ServiceRefusal},
};
use serde_json::{Value, json};

use crate::{App, Error, ErrorKind, access, plugins, random::OsRandom, upstream_certificates, writes::Write};

/// The services that `filter` wants; an unknown group is not found.
pub async fn list(app: &App, caller: &Caller, mut filter: ServiceFilter) -> Result<List<Service>, Error> {
    filter.gateway_group_id = listed_group(app, caller, filter.gateway_group_id).await?;
    match filter.gateway_group_id {
        Some(_) => Ok(app.read().services(&filter).await?),
        None => Ok(List { rows: Vec::new(), total: 0 }),
    }
}

/// The group whose objects a list shows: the asked one, or the one that the caller's key is bound to.
/// `None`: the caller sees no row. Without either, the call is refused.
pub(crate) async fn listed_group(
    app: &App,
    caller: &Caller,
    asked: Option<GatewayGroupId>,
) -> Result<Option<GatewayGroupId>, Error> {
    let group = named_group(caller, asked)?;
    let open = access::lists(caller, Area::GatewayGroup(&group))?;
    if open && app.read().gateway_group(&group).await?.is_none() {
        return Err(Error::not_found());
    }
    Ok(open.then_some(group))
}

/// The group that a call is about: the asked one, or the one that the caller's key is bound to.
pub fn named_group(caller: &Caller, asked: Option<GatewayGroupId>) -> Result<GatewayGroupId, Error> {
    match (asked, &caller.actor) {
        (Some(group), _) => Ok(group),
        (None, Actor::GatewayGroupKey(own)) => Ok(own.clone()),
        (None, _) => Err(Error::invalid("invalid_field", "gateway_group_id is required")),
    }
}

/// The group that a create or replacement goes to, where the caller may add to it. Faces ask before they read a body.
pub async fn target_group(
    app: &App,
    caller: &Caller,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = named_group(caller, asked)?;
    access::adds(caller, Area::GatewayGroup(&group))?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

/// One service; a group that is named must be its own.
pub async fn service(
    app: &App,
    caller: &Caller,
    id: &ServiceId,
    group: Option<&GatewayGroupId>,
) -> Result<Service, Error> {
    let service = app.read().service(id).await?;
    visible(caller, service, group)
}

pub(crate) fn visible(
    caller: &Caller,
    service: Option<Service>,
    group: Option<&GatewayGroupId>,
) -> Result<Service, Error> {
    let service = service.filter(|service| group.is_none_or(|group| *group == service.gateway_group_id));
    let service = service.ok_or_else(Error::not_found)?;
    access::sees(caller, Area::GatewayGroup(&service.gateway_group_id))?;
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
    access::adds(caller, Area::GatewayGroup(&group))?;
    let mut write = app.begin(caller).await?;
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
    let service = visible(caller, write.service(id).await.map_err(Error::from)?, group)?;
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
        service.keep(old)?;
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
        Some(state) => write.put(scope, Resource::Service(state)),
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
    let service = visible(caller, write.service(id).await?, group)?;
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
    let existing = app.read().service(id).await?;
    visible(caller, existing, group)?;
    // Reading a large document takes a while: done before the transaction.
    let operations = match text {
        "" => None,
        text if text.contains('\0') => {
            return Err(Error::invalid("invalid_field", "raw_openapi must not hold NUL characters"));
        }
        text => Some(operation_count(text.to_owned()).await?),
    };
    let mut write = app.begin(caller).await?;
    let mut service = visible(caller, write.service(id).await?, group)?;
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
