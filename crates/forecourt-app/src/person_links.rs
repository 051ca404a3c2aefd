//! Links in mails to persons: to prove that an e-mail address is theirs, and to choose a new password.
//!
//! Invariant: whoever asks for a link, or registers, learns nothing of whether there is such an account: the answers are
//! the same, and so is what they cost but for some rows; and whoever asks in a person's place takes no link from them. Looking
//! at a page changes nothing; a link that is used, too old, void, of another portal or for another address is found by
//! nobody. Links are made where mails are (`deliveries/fan_out.rs`), so that their tokens are in nothing but a sealed text and
//! the mail.

use forecourt_core::{
    actors::Caller,
    administrators::StoredPassword,
    developers::Developer,
    events::EventName,
    ids::PortalId,
    notices::NoticeEvent,
    person_links::LinkPurpose,
    persons::{self, Person, PersonRefusal},
    secrets::PlainSecret,
    sessions::SessionOwner,
};
use forecourt_store::Reader;
use serde_json::{Value, json};

use crate::{App, Error, ErrorKind, authentication, notices, writes::Write};

/// Whether persons of the portal are mailed links: mail is sent, and it is known where the portal's site is.
pub(crate) async fn are_mailed(read: &Reader, portal: &PortalId) -> Result<bool, Error> {
    let has_site = read.portal(portal).await?.is_some_and(|portal| portal.site_root().is_some());
    Ok(has_site && read.smtp_server().await?.enable)
}

/// Whether the portal's site offers a new password for a forgotten one, and asks for proofs of addresses.
///
/// # Errors
/// When the database cannot be read.
pub async fn are_offered(app: &App, portal: &PortalId) -> Result<bool, Error> {
    are_mailed(app.read(), portal).await
}

/// What mails for `what` to whoever signs in as `login` are counted by.
fn account(what: &str, portal: &PortalId, login: &str) -> String {
    format!("{what}:{portal}:{}", login.to_lowercase().chars().take(256).collect::<String>())
}

/// Counts a registration, which mails whoever has the address, where links are mailed. Whether it is to be heard: beyond
/// some with one address in a while it is answered as others are, and changes nothing.
pub(crate) async fn count_sign_up(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    email: &str,
) -> Result<bool, Error> {
    if !are_mailed(app.read(), portal).await? {
        return Ok(true);
    }
    app.limits().mailed(caller.address.as_deref(), &account("registration", portal, email), app.now())
}

/// Voids the links of a person, whatever they are for: with another password they lead to another account, as it were.
pub(crate) async fn void(write: &Write<'_>, person: &Person) -> Result<(), Error> {
    for purpose in LinkPurpose::ALL {
        write.delete_person_links(&person.id, *purpose).await?;
    }
    Ok(())
}

/// Records that a person is to prove their address, and leaves it to be mailed.
pub(crate) async fn tell_verification(write: &mut Write<'_>, person: &Person) -> Result<(), Error> {
    let told = (EventName::PersonVerificationAsked, NoticeEvent::VerificationAsked);
    notices::of_account(write, told, &person.portal_id, Some(person), Value::Null).await
}

/// Records that a person's password was changed, and leaves it to be mailed where mail is sent.
pub(crate) async fn tell_change(write: &mut Write<'_>, person: &Person, detail: Value) -> Result<(), Error> {
    if !write.smtp_server().await?.enable {
        let (id, portal) = (person.id.as_str(), Some(&person.portal_id));
        write.tell(EventName::PersonPasswordChanged, "person", id, portal, detail);
        return Ok(());
    }
    let told = (EventName::PersonPasswordChanged, NoticeEvent::PasswordChanged);
    notices::of_account(write, told, &person.portal_id, Some(person), detail).await
}

/// Has another link mailed to somebody who knew their password and is to prove their address; not too often, and without a
/// word of that.
pub(crate) async fn remind(write: &mut Write<'_>, person: &Person) -> Result<(), Error> {
    let email = person.email.as_deref().unwrap_or_default();
    let called = account(LinkPurpose::Verification.name(), &person.portal_id, email);
    let counted = write.app().limits().mailed(write.caller().address.as_deref(), &called, write.now);
    if matches!(counted, Ok(true)) {
        tell_verification(write, person).await?;
    }
    Ok(())
}

/// Mails a link to whoever has this address and did not prove it yet, where none was mailed a moment ago. The answer is the
/// same whether there is such a person. What was mailed before works on: anybody may ask in a person's place.
///
/// # Errors
/// Not found where links are not mailed; what is no e-mail address; a limit, after too many from one address.
pub async fn ask_verification(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    address: &str,
) -> Result<(), Error> {
    let address = persons::email("email", address)?;
    let told = (EventName::PersonVerificationAsked, NoticeEvent::VerificationAsked);
    let wants = |person: &Person| !person.email_verified;
    ask(app, caller, portal, &address, (told, LinkPurpose::Verification), wants).await
}

/// Mails a link with which the person who has this address chooses a new password. The answer is the same whether there
/// is such a person.
///
/// # Errors
/// As [`ask_verification`].
pub async fn ask_reset(app: &App, caller: &Caller, portal: &PortalId, address: &str) -> Result<(), Error> {
    let address = persons::email("email", address)?;
    let told = (EventName::PersonPasswordForgotten, NoticeEvent::PasswordForgotten);
    // Whom a directory made has no password, and gets none this way.
    let wants = |person: &Person| person.password.is_some();
    ask(app, caller, portal, &address, (told, LinkPurpose::Reset), wants).await
}

async fn ask(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    address: &str,
    (told, purpose): ((EventName, NoticeEvent), LinkPurpose),
    wants: impl Fn(&Person) -> bool,
) -> Result<(), Error> {
    if !are_mailed(app.read(), portal).await? {
        return Err(Error::not_found());
    }
    let called = account(purpose.name(), portal, address);
    let is_sent = app.limits().mailed(caller.address.as_deref(), &called, app.now())?;
    let mut write = app.begin(caller).await?;
    let person = write.person_by_email(portal, address).await?;
    let person = person.filter(|person| is_sent && person.active && wants(person));
    notices::of_account(&mut write, told, portal, person.as_ref(), Value::Null).await?;
    write.commit().await
}

/// Whose link this token is of, in this portal and for this purpose. Changes nothing, so that programs that follow links
/// in mails use nothing up.
///
/// # Errors
/// Not found for whatever is no link that works; `Limit` for an address that shows too many of those.
pub async fn linked(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    purpose: LinkPurpose,
    token: &PlainSecret,
) -> Result<Person, Error> {
    match found(app, app.read(), portal, purpose, token).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(authentication::failed_as(app, caller, error))
        }
        found => found,
    }
}

async fn found(
    app: &App,
    read: &Reader,
    portal: &PortalId,
    purpose: LinkPurpose,
    token: &PlainSecret,
) -> Result<Person, Error> {
    let link = read.person_link(&token.digest()).await?.ok_or_else(Error::not_found)?;
    let person = read.person(&link.person_id).await?.ok_or_else(Error::not_found)?;
    let works = person.portal_id == *portal && link.works(purpose, &person, app.now());
    if works { Ok(person) } else { Err(Error::not_found()) }
}

/// Proves the address that the link with this token was sent to, once, for whoever knows the account's password too.
///
/// Whoever has the mail need not be who registered: somebody else may have, with a password of their own, and would have the
/// account opened to them. An account without a password was made by a directory; its link is enough.
///
/// # Errors
/// As [`linked`]; a wrong password, after which the link still works; a limit, after too many of these.
pub async fn verify(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    token: &PlainSecret,
    password: &str,
) -> Result<(), Error> {
    let purpose = LinkPurpose::Verification;
    let shown = linked(app, caller, portal, purpose, token).await?;
    if let Some(stored) = &shown.password {
        let password = persons::presented_password(password);
        if !authentication::proved_again(app, caller, shown.id.as_str(), &password, &stored.hash).await? {
            return Err(PersonRefusal::WrongPassword.into());
        }
    }
    let mut write = app.begin(caller).await?;
    // Used meanwhile, or void since somebody registered anew: nothing is proved.
    let person = found(app, &write, portal, purpose, token).await?;
    if person.password != shown.password {
        return Err(Error::not_found());
    }
    write.delete_person_links(&person.id, purpose).await?;
    let person = Person { email_verified: true, updated_at: write.now, ..person };
    write.save_person(&person).await?;
    show_proof(&write, &person).await?;
    let (id, portal) = (person.id.as_str(), Some(&person.portal_id));
    write.tell(EventName::PersonEmailVerified, "person", id, portal, Value::Null);
    write.commit().await
}

/// Gives the person whose link this is the password `new`, once, and ends all their sessions. Whoever has the mail has
/// the address too, which is proved by that.
///
/// # Errors
/// As [`linked`]; a password that breaks a rule, after which the link still works.
pub async fn reset(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    token: &PlainSecret,
    new: &str,
) -> Result<(), Error> {
    let purpose = LinkPurpose::Reset;
    let person = linked(app, caller, portal, purpose, token).await?;
    let forbidden = [person.email.as_deref(), person.username.as_deref(), Some(person.name.as_str())];
    let forbidden: Vec<_> = forbidden.into_iter().flatten().collect();
    let new = persons::new_password("new_password", new, &forbidden)?;
    let hash = app.passwords().hash(&new).await?;
    let mut write = app.begin(caller).await?;
    let person = found(app, &write, portal, purpose, token).await?;
    void(&write, &person).await?;
    let password = Some(StoredPassword { hash, one_time: false });
    let person = Person { password, email_verified: true, updated_at: write.now, ..person };
    write.save_person(&person).await?;
    show_proof(&write, &person).await?;
    write.delete_sessions_of(&SessionOwner::Person(person.id.clone()), None).await?;
    tell_change(&mut write, &person, json!({ "by_mail": true })).await?;
    write.commit().await
}

/// Shows at the developers of a person's own that the address is proved.
async fn show_proof(write: &Write<'_>, person: &Person) -> Result<(), Error> {
    for membership in write.memberships_of(&person.id).await? {
        let Some(organization) = write.organization(&membership.organization_id).await? else { continue };
        let Some(developer) = write.developer(&organization.developer_id).await? else { continue };
        if organization.personal && developer.email == person.email {
            let proved = Developer { email_verified: true, updated_at: write.now, ..developer };
            write.save_developer(&proved).await?;
        }
    }
    Ok(())
}
