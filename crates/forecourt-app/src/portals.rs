//! Portals and their public access.

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    events::EventName,
    ids::{PortalId, SignInOptionId},
    lists::List,
    permissions::{Action, Target},
    portals::{Portal, PortalFilter, PortalInput, PortalRefusal},
    sign_in_options::SignInOption,
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, random::OsRandom, writes::Write};

/// The portals that `filter` wants; none where the caller may see none.
pub async fn list(app: &App, caller: &Caller, filter: &PortalFilter) -> Result<List<Portal>, Error> {
    let readable = access::readable(app, caller, Action::GetPortal, RuledNoun::Portals).await?;
    Ok(app.read().portals(&PortalFilter { readable, ..filter.clone() }).await?)
}

/// One portal.
pub async fn portal(app: &App, caller: &Caller, id: &PortalId) -> Result<Portal, Error> {
    access::permits_in(caller, id, Action::GetPortal, Target::Portal(Some(id)))?;
    app.read().portal(id).await?.ok_or_else(Error::not_found)
}

/// One portal, where the caller may change it. Faces ask before they read a body.
pub async fn changeable(app: &App, caller: &Caller, id: &PortalId) -> Result<Portal, Error> {
    access::permits(caller, Action::UpdatePortal, Target::Portal(Some(id)))?;
    app.read().portal(id).await?.ok_or_else(Error::not_found)
}

/// What portals are called, beside what belongs to them.
pub async fn names(app: &App) -> Result<HashMap<PortalId, String>, Error> {
    Ok(app.read().all_portals().await?.into_iter().map(|portal| (portal.id, portal.name)).collect())
}

/// Refuses a portal that does not exist, for whoever was found permitted to what is in it.
pub async fn must_exist(app: &App, id: &PortalId) -> Result<(), Error> {
    app.read().portal(id).await?.map(drop).ok_or_else(Error::not_found)
}

/// Where a portal's site is reached, without a slash at the end, as far as that is known.
pub async fn site_url(app: &App, id: &PortalId) -> Result<Option<String>, Error> {
    let url = app.read().portal(id).await?.and_then(|portal| portal.public_url);
    Ok(url.map(|url| url.trim_end_matches('/').to_owned()))
}

/// The portal whose site answers `host` (without port): its own, else the one named `default`, else the oldest.
pub async fn portal_for_host(app: &App, host: &str) -> Result<Portal, Error> {
    let portals = app.read().all_portals().await?;
    let found = portals.iter().find(|portal| portal.answers_host(host));
    let found = found.or_else(|| portals.iter().find(|portal| portal.name == Portal::DEFAULT_NAME));
    found.or_else(|| portals.first()).cloned().ok_or_else(Error::not_found)
}

/// Makes a portal with its built-in sign-in option.
pub async fn create(app: &App, caller: &Caller, input: PortalInput) -> Result<Portal, Error> {
    access::permits(caller, Action::CreatePortal, Target::Portal(None))?;
    let mut write = app.begin(caller).await?;
    let portal = Portal::new(PortalId::issue(write.now, &mut OsRandom), input, write.now)?;
    refuse_taken(&write, &portal).await?;
    write.insert_portal(&portal).await?;
    let option = SignInOption::built_in(
        SignInOptionId::issue(write.now, &mut OsRandom),
        Some(portal.id.clone()),
        write.now,
    );
    write.insert_sign_in_option(&option).await?;
    tell(&mut write, EventName::PortalCreated, &portal);
    write.commit().await?;
    Ok(portal)
}

/// Changes what `input` gives.
pub async fn update(app: &App, caller: &Caller, id: &PortalId, input: PortalInput) -> Result<Portal, Error> {
    change(app, caller, id, |_| Ok(input)).await
}

/// Changes what `edit` gives for the portal as it is, between reading and writing without a gap.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    id: &PortalId,
    edit: impl FnOnce(&Portal) -> Result<PortalInput, E>,
) -> Result<Portal, E> {
    access::permits(caller, Action::UpdatePortal, Target::Portal(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let before = write.portal(id).await.map_err(Error::from)?.ok_or_else(Error::not_found)?;
    let input = edit(&before)?;
    let portal = change_in(&mut write, before, input).await?;
    write.commit().await?;
    Ok(portal)
}

async fn change_in(write: &mut Write<'_>, before: Portal, input: PortalInput) -> Result<Portal, Error> {
    let portal = before.changed(input, write.now)?;
    refuse_taken(write, &portal).await?;
    write.save_portal(&portal).await?;
    tell(write, EventName::PortalUpdated, &portal);
    Ok(portal)
}

/// Sets whether guests see public products on the portal's site.
pub async fn set_public_access(
    app: &App,
    caller: &Caller,
    id: &PortalId,
    public: bool,
) -> Result<Portal, Error> {
    access::permits(caller, Action::UpdatePortal, Target::Portal(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let mut portal = write.portal(id).await?.ok_or_else(Error::not_found)?;
    portal.public_access = public;
    portal.updated_at = write.now;
    write.save_portal(&portal).await?;
    tell(&mut write, EventName::PortalUpdated, &portal);
    write.commit().await?;
    Ok(portal)
}

/// Deletes a portal with its tokens; refused while it has products or developers.
pub async fn delete(app: &App, caller: &Caller, id: &PortalId) -> Result<(), Error> {
    access::permits(caller, Action::DeletePortal, Target::Portal(Some(id)))?;
    let mut write = app.begin(caller).await?;
    let portal = write.portal(id).await?.ok_or_else(Error::not_found)?;
    if write.product_count(id).await? > 0 {
        return Err(PortalRefusal::HasProducts.into());
    }
    if write.developer_count(id).await? > 0 {
        return Err(PortalRefusal::HasDevelopers.into());
    }
    write.delete_portal(id).await?;
    tell(&mut write, EventName::PortalDeleted, &portal);
    write.commit().await
}

async fn refuse_taken(write: &Write<'_>, portal: &Portal) -> Result<(), Error> {
    match write.portal_by_name(&portal.name).await? {
        Some(other) if other.id != portal.id => Err(PortalRefusal::NameTaken(portal.name.clone()).into()),
        _ => Ok(()),
    }
}

fn tell(write: &mut Write<'_>, name: EventName, portal: &Portal) {
    let detail = json!({ "name": portal.name, "public_access": portal.public_access });
    write.tell(name, "portal", portal.id.as_str(), Some(&portal.id), detail);
}
