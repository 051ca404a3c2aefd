//! Persons on a portal's own site: registration, sign-in, password.

use forecourt_core::{
    actors::{Actor, Caller},
    administrators::{StoredPassword, sign_in_text},
    approvals::{Approval, ApprovalSubject},
    audit_logs::masking,
    developers::{Developer, DeveloperStatus},
    events::EventName,
    ids::{ApprovalId, PersonId, PortalId},
    notices::NoticeEvent,
    organizations::Organization,
    persons::{self, Person, PersonRefusal},
    secrets::{PlainSecret, SecretDigest, TokenKind},
    sessions::{Session, SessionOwner},
    text,
};
use serde_json::{Value, json};

use crate::{
    App, Error, ErrorKind,
    authentication::{self, SignedIn},
    developers, notices, person_links,
    random::OsRandom,
    repeated_registrations,
    writes::Write,
};

/// What a person gives to register.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// What people call them, 1–100 characters.
    pub name: String,
    /// Unique within the portal.
    pub email: String,
    /// 8–128 characters.
    pub password: PlainSecret,
}

/// A signed-in person and whom they act for.
#[derive(Clone, Debug)]
pub struct KnownPerson {
    /// The person.
    pub person: Person,
    /// Their organization.
    pub organization: Organization,
    /// Its developer.
    pub developer: Developer,
    /// The session that proved it.
    pub session: SecretDigest,
}

impl KnownPerson {
    /// Who acts: the developer, or a guest while the registration waits for an approval.
    pub fn actor(&self) -> Actor {
        if self.developer.may_act() {
            authentication::acting(&self.developer, Some(self.person.id.clone()))
        } else {
            Actor::Guest(self.person.portal_id.clone())
        }
    }

    /// True while a one-time password is in force: nothing but changing it is permitted.
    pub fn must_change_password(&self) -> bool {
        self.person.must_change_password()
    }

    /// Whether the registration still waits for an approval.
    pub fn is_pending(&self) -> bool {
        self.developer.status == DeveloperStatus::Pending
    }
}

/// Registers a person with a personal organization and its developer, and signs them in; `None`: they are mailed instead.
///
/// The developer is active at once where the portal says so, and waits for an approval otherwise. Where mail is sent, the
/// address is to be proved first, and nobody learns whether it is registered already: its owner alone is told.
///
/// # Errors
/// What was given breaks a rule, or the portal is closed; an address that is taken, where no mail is sent; `Limit` where
/// too many registrations and sign-ins were begun from one address, or too many mails were asked for.
pub async fn sign_up(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    new: NewPerson,
    user_agent: &str,
) -> Result<Option<SignedIn<PersonId>>, Error> {
    let option = app.read().built_in_sign_in(Some(portal)).await?.ok_or_else(Error::not_found)?;
    let settings = option.offered_built_in().filter(|settings| settings.enable_self_registration);
    let settings = settings.ok_or(PersonRefusal::RegistrationClosed)?;
    let name = text::name("name", &new.name, text::NAME)?;
    let email = persons::email("email", &new.email)?;
    let password = persons::new_password("password", new.password.reveal(), &[&email, &name])?;
    // Each costs a slow hash, and tells whether an address has an account where no mail is sent.
    app.limits().begun(caller.address.as_deref(), app.now())?;
    let is_heard = person_links::count_sign_up(app, caller, portal, &email).await?;
    let hash = app.passwords().hash(&password).await?;
    let mut write = app.begin(caller).await?;
    let mails = person_links::are_mailed(&write, portal).await?;
    if mails && !is_heard {
        // By the address alone: known or not, it is answered so.
        return Ok(None);
    }
    // Nor as a user name that a directory gave: both sign in by what is typed.
    let known = write.persons_called(portal, &email).await?;
    let person = Person {
        id: PersonId::issue(write.now, &mut OsRandom),
        portal_id: portal.clone(),
        email: Some(email),
        email_verified: false,
        username: None,
        name,
        password: Some(StoredPassword { hash, one_time: false }),
        active: true,
        created_at: write.now,
        updated_at: write.now,
    };
    if !known.is_empty() {
        repeated_registrations::answer(write, &person, mails.then_some(known.as_slice())).await?;
        return Ok(None);
    }
    arrived(&mut write, &person, settings.registration_auto_approval, mails).await?;
    if mails {
        person_links::tell_verification(&mut write, &person).await?;
        write.commit().await?;
        return Ok(None);
    }
    let token = TokenKind::Session.issue(&mut OsRandom);
    let owner = SessionOwner::Person(person.id.clone());
    let session = authentication::new_session(&token, owner, option.id, caller, user_agent, write.now);
    write.insert_session(&session).await?;
    write.delete_ended_sessions(write.now).await?;
    write.commit().await?;
    Ok(Some(SignedIn { owner: person.id, token }))
}

/// Adds a person who registers; `auto`: without an approval. Where they are mailed a link, one mail is enough.
async fn arrived(write: &mut Write<'_>, person: &Person, auto: bool, mails: bool) -> Result<(), Error> {
    let status = if auto { DeveloperStatus::Active } else { DeveloperStatus::Pending };
    let developer = developers::settle(write, person, status).await?;
    if auto {
        developers::tell(write, EventName::DeveloperCreated, &developer);
        return Ok(());
    }
    let approval = registration(&developer, write.now);
    write.insert_approval(&approval).await?;
    let told = (EventName::DeveloperCreated, NoticeEvent::RegistrationRequested);
    let address = developer.email.as_deref().filter(|_| !mails);
    notices::of_registration(write, told, &developer, address, Some(&approval)).await
}

fn registration(developer: &Developer, now: forecourt_core::time::Timestamp) -> Approval {
    Approval {
        id: ApprovalId::issue(now, &mut OsRandom),
        portal_id: developer.portal_id.clone(),
        subject: ApprovalSubject::Registration,
        resource_name: developer.display_name.clone(),
        developer_id: developer.id.clone(),
        applicant_id: developer.name.to_string(),
        applicant_name: developer.display_name.clone(),
        applied_at: now,
        decision: None,
        updated_at: now,
    }
}

/// The person who signs in with this name, where the portal lets people sign in with a password.
async fn named(app: &App, portal: &PortalId, login: &str) -> Result<Option<Person>, Error> {
    let option = app.read().built_in_sign_in(Some(portal)).await?;
    Ok(match option.and_then(|option| option.offered_built_in()) {
        // PostgreSQL cannot even be asked for a text with NUL; no account has one.
        Some(_) if login.contains('\0') => None,
        // A user name, which an administrator gave, may be an address too: what somebody registers stays behind it.
        Some(settings) => match app.read().person_by_username(portal, login).await? {
            None if settings.login_with_email && login.contains('@') => {
                app.read().person_by_email(portal, &login.to_lowercase()).await?
            }
            named => named,
        },
        None => None,
    })
}

/// The person whose password this is, where the portal lets people sign in with one.
async fn proved(
    app: &App,
    address: Option<&str>,
    portal: &PortalId,
    login: &str,
    password: &str,
) -> Result<Option<Person>, Error> {
    let found = named(app, portal, login).await?;
    let stored = found.as_ref().and_then(|person| person.password.as_ref());
    let stored = stored.map(|stored| stored.hash.as_str());
    let _turn = app.limits().turn(address, app.now()).await?;
    let fits = app.passwords().verify(&persons::presented_password(password), stored).await?;
    Ok(found.filter(|person| fits && person.active))
}

/// Signs a person in by e-mail address or user name.
///
/// Refused with `Unauthenticated` for a wrong pair and with `Limit` after too many of them. Whoever is right and is to
/// prove their address first is refused as whoever is wrong, and mailed a link: else a registration and a sign-in after it
/// would tell whether there was an account before.
pub async fn sign_in(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    login: &str,
    password: &str,
    user_agent: &str,
) -> Result<SignedIn<PersonId>, Error> {
    let now = app.now();
    let login = login.trim();
    let account = format!("person:{portal}:{}", login.to_lowercase().chars().take(256).collect::<String>());
    let attempt = app.limits().attempt(&account, caller.address.as_deref(), now).await?;
    let shown = async {
        let person = proved(app, caller.address.as_deref(), portal, login, password).await?;
        Ok::<_, Error>((person, person_links::are_mailed(app.read(), portal).await?))
    };
    let (person, mails) = match shown.await {
        Ok(shown) => shown,
        Err(error) => {
            attempt.void();
            return Err(error);
        }
    };
    let (person, unproved) = match person {
        Some(person) if mails && person.must_verify() => (None, Some(person)),
        other => (other, None),
    };
    let Some(person) = person else {
        drop(attempt);
        return Err(refused(app, caller, portal, login, unproved.as_ref()).await?);
    };
    attempt.succeeded();
    let token = TokenKind::Session.issue(&mut OsRandom);
    let mut write = app.begin(caller).await?;
    let holds = |current: Person| current.active && current.password == person.password;
    if !write.person(&person.id).await?.is_some_and(holds) {
        // Changed, deactivated or deleted while the old password was being proved: it opens nothing any more.
        return Err(Error::unauthenticated());
    }
    // Disabled meanwhile, it lets nobody in any more.
    let option = write.built_in_sign_in(Some(portal)).await?.filter(|option| !option.disable);
    let option = option.ok_or_else(Error::unauthenticated)?.id;
    let owner = SessionOwner::Person(person.id.clone());
    let session = authentication::new_session(&token, owner, option, caller, user_agent, now);
    write.insert_session(&session).await?;
    write.delete_ended_sessions(write.now).await?;
    write.tell(EventName::PersonSignedIn, "person", person.id.as_str(), Some(portal), Value::Null);
    write.commit().await?;
    Ok(SignedIn { owner: person.id, token })
}

/// The answer to a failed sign-in, which is recorded. `unproved`: whose password was right, and who is mailed a link.
async fn refused(
    app: &App,
    caller: &Caller,
    portal: &PortalId,
    login: &str,
    unproved: Option<&Person>,
) -> Result<Error, Error> {
    let error = app.limits().failed(caller.address.as_deref(), app.now());
    // Who is told to wait leaves no further record: that would be a write for everybody who asks.
    if error.kind() == ErrorKind::Unauthenticated {
        let shown = masking::typed_name(login, named(app, portal, login).await?.is_some());
        let mut write = app.begin(caller).await?;
        let detail = json!({ "username": shown });
        write.tell(EventName::PersonSignInFailed, "person", "", Some(portal), detail);
        if let Some(person) = unproved {
            person_links::remind(&mut write, person).await?;
        }
        write.commit().await?;
    }
    Ok(error)
}

/// Who is signed in to the portal's site with this session token, if anybody.
pub async fn by_session(app: &App, portal: &PortalId, token: &str) -> Result<Option<KnownPerson>, Error> {
    let digest = PlainSecret::presented(token).digest();
    let session = app.read().session(&digest).await?.filter(|session| app.now() < session.expires_at);
    let Some(Session { owner: SessionOwner::Person(id), .. }) = session else { return Ok(None) };
    let person = app.read().person(&id).await?;
    let person = person.filter(|person| person.active && person.portal_id == *portal);
    let Some(person) = person else { return Ok(None) };
    let memberships = app.read().memberships_of(&person.id).await?;
    let Some(membership) = memberships.first() else { return Ok(None) };
    let Some(organization) = app.read().organization(&membership.organization_id).await? else {
        return Ok(None);
    };
    let Some(developer) = app.read().developer(&organization.developer_id).await? else { return Ok(None) };
    if developer.may_act() {
        authentication::note_activity(app, &developer).await?;
    }
    Ok(Some(KnownPerson { person, organization, developer, session: digest }))
}

/// The person's sessions, newest first.
pub async fn sessions(app: &App, known: &KnownPerson) -> Result<Vec<Session>, Error> {
    Ok(app.read().sessions_of(&SessionOwner::Person(known.person.id.clone())).await?)
}

/// Ends one of the person's sessions; that of somebody else is not found.
pub async fn end_session(
    app: &App,
    caller: &Caller,
    known: &KnownPerson,
    digest: &SecretDigest,
) -> Result<(), Error> {
    let own = SessionOwner::Person(known.person.id.clone());
    let session = app.read().session(digest).await?.filter(|session| session.owner == own);
    let session = session.ok_or_else(Error::not_found)?;
    let mut write = app.begin(caller).await?;
    write.delete_session(&session.digest).await?;
    let person = &known.person;
    write.tell(
        EventName::PersonSignedOut,
        "person",
        person.id.as_str(),
        Some(&person.portal_id),
        Value::Null,
    );
    write.commit().await
}

/// Changes the person's own password and ends their other sessions.
///
/// `old` is not needed while a one-time password is in force; wrong ones are limited as sign-ins are.
pub async fn change_password(
    app: &App,
    caller: &Caller,
    known: &KnownPerson,
    new: &str,
    old: Option<&str>,
) -> Result<(), Error> {
    let stored = known.person.password.as_ref().ok_or(PersonRefusal::WrongPassword)?;
    let forbidden =
        [known.person.email.as_deref(), known.person.username.as_deref(), Some(known.person.name.as_str())];
    let forbidden: Vec<_> = forbidden.into_iter().flatten().collect();
    let new = persons::new_password("new_password", new, &forbidden)?;
    if !stored.one_time {
        let old = persons::presented_password(old.ok_or(PersonRefusal::WrongPassword)?);
        let account = known.person.id.as_str();
        if !authentication::proved_again(app, caller, account, &old, &stored.hash).await? {
            return Err(PersonRefusal::WrongPassword.into());
        }
    }
    if app.passwords().verify(&new, Some(&stored.hash)).await? {
        return Err(PersonRefusal::SamePassword.into());
    }
    let hash = app.passwords().hash(&new).await?;
    let mut write = app.begin(caller).await?;
    let mut person = write.person(&known.person.id).await?.ok_or_else(Error::unauthenticated)?;
    if !person.active || person.password.as_ref() != Some(stored) {
        // Somebody changed it since it was proved: what was proved is worth nothing any more.
        return Err(Error::unauthenticated());
    }
    person.password = Some(StoredPassword { hash, one_time: false });
    person.updated_at = write.now;
    write.save_person(&person).await?;
    write.delete_sessions_of(&SessionOwner::Person(person.id.clone()), Some(&known.session)).await?;
    person_links::void(&write, &person).await?;
    let detail = json!({ "one_time_was": stored.one_time });
    person_links::tell_change(&mut write, &person, detail).await?;
    write.commit().await
}

/// Gives the person of a developer's own organization a one-time password, and ends their sessions.
///
/// # Errors
/// A conflict where nobody signs in to our site as this developer, or where several do.
pub async fn reset_password(
    app: &App,
    caller: &Caller,
    named: &str,
    portal: Option<&PortalId>,
    password: &str,
) -> Result<Developer, Error> {
    let developer = developers::invitable(app, caller, named, portal).await?;
    let password = persons::presented_password(&sign_in_text("password", password)?);
    let hash = app.passwords().hash(&password).await?;
    let mut write = app.begin(caller).await?;
    let members = match write.organization_of_developer(&developer.id).await? {
        Some(organization) => write.members_of(&organization.id).await?,
        None => Vec::new(),
    };
    let [member] = members.as_slice() else { return Err(PersonRefusal::NotOnePerson.into()) };
    let mut person = write.person(&member.person_id).await?.ok_or_else(Error::not_found)?;
    person.password = Some(StoredPassword { hash, one_time: true });
    person.updated_at = write.now;
    write.save_person(&person).await?;
    write.delete_sessions_of(&SessionOwner::Person(person.id.clone()), None).await?;
    person_links::void(&write, &person).await?;
    let (id, portal) = (person.id.as_str(), &person.portal_id);
    write.tell(EventName::PersonPasswordReset, "person", id, Some(portal), Value::Null);
    write.commit().await?;
    Ok(developer)
}
