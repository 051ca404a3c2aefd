//! Objects of whole gateway groups: global rules, stream routes, and the metadata of plugins.

use forecourt_core::{
    actors::{Area, Caller},
    gateway_state::{Kind, Scope, group_key},
    group_objects::{GroupObject, GroupObjectFilter, GroupObjectInput, GroupObjectKind},
    ids::{GatewayGroupId, GroupObjectId, ServiceId},
    lists::List,
    routes::RouteRefusal,
};
use forecourt_store::Reader;
use serde_json::json;

use crate::{App, Error, access, plugins, random::OsRandom, services, writes::Write};

/// The objects that `filter` wants; an unknown group is not found.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &GroupObjectFilter,
) -> Result<List<GroupObject>, Error> {
    match services::listed_group(app, caller, Some(filter.gateway_group_id.clone())).await? {
        Some(_) => Ok(app.read().group_objects(filter).await?),
        None => Ok(List { rows: Vec::new(), total: 0 }),
    }
}

/// One object. Its id is unique within its group only: where several groups have it, the group must be named.
pub async fn object(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    id: &str,
    group: Option<&GatewayGroupId>,
) -> Result<GroupObject, Error> {
    find(app.read(), caller, kind, id, group).await
}

async fn find(
    read: &Reader,
    caller: &Caller,
    kind: GroupObjectKind,
    id: &str,
    group: Option<&GatewayGroupId>,
) -> Result<GroupObject, Error> {
    let with_it = match group {
        Some(group) => vec![group.clone()],
        None => read.groups_with_object(kind, id).await?,
    };
    let seen = |group: &&GatewayGroupId| access::sees(caller, Area::GatewayGroup(group)).is_ok();
    let mut visible = with_it.iter().filter(seen);
    let Some(found) = visible.next() else {
        return match with_it.first() {
            Some(hidden) => {
                Err(access::sees(caller, Area::GatewayGroup(hidden)).err().unwrap_or_else(Error::not_found))
            }
            None => Err(Error::not_found()),
        };
    };
    if visible.next().is_some() {
        let problem = format!("several gateway groups have {id:?}: say which one by gateway_group_id");
        return Err(Error::invalid("ambiguous_id", problem));
    }
    read.group_object(found, kind, id).await?.ok_or_else(Error::not_found)
}

/// Makes an object under a fresh id.
pub async fn create(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    group: GatewayGroupId,
    input: GroupObjectInput,
) -> Result<GroupObject, Error> {
    let id = GroupObjectId::issue(app.now(), &mut OsRandom);
    put(app, caller, kind, id.as_str(), group, input).await
}

/// Makes or replaces the object with this id.
pub async fn put(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    id: &str,
    group: GatewayGroupId,
    input: GroupObjectInput,
) -> Result<GroupObject, Error> {
    access::adds(caller, Area::GatewayGroup(&group))?;
    let mut write = app.begin(caller).await?;
    write.gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    let object = put_in(&mut write, kind, id, &group, input).await?;
    write.commit().await?;
    Ok(object)
}

/// As [`put`], within a write and without asking who calls.
pub(crate) async fn put_in(
    write: &mut Write<'_>,
    kind: GroupObjectKind,
    id: &str,
    group: &GatewayGroupId,
    input: GroupObjectInput,
) -> Result<GroupObject, Error> {
    let old = write.group_object(group, kind, id).await?;
    let created_at = old.map_or(write.now, |old| old.created_at);
    let object = GroupObject::new(kind, group.clone(), id.to_owned(), input, created_at, write.now)?;
    if let Some(service) = &object.service_id {
        refuse_unknown(write, service, group).await?;
    }
    let scope = Scope::GatewayGroup(group.clone());
    if let Some(resource) = object.gateway_resource() {
        plugins::refuse_beside_products(write, &object.plugins, group).await?;
        write.put(scope, resource);
    }
    write.put_group_object(&object).await?;
    tell(write, &object, true);
    Ok(object)
}

async fn refuse_unknown(write: &Write<'_>, service: &ServiceId, group: &GatewayGroupId) -> Result<(), Error> {
    let found = write.service(service).await?;
    match found.filter(|found| found.gateway_group_id == *group) {
        Some(_) => Ok(()),
        None => Err(RouteRefusal::UnknownService(service.to_string()).into()),
    }
}

/// Replaces an object by what `edit` makes of it, between reading and writing without a gap.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    id: &str,
    group: Option<&GatewayGroupId>,
    edit: impl FnOnce(&GroupObject) -> Result<GroupObjectInput, E>,
) -> Result<GroupObject, E> {
    let mut write = app.begin(caller).await?;
    let object = find(&write, caller, kind, id, group).await?;
    let input = edit(&object)?;
    let object = put_in(&mut write, kind, id, &object.gateway_group_id, input).await?;
    write.commit().await?;
    Ok(object)
}

/// Deletes an object.
pub async fn delete(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    id: &str,
    group: Option<&GatewayGroupId>,
) -> Result<(), Error> {
    let mut write = app.begin(caller).await?;
    let object = find(&write, caller, kind, id, group).await?;
    if kind == GroupObjectKind::GlobalRule {
        forget_rule(&mut write, &object);
    }
    write.delete_group_object(&object.gateway_group_id, kind, id).await?;
    tell(&mut write, &object, false);
    write.commit().await
}

/// Tells gateways that all rules of a group are gone, for the deletion of the group itself.
pub(crate) async fn forget_rules(write: &mut Write<'_>, group: &GatewayGroupId) -> Result<(), Error> {
    for rule in write.group_objects(&plugins::rules(group)).await?.rows {
        forget_rule(write, &rule);
    }
    Ok(())
}

fn forget_rule(write: &mut Write<'_>, rule: &GroupObject) {
    let group = &rule.gateway_group_id;
    write.delete(Scope::GatewayGroup(group.clone()), Kind::GlobalRule, group_key(group, &rule.id));
}

fn tell(write: &mut Write<'_>, object: &GroupObject, saved: bool) {
    let (when_saved, when_deleted) = object.kind.events();
    let plugins: Vec<_> = object.plugins.given().keys().collect();
    let detail = json!({ "gateway_group_id": object.gateway_group_id, "plugins": plugins });
    let name = if saved { when_saved } else { when_deleted };
    write.tell(name, object.kind.name(), &object.id, None, detail);
}
