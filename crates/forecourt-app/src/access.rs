//! Who may do what. What one may not see is not found; what one may see but not change is forbidden.
//!
//! Every use case of the provider side asks [`permits`] for its action on its resource, and every list asks
//! [`readable`] which rows it may show. What front ends and developers may do follows from what they are.

use forecourt_core::{
    actors::{Actor, Caller},
    gateway_state::group_key,
    ids::{
        AdministratorId, DcrProviderId, DeveloperId, GatewayGroupId, PermissionPolicyId, PortalId, ProductId,
        RoleId, ServiceId,
    },
    lists::Readable,
    permissions::{Action, Reach, Target},
};
use forecourt_store::RuledNoun;

use crate::{App, Error};

/// A developer who acts.
pub(crate) struct ActingDeveloper<'a> {
    pub(crate) portal_id: &'a PortalId,
    pub(crate) id: &'a DeveloperId,
}

/// Whether the caller may do `action` to `resource`: for what is shown or left out without a refusal.
pub fn allows(caller: &Caller, action: Action, resource: Target<'_>) -> bool {
    caller.actor.may(action, resource)
}

/// Refuses unless the caller may do `action` to `resource`. Faces ask it before they read a body, since permission
/// comes first.
///
/// # Errors
/// Not found where they may not read it either; forbidden where they may, or where there is nothing to be found yet.
pub fn permits(caller: &Caller, action: Action, resource: Target<'_>) -> Result<(), Error> {
    caller.journal.note_action(action);
    if action.is_addition() && !caller.actor.may(action, resource) {
        return Err(refused(caller));
    }
    permits_on(caller, action, resource)
}

/// As [`permits`], for something that is added to `resource`, which exists.
pub(crate) fn permits_on(caller: &Caller, action: Action, resource: Target<'_>) -> Result<(), Error> {
    caller.journal.note_action(action);
    if caller.actor.may(action, resource) {
        return Ok(());
    }
    match caller.actor {
        Actor::Administrator { .. } if caller.actor.may(action.reading(), resource) => Err(refused(caller)),
        _ => Err(missing(caller)),
    }
}

/// As [`permits`], for something that is made or replaced under an id that the caller chose: whether it is there already
/// is not told to those who may not.
pub(crate) fn puts(caller: &Caller, action: Action, target: Target<'_>) -> Result<(), Error> {
    caller.journal.note_action(action);
    if caller.actor.may(action, target) { Ok(()) } else { Err(refused(caller)) }
}

/// Whether a list of what belongs to `resource` shows anything to the caller.
pub(crate) fn shows(caller: &Caller, action: Action, resource: Target<'_>) -> Result<bool, Error> {
    match caller.actor {
        _ if caller.actor.may(action, resource) => Ok(true),
        Actor::Administrator { .. } => Ok(false),
        _ => Err(missing(caller)),
    }
}

/// Refuses unless the caller may do `action` to something of `group`, where what it is done to is not known yet.
pub fn permits_within(caller: &Caller, group: &GatewayGroupId, action: Action) -> Result<(), Error> {
    caller.journal.note_action(action);
    match &caller.actor {
        Actor::GatewayGroupKey(own) if own == group => Ok(()),
        _ => permits_somewhere(caller, action),
    }
}

/// Refuses unless the caller may do `action` to anything at all, where what it would be done to is not known.
pub fn permits_somewhere(caller: &Caller, action: Action) -> Result<(), Error> {
    caller.journal.note_action(action);
    match &caller.actor {
        Actor::System => Ok(()),
        Actor::Administrator { authority, .. } if authority.reach(action) != Reach::Nothing => Ok(()),
        _ => Err(refused(caller)),
    }
}

/// What somebody is told who may not add what they want to.
pub(crate) fn refused(caller: &Caller) -> Error {
    match caller.actor {
        Actor::GatewayGroupKey(_) => elsewhere(),
        Actor::Administrator { .. } => Error::forbidden("you are not permitted to do this"),
        _ => Error::not_found(),
    }
}

/// What somebody is told of an object that does not exist. The holder of an admin key learns nothing of what is
/// outside of its group.
pub(crate) fn missing(caller: &Caller) -> Error {
    match caller.actor {
        Actor::GatewayGroupKey(_) => elsewhere(),
        _ => Error::not_found(),
    }
}

/// Which rows of a list the caller may see: those of `noun` to which they may do `action`.
///
/// # Errors
/// Forbidden to the holder of an admin key where `noun` is not its own group's; not found to front ends and developers.
pub(crate) async fn readable(
    app: &App,
    caller: &Caller,
    action: Action,
    noun: RuledNoun<'_>,
) -> Result<Readable, Error> {
    match &caller.actor {
        Actor::System => return Ok(Readable::All),
        Actor::Administrator { authority, .. } => match authority.reach(action) {
            Reach::Everything => return Ok(Readable::All),
            Reach::Nothing => return Ok(Readable::Only(Vec::new())),
            Reach::Some => {}
        },
        Actor::GatewayGroupKey(own) => match noun {
            RuledNoun::GatewayGroups => return Ok(Readable::Only(vec![own.to_string()])),
            RuledNoun::Services(Some(group)) | RuledNoun::Consumers(Some(group)) if group == own => {
                return Ok(Readable::All);
            }
            _ => return Err(elsewhere()),
        },
        _ => return Err(Error::not_found()),
    }
    let ids = app.read().ruled_ids(noun).await?;
    let ids = ids.into_iter().filter_map(|(of, id)| named(caller, action, noun, &of, id));
    Ok(Readable::Only(ids.collect()))
}

/// The text by which a list is narrowed to this row, where the caller may do `action` to it.
fn named(caller: &Caller, action: Action, noun: RuledNoun<'_>, of: &str, id: String) -> Option<String> {
    let may = |resource| caller.actor.may(action, resource);
    let is_seen = match noun {
        RuledNoun::Portals => may(Target::Portal(Some(&PortalId::known(id.as_str())))),
        RuledNoun::Products | RuledNoun::ProductsInApprovals => {
            may(Target::ApiProduct(&PortalId::known(of), Some(&ProductId::known(id.as_str()))))
        }
        RuledNoun::Developers | RuledNoun::RegistrationsInApprovals => {
            may(Target::Developer(&PortalId::known(of), Some(&DeveloperId::known(id.as_str()))))
        }
        RuledNoun::GatewayGroups => may(Target::GatewayGroup(Some(&GatewayGroupId::known(id.as_str())))),
        RuledNoun::Services(_) => {
            let group = GatewayGroupId::known(of);
            may(Target::PublishedService(&group, Some(&ServiceId::known(id.as_str()))))
        }
        RuledNoun::Consumers(_) => {
            let group = GatewayGroupId::known(of);
            return may(Target::Consumer(&group, Some(&id))).then(|| group_key(&group, &id));
        }
        RuledNoun::Administrators => may(Target::User(Some(&AdministratorId::known(id.as_str())))),
        RuledNoun::Roles => may(Target::Role(Some(&RoleId::known(id.as_str())))),
        RuledNoun::PermissionPolicies => {
            may(Target::PermissionPolicy(Some(&PermissionPolicyId::known(id.as_str()))))
        }
        RuledNoun::DcrProviders => may(Target::DcrProvider(Some(&DcrProviderId::known(id.as_str())))),
    };
    is_seen.then_some(id)
}

/// Refuses an unknown portal to whoever may see portals; to others it is one without anything that they may read.
pub(crate) async fn known_portal(app: &App, caller: &Caller, portal: Option<&PortalId>) -> Result<(), Error> {
    if let Some(portal) = portal
        && allows(caller, Action::GetPortal, Target::Portal(Some(portal)))
    {
        app.read().portal(portal).await?.ok_or_else(Error::not_found)?;
    }
    Ok(())
}

/// What the holder of an admin key is told about things outside of its group.
pub(crate) fn elsewhere() -> Error {
    Error::forbidden("a gateway group's admin key acts on its own group only")
}

/// As [`permits`], and a front end may do it to what is of its own portal.
pub(crate) fn permits_in(
    caller: &Caller,
    portal: &PortalId,
    action: Action,
    resource: Target<'_>,
) -> Result<(), Error> {
    caller.journal.note_action(action);
    match &caller.actor {
        Actor::PortalFrontEnd(own) if own == portal => Ok(()),
        _ => permits(caller, action, resource),
    }
}

/// The portal that a front end's list is narrowed to: its own, and no row where another one is asked for. `None`: the
/// caller is no front end.
pub(crate) fn own_portal(caller: &Caller, asked: Option<&PortalId>) -> Option<Option<PortalId>> {
    match &caller.actor {
        Actor::PortalFrontEnd(own) => Some(asked.is_none_or(|asked| asked == own).then(|| own.clone())),
        _ => None,
    }
}

/// The acting developer; a guest is told to say who they are.
pub(crate) fn developer(caller: &Caller) -> Result<ActingDeveloper<'_>, Error> {
    match &caller.actor {
        Actor::Developer { portal_id, id, .. } => Ok(ActingDeveloper { portal_id, id }),
        Actor::Guest(_) => Err(Error::unauthenticated_because("developer id is required")),
        _ => Err(Error::not_found()),
    }
}

/// The acting administrator.
pub(crate) fn administrator(caller: &Caller) -> Result<&AdministratorId, Error> {
    match &caller.actor {
        Actor::Administrator { id, .. } => Ok(id),
        Actor::GatewayGroupKey(_) => Err(elsewhere()),
        _ => Err(Error::unauthenticated()),
    }
}
