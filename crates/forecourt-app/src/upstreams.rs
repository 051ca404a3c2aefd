//! The upstreams of a service: the default one, which has its service's id, and further ones for its routes.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{GatewayGroupId, ServiceId, UpstreamId},
    permissions::Action,
    services::{Service, ServiceRefusal, upstreams::UpstreamInput},
};
use serde_json::json;

use crate::{
    App, Error,
    random::OsRandom,
    services::{announce, permitted},
    upstream_certificates,
    writes::Write,
};

/// Makes an upstream under a fresh id; a service without a default one gets that first. Gives the service and the id.
pub async fn create(
    app: &App,
    caller: &Caller,
    service: &ServiceId,
    group: Option<&GatewayGroupId>,
    input: UpstreamInput,
) -> Result<(Service, String), Error> {
    let mut write = app.begin(caller).await?;
    let service = permitted(caller, write.service(service).await?, group, Action::UpdatePublishedService)?;
    let id = match service.upstream {
        None => service.id.to_string(),
        Some(_) => UpstreamId::issue(write.now, &mut OsRandom).to_string(),
    };
    let service = save(&mut write, service, &id, input).await?;
    write.commit().await?;
    Ok((service, id))
}

/// Makes or replaces the upstream with this id; the service's own id means its default one.
pub async fn put(
    app: &App,
    caller: &Caller,
    service: &ServiceId,
    group: Option<&GatewayGroupId>,
    id: &UpstreamId,
    input: UpstreamInput,
) -> Result<Service, Error> {
    let mut write = app.begin(caller).await?;
    let service = permitted(caller, write.service(service).await?, group, Action::UpdatePublishedService)?;
    let service = save(&mut write, service, id.as_str(), input).await?;
    write.commit().await?;
    Ok(service)
}

async fn save(
    write: &mut Write<'_>,
    mut service: Service,
    id: &str,
    mut input: UpstreamInput,
) -> Result<Service, Error> {
    let (key, before) = (input.client_key.take(), service.upstream(id).cloned());
    if id == service.id.as_str() {
        service.put_default_upstream(input, write.now)?;
    } else {
        service.put_upstream(id, input, write.now)?;
    }
    let place = (service.gateway_group_id.clone(), service.id.clone());
    if let Some(upstream) = service.upstream_mut(id) {
        upstream_certificates::show(write, (&place.0, &place.1), upstream, key, before.as_ref()).await?;
    }
    write.save_service(&service).await?;
    announce(write, &service);
    tell(write, &service, json!({ "name": service.name, "upstream": id }));
    Ok(service)
}

/// Deletes a further upstream; refused while a route names it.
pub async fn delete(
    app: &App,
    caller: &Caller,
    service: &ServiceId,
    group: Option<&GatewayGroupId>,
    id: &str,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let mut service =
        permitted(caller, write.service(service).await?, group, Action::UpdatePublishedService)?;
    if id == service.id.as_str() && service.upstream.is_some() {
        return Err(ServiceRefusal::DefaultUpstream.into());
    }
    service.upstreams.remove(id).ok_or_else(Error::not_found)?;
    let routes = write.routes_of_service(&service.id).await?;
    if let Some(route) = routes.into_iter().find(|route| route.upstream_id.as_deref() == Some(id)) {
        return Err(ServiceRefusal::UpstreamUsed { upstream: id.to_owned(), route: route.name }.into());
    }
    service.updated_at = write.now;
    write.save_service(&service).await?;
    announce(&mut write, &service);
    tell(&mut write, &service, json!({ "name": service.name, "upstream_deleted": id }));
    write.commit().await
}

fn tell(write: &mut Write<'_>, service: &Service, detail: serde_json::Value) {
    write.tell(EventName::ServiceUpdated, "service", service.id.as_str(), None, detail);
}
