//! Consumers of gateway groups. The whole consumer, its credentials included, is one row for gateways.

pub(crate) mod secrets;

use forecourt_core::{
    actors::{Actor, Caller},
    consumers::{
        Consumer, ConsumerFilter, ConsumerInput, ConsumerPlugins, ConsumerRefusal, OpenPlugins,
        auth::ConsumerAuth,
    },
    events::EventName,
    gateway_state::{Kind, Resource, Scope, group_key},
    ids::GatewayGroupId,
    lists::List,
    permissions::{Action, Target},
    refusals::Refusal,
};
use forecourt_store::{Reader, RuledNoun};
use serde_json::json;

use self::secrets::Hashing;

use crate::{App, Error, ErrorKind, access, sealing, services, writes::Write};

/// A consumer as the caller may see it.
#[derive(Clone, Debug)]
pub struct ShownConsumer {
    /// The consumer.
    pub consumer: Consumer,
    /// Its plugins: secrets in clear for those who may change it, masked for others.
    pub plugins: OpenPlugins,
}

/// The consumers that `filter` wants; an unknown group is not found.
pub async fn list(app: &App, caller: &Caller, filter: ConsumerFilter) -> Result<List<ShownConsumer>, Error> {
    let group = services::listed_group(app, caller, filter.gateway_group_id.clone()).await?;
    let noun = RuledNoun::Consumers(Some(&group));
    let readable = access::readable(app, caller, Action::GetConsumer, noun).await?;
    let filter = ConsumerFilter { gateway_group_id: Some(group), readable, ..filter };
    let found = app.read().consumers(&filter).await?;
    let mut rows = Vec::with_capacity(found.rows.len());
    for consumer in found.rows {
        rows.push(shown(app, caller, consumer).await);
    }
    Ok(List { rows, total: found.total })
}

/// One consumer, of the named group; without one, of the only group that has it.
pub async fn consumer(
    app: &App,
    caller: &Caller,
    username: &str,
    group: Option<GatewayGroupId>,
) -> Result<ShownConsumer, Error> {
    let group = group_of(app, caller, username, group, Action::GetConsumer).await?;
    let consumer = app.read().consumer(&group, username).await?.ok_or_else(Error::not_found)?;
    Ok(shown(app, caller, consumer).await)
}

/// As [`consumer`], where the caller may change it. Faces ask before they read a body.
pub async fn changeable(
    app: &App,
    caller: &Caller,
    username: &str,
    group: Option<GatewayGroupId>,
) -> Result<ShownConsumer, Error> {
    let group = group_of(app, caller, username, group, Action::UpdateConsumer).await?;
    let consumer = app.read().consumer(&group, username).await?.ok_or_else(Error::not_found)?;
    Ok(shown(app, caller, consumer).await)
}

/// The group of an existing consumer to which the caller may do `action`: the named one, the caller's own, or the only
/// one that has it.
pub(crate) async fn group_of(
    app: &App,
    caller: &Caller,
    username: &str,
    asked: Option<GatewayGroupId>,
    action: Action,
) -> Result<GatewayGroupId, Error> {
    let permits =
        |group: &GatewayGroupId| access::permits_on(caller, action, Target::Consumer(group, Some(username)));
    let group = match (asked, &caller.actor) {
        (Some(group), _) => group,
        (None, Actor::GatewayGroupKey(own)) => own.clone(),
        (None, _) => {
            let groups = app.read().groups_of_consumer(username).await?;
            let hidden = |error: &Error| error.kind() == ErrorKind::NotFound;
            // Of two groups of which the caller may read one there is one to them.
            let mut seen =
                groups.into_iter().filter(|group| !permits(group).is_err_and(|error| hidden(&error)));
            let group = seen.next().ok_or_else(Error::not_found)?;
            if seen.next().is_some() {
                let problem = "gateway_group_id is required: several gateway groups have this consumer";
                return Err(Error::invalid("invalid_field", problem));
            }
            group
        }
    };
    permits(&group)?;
    Ok(group)
}

/// The group that a consumer goes to that is made or replaced, under this user name where one is given. Faces ask
/// before they read a body.
pub async fn target_group(
    app: &App,
    caller: &Caller,
    username: Option<&str>,
    asked: Option<GatewayGroupId>,
) -> Result<GatewayGroupId, Error> {
    let group = services::named_group(caller, asked)?;
    may_put(app.read(), caller, username, &group).await?;
    app.read().gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    Ok(group)
}

async fn may_put(
    read: &Reader,
    caller: &Caller,
    username: Option<&str>,
    group: &GatewayGroupId,
) -> Result<(), Error> {
    let is_there = match username {
        Some(username) => read.consumer(group, username).await?.is_some(),
        None => false,
    };
    match is_there {
        true => access::puts(caller, Action::UpdateConsumer, Target::Consumer(group, username)),
        false => access::puts(caller, Action::CreateConsumer, Target::Consumer(group, None)),
    }
}

/// Makes a consumer; its user name must be free.
pub async fn create(
    app: &App,
    caller: &Caller,
    group: Option<GatewayGroupId>,
    input: ConsumerInput,
) -> Result<ShownConsumer, Error> {
    let username = Consumer::username(input.username.as_deref().unwrap_or_default())?;
    write(app, caller, &username, group, input, Found::Nothing).await
}

/// Makes or replaces the consumer with this user name; its credentials stay. It is made again where what is kept changed
/// meanwhile.
pub async fn put(
    app: &App,
    caller: &Caller,
    username: &str,
    group: Option<GatewayGroupId>,
    input: ConsumerInput,
) -> Result<ShownConsumer, Error> {
    if input.username.as_deref().is_some_and(|given| given != username) {
        return Err(ConsumerRefusal::OtherUsername(username.to_owned()).into());
    }
    let mut attempts = EDITS;
    loop {
        attempts -= 1;
        // Also where its secrets were only sealed anew: nobody is refused for that.
        match write(app, caller, username, group.clone(), input.clone(), Found::Anything).await {
            Err(error) if error.code() == ConsumerRefusal::ChangedMeanwhile.code() && attempts > 0 => {}
            ended => return ended,
        }
    }
}

/// Replaces a consumer by what `edit` makes of it. Since secrets are hashed before the write, it is made again of a
/// consumer that changed meanwhile.
///
/// # Errors
/// Those of `edit`; [`ConsumerRefusal::ChangedMeanwhile`] where it changes again and again.
pub async fn change<E: From<Error>>(
    app: &App,
    caller: &Caller,
    username: &str,
    group: Option<GatewayGroupId>,
    edit: impl Fn(&ShownConsumer) -> Result<ConsumerInput, E>,
) -> Result<ShownConsumer, E> {
    let mut attempts = EDITS;
    loop {
        let before = changeable(app, caller, username, group.clone()).await?;
        let input = edit(&before)?;
        if input.username.as_deref().is_some_and(|given| given != username) {
            return Err(Error::from(ConsumerRefusal::OtherUsername(username.to_owned())).into());
        }
        let group = Some(before.consumer.gateway_group_id.clone());
        attempts -= 1;
        match write(app, caller, username, group, input, Found::This(&before.consumer)).await {
            Err(error) if error.code() == ConsumerRefusal::ChangedMeanwhile.code() && attempts > 0 => {}
            ended => return Ok(ended?),
        }
    }
}

/// How often a change is made anew of what changed meanwhile.
pub(crate) const EDITS: u32 = 10;

/// What a write must find in its place.
#[derive(Clone, Copy)]
enum Found<'a> {
    Nothing,
    Anything,
    This(&'a Consumer),
}

async fn write(
    app: &App,
    caller: &Caller,
    username: &str,
    group: Option<GatewayGroupId>,
    mut input: ConsumerInput,
    expected: Found<'_>,
) -> Result<ShownConsumer, Error> {
    let must_be_new = matches!(expected, Found::Nothing);
    let group = services::named_group(caller, group)?;
    may_put(app.read(), caller, (!must_be_new).then_some(username), &group).await?;
    // Slow hashes are computed before the transaction, from what is kept now; that it is still kept is checked there.
    let given = OpenPlugins::new(input.plugins.take().unwrap_or_default())?;
    let before = app.read().consumer(&group, username).await?;
    if must_be_new && before.is_some() {
        return Err(ConsumerRefusal::UsernameTaken(username.to_owned()).into());
    }
    let known = before.as_ref().map_or(&[][..], |before| &before.plugins.auth);
    let context = sealing::of_consumer(&group, username, None);
    let mut plugins = kept(app, &context, &given, known, Hashing::Done).await?;
    let mut write = app.begin(caller).await?;
    for auth in &mut plugins.auth {
        secrets::keep_up(app, &context, auth).await?;
    }
    write.gateway_group(&group).await?.ok_or_else(Error::not_found)?;
    may_put(&write, caller, (!must_be_new).then_some(username), &group).await?;
    let old = write.consumer(&group, username).await?;
    if must_be_new && old.is_some() {
        return Err(ConsumerRefusal::UsernameTaken(username.to_owned()).into());
    }
    let is_other = match expected {
        Found::This(before) => old.as_ref() != Some(before),
        Found::Nothing | Found::Anything => {
            !known.is_empty() && old.as_ref().is_none_or(|old| old.plugins.auth != known)
        }
    };
    if is_other {
        return Err(ConsumerRefusal::ChangedMeanwhile.into());
    }
    let consumer = save_in(&mut write, (group, username), input, plugins, old).await?;
    write.commit().await?;
    Ok(shown(app, caller, consumer).await)
}

async fn save_in(
    write: &mut Write<'_>,
    (group, username): (GatewayGroupId, &str),
    input: ConsumerInput,
    plugins: ConsumerPlugins,
    old: Option<Consumer>,
) -> Result<Consumer, Error> {
    let created_at = old.as_ref().map_or(write.now, |old| old.created_at);
    let consumer = Consumer::new(group, username, input, plugins, created_at, write.now)?;
    for auth in &consumer.plugins.auth {
        refuse_taken(write, &consumer, "", auth).await?;
    }
    match &old {
        Some(_) => write.save_consumer(&consumer).await?,
        None => write.insert_consumer(&consumer).await?,
    }
    announce(write, &consumer).await?;
    let name = if old.is_some() { EventName::ConsumerUpdated } else { EventName::ConsumerCreated };
    tell(write, name, &consumer);
    Ok(consumer)
}

/// Puts a consumer within a write that is never committed: all checks of [`put`], without the slow hashes.
pub(crate) async fn try_in(
    write: &mut Write<'_>,
    group: &GatewayGroupId,
    mut input: ConsumerInput,
) -> Result<(), Error> {
    let username = Consumer::username(input.username.as_deref().unwrap_or_default())?;
    let given = OpenPlugins::new(input.plugins.take().unwrap_or_default())?;
    let old = write.consumer(group, &username).await?;
    let known = old.as_ref().map_or(&[][..], |old| &old.plugins.auth);
    let context = sealing::of_consumer(group, &username, None);
    let plugins = kept(write.app(), &context, &given, known, Hashing::LeftOut).await?;
    save_in(write, (group.clone(), &username), input, plugins, old).await.map(drop)
}

async fn kept(
    app: &App,
    context: &str,
    given: &OpenPlugins,
    known: &[ConsumerAuth],
    hashing: Hashing,
) -> Result<ConsumerPlugins, Error> {
    let mut plugins = ConsumerPlugins { auth: Vec::new(), other: given.other.clone() };
    for auth in &given.auth {
        let known = known.iter().find(|known| known.plugin() == auth.plugin());
        plugins.auth.push(secrets::kept(app, context, auth, known, hashing).await?);
    }
    Ok(plugins)
}

/// Refuses what already tells of another place of the group; `credential` is empty for the consumer itself.
pub(crate) async fn refuse_taken(
    write: &Write<'_>,
    consumer: &Consumer,
    credential: &str,
    auth: &ConsumerAuth,
) -> Result<(), Error> {
    match write.consumer_identity(&consumer.gateway_group_id, &auth.identity()).await? {
        Some((owner, place)) if owner != consumer.username || place != credential => {
            Err(ConsumerRefusal::SecretTaken { member: auth.member(), consumer: owner }.into())
        }
        _ => Ok(()),
    }
}

/// Tells gateways of the consumer with all its credentials, as they stand in this write.
pub(crate) async fn announce(write: &mut Write<'_>, consumer: &Consumer) -> Result<(), Error> {
    let group = &consumer.gateway_group_id;
    let credentials = write.consumer_credential_auths(group, &consumer.username).await?;
    let state = Box::new(consumer.gateway_state(credentials));
    write.put(Scope::GatewayGroup(group.clone()), Resource::Consumer(state));
    Ok(())
}

/// Deletes a consumer with its credentials.
pub async fn delete(
    app: &App,
    caller: &Caller,
    username: &str,
    group: Option<GatewayGroupId>,
) -> Result<(), Error> {
    let group = group_of(app, caller, username, group, Action::DeleteConsumer).await?;
    let mut write = app.begin(caller).await?;
    let consumer = write.consumer(&group, username).await?.ok_or_else(Error::not_found)?;
    write.delete(Scope::GatewayGroup(group.clone()), Kind::Consumer, group_key(&group, username));
    write.delete_consumer(&group, username).await?;
    tell(&mut write, EventName::ConsumerDeleted, &consumer);
    write.commit().await
}

/// Whether the caller is shown the secrets that administrators chose: those who may change the consumer.
pub(crate) fn reveals(caller: &Caller, group: &GatewayGroupId, username: &str) -> bool {
    access::allows(caller, Action::UpdateConsumer, Target::Consumer(group, Some(username)))
}

async fn shown(app: &App, caller: &Caller, consumer: Consumer) -> ShownConsumer {
    let reveals = reveals(caller, &consumer.gateway_group_id, &consumer.username);
    let context = sealing::of_consumer(&consumer.gateway_group_id, &consumer.username, None);
    let mut auth = Vec::with_capacity(consumer.plugins.auth.len());
    for kept in &consumer.plugins.auth {
        auth.push(secrets::open(app, &context, kept, reveals).await);
    }
    let plugins = OpenPlugins { auth, other: consumer.plugins.other.clone() };
    ShownConsumer { consumer, plugins }
}

fn tell(write: &mut Write<'_>, name: EventName, consumer: &Consumer) {
    let id = group_key(&consumer.gateway_group_id, &consumer.username);
    let plugins: Vec<_> = consumer.plugins.auth.iter().map(ConsumerAuth::plugin).collect();
    write.tell(name, "consumer", &id, None, json!({ "username": consumer.username, "auth": plugins }));
}
