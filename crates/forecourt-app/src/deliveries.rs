//! Deliveries: what was sent to whom, what waits and what was given up; and sending it again.
//!
//! Invariant: a recipient is told of an event at least once or its delivery says why not, and one that is told twice is
//! told under the same id. Making deliveries of what happened is `fan_out.rs`, trying them `couriers.rs`, and one attempt
//! `attempts.rs`; all of that runs in the background, in any number of processes on one database.

mod attempts;
mod couriers;
mod fan_out;
mod tallies;

use forecourt_core::{
    actors::Caller,
    contact_points::{ContactPoint, ContactType},
    deliveries::{Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryFilter},
    events::EventName,
    ids::DeliveryId,
    lists::List,
    permissions::{Action, Target},
    secrets::PlainSecret,
    smtp_servers::SmtpServer,
    time::Timestamp,
};
use serde_json::json;

pub(crate) use attempts::mail as send_mail;
pub use couriers::Courier;
pub(crate) use tallies::Tallies;

use crate::{App, Error, access, sealing};

/// The deliveries that `filter` wants; none where the caller may see none.
pub async fn list(app: &App, caller: &Caller, filter: &DeliveryFilter) -> Result<List<Delivery>, Error> {
    if !access::shows(caller, Action::GetContactPoint, Target::Organization)? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    Ok(app.read().deliveries(filter).await?)
}

/// One delivery, and every attempt, the first one first.
pub async fn delivery(
    app: &App,
    caller: &Caller,
    id: &DeliveryId,
) -> Result<(Delivery, Vec<DeliveryAttempt>), Error> {
    access::permits(caller, Action::GetContactPoint, Target::Organization)?;
    let found = app.read().delivery(id).await?.ok_or_else(Error::not_found)?;
    Ok((found, app.read().delivery_attempts(id).await?))
}

/// Sends one again that ended, under the same id.
pub async fn resend(app: &App, caller: &Caller, id: &DeliveryId) -> Result<Delivery, Error> {
    access::permits(caller, Action::UpdateContactPoint, Target::Organization)?;
    let mut write = app.begin(caller).await?;
    let found = write.delivery(id).await?.ok_or_else(Error::not_found)?;
    let again = found.again(write.now)?;
    write.save_delivery(&again).await?;
    let detail = json!({ "deliveries": 1, "event": again.event, "contact_point_id": again.contact_point_id });
    write.tell(EventName::DeliveriesResent, "delivery", id.as_str(), Some(&again.portal_id), detail);
    write.owes_messages = true;
    write.commit().await?;
    Ok(again)
}

/// How many deliveries [`resend_all`] sends again with this filter.
pub async fn resendable(app: &App, caller: &Caller, filter: DeliveryFilter) -> Result<u64, Error> {
    access::permits(caller, Action::UpdateContactPoint, Target::Organization)?;
    Ok(app.read().deliveries_to_begin_anew(&filter.checked_for_resending()?).await?)
}

/// Sends again whatever `filter` wants, of one state and one time; tells how many there are.
pub async fn resend_all(app: &App, caller: &Caller, filter: DeliveryFilter) -> Result<u64, Error> {
    access::permits(caller, Action::UpdateContactPoint, Target::Organization)?;
    let filter = filter.checked_for_resending()?;
    let mut write = app.begin(caller).await?;
    let count = write.begin_deliveries_anew(&filter, write.now).await?;
    let detail = json!({
        "deliveries": count,
        "state": filter.state,
        "start_at": filter.start_at,
        "end_at": filter.end_at,
        "contact_point_id": filter.contact_point_id,
        "event": filter.event,
    });
    write.tell(EventName::DeliveriesResent, "delivery", "", None, detail);
    write.owes_messages = true;
    write.commit().await?;
    Ok(count)
}

/// How much is to be delivered, and what was given up.
///
/// # Errors
/// When the database cannot be read.
pub async fn backlog(app: &App) -> Result<DeliveryBacklog, Error> {
    Ok(app.read().delivery_backlog(app.now()).await?)
}

/// How many attempts of this process ended so, by the way that they took: `delivered`, `retried`, `dead` (given up) or
/// `skipped`.
pub fn tried(app: &App) -> Vec<(ContactType, &'static str, u64)> {
    app.delivery_tallies().read()
}

/// What a call of this contact point is signed with at `now`, the newest first.
async fn signing_secrets(
    app: &App,
    contact_point: &ContactPoint,
    now: Timestamp,
) -> Result<Vec<PlainSecret>, Error> {
    let place = sealing::of_contact_point(&contact_point.id);
    let mut secrets = Vec::new();
    for kept in contact_point.signed_with(now) {
        secrets.push(app.opened(kept, &place).await?);
    }
    Ok(secrets)
}

/// The user name and the password of the SMTP server, where somebody signs in.
async fn credentials(app: &App, server: &SmtpServer) -> Result<Option<(String, PlainSecret)>, Error> {
    if server.username.is_empty() {
        return Ok(None);
    }
    let password = match &server.password {
        Some(kept) => app.opened(kept, sealing::OF_SMTP_SERVER).await?,
        None => PlainSecret::presented(""),
    };
    Ok(Some((server.username.clone(), password)))
}
