//! The event log: read by administrators, and kept as long as the audit log.
//!
//! Invariant: an event is there for as long as its audit record, and as whoever is to be told of it may still be.

use std::collections::HashMap;

use forecourt_core::{
    actors::Caller,
    events::Event,
    ids::{AdministratorId, ApplicationId, DeveloperId, PersonId},
    permissions::{Action, Target},
};

use crate::{App, Error, access, applications, audit_logs};

/// How many are taken away at a time, so that others get their turn to write.
const PRUNED: u64 = 500;

/// An event with the name of who did it.
#[derive(Clone, Debug)]
pub struct ToldEvent {
    /// The event.
    pub event: Event,
    /// What people call the actor; `None` for the system and guests, and where they are gone.
    pub actor_name: Option<String>,
}

/// The latest events about one object, newest first, at most 50; none for whoever may not read the record.
pub async fn of_object(app: &App, caller: &Caller, noun: &str, id: &str) -> Result<Vec<Event>, Error> {
    if !access::allows(caller, Action::GetAudit, Target::Organization) {
        return Ok(Vec::new());
    }
    Ok(app.read().events_of(noun, id, 50).await?)
}

/// How many of an application's credentials and subscriptions, each, are asked for their events.
const PARTS: usize = 10;

/// The latest events about one of the caller's applications, its credentials and its subscriptions, newest first,
/// at most `most`.
pub async fn of_application(
    app: &App,
    caller: &Caller,
    id: &ApplicationId,
    most: u64,
) -> Result<Vec<Event>, Error> {
    let application = applications::application(app, caller, id).await?;
    // Of one moment, what happened to the parts is shown as newer than what happened to the whole.
    let mut events = Vec::new();
    for credential in app.read().credentials_of(&application.id).await?.iter().rev().take(PARTS) {
        events.extend(app.read().events_of("credential", credential.id.as_str(), most).await?);
    }
    for subscription in app.read().subscriptions_of(&application.id).await?.iter().rev().take(PARTS) {
        events.extend(app.read().events_of("subscription", subscription.id.as_str(), most).await?);
    }
    events.extend(app.read().events_of("application", id.as_str(), most).await?);
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events.truncate(usize::try_from(most).unwrap_or(usize::MAX));
    Ok(events)
}

/// As [`of_object`], with names.
pub async fn told_of_object(
    app: &App,
    caller: &Caller,
    noun: &str,
    id: &str,
) -> Result<Vec<ToldEvent>, Error> {
    let events = of_object(app, caller, noun, id).await?;
    // Few people act on one object: each is looked up once.
    let mut names: HashMap<(String, String), Option<String>> = HashMap::new();
    let mut told = Vec::with_capacity(events.len());
    for event in events {
        let actor = (event.actor_kind.clone(), event.actor_id.clone());
        let actor_name = match names.get(&actor) {
            Some(name) => name.clone(),
            None => {
                let name = actor_name(app, &event).await?;
                names.insert(actor, name.clone());
                name
            }
        };
        told.push(ToldEvent { event, actor_name });
    }
    Ok(told)
}

/// Takes away some of the events that are older than the audit log is kept and that nothing needs any more, the oldest
/// first, and tells whether there are more.
///
/// Where older entries are in the audit log still, since it was changed, what they were made of stays with them.
pub async fn prune(app: &App) -> Result<bool, Error> {
    let kept_from = audit_logs::kept_from(app);
    let before = app.read().oldest_audit_record().await?.map_or(kept_from, |oldest| oldest.min(kept_from));
    // Looked for before the turn to write is taken: those that are needed still are passed over each time.
    let ids = app.read().unneeded_events(before, PRUNED).await?;
    if ids.is_empty() {
        return Ok(false);
    }
    let tx = app.begin_bare().await?;
    let gone = tx.delete_unneeded_events(&ids, before).await?;
    tx.commit(app.now()).await?;
    if gone > 0 {
        tracing::info!(events.count = gone, "old events were taken away");
    }
    Ok(ids.len() as u64 == PRUNED)
}

async fn actor_name(app: &App, event: &Event) -> Result<Option<String>, Error> {
    let id = event.actor_id.as_str();
    Ok(match event.actor_kind.as_str() {
        "administrator" => {
            let found = app.read().administrator(&AdministratorId::known(id)).await?;
            found.map(|administrator| administrator.display_name())
        }
        "person" => app.read().person(&PersonId::known(id)).await?.map(|person| person.name),
        "developer" => {
            app.read().developer(&DeveloperId::known(id)).await?.map(|developer| developer.display_name)
        }
        _ => None,
    })
}
