//! Administrators' sign-in by way of somebody else: what all protocols share. [`oidc`], [`saml`] and [`cas`] send
//! browsers away and take them back, [`ldap`] asks a directory.
//!
//! Invariant: an account is found by the option and the provider's own subject, never by a user name or an e-mail
//! address: who says that they are called like somebody is not them. A browser ends only what it began, once.

pub mod cas;
pub mod ldap;
pub mod oidc;
pub mod saml;

use forecourt_core::{
    actors::Caller,
    administrators::Administrator,
    audit_logs::masking,
    events::EventName,
    external_sign_ins::{ExternalPerson, PendingSignIn, free_username, own_page},
    ids::{AdministratorId, SignInOptionId},
    secrets::{KeptSecret, PlainSecret},
    sessions::SessionOwner,
    sign_in_options::{SignInOption, SignInOptionFilter, SignInType},
};
use forecourt_identity::sign_ins::SignInFault;
use serde_json::{Value, json};

use crate::{
    App, Error,
    authentication::{self, KnownAdministrator, SignedIn},
    random::OsRandom,
    sealing,
    writes::Write,
};

/// A browser that is sent to a provider.
#[derive(Debug)]
pub struct Departure {
    /// Where to.
    pub location: String,
    /// What it must show when it comes back, as a cookie.
    pub binding: Binding,
}

/// What binds a sign-in to the browser that began it.
#[derive(Debug)]
pub struct Binding {
    /// The name of the cookie: another one for each sign-in, so that two windows do not disturb each other.
    pub cookie: String,
    /// Its value.
    pub secret: PlainSecret,
}

/// A browser that came back and may have its sign-in ended.
#[derive(Debug)]
pub(crate) struct Returned {
    /// The option that it began with, which is enabled still.
    pub(crate) option: SignInOption,
    /// What the protocol remembered.
    pub(crate) memo: Value,
    /// The page of ours to go on to; empty: the first one.
    pub(crate) next: String,
}

/// Somebody whose sign-in ended well.
#[derive(Debug)]
pub struct Arrival {
    /// Who, with their session.
    pub signed_in: SignedIn<KnownAdministrator>,
    /// The page of ours to go on to; empty: the first one.
    pub next: String,
}

/// A sign-in that is being begun: its state, and the secret of the browser.
#[derive(Debug)]
pub(crate) struct Round {
    /// What the provider sends back, `state` or `RelayState`.
    pub(crate) state: PlainSecret,
    browser: PlainSecret,
}

/// The cookie that a browser must show with this state.
pub fn cookie_of(state: &str) -> String {
    let digest = PlainSecret::presented(state).digest().to_hex();
    format!("sign_in_{}", digest.get(..16).unwrap_or_default())
}

/// The enabled options of the administrators, the oldest first: what a sign-in page offers.
pub async fn offered(app: &App) -> Result<Vec<SignInOption>, Error> {
    let mut options = app.read().sign_in_options(&SignInOptionFilter::default()).await?.rows;
    options.retain(|option| !option.disable);
    options.sort_by_key(|option| option.created_at);
    Ok(options)
}

/// The administrators' option with this id, where it is enabled and of this type.
///
/// # Errors
/// Not found otherwise: whoever asks need not know more.
pub async fn enabled(
    app: &App,
    id: &SignInOptionId,
    provider_type: SignInType,
) -> Result<SignInOption, Error> {
    usable(app.read().sign_in_option(id).await?, provider_type)
}

/// Not found where the option is gone by now, disabled, or pointed at another provider than the one that was asked.
async fn unmoved(write: &Write<'_>, option: &SignInOption) -> Result<(), Error> {
    let current = usable(write.sign_in_option(&option.id).await?, option.provider_type())?;
    match current.config.is_another_provider(&option.config) {
        true => Err(Error::not_found()),
        false => Ok(()),
    }
}

fn usable(option: Option<SignInOption>, provider_type: SignInType) -> Result<SignInOption, Error> {
    let fits = |option: &SignInOption| {
        option.portal_id.is_none() && !option.disable && option.provider_type() == provider_type
    };
    option.filter(fits).ok_or_else(Error::not_found)
}

impl Round {
    /// One with fresh secrets.
    pub(crate) fn new(app: &App) -> Self {
        let secret = || PlainSecret::presented(app.random_hex(32));
        Self { state: secret(), browser: secret() }
    }

    /// Remembers that it was begun with `option`, with what the protocol must know when the browser is back. Sends the
    /// browser to `location`; `next` is where it goes on to in the end.
    pub(crate) async fn begin(
        self,
        app: &App,
        caller: &Caller,
        option: &SignInOption,
        location: String,
        memo: &Value,
        next: &str,
    ) -> Result<Departure, Error> {
        let memo = PlainSecret::presented(memo.to_string());
        let write = app.begin(caller).await?;
        // It may have gone while the provider was asked.
        unmoved(&write, option).await?;
        let pending = PendingSignIn {
            state: self.state.digest(),
            option: option.id.clone(),
            browser: self.browser.digest(),
            memo: sealing::seal(app, &memo, &place(&self.state))?,
            next: own_page(next).unwrap_or_default().to_owned(),
            expires_at: write.now.plus_seconds(PendingSignIn::SECONDS),
        };
        let (now, tx) = (write.now, write.into_tx());
        tx.insert_pending_sign_in(&pending, PendingSignIn::MOST, now).await?;
        tx.commit(now).await?;
        let binding = Binding { cookie: cookie_of(self.state.reveal()), secret: self.browser };
        Ok(Departure { location, binding })
    }
}

/// Refuses where too many sign-ins were begun from one address: each is a row that waits.
pub(crate) fn limit_begun(app: &App, caller: &Caller) -> Result<(), Error> {
    app.limits().begun(caller.address.as_deref(), app.now())
}

/// Takes the sign-in that `state` names, for the browser that shows `browser`; nobody gets it again.
///
/// # Errors
/// Unauthenticated where it never was, is over, or was begun by another browser; not found where its option is gone,
/// disabled, or of another type.
pub(crate) async fn take(
    app: &App,
    caller: &Caller,
    provider_type: SignInType,
    state: &str,
    browser: Option<&str>,
) -> Result<Returned, Error> {
    let refused =
        || Error::unauthenticated_because("the sign-in is over or was begun elsewhere; begin again");
    let browser = PlainSecret::presented(browser.ok_or_else(refused)?).digest();
    let state = PlainSecret::presented(state);
    // Who makes a state up is told so without a write.
    app.read().pending_sign_in(&state.digest()).await?.ok_or_else(refused)?;
    let write = app.begin(caller).await?;
    let (now, tx) = (write.now, write.into_tx());
    let pending = tx.take_pending_sign_in(&state.digest()).await?;
    tx.commit(now).await?;
    let pending = pending.filter(|pending| pending.ends_with(&browser, now)).ok_or_else(refused)?;
    let option = enabled(app, &pending.option, provider_type).await?;
    let memo = app.opened(&pending.memo, &place(&state)).await?;
    let memo = serde_json::from_str(memo.reveal()).map_err(|_| refused())?;
    Ok(Returned { option, memo, next: pending.next })
}

/// Where the memo of a sign-in is sealed.
fn place(state: &PlainSecret) -> String {
    place_of(&state.digest().to_hex())
}

/// The same by the digest of the state, in hex.
pub(crate) fn place_of(digest: &str) -> String {
    format!("pending_sign_in/{digest}")
}

/// Opens a session for whom the provider of `option` knows, or records why it does not. `username` is what was typed,
/// where something was.
///
/// # Errors
/// Unauthenticated where the provider refused them, or where they are deactivated here; see [`SignInFault`] for the
/// others.
pub(crate) async fn finish(
    app: &App,
    caller: &Caller,
    option: &SignInOption,
    username: Option<&str>,
    person: Result<ExternalPerson, SignInFault>,
    user_agent: &str,
) -> Result<SignedIn<KnownAdministrator>, Error> {
    let person = match person {
        Ok(person) => person,
        Err(fault) => {
            warn(caller, option, &fault);
            tell_failure(app, caller, option, username, &fault.to_string()).await?;
            return Err(fault.into());
        }
    };
    let administrator = recognize(app, caller, option, &person).await?;
    if !administrator.active {
        let why = "the administrator is deactivated";
        tell_failure(app, caller, option, Some(&administrator.username), why).await?;
        return Err(Error::unauthenticated());
    }
    let known = authentication::known(app, administrator, None).await?;
    open_session(app, caller, option, &person.subject, known, user_agent).await
}

/// Tells operators why a provider signs nobody in.
pub(crate) fn warn(caller: &Caller, option: &SignInOption, fault: &SignInFault) {
    tracing::warn!(
        sign_in.option = %option.id,
        sign_in.fault = %fault,
        request.id = %caller.request_id,
        "nobody was signed in"
    );
}

/// The administrator whom the provider knows so; a first sign-in makes one, without roles. What it says of their names
/// replaces what is known.
async fn recognize(
    app: &App,
    caller: &Caller,
    option: &SignInOption,
    person: &ExternalPerson,
) -> Result<Administrator, Error> {
    if let Some(known) = owner(app.read(), &option.id, &person.subject).await?
        && (!known.active || renewed(&known, person).is_none())
    {
        return Ok(known);
    }
    let mut write = app.begin(caller).await?;
    unmoved(&write, option).await?;
    let known = owner(&write, &option.id, &person.subject).await?;
    let administrator = match known {
        Some(known) => {
            let Some(changed) = renewed(&known, person) else { return Ok(known) };
            let changed = Administrator { updated_at: write.now, ..changed };
            write.save_administrator(&changed).await?;
            let id = changed.id.to_string();
            let detail = json!({ "option_id": option.id });
            write.tell(EventName::AdministratorRenamed, "administrator", &id, None, detail);
            changed
        }
        None => make(&mut write, option, person).await?,
    };
    write.commit().await?;
    Ok(administrator)
}

async fn owner(
    read: &forecourt_store::Reader,
    option: &SignInOptionId,
    subject: &str,
) -> Result<Option<Administrator>, Error> {
    match read.identity_owner(option, subject).await? {
        Some(SessionOwner::Administrator(id)) => Ok(read.administrator(&id).await?),
        _ => Ok(None),
    }
}

/// The administrator with the names that the provider gives, where that changes anything.
fn renewed(known: &Administrator, person: &ExternalPerson) -> Option<Administrator> {
    let mut changed = known.clone();
    // A name is renewed as a whole: half of an old one would make a third person.
    if person.first_name.is_some() || person.last_name.is_some() {
        changed.first_name = person.first_name.clone().unwrap_or_default();
        changed.last_name = person.last_name.clone().unwrap_or_default();
    }
    if let Some(email) = &person.email {
        changed.email.clone_from(email);
    }
    (changed != *known).then_some(changed)
}

async fn make(
    write: &mut Write<'_>,
    option: &SignInOption,
    person: &ExternalPerson,
) -> Result<Administrator, Error> {
    let id = AdministratorId::issue(write.now, &mut OsRandom);
    let username = username(write, &person.wanted_username()).await?;
    let administrator = Administrator {
        email: person.email.clone().unwrap_or_default(),
        first_name: person.first_name.clone().unwrap_or_default(),
        last_name: person.last_name.clone().unwrap_or_default(),
        activated: true,
        ..Administrator::new(id, username, write.now)
    };
    write.insert_administrator(&administrator).await?;
    let owner = SessionOwner::Administrator(administrator.id.clone());
    write.insert_identity(&option.id, &person.subject, &owner, write.now).await?;
    let id = administrator.id.to_string();
    let detail = json!({ "username": administrator.username, "option_id": option.id });
    write.tell(EventName::AdministratorRecognized, "administrator", &id, None, detail);
    Ok(administrator)
}

/// A user name that nobody has, also not in other letter case: an account is not to be taken for another.
async fn username(write: &Write<'_>, wanted: &str) -> Result<String, Error> {
    for tried in 0..100 {
        let candidate = free_username(wanted, tried);
        if write.administrators_called(&candidate).await?.is_empty() {
            return Ok(candidate);
        }
    }
    let short: String = wanted.chars().take(100).collect();
    Ok(format!("{short}-{}", write.app().random_hex(8)))
}

async fn open_session(
    app: &App,
    caller: &Caller,
    option: &SignInOption,
    subject: &str,
    known: KnownAdministrator,
    user_agent: &str,
) -> Result<SignedIn<KnownAdministrator>, Error> {
    let token = forecourt_core::secrets::TokenKind::Session.issue(&mut OsRandom);
    let caller = caller.acting_as(known.actor());
    let mut write = app.begin(&caller).await?;
    // All of it may have changed while the provider was asked.
    unmoved(&write, option).await?;
    let id = &known.administrator.id;
    let current = owner(&write, &option.id, subject).await?;
    if !current.is_some_and(|current| current.id == *id && current.active) {
        return Err(Error::unauthenticated());
    }
    let (now, owner) = (write.now, SessionOwner::Administrator(id.clone()));
    let session = authentication::new_session(&token, owner, option.id.clone(), &caller, user_agent, now);
    write.insert_session(&session).await?;
    write.delete_ended_sessions(now).await?;
    let detail = json!({ "option_id": option.id });
    write.tell(EventName::AdministratorSignedIn, "administrator", id.as_str(), None, detail);
    write.commit().await?;
    Ok(SignedIn { owner: KnownAdministrator { session: Some(token.digest()), ..known }, token })
}

async fn tell_failure(
    app: &App,
    caller: &Caller,
    option: &SignInOption,
    username: Option<&str>,
    reason: &str,
) -> Result<(), Error> {
    let reason: String = masking::text(reason).chars().filter(|c| !c.is_control()).take(500).collect();
    let mut detail = json!({ "option_id": option.id, "reason": reason });
    if let (Some(username), Some(detail)) = (username, detail.as_object_mut()) {
        detail.insert("username".into(), authentication::typed_name(app, username).await?.into());
    }
    let mut write = app.begin(caller).await?;
    write.tell(EventName::AdministratorSignInFailed, "administrator", "", None, detail);
    write.commit().await
}

/// A secret of an option's settings, opened.
pub(crate) async fn opened(
    app: &App,
    option: &SignInOption,
    member: &str,
    secret: Option<&KeptSecret>,
) -> Result<Option<PlainSecret>, Error> {
    let context = sealing::of_sign_in_option(&option.id, member);
    match secret {
        Some(secret) => Ok(Some(app.opened(secret, &context).await?)),
        None => Ok(None),
    }
}
