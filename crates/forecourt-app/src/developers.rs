//! Developers: made by front ends, invited by administrators, registered on our own site ([`crate::persons`]).

use forecourt_core::{
    actors::{Actor, Caller},
    administrators::{StoredPassword, sign_in_text},
    approvals::{Approval, ApprovalResult, Operator},
    developers::{Developer, DeveloperFilter, DeveloperProvider, DeveloperRefusal, DeveloperStatus},
    events::EventName,
    ids::{DeveloperId, DeveloperName, EventId, OrganizationId, PersonId, PortalId},
    lists::List,
    notices::NoticeEvent,
    organizations::{Membership, Organization, Role},
    permissions::{Action, Target},
    persons::{Person, PersonRefusal, presented_password},
    sessions::SessionOwner,
    text::{self, Invalid},
};
use forecourt_store::RuledNoun;
use serde_json::json;

use crate::{App, Error, access, applications, notices, random::OsRandom, writes::Write};

/// The developers that `filter` wants; none where the caller may see none.
pub async fn list(app: &App, caller: &Caller, mut filter: DeveloperFilter) -> Result<List<Developer>, Error> {
    match access::own_portal(caller, filter.portal_id.as_ref()) {
        Some(None) => return Ok(List { rows: Vec::new(), total: 0 }),
        Some(own) => filter.portal_id = own,
        None => {
            filter.readable =
                access::readable(app, caller, Action::GetDeveloper, RuledNoun::Developers).await?;
            access::known_portal(app, caller, filter.portal_id.as_ref()).await?;
        }
    }
    Ok(app.read().developers(&filter).await?)
}

/// The developer that an administrator names by public id or by ours, in that order.
pub async fn developer(
    app: &App,
    caller: &Caller,
    named: &str,
    portal: Option<&PortalId>,
) -> Result<Developer, Error> {
    permitted(app, caller, named, portal, Action::GetDeveloper).await
}

async fn permitted(
    app: &App,
    caller: &Caller,
    named: &str,
    portal: Option<&PortalId>,
    action: Action,
) -> Result<Developer, Error> {
    let is_there = |developer: &Developer| portal.is_none_or(|portal| *portal == developer.portal_id);
    if let Some(name) = DeveloperName::parse(named) {
        let mut found = app.read().developers_named(&name).await?;
        // Two of which the caller may read one are one to them.
        found.retain(|developer| is_there(developer) && is_readable(caller, developer, action));
        if found.len() > 1 {
            return Err(DeveloperRefusal::Ambiguous(named.to_owned()).into());
        }
        if let Some(developer) = found.pop() {
            access::permits_on(caller, action, resource(&developer))?;
            return Ok(developer);
        }
    }
    let by_id = match DeveloperId::parse(named) {
        Some(id) => app.read().developer(&id).await?,
        None => None,
    };
    let developer = by_id.filter(is_there).ok_or_else(|| access::missing(caller))?;
    access::permits_on(caller, action, resource(&developer))?;
    Ok(developer)
}

/// As [`developer`], for whoever may hand out passwords for them. Faces ask before they read a body.
pub async fn invitable(
    app: &App,
    caller: &Caller,
    named: &str,
    portal: Option<&PortalId>,
) -> Result<Developer, Error> {
    permitted(app, caller, named, portal, Action::InviteDeveloper).await
}

const fn resource(developer: &Developer) -> Target<'_> {
    Target::Developer(&developer.portal_id, Some(&developer.id))
}

fn is_readable(caller: &Caller, developer: &Developer, action: Action) -> bool {
    let may = |action| access::allows(caller, action, resource(developer));
    may(action) || may(action.reading())
}

/// As [`developer`], for whoever may see their applications.
pub async fn of_applications(
    app: &App,
    caller: &Caller,
    named: &str,
    portal: Option<&PortalId>,
) -> Result<Developer, Error> {
    permitted(app, caller, named, portal, Action::GetApplication).await
}

/// The public id of a developer, which stands beside what belongs to them.
pub async fn name_of(app: &App, id: &DeveloperId) -> Result<Option<DeveloperName>, Error> {
    Ok(app.read().developer(id).await?.map(|developer| developer.name))
}

/// The developer with our own id, for an administrator.
pub async fn developer_by_id(app: &App, caller: &Caller, id: &DeveloperId) -> Result<Developer, Error> {
    let developer = app.read().developer(id).await?.ok_or_else(|| access::missing(caller))?;
    access::permits(caller, Action::GetDeveloper, resource(&developer))?;
    Ok(developer)
}

/// Makes an active developer for a front end, under the front end's own id.
pub async fn create(app: &App, caller: &Caller, name: &str) -> Result<Developer, Error> {
    let Actor::PortalFrontEnd(portal) = &caller.actor else { return Err(Error::not_found()) };
    let name = DeveloperName::parse(name).ok_or(DeveloperRefusal::BadName)?;
    let mut write = app.begin(caller).await?;
    if write.developer_by_name(portal, &name).await?.is_some() {
        return Err(DeveloperRefusal::NameTaken(name).into());
    }
    let id = DeveloperId::issue(write.now, &mut OsRandom);
    let developer = Developer::from_front_end(id, portal.clone(), name, write.now);
    write.insert_developer(&developer).await?;
    tell(&mut write, EventName::DeveloperCreated, &developer);
    write.commit().await?;
    Ok(developer)
}

/// Invites a person with a user name and a one-time password; their developer is active at once.
pub async fn invite(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    username: &str,
    password: &str,
    name: Option<&str>,
) -> Result<Developer, Error> {
    access::permits(caller, Action::InviteDeveloper, Target::Developer(portal, None))?;
    app.read().portal(portal).await?.ok_or_else(Error::not_found)?;
    let username = sign_in_text("username", username)?;
    if text::has_control(&username) {
        return Err(Invalid::new("username", "must not hold control characters").into());
    }
    let name = match name.filter(|name| !name.is_empty()) {
        Some(name) => text::name("name", name, text::NAME)?,
        // User names may be longer than names.
        None => text::name("username", &username, 128)?,
    };
    let hash = app.passwords().hash(&presented_password(&sign_in_text("password", password)?)).await?;
    let mut write = app.begin(caller).await?;
    write.portal(portal).await?.ok_or_else(Error::not_found)?;
    // In any case, as a directory's names are compared; whoever registered with an address signs in with it, and as a user
    // name it would be theirs no more.
    if !write.persons_called(portal, &username).await?.is_empty() {
        return Err(PersonRefusal::UsernameTaken(username).into());
    }
    let person = Person {
        id: PersonId::issue(write.now, &mut OsRandom),
        portal_id: portal.clone(),
        email: None,
        email_verified: false,
        username: Some(username),
        name,
        password: Some(StoredPassword { hash, one_time: true }),
        active: true,
        created_at: write.now,
        updated_at: write.now,
    };
    let developer = settle(&mut write, &person, DeveloperStatus::Active).await?;
    tell(&mut write, EventName::DeveloperInvited, &developer);
    write.commit().await?;
    Ok(developer)
}

/// Adds a person with a personal organization and its developer.
pub(crate) async fn settle(
    write: &mut Write<'_>,
    person: &Person,
    status: DeveloperStatus,
) -> Result<Developer, Error> {
    let developer = Developer {
        id: DeveloperId::issue(write.now, &mut OsRandom),
        portal_id: person.portal_id.clone(),
        name: DeveloperName::issue(write.now, &mut OsRandom),
        display_name: person.name.clone(),
        username: person.username.clone(),
        email: person.email.clone(),
        email_verified: person.email_verified,
        status,
        on_hold: !person.active,
        provider: DeveloperProvider::BuiltIn,
        last_active_at: None,
        created_at: write.now,
        updated_at: write.now,
    };
    let organization = Organization {
        id: OrganizationId::issue(write.now, &mut OsRandom),
        portal_id: person.portal_id.clone(),
        developer_id: developer.id.clone(),
        name: person.name.clone(),
        personal: true,
        created_at: write.now,
        updated_at: write.now,
    };
    let membership = Membership {
        organization_id: organization.id.clone(),
        person_id: person.id.clone(),
        role: Role::Owner,
        created_at: write.now,
    };
    write.insert_person(person).await?;
    write.insert_developer(&developer).await?;
    write.insert_organization(&organization).await?;
    write.insert_membership(&membership).await?;
    Ok(developer)
}

/// Deletes a developer of the front end's portal, by its public id.
pub async fn delete_named(app: &App, caller: &Caller, name: &str) -> Result<(), Error> {
    let Actor::PortalFrontEnd(portal) = &caller.actor else { return Err(Error::not_found()) };
    let name = DeveloperName::parse(name).ok_or_else(Error::not_found)?;
    let mut write = app.begin(caller).await?;
    let developer = write.developer_by_name(portal, &name).await?.ok_or_else(Error::not_found)?;
    remove(&mut write, &developer).await?;
    write.commit().await
}

/// Deletes a developer that an administrator names.
pub async fn delete(
    app: &App,
    caller: &Caller,
    named: &str,
    portal: Option<&PortalId>,
) -> Result<Developer, Error> {
    let developer = permitted(app, caller, named, portal, Action::DeleteDeveloper).await?;
    let mut write = app.begin(caller).await?;
    let developer = write.developer(&developer.id).await?.ok_or_else(Error::not_found)?;
    remove(&mut write, &developer).await?;
    write.commit().await?;
    Ok(developer)
}

/// Takes a developer away with its applications, pending approvals, organization, and persons without another one.
pub(crate) async fn remove(write: &mut Write<'_>, developer: &Developer) -> Result<(), Error> {
    for application in write.applications_of(&developer.id).await? {
        applications::remove(write, &application).await?;
    }
    for approval in write.pending_approvals_by(&developer.id).await? {
        let cancelled = approval.decided(ApprovalResult::Cancelled, Operator::default(), "", write.now)?;
        write.save_approval(&cancelled).await?;
    }
    if let Some(organization) = write.organization_of_developer(&developer.id).await? {
        for member in write.members_of(&organization.id).await? {
            if write.memberships_of(&member.person_id).await?.len() == 1 {
                let sessions = write.sessions_of(&SessionOwner::Person(member.person_id.clone())).await?;
                let running = sessions.iter().filter(|session| session.expires_at > write.now).count();
                write.counted.sessions += running as u64;
                write.delete_person(&member.person_id).await?;
            }
        }
    }
    write.delete_developer(&developer.id).await?;
    tell(write, EventName::DeveloperDeleted, developer);
    Ok(())
}

/// An accepted registration.
pub(crate) async fn activate(write: &mut Write<'_>, approval: &Approval) -> Result<(), Error> {
    let found = write.developer(&approval.developer_id).await?.ok_or_else(Error::not_found)?;
    let developer = found.activated(write.now)?;
    write.save_developer(&developer).await?;
    let told = (EventName::DeveloperActivated, NoticeEvent::RegistrationAccepted);
    notices::of_registration(write, told, &developer, developer.email.as_deref(), Some(approval)).await
}

/// A rejected registration: the pending developer goes, the approval stays.
pub(crate) async fn reject(write: &mut Write<'_>, approval: &Approval) -> Result<(), Error> {
    let developer = write.developer(&approval.developer_id).await?.ok_or_else(Error::not_found)?;
    let told = (EventName::RegistrationRejected, NoticeEvent::RegistrationRejected);
    notices::of_registration(write, told, &developer, developer.email.as_deref(), Some(approval)).await?;
    remove(write, &developer).await
}

pub(crate) fn tell(write: &mut Write<'_>, name: EventName, developer: &Developer) -> EventId {
    let detail = json!({ "developer_id": developer.name, "status": developer.status });
    write.tell(name, "developer", developer.id.as_str(), Some(&developer.portal_id), detail)
}
