//! Registrations with an address that is registered already, where links are mailed.
//!
//! Invariant: whoever registers learns nothing of it. Whoever got in before keeps everything: they alone are told. Of an
//! account that nobody proved or got into, the newest registration holds, since nobody knows which of them was the owner's of
//! the address; its link proves nothing without its password.

use forecourt_core::{
    approvals::{Approval, ApprovalSubject},
    developers::Developer,
    events::EventName,
    notices::NoticeEvent,
    organizations::Organization,
    person_links::LinkPurpose,
    persons::{Person, PersonRefusal},
    sessions::SessionOwner,
};
use forecourt_store::Reader;
use serde_json::{Value, json};

use crate::{Error, notices, person_links, writes::Write};

/// Ends the registration of `new`, by whose address others are `known`; `None`: no mail is sent.
///
/// # Errors
/// The address is taken, where no mail is sent.
pub(crate) async fn answer(
    mut write: Write<'_>,
    new: &Person,
    known: Option<&[Person]>,
) -> Result<(), Error> {
    let known = known.ok_or(PersonRefusal::EmailTaken)?;
    let owner = known.iter().find(|person| person.active && person.email == new.email);
    let open = match owner {
        Some(owner) => is_nobodys(&write, owner).await?.then_some(owner),
        None => None,
    };
    if let Some(person) = open {
        replace(&mut write, person, new).await?;
    } else {
        let told = (EventName::PersonRegistrationRepeated, NoticeEvent::RegistrationRepeated);
        notices::of_account(&mut write, told, &new.portal_id, owner, Value::Null).await?;
    }
    write.commit().await
}

/// Whether nobody proved this account's address and nobody got in, such as before mail was sent.
async fn is_nobodys(read: &Reader, person: &Person) -> Result<bool, Error> {
    let is_chosen = person.password.as_ref().is_some_and(|password| !password.one_time);
    if !person.must_verify() || !is_chosen {
        return Ok(false);
    }
    if !read.sessions_of(&SessionOwner::Person(person.id.clone())).await?.is_empty() {
        return Ok(false);
    }
    for membership in read.memberships_of(&person.id).await? {
        let Some(organization) = read.organization(&membership.organization_id).await? else { continue };
        let developer = read.developer(&organization.developer_id).await?;
        if developer.is_some_and(|developer| developer.last_active_at.is_some()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives the account the name and the password of the newest registration, and has it mailed a link instead of those before.
async fn replace(write: &mut Write<'_>, person: &Person, new: &Person) -> Result<(), Error> {
    let person = Person {
        name: new.name.clone(),
        password: new.password.clone(),
        updated_at: write.now,
        ..person.clone()
    };
    write.save_person(&person).await?;
    rename(write, &person).await?;
    // Those for a new password stay: that is the owner's way to the account, whoever registers.
    write.delete_person_links(&person.id, LinkPurpose::Verification).await?;
    let (id, portal) = (person.id.as_str(), Some(&person.portal_id));
    let detail = json!({ "replaced": true });
    write.tell(EventName::PersonRegistrationRepeated, "person", id, portal, detail);
    person_links::tell_verification(write, &person).await
}

/// Shows the person's name at the developer of their own, and where that waits for an approval.
async fn rename(write: &Write<'_>, person: &Person) -> Result<(), Error> {
    let (name, now) = (&person.name, write.now);
    for membership in write.memberships_of(&person.id).await? {
        let Some(organization) = write.organization(&membership.organization_id).await? else { continue };
        let Some(developer) = write.developer(&organization.developer_id).await? else { continue };
        if !organization.personal {
            continue;
        }
        for approval in write.pending_approvals_by(&developer.id).await? {
            if approval.subject == ApprovalSubject::Registration {
                let (resource_name, applicant_name) = (name.clone(), name.clone());
                let renamed = Approval { resource_name, applicant_name, updated_at: now, ..approval };
                write.save_approval(&renamed).await?;
            }
        }
        let renamed = Organization { name: name.clone(), updated_at: now, ..organization };
        write.save_organization(&renamed).await?;
        let renamed = Developer { display_name: name.clone(), updated_at: now, ..developer };
        write.save_developer(&renamed).await?;
    }
    Ok(())
}
