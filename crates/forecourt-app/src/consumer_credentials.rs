//! Credentials of consumers: each holds one way to prove oneself, and is told to gateways with its consumer.

use forecourt_core::{
    actors::Caller,
    consumer_credentials::{ConsumerCredential, ConsumerCredentialFilter, ConsumerCredentialInput},
    consumers::{Consumer, ConsumerRefusal, auth::OpenAuth},
    events::EventName,
    gateway_state::group_key,
    ids::{ConsumerCredentialId, GatewayGroupId},
    lists::List,
    permissions::{Action, Target},
    refusals::Refusal,
};
use forecourt_store::Reader;
use serde_json::json;

use crate::{
    App, Error, access,
    consumers::{
        self,
        secrets::{self, Hashing},
    },
    random::OsRandom,
    sealing, services,
    writes::Write,
};

/// A credential as the caller may see it.
#[derive(Clone, Debug)]
pub struct ShownCredential {
    /// The credential.
    pub credential: ConsumerCredential,
    /// What must be shown: secrets in clear for those who may change it, masked for others.
    pub auth: OpenAuth,
}

/// The consumer that a list, a create or a replacement is about; its group must be named, or be the
/// caller's own, and the caller may do `action` to it.
/// Faces ask before they read a body.
pub async fn consumer(
    app: &App,
    caller: &Caller,
    username: &str,
    group: Option<GatewayGroupId>,
    action: Action,
) -> Result<Consumer, Error> {
    let group = services::named_group(caller, group)?;
    access::permits_on(caller, action, Target::Consumer(&group, Some(username)))?;
    app.read().consumer(&group, username).await?.ok_or_else(Error::not_found)
}

/// The credentials of `consumer` that `filter` wants.
pub async fn list(
    app: &App,
    caller: &Caller,
    consumer: &Consumer,
    filter: &ConsumerCredentialFilter,
) -> Result<List<ShownCredential>, Error> {
    let group = &consumer.gateway_group_id;
    access::permits(caller, Action::GetConsumer, Target::Consumer(group, Some(&consumer.username)))?;
    let found = app.read().consumer_credentials(group, &consumer.username, filter).await?;
    let mut rows = Vec::with_capacity(found.rows.len());
    for credential in found.rows {
        rows.push(shown(app, caller, credential).await);
    }
    Ok(List { rows, total: found.total })
}

/// One credential of a consumer of the named group; without one, of the only group that has the consumer.
pub async fn credential(
    app: &App,
    caller: &Caller,
    username: &str,
    id: &ConsumerCredentialId,
    group: Option<GatewayGroupId>,
) -> Result<ShownCredential, Error> {
    found(app, caller, (username, id), group, Action::GetConsumer).await
}

/// Makes a credential under a fresh id.
pub async fn create(
    app: &App,
    caller: &Caller,
    consumer: &Consumer,
    input: ConsumerCredentialInput,
) -> Result<ShownCredential, Error> {
    let id = ConsumerCredentialId::issue(app.now(), &mut OsRandom);
    put(app, caller, (&consumer.gateway_group_id, &consumer.username), id, input).await
}

/// Makes or replaces the credential with this id of an existing consumer, as [`consumers::put`] does with consumers.
pub async fn put(
    app: &App,
    caller: &Caller,
    place: (&GatewayGroupId, &str),
    id: ConsumerCredentialId,
    input: ConsumerCredentialInput,
) -> Result<ShownCredential, Error> {
    let mut attempts = consumers::EDITS;
    loop {
        attempts -= 1;
        match write(app, caller, place, id.clone(), input.clone(), None).await {
            Err(error) if error.code() == ConsumerRefusal::ChangedMeanwhile.code() && attempts > 0 => {}
            ended => return ended,
        }
    }
}

/// Replaces a credential by what `edit` makes of it, as [`consumers::change`] does with consumers.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    username: &str,
    id: &ConsumerCredentialId,
    group: Option<GatewayGroupId>,
    edit: impl Fn(&ShownCredential) -> Result<ConsumerCredentialInput, E>,
) -> Result<ShownCredential, E> {
    let mut attempts = consumers::EDITS;
    loop {
        let before = changeable(app, caller, username, id, group.clone()).await?;
        let input = edit(&before)?;
        let place = (&before.credential.gateway_group_id, username);
        attempts -= 1;
        match write(app, caller, place, id.clone(), input, Some(&before.credential)).await {
            Err(error) if error.code() == ConsumerRefusal::ChangedMeanwhile.code() && attempts > 0 => {}
            ended => return Ok(ended?),
        }
    }
}

/// As [`put`]; where `expected` is given, that must be what is replaced.
async fn write(
    app: &App,
    caller: &Caller,
    (group, username): (&GatewayGroupId, &str),
    id: ConsumerCredentialId,
    input: ConsumerCredentialInput,
    expected: Option<&ConsumerCredential>,
) -> Result<ShownCredential, Error> {
    may_put(app.read(), caller, (group, username), &id).await?;
    // As with consumers: slow hashes first, and in the transaction the check that nothing has changed.
    let given = input.auth()?;
    let known = app.read().consumer_credential(group, username, &id).await?.map(|known| known.auth);
    let context = sealing::of_consumer(group, username, Some(id.as_str()));
    let mut auth = secrets::kept(app, &context, &given, known.as_ref(), Hashing::Done).await?;
    let mut write = app.begin(caller).await?;
    secrets::keep_up(app, &context, &mut auth).await?;
    may_put(&write, caller, (group, username), &id).await?;
    let consumer = write.consumer(group, username).await?.ok_or_else(Error::not_found)?;
    let old = write.consumer_credential(group, username, &id).await?;
    let is_other = match expected {
        Some(_) => old.as_ref() != expected,
        None => known.is_some() && old.as_ref().map(|old| &old.auth) != known.as_ref(),
    };
    if is_other {
        return Err(ConsumerRefusal::ChangedMeanwhile.into());
    }
    let created_at = old.as_ref().map_or(write.now, |old| old.created_at);
    let place = (group.clone(), username.to_owned());
    let credential = ConsumerCredential::new(id, place, input, auth, created_at, write.now)?;
    consumers::refuse_taken(&write, &consumer, credential.id.as_str(), &credential.auth).await?;
    match &old {
        Some(_) => write.save_consumer_credential(&credential).await?,
        None => write.insert_consumer_credential(&credential).await?,
    }
    consumers::announce(&mut write, &consumer).await?;
    let name = match old {
        Some(_) => EventName::ConsumerCredentialUpdated,
        None => EventName::ConsumerCredentialCreated,
    };
    tell(&mut write, name, &credential);
    write.commit().await?;
    Ok(shown(app, caller, credential).await)
}

/// As [`consumer`], for the credential that is made or replaced under this id.
pub async fn target(
    app: &App,
    caller: &Caller,
    username: &str,
    id: &ConsumerCredentialId,
    group: Option<GatewayGroupId>,
) -> Result<Consumer, Error> {
    let group = services::named_group(caller, group)?;
    let action = action(app.read(), (&group, username), id).await?;
    consumer(app, caller, username, Some(group), action).await
}

/// As [`credential`], where the caller may change it. Faces ask before they read a body.
pub async fn changeable(
    app: &App,
    caller: &Caller,
    username: &str,
    id: &ConsumerCredentialId,
    group: Option<GatewayGroupId>,
) -> Result<ShownCredential, Error> {
    found(app, caller, (username, id), group, Action::UpdateConsumer).await
}

/// The credential of this user name and id, where the caller may do `action` to its consumer.
async fn found(
    app: &App,
    caller: &Caller,
    (username, id): (&str, &ConsumerCredentialId),
    group: Option<GatewayGroupId>,
    action: Action,
) -> Result<ShownCredential, Error> {
    let group = consumers::group_of(app, caller, username, group, action).await?;
    let found = app.read().consumer_credential(&group, username, id).await?;
    Ok(shown(app, caller, found.ok_or_else(Error::not_found)?).await)
}

async fn action(
    read: &Reader,
    (group, username): (&GatewayGroupId, &str),
    id: &ConsumerCredentialId,
) -> Result<Action, Error> {
    let is_there = read.consumer_credential(group, username, id).await?.is_some();
    Ok(if is_there { Action::UpdateConsumer } else { Action::CreateConsumer })
}

async fn may_put(
    read: &Reader,
    caller: &Caller,
    (group, username): (&GatewayGroupId, &str),
    id: &ConsumerCredentialId,
) -> Result<(), Error> {
    let action = action(read, (group, username), id).await?;
    access::permits_on(caller, action, Target::Consumer(group, Some(username)))
}

/// Deletes a credential; it is refused from then on.
pub async fn delete(
    app: &App,
    caller: &Caller,
    username: &str,
    id: &ConsumerCredentialId,
    group: Option<GatewayGroupId>,
) -> Result<(), Error> {
    let group = consumers::group_of(app, caller, username, group, Action::DeleteConsumer).await?;
    let mut write = app.begin(caller).await?;
    let consumer = write.consumer(&group, username).await?.ok_or_else(Error::not_found)?;
    let found = write.consumer_credential(&group, username, id).await?;
    let credential = found.ok_or_else(Error::not_found)?;
    write.delete_consumer_credential(&group, username, id).await?;
    consumers::announce(&mut write, &consumer).await?;
    tell(&mut write, EventName::ConsumerCredentialDeleted, &credential);
    write.commit().await
}

async fn shown(app: &App, caller: &Caller, credential: ConsumerCredential) -> ShownCredential {
    let ConsumerCredential { gateway_group_id: group, username, id, .. } = &credential;
    let context = sealing::of_consumer(group, username, Some(id.as_str()));
    let reveals = consumers::reveals(caller, group, username);
    let auth = secrets::open(app, &context, &credential.auth, reveals).await;
    ShownCredential { credential, auth }
}

fn tell(write: &mut Write<'_>, name: EventName, credential: &ConsumerCredential) {
    let consumer = group_key(&credential.gateway_group_id, &credential.username);
    let detail = json!({ "name": credential.name, "consumer": consumer, "type": credential.auth.plugin() });
    write.tell(name, "consumer_credential", credential.id.as_str(), None, detail);
}
