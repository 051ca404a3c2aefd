//! What happened to an object, for its page.

use forecourt_core::{
    actors::{Area, Caller},
    events::Event,
    ids::ApplicationId,
};

use crate::{App, Error, access, applications};

/// The latest events about one object, newest first, at most 50; for administrators.
pub async fn of_object(app: &App, caller: &Caller, noun: &str, id: &str) -> Result<Vec<Event>, Error> {
    access::sees(caller, Area::Portals)?;
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
