//! Who may do what. What one may not see is not found; what one may see but not change is forbidden.

use forecourt_core::{
    actors::{Actor, Area, Caller},
    ids::{AdministratorId, DeveloperId, PortalId},
};

use crate::{App, Error};

/// A developer who acts.
pub(crate) struct ActingDeveloper<'a> {
    pub(crate) portal_id: &'a PortalId,
    pub(crate) id: &'a DeveloperId,
}

/// Whether a list over `area` shows anything to the caller.
pub fn lists(caller: &Caller, area: Area<'_>) -> Result<bool, Error> {
    if caller.actor.administers(area) {
        return Ok(true);
    }
    match caller.actor {
        Actor::Administrator { .. } => Ok(false),
        Actor::GatewayGroupKey(_) => Err(elsewhere()),
        _ => Err(Error::not_found()),
    }
}

/// Whether an existing object of `area` is there for the caller.
pub fn sees(caller: &Caller, area: Area<'_>) -> Result<(), Error> {
    if caller.actor.administers(area) {
        return Ok(());
    }
    match caller.actor {
        Actor::GatewayGroupKey(_) => Err(elsewhere()),
        _ => Err(Error::not_found()),
    }
}

/// Whether the caller may add to `area`. Faces ask it before they read a body, since permission comes first.
pub fn adds(caller: &Caller, area: Area<'_>) -> Result<(), Error> {
    if caller.actor.administers(area) {
        return Ok(());
    }
    match caller.actor {
        Actor::GatewayGroupKey(_) => Err(elsewhere()),
        Actor::Administrator { .. } => Err(Error::forbidden("you are not permitted to do this")),
        _ => Err(Error::not_found()),
    }
}

/// What the holder of an admin key is told about things outside of its group.
pub(crate) fn elsewhere() -> Error {
    Error::forbidden("a gateway group's admin key acts on its own group only")
}

/// Whether objects of `portal` are there for the caller: an administrator, or a front end of this portal.
pub(crate) fn sees_portal(caller: &Caller, portal: &PortalId) -> Result<(), Error> {
    match &caller.actor {
        Actor::PortalFrontEnd(own) if own == portal => Ok(()),
        _ => sees(caller, Area::Portals),
    }
}

/// The portal that a list is narrowed to: a front end's own, else the one asked for. `None` inside: all.
/// `Ok(None)`: the caller sees no row at all.
pub(crate) fn listed_portal(
    caller: &Caller,
    asked: Option<PortalId>,
) -> Result<Option<Option<PortalId>>, Error> {
    match &caller.actor {
        Actor::PortalFrontEnd(own) => Ok(asked.is_none_or(|asked| asked == *own).then(|| Some(own.clone()))),
        _ => Ok(lists(caller, Area::Portals)?.then_some(asked)),
    }
}

/// As [`listed_portal`], and a portal that an administrator asks for must exist.
pub(crate) async fn listed_known_portal(
    app: &App,
    caller: &Caller,
    asked: Option<PortalId>,
) -> Result<Option<Option<PortalId>>, Error> {
    let listed = listed_portal(caller, asked)?;
    if let Some(Some(portal)) = &listed {
        app.read().portal(portal).await?.ok_or_else(Error::not_found)?;
    }
    Ok(listed)
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
