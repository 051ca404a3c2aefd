//! What a portal's directory does to the people that it made, and to what is theirs.
//!
//! Invariant: a developer is on hold while nobody of its organization may get in. Where others of them may, it goes on;
//! where nobody is left at all, it goes with the last one.

use forecourt_core::{
    developers::{Developer, DeveloperStatus},
    events::EventName,
    ids::{OrganizationId, PersonId, PortalId},
    lists::List,
    organizations::Organization,
    persons::{Person, PersonRefusal},
    provisioning::{ProvisionedInput, ProvisionedUser, ProvisioningRefusal},
    sessions::SessionOwner,
};
use forecourt_store::Reader;
use serde_json::{Value, json};

use super::Wanted;
use crate::{App, Error, applications, developers, random::OsRandom, writes::Write};

pub(super) async fn users(
    app: &App,
    portal: &PortalId,
    wanted: Wanted<'_>,
) -> Result<List<ProvisionedUser>, Error> {
    let page = match wanted {
        Wanted::Named(name) => return named(app.read(), portal, name).await,
        Wanted::Known(id) => {
            let rows = app.read().provisioned_persons_known(portal, id).await?;
            return Ok(List { total: rows.len() as u64, rows });
        }
        Wanted::All => None,
        Wanted::Page { skipped, most } => Some((skipped, most)),
    };
    Ok(app.read().provisioned_persons(portal, page).await?)
}

async fn named(read: &Reader, portal: &PortalId, name: &str) -> Result<List<ProvisionedUser>, Error> {
    let mut rows = Vec::new();
    for person in read.persons_called(portal, name).await? {
        rows.extend(read.provisioned_person(portal, &person.id).await?);
    }
    // Others are called so by their address.
    rows.retain(|user| user.username.to_lowercase() == name.to_lowercase());
    Ok(List { total: rows.len() as u64, rows })
}

pub(super) async fn found(
    read: &Reader,
    portal: &PortalId,
    id: &str,
) -> Result<Option<ProvisionedUser>, Error> {
    match PersonId::parse(id) {
        Some(id) => Ok(read.provisioned_person(portal, &id).await?),
        None => Ok(None),
    }
}

pub(super) async fn create(
    write: &mut Write<'_>,
    portal: &PortalId,
    input: ProvisionedInput,
) -> Result<ProvisionedUser, Error> {
    let id = PersonId::issue(write.now, &mut OsRandom);
    let user = input.begun(id.to_string(), write.now);
    let person = user.onto_person(Person {
        id,
        portal_id: portal.clone(),
        email: None,
        email_verified: false,
        username: None,
        name: String::new(),
        password: None,
        active: true,
        created_at: write.now,
        updated_at: write.now,
    });
    refuse_taken(write, None, &person).await?;
    let developer = developers::settle(write, &person, DeveloperStatus::Active).await?;
    write.save_person_details(&person.id, &user.details).await?;
    developers::tell(write, EventName::DeveloperCreated, &developer);
    let detail = json!({ "username": user.username, "active": user.active, "developer_id": developer.name });
    tell(write, EventName::PersonProvisioned, &person, detail);
    Ok(user)
}

pub(super) async fn save(
    write: &mut Write<'_>,
    portal: &PortalId,
    before: &ProvisionedUser,
    after: &ProvisionedUser,
) -> Result<(), Error> {
    let known = own(write, portal, after).await?;
    let person = after.onto_person(known.clone());
    refuse_taken(write, Some(&known), &person).await?;
    write.save_person(&person).await?;
    write.save_person_details(&person.id, &after.details).await?;
    tell(write, EventName::PersonUpdatedByDirectory, &person, json!({ "username": after.username }));
    rename(write, &person).await?;
    match (before.active, after.active) {
        (true, false) => {
            write.delete_sessions_of(&SessionOwner::Person(person.id.clone()), None).await?;
            tell(write, EventName::PersonDeactivated, &person, Value::Null);
        }
        (false, true) => tell(write, EventName::PersonActivated, &person, Value::Null),
        _ => return Ok(()),
    }
    for membership in write.memberships_of(&person.id).await? {
        settle(write, &membership.organization_id).await?;
    }
    Ok(())
}

pub(super) async fn delete(
    write: &mut Write<'_>,
    portal: &PortalId,
    user: &ProvisionedUser,
) -> Result<(), Error> {
    let person = own(write, portal, user).await?;
    tell(write, EventName::PersonDeprovisioned, &person, json!({ "username": user.username }));
    let memberships = write.memberships_of(&person.id).await?;
    write.delete_person(&person.id).await?;
    for membership in memberships {
        settle(write, &membership.organization_id).await?;
    }
    Ok(())
}

async fn own(write: &Write<'_>, portal: &PortalId, user: &ProvisionedUser) -> Result<Person, Error> {
    let id = PersonId::parse(&user.id).ok_or_else(Error::not_found)?;
    let person = write.person(&id).await?.filter(|person| person.portal_id == *portal);
    person.ok_or_else(Error::not_found)
}

/// Brings an organization's developer into the state that who is left of its people asks for: deleted where nobody is,
/// on hold where nobody of them may get in.
async fn settle(write: &mut Write<'_>, organization: &OrganizationId) -> Result<(), Error> {
    let (organization, developer) = of_organization(write, organization).await?;
    let members = write.members_of(&organization.id).await?;
    if members.is_empty() {
        return developers::remove(write, &developer).await;
    }
    let mut on_hold = true;
    for member in members {
        on_hold &= write.person(&member.person_id).await?.is_none_or(|person| !person.active);
    }
    if on_hold == developer.on_hold {
        return Ok(());
    }
    let developer = developer.held(on_hold, write.now);
    write.save_developer(&developer).await?;
    applications::tell_gateways(write, &developer).await?;
    let name = if on_hold { EventName::DeveloperHeld } else { EventName::DeveloperReleased };
    developers::tell(write, name, &developer);
    Ok(())
}

async fn of_organization(write: &Write<'_>, id: &OrganizationId) -> Result<(Organization, Developer), Error> {
    let organization = write.organization(id).await?.ok_or_else(Error::not_found)?;
    let developer = write.developer(&organization.developer_id).await?.ok_or_else(Error::not_found)?;
    Ok((organization, developer))
}

/// Calls a person's own organization and its developer as the person is called.
async fn rename(write: &mut Write<'_>, person: &Person) -> Result<(), Error> {
    for membership in write.memberships_of(&person.id).await? {
        let (organization, developer) = of_organization(write, &membership.organization_id).await?;
        if !organization.personal {
            continue;
        }
        let renamed = Developer {
            display_name: person.name.clone(),
            username: person.username.clone(),
            email: person.email.clone(),
            email_verified: person.email_verified,
            ..developer.clone()
        };
        if renamed != developer {
            let now = write.now;
            write.save_developer(&Developer { updated_at: now, ..renamed }).await?;
            let organization = Organization { name: person.name.clone(), updated_at: now, ..organization };
            write.save_organization(&organization).await?;
        }
    }
    Ok(())
}

/// Refuses a name or an address that another account of the portal is known by, in any case: one must not sign in as the
/// other. What stays as it was, is not looked at: names that differ in case alone may be there from before.
async fn refuse_taken(write: &Write<'_>, before: Option<&Person>, person: &Person) -> Result<(), Error> {
    let changed = |value: fn(&Person) -> Option<&str>| {
        value(person).filter(|wanted| before.and_then(value) != Some(*wanted))
    };
    if let Some(username) = changed(|person| person.username.as_deref())
        && is_taken(write, person, username).await?
    {
        return Err(PersonRefusal::UsernameTaken(username.to_owned()).into());
    }
    if let Some(email) = changed(|person| person.email.as_deref())
        && is_taken(write, person, email).await?
    {
        return Err(ProvisioningRefusal::EmailTaken(email.to_owned()).into());
    }
    Ok(())
}

async fn is_taken(write: &Write<'_>, own: &Person, called: &str) -> Result<bool, Error> {
    let found = write.persons_called(&own.portal_id, called).await?;
    Ok(found.iter().any(|other| other.id != own.id))
}

fn tell(write: &mut Write<'_>, name: EventName, person: &Person, detail: Value) {
    write.tell(name, "person", person.id.as_str(), Some(&person.portal_id), detail);
}
