//! Who is calling: administrators by session, password or token, gateway group keys, portal tokens, developers.
//!
//! Every failure looks the same and, for passwords, takes the same time, whether or not the account exists.

mod proofs;

use forecourt_core::{
    actors::{Actor, Caller},
    administrators::Administrator,
    audit_logs::masking,
    developers::Developer,
    events::EventName,
    ids::{DeveloperName, PortalId, SignInOptionId},
    permissions::Authority,
    portal_tokens::PortalToken,
    secrets::{PlainSecret, SecretDigest, TokenKind},
    sessions::{Session, SessionOwner},
    time::Timestamp,
};
use serde_json::{Value, json};

pub(crate) use self::proofs::{VerifiedPasswords, failed_as, proved_again};
use crate::{App, Error, ErrorKind, permissions, random::OsRandom};

/// An administrator who proved who they are.
#[derive(Clone, Debug)]
pub struct KnownAdministrator {
    /// Who.
    pub administrator: Administrator,
    /// What they may do.
    pub authority: Authority,
    /// The session that proved it, where it was one.
    pub session: Option<SecretDigest>,
    /// The name of the access token that proved it, where it was one.
    pub token_name: Option<String>,
}

/// A fresh session.
#[derive(Debug)]
pub struct SignedIn<T> {
    /// Who signed in.
    pub owner: T,
    /// The session's token, for the browser alone.
    pub token: PlainSecret,
}

/// Whom a token of the Admin API stands for.
#[derive(Clone, Debug)]
pub enum TokenOwner {
    /// An administrator.
    Administrator(KnownAdministrator),
    /// A gateway group.
    GatewayGroup(Actor),
}

impl KnownAdministrator {
    /// True while a one-time password is in force: nothing but changing it is permitted.
    pub fn must_change_password(&self) -> bool {
        self.administrator.must_change_password()
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        Actor::Administrator {
            id: self.administrator.id.clone(),
            username: self.administrator.username.clone(),
            authority: self.authority.clone(),
        }
    }
}

/// Signs an administrator in to the console or the Admin API.
///
/// Refused with `Unauthenticated` for a wrong pair and with `Limit` after too many of them.
pub async fn sign_in(
    app: &App,
    caller: &Caller,
    username: &str,
    password: &str,
    user_agent: &str,
) -> Result<SignedIn<KnownAdministrator>, Error> {
    let known = by_password_on_record(app, caller, username, password).await?;
    let now = app.now();
    let token = TokenKind::Session.issue(&mut OsRandom);
    let caller = caller.acting_as(known.actor());
    let mut write = app.begin(&caller).await?;
    let current = write.administrator(&known.administrator.id).await?;
    let holds = |current: &Administrator| current.active && current.password == known.administrator.password;
    if !current.is_some_and(|current| holds(&current)) {
        // Changed, deactivated or deleted while the old password was being proved: it opens nothing any more.
        return Err(Error::unauthenticated());
    }
    // Disabled meanwhile, it lets nobody in any more.
    let option = write.built_in_sign_in(None).await?.filter(|option| !option.disable);
    let option = option.ok_or_else(Error::unauthenticated)?.id;
    let owner = SessionOwner::Administrator(known.administrator.id.clone());
    write.insert_session(&new_session(&token, owner, option, &caller, user_agent, now)).await?;
    write.delete_ended_sessions(now).await?;
    let id = known.administrator.id.to_string();
    write.tell(EventName::AdministratorSignedIn, "administrator", &id, None, Value::Null);
    write.commit().await?;
    Ok(SignedIn { owner: KnownAdministrator { session: Some(token.digest()), ..known }, token })
}

/// As [`by_password`]; a wrong pair is put on record.
pub async fn by_password_on_record(
    app: &App,
    caller: &Caller,
    username: &str,
    password: &str,
) -> Result<KnownAdministrator, Error> {
    let proved = by_password(app, caller.address.as_deref(), username, password).await;
    // Who is told to wait leaves no further record: that would be a write for everybody who asks.
    if proved.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unauthenticated) {
        tell_failure(app, caller, username).await?;
    }
    proved
}

async fn tell_failure(app: &App, caller: &Caller, username: &str) -> Result<(), Error> {
    let detail = json!({ "username": typed_name(app, username).await? });
    let mut write = app.begin(caller).await?;
    write.tell(EventName::AdministratorSignInFailed, "administrator", "", None, detail);
    write.commit().await
}

/// What is told of the name under which somebody failed to sign in as an administrator.
pub(crate) async fn typed_name(app: &App, username: &str) -> Result<String, Error> {
    Ok(masking::typed_name(username, named(app, username).await?.is_some()))
}

pub(crate) fn new_session(
    token: &PlainSecret,
    owner: SessionOwner,
    option: SignInOptionId,
    caller: &Caller,
    user_agent: &str,
    now: Timestamp,
) -> Session {
    Session {
        digest: token.digest(),
        owner,
        option: Some(option),
        address: caller.address.clone().unwrap_or_default(),
        user_agent: user_agent.chars().filter(|c| !c.is_control()).take(256).collect(),
        created_at: now,
        expires_at: now.plus_seconds(Session::SECONDS),
    }
}

/// Ends the session with this token, and tells whose it was where it had not ended before; a token of no session is
/// fine.
pub async fn sign_out(app: &App, caller: &Caller, token: &str) -> Result<Option<SessionOwner>, Error> {
    let digest = PlainSecret::presented(token).digest();
    let Some(session) = app.read().session(&digest).await? else { return Ok(None) };
    let (name, noun, id) = match &session.owner {
        SessionOwner::Administrator(id) => {
            (EventName::AdministratorSignedOut, "administrator", id.to_string())
        }
        SessionOwner::Person(id) => (EventName::PersonSignedOut, "person", id.to_string()),
    };
    let mut write = app.begin(caller).await?;
    let was_live = session.expires_at > write.now;
    write.delete_session(&digest).await?;
    write.tell(name, noun, &id, None, Value::Null);
    write.commit().await?;
    Ok(was_live.then_some(session.owner))
}

/// The administrator with this user name and password; cheap when the same pair was right before.
pub async fn by_password(
    app: &App,
    address: Option<&str>,
    username: &str,
    password: &str,
) -> Result<KnownAdministrator, Error> {
    let now = app.now();
    let account = format!("administrator:{}", username.chars().take(128).collect::<String>());
    let attempt = app.limits().attempt(&account, address, now).await?;
    match proved(app, address, &account, username, password).await {
        Ok(Some(administrator)) => {
            attempt.succeeded();
            return known(app, administrator, None).await;
        }
        Ok(None) => {}
        Err(error) => {
            attempt.void();
            return Err(error);
        }
    }
    drop(attempt);
    Err(app.limits().failed(address, now))
}

pub(crate) async fn known(
    app: &App,
    administrator: Administrator,
    session: Option<SecretDigest>,
) -> Result<KnownAdministrator, Error> {
    let authority = permissions::authority(app, &administrator.id).await?;
    Ok(KnownAdministrator { administrator, authority, session, token_name: None })
}

/// The administrator with this user name.
async fn named(app: &App, username: &str) -> Result<Option<Administrator>, Error> {
    // PostgreSQL cannot even be asked for a text with NUL; no account has one.
    match username.contains('\0') {
        true => Ok(None),
        false => Ok(app.read().administrator_by_username(username).await?),
    }
}

/// The administrator whose password this is, where administrators may sign in with one.
async fn proved(
    app: &App,
    address: Option<&str>,
    account: &str,
    username: &str,
    password: &str,
) -> Result<Option<Administrator>, Error> {
    let found = named(app, username).await?;
    let option = app.read().built_in_sign_in(None).await?;
    let found = found.filter(|_| option.is_some_and(|option| !option.disable));
    let stored = found.as_ref().and_then(|administrator| administrator.password.as_ref());
    let stored = stored.map(|stored| stored.hash.as_str());
    let fits = app.password_fits(address, account, password, stored).await?;
    Ok(found.filter(|administrator| fits && administrator.active))
}

/// The administrator whose session has this token. A session that ended is no attack and counts as no failure.
pub async fn by_session(app: &App, token: &str) -> Result<KnownAdministrator, Error> {
    let now = app.now();
    let digest = PlainSecret::presented(token).digest();
    let session = app.read().session(&digest).await?.filter(|session| now < session.expires_at);
    if let Some(Session { owner: SessionOwner::Administrator(id), .. }) = session
        && let Some(administrator) = app.read().administrator(&id).await?
        && administrator.active
    {
        return known(app, administrator, Some(digest)).await;
    }
    Err(Error::unauthenticated())
}

/// Whom a token (`a7ee-…` or `a7adm-…`) stands for.
pub async fn by_token(app: &App, address: Option<&str>, token: &str) -> Result<TokenOwner, Error> {
    let now = app.now();
    let digest = PlainSecret::presented(token).digest();
    if token.starts_with(TokenKind::GatewayGroup.prefix()) {
        if let Some(group) = app.read().gateway_group_by_admin_key(&digest).await? {
            return Ok(TokenOwner::GatewayGroup(Actor::GatewayGroupKey(group.id)));
        }
    } else if token.starts_with(TokenKind::Administrator.prefix()) {
        let found = app.read().admin_token_by_digest(&digest).await?.filter(|token| token.is_live(now));
        if let Some(token) = found {
            if is_stale(token.last_used_at, now) {
                let tx = app.begin(&system(app)).await?.into_tx();
                tx.touch_admin_token(&token.id, now).await?;
                tx.commit(now).await?;
            }
            if let Some(administrator) = app.read().administrator(&token.administrator_id).await?
                && administrator.active
            {
                let known = known(app, administrator, None).await?;
                return Ok(TokenOwner::Administrator(KnownAdministrator {
                    token_name: Some(token.name),
                    ..known
                }));
            }
        }
    }
    Err(app.limits().failed(address, now))
}

/// The portal token with this text.
pub async fn by_portal_token(app: &App, address: Option<&str>, token: &str) -> Result<PortalToken, Error> {
    let now = app.now();
    if token.starts_with(TokenKind::Portal.prefix()) {
        let digest = PlainSecret::presented(token).digest();
        let found = app.read().portal_token_by_digest(&digest).await?.filter(|token| token.is_live(now));
        if let Some(token) = found {
            if is_stale(token.last_used_at, now) {
                let tx = app.begin(&system(app)).await?.into_tx();
                tx.touch_portal_token(&token.id, now).await?;
                tx.commit(now).await?;
            }
            return Ok(token);
        }
    }
    Err(app.limits().failed(address, now))
}

/// The portal's active developer with this public id, who is now seen as active.
pub async fn developer_named(app: &App, portal: &PortalId, name: &str) -> Result<Developer, Error> {
    let known = match DeveloperName::parse(name) {
        Some(name) => app.read().developer_by_name(portal, &name).await?,
        None => None,
    };
    let developer = known.ok_or_else(|| Error::unauthenticated_because("unknown developer"))?;
    if !developer.may_act() {
        return Err(Error::unauthenticated_because("developer is not active"));
    }
    note_activity(app, &developer).await?;
    Ok(developer)
}

/// Notes that a developer acts, once a minute at most.
pub(crate) async fn note_activity(app: &App, developer: &Developer) -> Result<(), Error> {
    let now = app.now();
    if developer.activity_is_stale(now) {
        let tx = app.begin(&system(app)).await?.into_tx();
        tx.touch_developer(&developer.id, now).await?;
        tx.commit(now).await?;
    }
    Ok(())
}

/// Who acts when `developer` does, through a person on our own site where `person` says so.
pub fn acting(developer: &Developer, person: Option<forecourt_core::ids::PersonId>) -> Actor {
    Actor::Developer {
        portal_id: developer.portal_id.clone(),
        id: developer.id.clone(),
        name: developer.name.clone(),
        person_id: person,
    }
}

fn system(app: &App) -> Caller {
    Caller::system(forecourt_core::actors::Source::Job, app.new_request_id())
}

fn is_stale(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| last.plus_seconds(60) <= now)
}

#[cfg(test)]
mod tests;
