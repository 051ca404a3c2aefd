//! Gateway routes.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    gateway_state::{Kind, Resource, Scope},
    ids::{GatewayGroupId, RouteId, ServiceId},
    lists::List,
    permissions::{Action, Target},
    routes::{Route, RouteFilter, RouteInput, RouteRefusal},
    services::Service,
};
use forecourt_store::Reader;
use serde_json::json;

use crate::{App, Error, ErrorKind, access, plugins, random::OsRandom, services, writes::Write};

/// The routes that `filter` wants, of services that the caller may see; an unknown group is not found.
pub async fn list(app: &App, caller: &Caller, filter: RouteFilter) -> Result<List<Route>, Error> {
    let group = services::listed_group(app, caller, filter.gateway_group_id.clone()).await?;
    let readable = services::readable(app, caller, &group).await?;
    Ok(app.read().routes(&RouteFilter { gateway_group_id: Some(group), readable, ..filter }).await?)
}

/// One route; a group that is named must be its own.
pub async fn route(
    app: &App,
    caller: &Caller,
    id: &RouteId,
    group: Option<&GatewayGroupId>,
) -> Result<Route, Error> {
    permitted(caller, app.read().route(id).await?, group, Action::GetPublishedService)
}

/// Whether there is such a route and the caller may change it. Faces ask before they read a body.
pub async fn changeable(
    app: &App,
    caller: &Caller,
    id: &RouteId,
    group: Option<&GatewayGroupId>,
) -> Result<Route, Error> {
    permitted(caller, app.read().route(id).await?, group, Action::UpdatePublishedService)
}

/// The route, of the named group, where the caller may do `action` to its service.
fn permitted(
    caller: &Caller,
    route: Option<Route>,
    group: Option<&GatewayGroupId>,
    action: Action,
) -> Result<Route, Error> {
    let route = route.filter(|route| group.is_none_or(|group| *group == route.gateway_group_id));
    let route = route.ok_or_else(Error::not_found)?;
    access::permits(
        caller,
        action,
        Target::PublishedService(&route.gateway_group_id, Some(&route.service_id)),
    )?;
    Ok(route)
}

/// The group that a route goes to that is made or replaced, under this id where one is given. Whether the caller may
/// change the service that it is for is asked when that is known. Faces ask before they read a body.
pub async fn target_group(
    app: &App,
    caller: &Caller,
    id: Option<&RouteId>,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = services::named_group(caller, asked)?;
    may_put(app.read(), caller, id, &group).await?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

async fn may_put(
    read: &Reader,
    caller: &Caller,
    id: Option<&RouteId>,
    group: &GatewayGroupId,
) -> Result<(), Error> {
    let old = match id {
        Some(id) => read.route(id).await?.filter(|route| route.gateway_group_id == *group),
        None => None,
    };
    match old {
        Some(old) => {
            let target = Target::PublishedService(group, Some(&old.service_id));
            access::puts(caller, Action::UpdatePublishedService, target)
        }
        None => access::permits_within(caller, group, Action::UpdatePublishedService),
    }
}

/// Makes a route under a fresh id.
pub async fn create(
    app: &App,
    caller: &Caller,
    group: Option<GatewayGroupId>,
    service: &str,
    input: RouteInput,
) -> Result<Route, Error> {
    let id = RouteId::issue(app.now(), &mut OsRandom);
    put(app, caller, id, group, service, input).await
}

/// Makes or replaces the route with this id, of the service with the id `service`.
pub async fn put(
    app: &App,
    caller: &Caller,
    id: RouteId,
    group: Option<GatewayGroupId>,
    service: &str,
    input: RouteInput,
) -> Result<Route, Error> {
    let group = services::named_group(caller, group)?;
    let mut write = app.begin(caller).await?;
    may_put(&write, caller, Some(&id), &group).await?;
    write.gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    let route = put_in(&mut write, id, &group, service, input).await?;
    write.commit().await?;
    Ok(route)
}

/// Replaces a route by what `edit` makes of it, with the id of its service, between reading and writing without a gap.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &RouteId,
    group: Option<&GatewayGroupId>,
    edit: impl FnOnce(&Route) -> Result<(String, RouteInput), E>,
) -> Result<Route, E> {
    let mut write = app.begin(caller).await?;
    let found = write.route(id).await.map_err(Error::from)?;
    let route = permitted(caller, found, group, Action::UpdatePublishedService)?;
    let (service, input) = edit(&route)?;
    let route = put_in(&mut write, id.clone(), &route.gateway_group_id, &service, input).await?;
    write.commit().await?;
    Ok(route)
}

/// As [`put`], within a write; of who calls only what they may do to the service is asked.
pub(crate) async fn put_in(
    write: &mut Write<'_>,
    id: RouteId,
    group: &GatewayGroupId,
    service: &str,
    input: RouteInput,
) -> Result<Route, Error> {
    let old = write.route(&id).await?;
    if old.as_ref().is_some_and(|old| old.gateway_group_id != *group) {
        return Err(RouteRefusal::IdTaken(id).into());
    }
    let service = service_of_group(write, service, group).await?;
    let created_at = old.as_ref().map_or(write.now, |old| old.created_at);
    let route = Route::new(id, service.id.clone(), group.clone(), input, created_at, write.now)?;
    if let Some(upstream) = route.upstream_id.clone().filter(|id| !service.has_upstream(id)) {
        return Err(RouteRefusal::UnknownUpstream { upstream, service: service.name }.into());
    }
    plugins::refuse_beside_product(write, &route.plugins, &service.id, &service.name).await?;
    let name = if old.is_some() { EventName::RouteUpdated } else { EventName::RouteCreated };
    match old {
        Some(_) => write.save_route(&route).await?,
        None => write.insert_route(&route).await?,
    }
    write.put(Scope::GatewayGroup(group.clone()), Resource::Route(Box::new(route.gateway_state())));
    tell(write, name, &route);
    Ok(route)
}

async fn service_of_group(
    write: &Write<'_>,
    service: &str,
    group: &GatewayGroupId,
) -> Result<Service, Error> {
    if service.is_empty() {
        return Err(Error::invalid("invalid_field", "service_id is required"));
    }
    let found = match ServiceId::parse(service) {
        Some(id) => write.service(&id).await?,
        None => None,
    };
    let found = found.filter(|found| found.gateway_group_id == *group);
    let unknown = || RouteRefusal::UnknownService(service.to_owned());
    let found = found.ok_or_else(unknown)?;
    match services::may(write.caller(), &found, Action::UpdatePublishedService) {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(unknown().into()),
        permission => permission.map(|()| found),
    }
}

/// Deletes a route.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: &RouteId,
    group: Option<&GatewayGroupId>,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let route = permitted(caller, write.route(id).await?, group, Action::UpdatePublishedService)?;
    write.delete(Scope::GatewayGroup(route.gateway_group_id.clone()), Kind::Route, id.to_string());
    write.delete_route(id).await?;
    tell(&mut write, EventName::RouteDeleted, &route);
    write.commit().await
}

fn tell(write: &mut Write<'_>, name: EventName, route: &Route) {
    let detail = json!({ "name": route.name, "service_id": route.service_id, "paths": route.paths });
    write.tell(name, "route", route.id.as_str(), None, detail);
}
