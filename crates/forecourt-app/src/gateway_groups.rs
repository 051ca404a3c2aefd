//! Gateway groups and their admin keys.

use forecourt_core::{
    actors::Caller,
    events::EventName,
    gateway_groups::{GatewayGroup, GatewayGroupFilter, GatewayGroupInput, GatewayGroupRefusal},
    gateway_state::{Kind, Scope, group_key},
    ids::GatewayGroupId,
    lists::List,
    permissions::{Action, Target},
    secrets::{PlainSecret, TokenKind},
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, group_objects, permissions, random::OsRandom, writes::Write};

/// The groups that `filter` wants; the holder of an admin key sees its own.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: GatewayGroupFilter,
) -> Result<List<GatewayGroup>, Error> {
    let readable = access::readable(app, caller, Action::GetGatewayGroup, RuledNoun::GatewayGroups).await?;
    let filter = GatewayGroupFilter { readable, ..filter };
    Ok(app.read().gateway_groups(&filter).await?)
}

/// One group.
pub async fn group(app: &App, caller: &Caller, id: &GatewayGroupId) -> Result<GatewayGroup, Error> {
    access::permits(caller, Action::GetGatewayGroup, Target::GatewayGroup(Some(id)))?;
    app.read().gateway_group(id).await?.ok_or_else(Error::not_found)
}

/// The group with this id, for whoever was found permitted to what is in it.
pub async fn existing(app: &App, id: &GatewayGroupId) -> Result<GatewayGroup, Error> {
    app.read().gateway_group(id).await?.ok_or_else(Error::not_found)
}

/// Makes a group.
pub async fn create(app: &App, caller: &Caller, input: GatewayGroupInput) -> Result<GatewayGroup, Error> {
    access::permits(caller, Action::CreateGatewayGroup, Target::GatewayGroup(None))?;
    let mut write = app.begin(caller).await?;
    let group = GatewayGroup::new(GatewayGroupId::issue(write.now, &mut OsRandom), input, write.now)?;
    refuse_taken(&write, &group).await?;
    write.insert_gateway_group(&group).await?;
    permissions::changed(&write).await?;
    tell(&mut write, EventName::GatewayGroupCreated, &group);
    write.commit().await?;
    Ok(group)
}

/// Changes what `input` gives.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &GatewayGroupId,
    input: GatewayGroupInput,
) -> Result<GatewayGroup, Error> {
    access::permits(caller, Action::UpdateGatewayGroup, Target::GatewayGroup(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let group = write.gateway_group(id).await?.ok_or_else(Error::not_found)?.changed(input, write.now)?;
    refuse_taken(&write, &group).await?;
    write.save_gateway_group(&group).await?;
    // Policies may speak of a group's labels.
    permissions::changed(&write).await?;
    tell(&mut write, EventName::GatewayGroupUpdated, &group);
    write.commit().await?;
    Ok(group)
}

/// Deletes a group with its services, routes, consumers and certificates; refused while one of them is linked to a product.
pub async fn delete(app: &App, caller: &Caller, id: &GatewayGroupId) -> Result<(), Error> {
    access::permits(caller, Action::DeleteGatewayGroup, Target::GatewayGroup(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let group = write.gateway_group(id).await?.ok_or_else(Error::not_found)?;
    if *id == GatewayGroupId::default_group() {
        return Err(GatewayGroupRefusal::DeletesDefault.into());
    }
    if let Some((service, product)) = write.linked_service_of_group(id).await? {
        let service =
            write.service(&service).await?.map_or_else(|| service.to_string(), |service| service.name);
        return Err(GatewayGroupRefusal::ServiceLinked { service, product: product.name }.into());
    }
    let scope = Scope::GatewayGroup(id.clone());
    for service in write.services_of_group(id).await? {
        for route in write.routes_of_service(&service.id).await? {
            write.delete(scope.clone(), Kind::Route, route.id.to_string());
        }
        write.delete(scope.clone(), Kind::Service, service.id.to_string());
    }
    for username in write.consumers_of_group(id).await? {
        write.delete(scope.clone(), Kind::Consumer, group_key(id, &username));
    }
    for certificate in write.certificates_of_group(id).await? {
        write.delete(scope.clone(), Kind::Certificate, certificate.to_string());
    }
    group_objects::forget_rules(&mut write, id).await?;
    write.delete_gateway_group(id).await?;
    tell(&mut write, EventName::GatewayGroupDeleted, &group);
    write.commit().await?;
    // Its nodes and tokens went with it.
    app.nodes().something_removed();
    Ok(())
}

/// Makes the group's admin key; an earlier one is dead at once.
pub async fn issue_admin_key(app: &App, caller: &Caller, id: &GatewayGroupId) -> Result<PlainSecret, Error> {
    access::permits(caller, Action::GetAdminKey, Target::GatewayGroup(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let mut group = write.gateway_group(id).await?.ok_or_else(Error::not_found)?;
    let key = TokenKind::GatewayGroup.issue(&mut OsRandom);
    group.admin_key = Some(key.digest());
    group.updated_at = write.now;
    write.save_gateway_group(&group).await?;
    tell(&mut write, EventName::GatewayGroupKeyIssued, &group);
    write.commit().await?;
    Ok(key)
}

async fn refuse_taken(write: &Write<'_>, group: &GatewayGroup) -> Result<(), Error> {
    match write.gateway_group_by_name(&group.name).await? {
        Some(other) if other.id != group.id => Err(GatewayGroupRefusal::NameTaken(group.name.clone()).into()),
        _ => Ok(()),
    }
}

fn tell(write: &mut Write<'_>, name: EventName, group: &GatewayGroup) {
    write.tell(name, "gateway_group", group.id.as_str(), None, json!({ "name": group.name }));
}
