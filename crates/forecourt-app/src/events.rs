//! What happened to an object, for its page.

use forecourt_core::{
    actors::{Area, Caller},
    events::Event,
};

use crate::{App, Error, access};

/// The latest events about one object, newest first, at most 50; for administrators.
pub async fn of_object(app: &App, caller: &Caller, noun: &str, id: &str) -> Result<Vec<Event>, Error> {
    access::sees(caller, Area::Portals)?;
    Ok(app.read().events_of(noun, id, 50).await?)
}
