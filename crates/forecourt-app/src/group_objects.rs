//! Objects of whole gateway groups: global rules, stream routes, and the metadata of plugins.

use forecourt_core::{
    actors::Caller,
    gateway_state::{Kind, Scope, group_key},
    group_objects::{GroupObject, GroupObjectFilter, GroupObjectInput, GroupObjectKind},
    ids::{GatewayGroupId, GroupObjectId, ServiceId},
    lists::List,
    permissions::{Action, Target},
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
    let group = services::listed_group(app, caller, Some(filter.gateway_group_id.clone())).await?;
    if !access::shows(caller, read_action(filter.kind), resource(filter.kind, &group))? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    Ok(app.read().group_objects(filter).await?)
}

const fn read_action(kind: GroupObjectKind) -> Action {
    match kind {
        GroupObjectKind::GlobalRule => Action::GetGlobalPluginRule,
        GroupObjectKind::StreamRoute => Action::GetPublishedService,
        GroupObjectKind::PluginMetadata => Action::GetPluginMetadata,
    }
}

pub(crate) const fn put_action(kind: GroupObjectKind, is_there: bool) -> Action {
    match kind {
        GroupObjectKind::GlobalRule if is_there => Action::UpdateGlobalPluginRule,
        GroupObjectKind::GlobalRule => Action::CreateGlobalPluginRule,
        GroupObjectKind::StreamRoute => Action::UpdatePublishedService,
        GroupObjectKind::PluginMetadata => Action::UpdatePluginMetadata,
    }
}

const fn delete_action(kind: GroupObjectKind) -> Action {
    match kind {
        GroupObjectKind::GlobalRule => Action::DeleteGlobalPluginRule,
        GroupObjectKind::StreamRoute => Action::UpdatePublishedService,
        GroupObjectKind::PluginMetadata => Action::DeletePluginMetadata,
    }
}

/// A stream route belongs to the services of its group, whichever it names: it is stored and not served.
pub(crate) const fn resource(kind: GroupObjectKind, group: &GatewayGroupId) -> Target<'_> {
    match kind {
        GroupObjectKind::StreamRoute => Target::PublishedService(group, None),
        _ => Target::GatewayGroup(Some(group)),
    }
}

/// The group that an object goes to that is made or replaced, under this id where one is given. Faces ask before they
/// read a body.
pub async fn target_group(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    id: Option<&str>,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = services::named_group(caller, asked)?;
    may_put(app.read(), caller, kind, id, &group).await?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

async fn may_put(
    read: &Reader,
    caller: &Caller,
    kind: GroupObjectKind,
    id: Option<&str>,
    group: &GatewayGroupId,
) -> Result<(), Error> {
    let is_there = match id {
        Some(id) => read.group_object(group, kind, id).await?.is_some(),
        None => false,
    };
    access::puts(caller, put_action(kind, is_there), resource(kind, group))
}

/// Whether there is such an object and the caller may change it. Faces ask before they read a body.
pub async fn changeable(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    id: &str,
    group: Option<&GatewayGroupId>,
) -> Result<GroupObject, Error> {
    find(app.read(), caller, (kind, put_action(kind, true)), id, group).await
}

/// One object. Its id is unique within its group only: where several groups have it, the group must be named.
pub async fn object(
    app: &App,
    caller: &Caller,
    kind: GroupObjectKind,
    id: &str,
    group: Option<&GatewayGroupId>,
) -> Result<GroupObject, Error> {
    find(app.read(), caller, (kind, read_action(kind)), id, group).await
}

async fn find(
    read: &Reader,
    caller: &Caller,
    (kind, action): (GroupObjectKind, Action),
    id: &str,
    group: Option<&GatewayGroupId>,
) -> Result<GroupObject, Error> {
    let with_it = match group {
        Some(group) => vec![group.clone()],
        None => read.groups_with_object(kind, id).await?,
    };
    let permits = |group: &GatewayGroupId| access::permits_on(caller, action, resource(kind, group));
    // Of two groups of which the caller may read one there is one to them; a key is told of its own one only.
    let is_seen = |group: &&GatewayGroupId| {
        access::allows(caller, action, resource(kind, group))
            || access::allows(caller, action.reading(), resource(kind, group))
    };
    let mut visible = with_it.iter().filter(is_seen);
    let Some(found) = visible.next() else {
        return match with_it.first() {
            Some(hidden) => Err(permits(hidden).err().unwrap_or_else(Error::not_found)),
            None => Err(Error::not_found()),
        };
    };
    if visible.next().is_some() {
        let problem = format!("several gateway groups have {id:?}: say which one by gateway_group_id");
        return Err(Error::invalid("ambiguous_id", problem));
    }
    permits(found)?;
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
    let mut write = app.begin(caller).await?;
    may_put(&write, caller, kind, Some(id), &group).await?;
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
    let object = find(&write, caller, (kind, put_action(kind, true)), id, group).await?;
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
    let object = find(&write, caller, (kind, delete_action(kind)), id, group).await?;
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
