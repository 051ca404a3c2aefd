//! Gateway routes.

use forecourt_core::{
    actors::{Area, Caller},
    events::EventName,
    gateway_state::{Kind, Resource, Scope},
    ids::{GatewayGroupId, RouteId, ServiceId},
    lists::List,
    routes::{Route, RouteFilter, RouteInput, RouteRefusal},
    services::Service,
};
use serde_json::json;

use crate::{App, Error, access, plugins, random::OsRandom, services, writes::Write};

/// The routes that `filter` wants; an unknown group is not found.
pub async fn list(app: &App, caller: &Caller, mut filter: RouteFilter) -> Result<List<Route>, Error> {
    filter.gateway_group_id = services::listed_group(app, caller, filter.gateway_group_id).await?;
    match filter.gateway_group_id {
        Some(_) => Ok(app.read().routes(&filter).await?),
        None => Ok(List { rows: Vec::new(), total: 0 }),
    }
}

/// One route; a group that is named must be its own.
pub async fn route(
    app: &App,
    caller: &Caller,
    id: &RouteId,
    group: Option<&GatewayGroupId>,
) -> Result<Route, Error> {
    let route = app.read().route(id).await?;
    visible(caller, route, group)
}

fn visible(caller: &Caller, route: Option<Route>, group: Option<&GatewayGroupId>) -> Result<Route, Error> {
    let route = route.filter(|route| group.is_none_or(|group| *group == route.gateway_group_id));
    let route = route.ok_or_else(Error::not_found)?;
    access::sees(caller, Area::GatewayGroup(&route.gateway_group_id))?;
    Ok(route)
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
    access::adds(caller, Area::GatewayGroup(&group))?;
    let mut write = app.begin(caller).await?;
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
    let route = visible(caller, write.route(id).await.map_err(Error::from)?, group)?;
    let (service, input) = edit(&route)?;
    let route = put_in(&mut write, id.clone(), &route.gateway_group_id, &service, input).await?;
    write.commit().await?;
    Ok(route)
}

/// As [`put`], within a write and without asking who calls.
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
    write.put(Scope::GatewayGroup(group.clone()), Resource::Route(route.gateway_state()));
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
    Ok(found.ok_or_else(|| RouteRefusal::UnknownService(service.to_owned()))?)
}

/// Deletes a route.
pub async fn delete(
    app: &App,
    caller: &Caller,
    id: &RouteId,
    group: Option<&GatewayGroupId>,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let route = visible(caller, write.route(id).await?, group)?;
    write.delete(Scope::GatewayGroup(route.gateway_group_id.clone()), Kind::Route, id.to_string());
    write.delete_route(id).await?;
    tell(&mut write, EventName::RouteDeleted, &route);
    write.commit().await
}

fn tell(write: &mut Write<'_>, name: EventName, route: &Route) {
    let detail = json!({ "name": route.name, "service_id": route.service_id, "paths": route.paths });
    write.tell(name, "route", route.id.as_str(), None, detail);
}
