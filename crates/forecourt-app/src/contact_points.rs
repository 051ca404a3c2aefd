//! Contact points: whom products' notifications reach.
//!
//! Invariant: one that a product notifies stays; that is asked in the transaction that would delete it, and the database
//! refuses it too.

use forecourt_core::{
    actors::Caller,
    contact_points::{
        ContactPoint, ContactPointFilter, ContactPointInput, ContactPointRefusal, ContactTarget, ContactType,
    },
    events::EventName,
    ids::ContactPointId,
    lists::List,
    notifications::{self, NotificationRule},
    permissions::{Action, Target},
    secrets::{self, PlainSecret},
    time::Timestamp,
};
use serde_json::json;

use crate::{App, Error, access, random::OsRandom, sealing, writes::Write};

/// The contact points that `filter` wants; none where the caller may see none.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &ContactPointFilter,
) -> Result<List<ContactPoint>, Error> {
    if !access::shows(caller, Action::GetContactPoint, Target::Organization)? {
        return Ok(List { rows: Vec::new(), total: 0 });
    }
    Ok(app.read().contact_points(filter).await?)
}

/// One contact point.
pub async fn contact_point(app: &App, caller: &Caller, id: &ContactPointId) -> Result<ContactPoint, Error> {
    permitted(app, caller, id, Action::GetContactPoint).await
}

/// The contact point, where the caller may do `action` to it. Faces ask before they read a body.
pub async fn permitted(
    app: &App,
    caller: &Caller,
    id: &ContactPointId,
    action: Action,
) -> Result<ContactPoint, Error> {
    access::permits(caller, action, Target::Organization)?;
    app.read().contact_point(id).await?.ok_or_else(Error::not_found)
}

/// The names of the products that notify it.
pub async fn notifying(app: &App, caller: &Caller, id: &ContactPointId) -> Result<Vec<String>, Error> {
    permitted(app, caller, id, Action::GetContactPoint).await?;
    let mut names = Vec::new();
    for product in app.read().products_notifying(id).await? {
        names.extend(app.read().product(&product).await?.map(|product| product.name));
    }
    Ok(names)
}

/// Makes a contact point; a webhook comes with what its calls are signed with, which is shown now or never.
pub async fn create(
    app: &App,
    caller: &Caller,
    input: ContactPointInput,
) -> Result<(ContactPoint, Option<PlainSecret>), Error> {
    access::permits(caller, Action::CreateContactPoint, Target::Organization)?;
    let mut write = app.begin(caller).await?;
    let id = ContactPointId::issue(write.now, &mut OsRandom);
    let contact_point = ContactPoint::new(id, input, write.now)?;
    let (contact_point, secret) = match contact_point.contact_type() {
        ContactType::Email => (contact_point, None),
        ContactType::Webhook => {
            let (contact_point, secret) = signed(app, contact_point, write.now)?;
            (contact_point, Some(secret))
        }
    };
    write.insert_contact_point(&contact_point).await?;
    tell(&mut write, EventName::ContactPointCreated, &contact_point);
    write.commit().await?;
    Ok((contact_point, secret))
}

/// Gives a webhook another signing secret, which is shown now or never; for a day its calls are signed with the one
/// before too.
pub async fn issue_signing_secret(
    app: &App,
    caller: &Caller,
    id: &ContactPointId,
) -> Result<(ContactPoint, PlainSecret), Error> {
    access::permits(caller, Action::UpdateContactPoint, Target::Organization)?;
    let mut write = app.begin(caller).await?;
    let before = write.contact_point(id).await?.ok_or_else(Error::not_found)?;
    let (contact_point, secret) = signed(app, before, write.now)?;
    write.save_contact_point(&contact_point).await?;
    tell(&mut write, EventName::ContactPointSecretIssued, &contact_point);
    write.commit().await?;
    Ok((contact_point, secret))
}

fn signed(
    app: &App,
    contact_point: ContactPoint,
    now: Timestamp,
) -> Result<(ContactPoint, PlainSecret), Error> {
    let secret = secrets::issue_signing_secret(&mut OsRandom);
    let sealed = sealing::seal(app, &secret, &sealing::of_contact_point(&contact_point.id))?;
    Ok((contact_point.with_signing_secret(sealed, now)?, secret))
}

/// Changes what `input` gives.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: &ContactPointId,
    input: ContactPointInput,
) -> Result<ContactPoint, Error> {
    access::permits(caller, Action::UpdateContactPoint, Target::Organization)?;
    let mut write = app.begin(caller).await?;
    let before = write.contact_point(id).await?.ok_or_else(Error::not_found)?;
    let contact_point = before.changed(input, write.now)?;
    write.save_contact_point(&contact_point).await?;
    tell(&mut write, EventName::ContactPointUpdated, &contact_point);
    write.commit().await?;
    Ok(contact_point)
}

/// Deletes a contact point; refused while a product notifies it.
pub async fn delete(app: &App, caller: &Caller, id: &ContactPointId) -> Result<(), Error> {
    access::permits(caller, Action::DeleteContactPoint, Target::Organization)?;
    let mut write = app.begin(caller).await?;
    let contact_point = write.contact_point(id).await?.ok_or_else(Error::not_found)?;
    if let Some(product) = write.products_notifying(id).await?.first() {
        let name = write.product(product).await?.map(|product| product.name).unwrap_or_default();
        return Err(ContactPointRefusal::InUse(name).into());
    }
    write.delete_contact_point(id).await?;
    tell(&mut write, EventName::ContactPointDeleted, &contact_point);
    write.commit().await
}

/// Refuses rules that name a contact point that does not exist, or is of another type. To one that they did not name
/// `before`, and that the caller may not see, the caller learns nothing: for them it does not exist.
pub(crate) async fn check_rules(
    write: &Write<'_>,
    rules: &[NotificationRule],
    before: &[NotificationRule],
) -> Result<(), Error> {
    let sees_all = access::allows(write.caller(), Action::GetContactPoint, Target::Organization);
    for (index, rule) in rules.iter().enumerate() {
        for id in &rule.contact_point_ids {
            let is_known = sees_all || before.iter().any(|earlier| earlier.contact_point_ids.contains(id));
            match write.contact_point(id).await?.filter(|_| is_known) {
                None => return Err(notifications::unknown(index, id.as_str()).into()),
                Some(found) if found.contact_type() != rule.contact_type => {
                    return Err(notifications::of_other_type(index, id, rule).into());
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// Addresses are personal, and a webhook's may hold a secret: the record counts them.
pub(crate) fn tell(write: &mut Write<'_>, name: EventName, contact_point: &ContactPoint) {
    let addresses = match &contact_point.target {
        ContactTarget::Email(addresses) => addresses.len(),
        ContactTarget::Webhook(_) => 1,
    };
    let detail = json!({
        "name": contact_point.name, "type": contact_point.contact_type(), "addresses": addresses,
    });
    write.tell(name, "contact_point", contact_point.id.as_str(), None, detail);
}
